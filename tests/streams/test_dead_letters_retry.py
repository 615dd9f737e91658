"""Sending dead letters again on either broker, without a worker: what is written, by whom, and what is refused."""

import asyncio

import pytest
from aiokafka.structs import TopicPartition
from click.testing import CliRunner, Result

from engagement.dead_letters import DEAD_LETTERS, dead_letter
from engagement.decoding import Dead
from engagement.errors import Refused
from engagement.intake_records import Arrival
from engagement.machine import PlainRecord, Record
from engagement.records import GENESIS_KEY
from streams.connection import Connection
from streams.dead_letters.command import dead_letters
from streams.dead_letters.letters import Wanted, find_letters
from streams.dead_letters.retry import MOST_IN_ONE, send_again
from streams.delivery import delivery_of
from streams.genesis import create_environment, read_genesis
from streams.identity import partition_of
from streams.reading import read_to_end, reader
from streams.scanning import Place
from streams.topics import Environment
from streams.transaction import Row, send

LONG_AGO = 1_735_732_800_000  # 2025-01-01T12:00:00Z
KEYS = [b"acme.com", None, b"beta.com"]
ONE_BATCH = MOST_IN_ONE + 1


def letter(number: int, topic: str = "intent-signals", reason: str = "unknown_kind") -> Row:
    original = PlainRecord(topic, 1, number, LONG_AGO + number, KEYS[number % len(KEYS)], b"event %d" % number)
    output = dead_letter(original, Arrival(LONG_AGO + number, (topic, 1, number, 0), again=False), Dead(reason, "detail"))
    return (output.key, output.value, output.headers, None)


class Buried:
    """An environment with letters, and no worker."""

    def __init__(self, kafka: Connection, prefix: str, rows: list[Row]) -> None:
        self.kafka, self.environment = kafka, Environment(prefix)
        self.letters = TopicPartition(self.environment.topic(DEAD_LETTERS), 1)

        async def make() -> None:
            await create_environment(kafka, self.environment, partitions=2)
            await self.bury(rows)

        asyncio.run(make())

    async def bury(self, rows: list[Row]) -> None:
        async with self.kafka.producer(acks="all") as producer:
            await send(producer, {self.letters: rows})

    def run(self, command: str, *options: str) -> Result:
        where = ["--prefix", self.environment.prefix, "--bootstrap", self.kafka.bootstrap]
        return CliRunner().invoke(dead_letters, [command, *where, *options])

    def retry(self, *options: str) -> Result:
        return self.run("retry", *options)

    def listed(self) -> list[str]:
        return self.run("list").stdout.splitlines()

    def refusal(self, *options: str) -> str:
        result = self.retry(*options)
        assert isinstance(result.exception, Refused), result.output
        return str(result.exception)

    def contents(self, topic: str) -> list[Record]:
        async def read() -> list[Record]:
            async with reader(self.kafka, "read_uncommitted") as consumer:  # what was committed is hidden for a moment still
                partitions = [TopicPartition(self.environment.topic(topic), number) for number in range(2)]
                return [record for each in partitions async for batch in read_to_end(consumer, each) for record in batch]

        return asyncio.run(read())


@pytest.fixture(params=["kafka", "embedded"])
def broker(request: pytest.FixtureRequest) -> Connection:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Connection)
    return found


def test_more_than_one_transaction_takes_are_sent_once_each_to_the_partition_of_the_key(broker: Connection, prefix: str) -> None:
    buried = Buried(broker, prefix, [letter(number) for number in range(ONE_BATCH)])
    assert buried.retry("--yes").stdout.splitlines()[-1].startswith(f"{ONE_BATCH} sent again")
    sent = {record.value: record for record in buried.contents("intent-signals")}
    assert len(sent) == ONE_BATCH
    for number in range(ONE_BATCH):
        record, key = sent[b"event %d" % number], KEYS[number % len(KEYS)]
        assert (record.key, record.partition) == (key, 1 if key is None else partition_of(key, 2))
        assert record.timestamp > LONG_AGO + 86_400_000, "it comes in now"
    notes = [record for record in buried.contents(DEAD_LETTERS) if dict(record.headers).get("retried") is not None]
    assert [record.value for record in notes] == [None] * ONE_BATCH
    assert buried.retry("--yes").stdout.splitlines() == ["0 dead letters", f"left out: {ONE_BATCH} sent again before"]
    assert len(buried.contents("intent-signals")) == ONE_BATCH


def test_the_newest_alone_or_a_place_alone_are_sent_and_the_others_later(kafka: Connection, prefix: str) -> None:
    buried = Buried(kafka, prefix, [letter(number) for number in range(4)])
    for options, due in ((("--last", "1"), [3]), (("--last", "1"), []), (("1/0",), [0]), ((), [1, 2])):
        before = len(buried.contents("intent-signals"))
        assert buried.retry(*options, "--yes").stdout.startswith(f"{len(due)} dead letter")
        sent = {record.value for record in buried.contents("intent-signals")}
        assert len(sent) == before + len(due)
        assert {b"event %d" % number for number in due} <= sent


def test_what_comes_of_the_log_is_left_out_and_refused_where_nothing_else_is_asked_for(kafka: Connection, prefix: str) -> None:
    buried = Buried(kafka, prefix, [letter(0, "account-log", "account_full"), letter(1)])
    remedy = "account-log is no input, intake has taken their events already: send mended ones with ids of their own"
    for options in (("--topic", "account-log"), ("--reason", "account_full"), ("1/0",)):
        assert buried.refusal(*options, "--yes").endswith(f"cannot be sent again: 1 account_full: {remedy}")
    assert f"left out: 1 account_full: {remedy}" in buried.retry("--yes").stdout
    assert [record.value for record in buried.contents("intent-signals")] == [b"event 1"]
    assert {record.key for record in buried.contents("account-log")} == {GENESIS_KEY}


def test_records_that_are_no_letters_are_left_out_and_counted(kafka: Connection, prefix: str) -> None:
    key, value, headers, _ = letter(0)
    nowhere = tuple((name, b"7" if name == "source-partition" else said) for name, said in headers)
    buried = Buried(kafka, prefix, [(b"key", b"value", (), None), (key, value, nowhere, None), letter(1)])
    assert buried.listed()[-1] == "1 dead letter: unknown_kind 1; of intent-signals 1; 2 records that are no dead letters are left out"
    assert "no dead letter lies there" in buried.refusal("1/0", "--yes")
    assert buried.retry("--yes").stdout.startswith("1 dead letter: ")
    assert [record.value for record in buried.contents("intent-signals")] == [b"event 1"]


@pytest.mark.usefixtures("fenced_producers")
async def test_of_two_who_send_at_the_same_time_the_first_is_refused(kafka: Connection, prefix: str) -> None:
    buried = await asyncio.to_thread(Buried, kafka, prefix, [letter(0)])
    environment = buried.environment
    genesis = await read_genesis(kafka, environment)
    identity = environment.transactional_id("retry", 0)
    async with delivery_of(genesis).make_producer(kafka, identity) as first:
        letters = await find_letters(kafka, environment, 2, Wanted(), 0)
        assert (await asyncio.to_thread(buried.retry, "--yes")).exception is None
        with pytest.raises(Refused, match="another `mqa dead-letters retry` has taken over"):
            await send_again(kafka, environment, genesis, first, wanted=Wanted(), letters=letters)
    assert len(await asyncio.to_thread(buried.contents, "intent-signals")) == 1


async def test_what_dies_meanwhile_is_not_sent_again_at_once(kafka: Connection, prefix: str) -> None:
    buried = await asyncio.to_thread(Buried, kafka, prefix, [letter(0)])
    environment = buried.environment
    genesis = await read_genesis(kafka, environment)
    async with delivery_of(genesis).make_producer(kafka, environment.transactional_id("retry", 0)) as producer:
        letters = await find_letters(kafka, environment, 2, Wanted(), 0)
        await buried.bury([letter(1)])
        assert await send_again(kafka, environment, genesis, producer, wanted=Wanted(), letters=letters) == 1
    assert [record.value for record in await asyncio.to_thread(buried.contents, "intent-signals")] == [b"event 0"]


def test_a_note_of_a_letter_that_is_gone_is_not_counted(kafka: Connection, prefix: str) -> None:
    gone = letter(7)
    buried = Buried(kafka, prefix, [(gone[0], None, (*gone[2], ("retried", b"-1")), None), letter(8)])
    letters = asyncio.run(find_letters(kafka, buried.environment, 2, Wanted(), 5))
    assert [each.place for each in letters.newest] == [Place(1, 1)]
    assert (letters.sorts.total(), letters.retried_sorts.total()) == (1, 0)
