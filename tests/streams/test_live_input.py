"""Whatever is sent in ends where it should, with its reason and its original bytes, and the worker goes on."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from aiokafka.structs import TopicPartition

from engagement.days import iso_instant, midnight
from engagement.events import Family
from engagement.fates import adds_up
from engagement.machine import Record
from streams.connection import Connection
from streams.history.arrivals import Arrival
from streams.history.player import open_player
from streams.identity import partition_of
from streams.reading import read_to_end, reader
from streams.topics import DEAD_LETTERS, LOG, Environment
from tests.streams.histories import FIRST_DAY, PARTITIONS
from tests.streams.live_runs import Live, new_environment, working

NOW = midnight(FIRST_DAY) + 12 * 3_600_000
DAY = 86_400_000
ACCOUNT = b"acme.com"
HOME = partition_of(ACCOUNT, PARTITIONS)


def signal(identity: str, **changes: object) -> bytes:
    event = {"id": identity, "kind": "download", "occurred_at": iso_instant(NOW), "email": "ann@acme.com"}
    return json.dumps(event | changes).encode()


DEAD: dict[str, bytes | None] = {
    "empty_value": b"",
    "malformed_json": b'{"id": "broken", "kind":',
    "invalid": signal("wrong type", seconds="long"),
    "unknown_version": signal("other version", schema_version=2),
    "unknown_kind": signal("unknown kind", kind="telepathy"),
    "future": signal("future", occurred_at=iso_instant(NOW + DAY)),
    "late": signal("late", occurred_at=iso_instant(NOW - 91 * DAY)),
    "too_large": signal("large", topic="x" * 3_000_000),
}


class Outcome(NamedTuple):
    """What came out of an environment."""

    fates: dict[str, int]
    letters: list[Record]
    logged: list[bytes]  # values of signals in the log
    worker_status: int | None  # None: it still runs


@pytest.fixture(scope="module")
def outcome(kafka: Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    environment = new_environment(kafka)
    arrivals = [Arrival(Family.INTENT_SIGNALS, HOME, NOW, ACCOUNT, value) for value in DEAD.values()]
    arrivals += [
        Arrival(Family.INTENT_SIGNALS, HOME, NOW, ACCOUNT, None),
        Arrival(Family.INTENT_SIGNALS, HOME, NOW, ACCOUNT, signal("good")),
        Arrival(Family.INTENT_SIGNALS, HOME, NOW, ACCOUNT, signal("good")),
        Arrival(Family.INTENT_SIGNALS, (HOME + 1) % PARTITIONS, NOW, ACCOUNT, signal("wrong partition")),
        Arrival(Family.INTENT_SIGNALS, (HOME + 2) % PARTITIONS, NOW, None, signal("no key", account="acme.com")),
        Arrival(Family.WEB_VISITS, 0, NOW, None, b'{"id": "nobody", "occurred_at": "2025-01-01T00:00:00Z"}'),
    ]
    with working(kafka, environment, tmp_path_factory.mktemp("input")) as workers:

        async def feed() -> None:
            async with open_player(kafka, environment) as player:
                await player.begin(FIRST_DAY)
                await player.receive(arrivals)
                await player.settle()

        asyncio.run(feed())
        status = workers["one"].status
        letters, log = asyncio.run(contents(kafka, environment, DEAD_LETTERS)), asyncio.run(contents(kafka, environment, LOG))
        logged = [record.value for record in log if record.key == ACCOUNT and record.value is not None]
        yield Outcome(Live(kafka=kafka, environment=environment).fates(), letters, logged, status)


async def contents(kafka: Connection, environment: Environment, topic: str) -> list[Record]:
    found: list[Record] = []
    async with reader(kafka) as consumer:
        for number in range(PARTITIONS):
            partition = TopicPartition(environment.topic(topic), number)
            found += [record async for batch in read_to_end(consumer, partition) for record in batch]
    return found


def test_the_worker_goes_on(outcome: Outcome) -> None:
    assert outcome.worker_status is None


def test_every_event_has_one_fate(outcome: Outcome) -> None:
    assert adds_up(outcome.fates)
    assert outcome.fates["in"] == len(DEAD) + 6
    assert outcome.fates["counted"] == 3
    assert outcome.fates["filtered:duplicate"] == 1
    assert outcome.fates["rerouted"] == 2


@pytest.mark.parametrize("reason", DEAD)
def test_a_dead_letter_holds_the_original_bytes_and_where_they_came_from(outcome: Outcome, reason: str) -> None:
    (letter,) = [
        each for each in outcome.letters if dict(each.headers)["reason"] == reason.encode() and each.value is not None and each.key
    ]
    headers = dict(letter.headers)
    assert letter.value == DEAD[reason]
    assert letter.key == ACCOUNT
    assert (headers["source-topic"], headers["source-partition"]) == (b"intent-signals", b"%d" % HOME)
    assert headers["source-offset"] == b"%d" % list(DEAD).index(reason)
    assert headers["received-at"] == b"%d" % NOW


def test_a_record_without_any_value_and_a_visit_of_nobody_are_dead_too(outcome: Outcome) -> None:
    reasons = Counter(dict(letter.headers)["reason"].decode() for letter in outcome.letters)
    assert reasons == Counter(dict.fromkeys(DEAD, 1)) + Counter({"empty_value": 1, "invalid": 1})


def test_what_came_in_a_wrong_partition_or_without_a_key_is_counted_with_its_first_coordinates(outcome: Outcome) -> None:
    sources = {json.loads(value)["id"]: json.loads(value)["source"] for value in outcome.logged}
    assert sources.keys() == {"good", "wrong partition", "no key"}
    assert sources["wrong partition"] == ["intent-signals", (HOME + 1) % PARTITIONS, 0, 0]
    assert sources["no key"] == ["intent-signals", (HOME + 2) % PARTITIONS, 0, 0]
