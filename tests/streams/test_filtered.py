"""``mqa filtered``: what was filtered last, why, where it lies, and what it said."""

import asyncio
import json
from collections import Counter
from typing import NamedTuple

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition
from click.testing import CliRunner, Result

from engagement.days import iso_instant, midnight
from engagement.errors import Refused
from engagement.events import Family
from engagement.filtered import FilteredEvent
from streams.connection import Connection
from streams.filtered import Found, filtered, listed, read_original, records_line
from streams.genesis import create_environment
from streams.history.arrivals import Arrival
from streams.history.player import open_player
from streams.identity import partition_of
from streams.reading import reader
from streams.topics import Environment
from tests.streams.histories import FIRST_DAY, PARTITIONS
from tests.streams.live_runs import Live, new_environment, working

NOON = midnight(FIRST_DAY) + 12 * 3_600_000
HOME = partition_of(b"v1", PARTITIONS)


def visit(event_id: str, **said: str) -> bytes:
    return json.dumps({"id": event_id, "occurred_at": iso_instant(NOON), "visitor_id": "v1", "url": "/pricing", **said}).encode()


def event(event_id: str | None, offset: int, *, undo: bool = False, number: int = 0) -> FilteredEvent:
    return FilteredEvent(reason="own_domain", undo=undo, id=event_id, source=("web-visits", 0, offset, number), received_at=NOON)


SENT = [
    visit("robot-1", user_agent="Googlebot/2.1 (+http://www.google.com/bot.html)"),
    visit("page"),
    visit("style", url="/site.css"),
    visit("page"),
    visit("robot-2", user_agent="bingbot/2.0", email="jane@acme.com"),
]


class Filtered(NamedTuple):
    kafka: Connection
    environment: Environment

    def run(self, *options: str) -> Result:
        where = ["--prefix", self.environment.prefix, "--bootstrap", self.kafka.bootstrap]
        return CliRunner().invoke(filtered, [*where, *options], catch_exceptions=False)


@pytest.fixture(scope="module")
def played(kafka: Connection, tmp_path_factory: pytest.TempPathFactory) -> Filtered:
    environment = new_environment(kafka)
    arrivals = [Arrival(Family.WEB_VISITS, HOME, NOON + number, b"v1", value) for number, value in enumerate(SENT)]

    async def feed() -> None:
        async with open_player(kafka, environment) as player:
            await player.begin(FIRST_DAY)
            await player.receive(arrivals)
            await player.settle()

    with working(kafka, environment, tmp_path_factory.mktemp("filtered")):
        asyncio.run(feed())
    return Filtered(kafka, environment)


def test_the_last_are_listed_the_newest_last_and_below_all_are_counted(played: Filtered) -> None:
    result = played.run()
    topic = f"{played.environment.prefix}web-visits/{HOME}"
    assert [" ".join(line.split()) for line in result.stdout.splitlines()] == [
        f"2025-01-01T12:00:00.000Z robot robot-1 {topic}/0",
        f"2025-01-01T12:00:00.002Z asset style {topic}/2",
        f"2025-01-01T12:00:00.003Z duplicate page {topic}/3",
        f"2025-01-01T12:00:00.004Z robot robot-2 {topic}/4",
        "4 filtered: robot 2, asset 1, duplicate 1",
    ]


def test_the_counts_are_the_workers_own(played: Filtered) -> None:
    fates = Live(kafka=played.kafka, environment=played.environment).fates()
    reasons = {fate.removeprefix("filtered:"): count for fate, count in fates.items() if fate.startswith("filtered:")}
    assert reasons == {"robot": 2, "asset": 1, "duplicate": 1}


def test_some_are_chosen_by_reason_and_number(played: Filtered) -> None:
    listed = played.run("--reason", "robot", "--last", "1").stdout.splitlines()
    assert ["robot-2" in line for line in listed] == [True, False]
    assert listed[-1] == "4 filtered: robot 2, asset 1, duplicate 1"
    assert played.run("--last", "0").stdout.splitlines() == listed[-1:]


def test_an_original_is_shown_as_it_was_sent(played: Filtered) -> None:
    result = played.run("--reason", "robot", "--last", "1", "--original")
    _, *original, _ = result.stdout.splitlines()
    assert {line[:4] for line in original} == {"    "}
    assert json.loads("".join(original)) == json.loads(SENT[4])


def test_a_program_gets_one_json_object_a_line_and_the_counts_beside_them(played: Filtered) -> None:
    result = played.run("--json", "--original", "--last", "1")
    assert json.loads(result.stdout) == {
        "at": "2025-01-01T12:00:00.004Z",
        "reason": "robot",
        "id": "robot-2",
        "source": ["web-visits", HOME, 4, 0],
        "received_at": NOON + 4,
        "original": SENT[4].decode(),
    }
    assert result.stderr.splitlines()[-1].startswith("4 filtered")


def test_of_an_original_that_its_topic_keeps_no_more_that_is_said(played: Filtered) -> None:
    async def forget() -> None:
        admin = AIOKafkaAdminClient(**played.kafka.client_options())
        await admin.start()
        place = TopicPartition(played.environment.topic("web-visits"), HOME)
        await admin.delete_records({place: RecordsToDelete(before_offset=3)})
        await admin.close()

    asyncio.run(forget())
    lines = played.run("--original").stdout.splitlines()
    assert lines.count("    (its topic keeps it no more)") == 2
    assert sum(line.startswith("    {") for line in lines) == 2


def test_a_visit_that_is_filtered_no_longer_is_told_and_not_counted() -> None:
    found = [Found(NOON, 0, 0, event("a", 0)), Found(NOON, 0, 1, event("a", 0, undo=True)), Found(NOON, 0, 2, event(None, 1, number=2))]
    assert list(listed(found, Environment("t-"))) == [
        "2025-01-01T12:00:00.000Z  own_domain            a  t-web-visits/0/0",
        "2025-01-01T12:00:00.000Z  no longer own_domain  a  t-web-visits/0/0",
        "2025-01-01T12:00:00.000Z  own_domain            -  t-web-visits/0/1, event 2 in it",
    ]
    assert records_line(Counter({("own_domain", False): 2, ("own_domain", True): 1})) == "1 filtered: own_domain 1"


async def test_what_lies_in_a_topic_that_was_made_anew_is_not_taken_for_the_original(kafka: Connection, prefix: str) -> None:
    environment = Environment(prefix)
    await create_environment(kafka, environment, partitions=1)
    async with AIOKafkaProducer(**kafka.client_options()) as producer:
        await producer.send_and_wait(environment.topic("web-visits"), visit("other"), partition=0)
    async with reader(kafka) as consumer:
        read = [await read_original(consumer, environment, event(*each)) for each in (("other", 0), ("e1", 0), ("other", 1))]
    assert read == [visit("other"), None, None]


def test_an_environment_that_is_not_there_is_refused_with_the_command_that_makes_it(kafka: Connection, prefix: str) -> None:
    result = CliRunner().invoke(filtered, ["--prefix", prefix, "--bootstrap", kafka.bootstrap])
    assert isinstance(result.exception, Refused)
    assert f"run `mqa topics create --prefix {prefix}`" in str(result.exception)


async def test_records_that_are_not_intakes_are_left_out_and_counted(kafka: Connection, prefix: str) -> None:
    environment = Environment(prefix)
    await create_environment(kafka, environment, partitions=1)
    ours = {"reason": "robot", "source": ["web-visits", 0, 0, 0], "received_at": NOON}
    odd = [{}, ours | {"source": ["nonsense", 0, 0, 0]}, ours | {"source": ["web-visits", 7, 0, 0]}, ours | {"reason": "a\n\u202eb"}]
    async with AIOKafkaProducer(**kafka.client_options()) as producer:
        for said in (*odd, ours):
            value = json.dumps(said).encode()
            await producer.send_and_wait(environment.topic("filtered-events"), value, partition=0, timestamp_ms=NOON)
        await producer.send_and_wait(environment.topic("filtered-events"), json.dumps(ours).encode(), partition=0, timestamp_ms=0)
    arguments = ["--prefix", prefix, "--bootstrap", kafka.bootstrap, "--original"]
    result = await asyncio.to_thread(CliRunner().invoke, filtered, arguments)
    assert "\n\u202e" not in result.stdout
    counted = result.stdout.splitlines()[-1]
    assert counted == r"2 filtered: a\n\u202eb 1, robot 1; 4 records that are none of intake's are left out"
