"""An input topic that was deleted and made anew under its name stops the worker, whatever the new one holds; a person can go on."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from engagement.events import Family
from streams.connection import Connection
from streams.genesis import create_environment, existing_topics
from streams.history.arrivals import Arrival
from streams.history.player import open_player
from streams.reading import read_to_end, reader
from streams.topics import LOG
from tests.streams.histories import FIRST_DAY
from tests.streams.live_runs import Live, new_environment, working
from tests.streams.test_live_input import ACCOUNT, HOME, NOW, signal

READ = 5
"""How many records a worker has read of the old topic."""


class Input:
    """An input topic of an environment, all of its records in one partition."""

    def __init__(self, kafka: Connection) -> None:
        self.kafka, self.environment = kafka, new_environment(kafka)
        self.topic = self.environment.topic(Family.INTENT_SIGNALS.value)
        self.place = f"{self.topic}/{HOME}"

    async def begin(self) -> None:
        """A worker that runs has folded `READ` records when this returns."""
        async with open_player(self.kafka, self.environment) as player:
            await player.begin(FIRST_DAY)
            await player.receive([Arrival(Family.INTENT_SIGNALS, HOME, NOW, ACCOUNT, signal(f"old {n}")) for n in range(READ)])
            await player.settle()

    async def make_anew(self, records: int) -> None:
        admin = AIOKafkaAdminClient(**self.kafka.client_options())
        await admin.start()
        await admin.delete_topics([self.topic])
        await admin.close()
        while Family.INTENT_SIGNALS.value in await existing_topics(self.kafka, self.environment):
            pass  # its deletion ends some time after it was answered
        await create_environment(self.kafka, self.environment)
        async with AIOKafkaProducer(**self.kafka.client_options()) as producer:
            for number in range(records):
                await producer.send_and_wait(self.topic, signal(f"new {number}"), ACCOUNT, HOME, timestamp_ms=NOW)

    async def logged(self) -> int:
        async with reader(self.kafka) as consumer:
            log = TopicPartition(self.environment.topic(LOG), HOME)
            return sum([record.key == ACCOUNT async for batch in read_to_end(consumer, log) for record in batch])


@pytest.mark.parametrize("records", [READ - 2, READ, READ + 20])
def test_while_no_worker_ran_it_stops_the_next_one_with_the_place_and_what_to_do(kafka: Connection, tmp_path: Path, records: int) -> None:
    given = Input(kafka)
    with working(kafka, given.environment, tmp_path) as workers:
        asyncio.run(given.begin())
        assert workers["one"].stop() == 0
    asyncio.run(given.make_anew(records))
    with working(kafka, given.environment, tmp_path, names=("two",)) as workers:
        assert workers["two"].wait(60) == 2
        last = workers["two"].last_words().splitlines()[-1]
    assert last.startswith(f"mqa worker: {given.place} ")
    assert "made anew" in last
    assert f"--accept-loss {given.place}" in last


@pytest.mark.parametrize("records", [READ - 2, READ + 20])
def test_while_a_worker_runs_it_stops_that_one(kafka: Connection, tmp_path: Path, records: int) -> None:
    given = Input(kafka)
    with working(kafka, given.environment, tmp_path) as workers:
        asyncio.run(given.begin())
        asyncio.run(given.make_anew(records))
        assert workers["one"].wait(60) == 2
        last = workers["one"].last_words().splitlines()[-1]
    assert given.topic in last
    assert "Traceback" not in workers["one"].last_words()
    assert asyncio.run(given.logged()) == READ


def test_who_accepts_the_loss_has_the_new_topic_read_from_its_beginning_and_need_not_say_so_again(
    kafka: Connection, tmp_path: Path
) -> None:
    given = Input(kafka)
    with working(kafka, given.environment, tmp_path) as workers:
        asyncio.run(given.begin())
        assert workers["one"].stop() == 0
    asyncio.run(given.make_anew(READ + 20))
    with working(kafka, given.environment, tmp_path, names=("two",), options=("--accept-loss", given.place)) as workers:
        settle(given, READ + READ + 20, lambda: workers["two"].status)
        assert workers["two"].stop() == 0
    with working(kafka, given.environment, tmp_path, names=("three",)) as workers:
        settle(given, READ + READ + 20, lambda: workers["three"].status)
    assert Live(kafka=kafka, environment=given.environment).fates()["in"] == READ + READ + 20


def settle(given: Input, logged: int, status: Callable[[], int | None]) -> None:
    """Until the worker has folded a day more, and so all that was there; it must not end meanwhile."""

    async def run() -> None:
        while await given.logged() < logged:
            assert status() is None

    asyncio.run(asyncio.wait_for(run(), 60))
