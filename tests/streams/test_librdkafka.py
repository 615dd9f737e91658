"""Producers that place records as librdkafka does by default, and not as the Java client, lose nothing.

Each key has a partition all the same, so the records of a visitor keep their order: they come to the right partition in it, by which each
account has the state that it has otherwise, and tells the same tier changes, to the byte. What may differ is where a record lies, what of
different keys comes first, and so which visitor is not seen for longest where there are too many; likewise whether what an intent signal
says of a visitor comes before a visit of the same day: the score at the end of the day is the same.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random
from time import time_ns

import msgspec
import pytest
from aiokafka.structs import TopicPartition
from confluent_kafka import Producer

from engagement.days import MS_PER_DAY, day_of, midnight
from engagement.events import Family
from engagement.fates import adds_up
from streams.connection import Connection
from streams.history.engine import HistoryReplay
from streams.history.live import replay_log
from streams.history.player import open_player
from streams.reading import read_to_end, reader
from streams.topics import Environment
from tests.faults.live.load import librdkafka_partition
from tests.streams.histories import FIRST_DAY, PARTITIONS, Days, new_replay, scores_on
from tests.streams.live_runs import Live, new_environment, working
from tests.streams.visitor_stories import VISITORS, Event, arriving, as_java, history, story


def as_librdkafka(key: bytes | None) -> int:
    return librdkafka_partition(Random(0), key, PARTITIONS)


def signalled(visitor: int, *, day: int) -> list[Event]:
    """An intent signal amid visits, which says who their visitor is."""
    name, account = f"v-{visitor}", f"new-{visitor}.example"
    visits = [(Family.WEB_VISITS, name, {"id": f"{name}-{day}-{n}", "visitor_id": name, "url": "/pricing"}) for n in range(2)]
    signal = {"id": f"s-{visitor}-{day}", "visitor_id": name, "kind": "webinar", "email": f"a@{account}", "account": account}
    return [visits[0], (Family.INTENT_SIGNALS, account, signal), visits[1]]


def replayed(days: Days) -> tuple[HistoryReplay, dict[bytes, list[bytes]]]:
    """A replay, and what each account told."""
    engine = new_replay()
    told: dict[bytes, list[bytes]] = {}
    for day, arrivals in days:
        for change in [*engine.begin(day), *engine.receive(arrivals)]:
            assert change.key is not None
            assert change.value is not None
            told.setdefault(change.key, []).append(change.value)
    return engine, told


@pytest.mark.parametrize("seed", range(5))
def test_visitors_have_the_histories_that_they_have_with_the_java_clients_partitions(seed: int) -> None:
    (expected, told), (found, told_then) = (replayed(history(seed, place)) for place in (as_java, as_librdkafka))
    assert expected.fates["rerouted"] == 0
    assert found.fates["rerouted"] > 500
    assert found.fates - Counter(rerouted=found.fates["rerouted"]) == +expected.fates
    assert expected.log.fates["undone"] > 50
    assert dict(found.log.states()) == dict(expected.log.states())
    assert told_then == told
    assert len(told) > 5


def test_what_an_intent_signal_says_of_a_visitor_comes_to_the_same_score() -> None:
    scores = []
    for place in (as_java, as_librdkafka):
        days = [
            (FIRST_DAY + day, arriving((each for n in range(VISITORS) for each in signalled(n, day=day)), midnight(FIRST_DAY + day), place))
            for day in range(3)
        ]
        engine, _ = replayed(days)
        assert engine.fates["derived"] == engine.fates["identify"] == 3 * VISITORS
        assert engine.fates["counted"] == engine.fates["in"] == 9 * VISITORS
        scores.append(scores_on(FIRST_DAY + 2, engine.log.states()))
    assert scores[0] == scores[1]


def produce(kafka: Connection, topic: str, events: Iterable[tuple[bytes | None, bytes | None]]) -> None:
    """Send keys and values with librdkafka as it comes."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for key, value in events:
        producer.produce(topic, value, key)
    assert producer.flush(60) == 0, "all were sent"


async def lying(kafka: Connection, environment: Environment, family: Family) -> list[tuple[bytes | None, int, bytes]]:
    """Key, partition and value of every original."""
    found = []
    async with reader(kafka) as consumer:
        for number in range(PARTITIONS):
            async for records in read_to_end(consumer, TopicPartition(environment.topic(family.value), number)):
                found += [(record.key, number, record.value or b"") for record in records if not record.headers]
    return found


def test_what_librdkafka_sends_is_counted_as_if_the_java_client_had_sent_it(kafka: Connection, tmp_path: Path) -> None:
    today = day_of(time_ns() // 1_000_000)
    events = [event for visitor in range(VISITORS) for day in range(3) for event in story(1, visitor, day=day)]
    start = midnight(today) - MS_PER_DAY
    arrivals = arriving(events, start, as_java)
    keyless = [(Family.WEB_VISITS, f"k-{n}", {"id": f"k-{n}", "visitor_id": f"k-{n}", "url": "/"}) for n in range(20)]
    without_key = arriving(keyless, start, as_java)
    expected, _ = replayed([(today, arrivals + without_key)])
    environment = new_environment(kafka)
    visits = environment.topic(Family.WEB_VISITS.value)

    async def feed() -> None:
        async with open_player(kafka, environment) as player:
            await player.begin(today)
            sent = [*((each.key, each.value) for each in arrivals), *((None, each.value) for each in without_key)]
            await asyncio.to_thread(produce, kafka, visits, sent)
            await player.settle()

    with working(kafka, environment, tmp_path):
        asyncio.run(feed())
    sent = asyncio.run(lying(kafka, environment, Family.WEB_VISITS))
    assert {(key, place) for key, place, _ in sent if key is not None} == {(each.key, as_librdkafka(each.key)) for each in arrivals}, (
        "the partitions of this test and of the load of the fault runs are librdkafka's"
    )
    assert sum(key is None for key, *_ in sent) == len(keyless)
    live = Live(kafka=kafka, environment=environment)
    fates = live.fates()
    astray = sum(place != as_java(key or visitor_of(value)) for key, place, value in sent)
    assert astray > len(arrivals) // 2
    assert adds_up(fates)
    assert Counter(fates) == +expected.fates + Counter(rerouted=astray)
    comparison = live.compared()
    assert comparison.holds, "\n".join(comparison.lines())
    assert comparison.unfolded == 0
    log = asyncio.run(replay_log(kafka, environment, PARTITIONS, lambda _: None))
    assert dict(log.states()) == dict(expected.log.states())


def visitor_of(value: bytes) -> bytes:
    return str(msgspec.json.decode(value)["visitor_id"]).encode()
