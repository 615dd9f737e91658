"""How much waits is told right whoever stands still: the unit, the topic behind an open transaction, the broker."""

from collections.abc import AsyncIterator

import pytest
from aiokafka.structs import TopicPartition

from streams.connection import Connection
from streams.genesis import create_environment
from streams.topics import Environment
from streams.transaction import Row, commit, make_producer, send
from streams.worker.backlog import Backlog
from streams.worker.metrics import Metrics

BEGAN = 1_700_000_000_000
TOPICS = ("web-visits", "intent-signals", "account-updates")


def at(seconds: int) -> Row:
    return (b"k", b"{}", (), BEGAN + seconds * 1_000)


class Stopped:
    """The backlog of a unit that does not move unless the test says so."""

    def __init__(self, kafka: Connection, environment: Environment, *, ages: bool = True) -> None:
        self.kafka, self.metrics = kafka, Metrics()
        self.visits, self.signals, self.updates = (TopicPartition(environment.topic(short), 0) for short in TOPICS)
        self.positions = {self.visits: 0, self.signals: 0, self.updates: 0}
        self.backlog = Backlog(
            kafka,
            self.metrics,
            role_of={source.topic: "intake" for source in self.positions},
            positions=lambda: self.positions,
            now=(lambda: BEGAN + 100_000) if ages else None,
        )

    async def arrives(self, partition: TopicPartition, *rows: Row) -> None:
        async with self.kafka.producer() as producer:
            await send(producer, {partition: rows})

    async def lags(self) -> list[float]:
        await self.backlog.observe()
        told = {sample.labels["topic"]: sample.value for sample in next(iter(self.metrics.lag.collect())).samples}
        return [told[source.topic] for source in self.positions if source.topic in told]

    @property
    def ages(self) -> list[float]:
        return [sample.value for sample in next(iter(self.metrics.oldest.collect())).samples]


@pytest.fixture
async def environment(kafka: Connection, prefix: str) -> Environment:
    made = Environment(prefix)
    await create_environment(kafka, made, partitions=1, clock="played")  # so that inputs have their producer's time
    return made


@pytest.fixture
async def stopped(kafka: Connection, environment: Environment) -> AsyncIterator[Stopped]:
    made = Stopped(kafka, environment)
    yield made
    await made.backlog.stop()


async def test_where_nothing_waits_nothing_is_old(stopped: Stopped):
    assert await stopped.lags() == [0, 0, 0]
    assert stopped.ages == [0]


async def test_what_arrives_while_a_unit_stands_still_is_counted_and_ages_from_its_first_record(stopped: Stopped):
    await stopped.arrives(stopped.visits, at(10), at(20))
    assert await stopped.lags() == [2, 0, 0]
    await stopped.arrives(stopped.visits, at(30))
    assert await stopped.lags() == [3, 0, 0]
    assert stopped.ages == [90]


async def test_a_unit_is_as_late_as_the_latest_of_its_topics(stopped: Stopped):
    await stopped.arrives(stopped.visits, at(50))
    await stopped.arrives(stopped.signals, at(40), at(41), at(42))
    assert await stopped.lags() == [1, 3, 0]
    assert stopped.ages == [60]


async def test_what_is_folded_waits_no_longer(stopped: Stopped):
    await stopped.arrives(stopped.visits, at(10), at(20))
    await stopped.lags()
    stopped.positions[stopped.visits] = 1
    assert (await stopped.lags(), stopped.ages) == ([1, 0, 0], [80])
    stopped.positions[stopped.visits] = 2
    assert (await stopped.lags(), stopped.ages) == ([0, 0, 0], [0])


async def test_what_lies_behind_an_open_transaction_waits_too(stopped: Stopped):
    async with make_producer(stopped.kafka, f"{stopped.visits.topic}-somebody") as producer:
        await producer.begin_transaction()
        await send(producer, {stopped.visits: [at(10)]})
        await stopped.arrives(stopped.visits, at(20))
        assert (await stopped.lags(), stopped.ages) == ([2, 0, 0], [90])
        await producer.abort_transaction()


async def test_a_transactions_marker_alone_has_no_age(stopped: Stopped):
    async with make_producer(stopped.kafka, f"{stopped.visits.topic}-somebody") as producer:
        await commit(producer, {stopped.visits: [at(10)]}, {}, f"{stopped.visits.topic}-group")
    stopped.positions[stopped.visits] = 1
    assert (await stopped.lags(), stopped.ages) == ([1, 0, 0], [0])


async def test_where_a_history_is_played_no_age_is_told(kafka: Connection, environment: Environment):
    stopped = Stopped(kafka, environment, ages=False)
    await stopped.arrives(stopped.visits, at(10))
    assert (await stopped.lags(), stopped.ages) == ([1, 0, 0], [])
    await stopped.backlog.stop()


async def test_what_the_broker_does_not_tell_has_no_value(stopped: Stopped):
    await stopped.arrives(stopped.visits, at(10))
    assert await stopped.lags() == [1, 0, 0]
    stopped.positions[TopicPartition("a-topic-that-is-not-there", 0)] = 0
    assert (await stopped.lags(), stopped.ages) == ([], [])


async def test_a_unit_that_went_to_another_worker_leaves_nothing_behind(stopped: Stopped):
    await stopped.lags()
    stopped.metrics.rows.labels("intake", 0).set(5)
    stopped.metrics.rows.labels("intake", 1).set(6)
    stopped.metrics.forget_unit("intake", 0)
    assert (next(iter(stopped.metrics.lag.collect())).samples, stopped.ages) == ([], [])
    assert [sample.value for sample in next(iter(stopped.metrics.rows.collect())).samples] == [6]


async def test_the_embedded_broker_tells_it_too(embedded: Connection, prefix: str):
    environment = Environment(prefix)
    await create_environment(embedded, environment, partitions=1, clock="played")
    stopped = Stopped(embedded, environment)
    await stopped.arrives(stopped.visits, at(10), at(20))
    assert (await stopped.lags(), stopped.ages) == ([2, 0, 0], [90])
    await stopped.backlog.stop()
