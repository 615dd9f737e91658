"""A transaction on a real Kafka: all of it or nothing, and only by the newest owner."""

import pytest
from aiokafka.structs import TopicPartition

from engagement.machine import Output, Position, Step
from engagement.rulebook import default_rulebook_text, load_rulebook
from streams.connection import Connection
from streams.genesis import create_environment
from streams.reading import read_to_end, reader
from streams.topics import Environment
from streams.transaction import Fenced, Row, commit, make_producer, rows_of, send


@pytest.fixture
async def environment(kafka: Connection, prefix: str) -> Environment:
    made = Environment(prefix)
    rulebook = load_rulebook(default_rulebook_text(), "default")
    await create_environment(kafka, made, partitions=2, clock="played", rulebook=rulebook)
    return made


async def contents(kafka: Connection, partition: TopicPartition) -> list[bytes | None]:
    # A commit is answered before its markers are written: read to the end that is there, not to the last stable offset
    async with reader(kafka, "read_uncommitted") as consumer:
        end = (await consumer.end_offsets([partition]))[partition]
    async with reader(kafka) as consumer:
        return [record.value async for batch in read_to_end(consumer, partition, end=end) for record in batch]


def row(value: bytes) -> Row:
    return (b"acme.com", value, (("reason", b"test"),), 1_700_000_000_000)


async def test_everything_of_a_transaction_becomes_readable(kafka: Connection, environment: Environment):
    changes, visits = (TopicPartition(environment.topic(short), 1) for short in ("tier-changes", "web-visits"))
    async with make_producer(kafka, f"{environment.prefix}a") as producer:
        aborts = await commit(producer, {changes: [row(b"1"), row(b"2")], visits: [row(b"3")]}, {visits: 7}, environment.group)
    assert aborts == 0
    assert await contents(kafka, changes) == [b"1", b"2"]
    assert await contents(kafka, visits) == [b"3"]


async def test_rows_beyond_one_batch_keep_their_order(kafka: Connection, environment: Environment):
    changes = TopicPartition(environment.topic("tier-changes"), 0)
    values = [b"%06d" % number + bytes(3_000) for number in range(1_500)]
    async with make_producer(kafka, f"{environment.prefix}a") as producer:
        await commit(producer, {changes: [row(value) for value in values]}, {}, environment.group)
    assert await contents(kafka, changes) == values


async def test_a_dead_letter_may_have_neither_key_nor_value_and_may_have_three_megabytes(kafka: Connection, environment: Environment):
    letters = TopicPartition(environment.topic("dead-letters"), 0)
    rows: list[Row] = [(None, None, (), None), (b"k", bytes(3_000_000), (), None)]
    async with make_producer(kafka, f"{environment.prefix}a") as producer:
        await commit(producer, {letters: rows}, {}, environment.group)
    assert await contents(kafka, letters) == [None, bytes(3_000_000)]


async def test_an_aborted_transaction_is_invisible(kafka: Connection, environment: Environment):
    changes = TopicPartition(environment.topic("tier-changes"), 0)
    async with make_producer(kafka, f"{environment.prefix}a") as producer:
        await producer.begin_transaction()
        await send(producer, {changes: [row(b"lost")]})
        await producer.abort_transaction()
        await commit(producer, {changes: [row(b"kept")]}, {}, environment.group)
    assert await contents(kafka, changes) == [b"kept"]


@pytest.mark.usefixtures("fenced_producers")
async def test_the_older_of_two_owners_is_fenced_and_writes_nothing(kafka: Connection, environment: Environment):
    changes = TopicPartition(environment.topic("tier-changes"), 0)
    many = [row(bytes(3_000)) for _ in range(1_500)]
    async with make_producer(kafka, f"{environment.prefix}a") as older, make_producer(kafka, f"{environment.prefix}a") as newer:
        with pytest.raises(Fenced):
            await commit(older, {changes: many}, {TopicPartition(environment.topic("web-visits"), 0): 3}, environment.group)
        await commit(newer, {changes: [row(b"newer")]}, {}, environment.group)
    assert await contents(kafka, changes) == [b"newer"]


def test_a_steps_outputs_go_to_their_own_partition_or_the_units_and_its_state_comes_last():
    changelog = TopicPartition("p-accounts-changelog", 3)
    outputs = [Output("tier-changes", b"k", b"v"), Output("account-log", b"k", b"w", partition=1)]
    step = Step({b"k": b"state", b"gone": None}, outputs, {}, 1, Position())
    rows = rows_of(step, changelog, lambda short: "p-" + short)
    assert list(rows) == [TopicPartition("p-tier-changes", 3), TopicPartition("p-account-log", 1), changelog]
    assert rows[changelog] == [(b"k", b"state", (), None), (b"gone", None, (), None)]
