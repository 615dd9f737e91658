"""A day begins in the log only when intake has read what arrived before it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from engagement.days import midnight
from engagement.records import DAY_KEY, Day, decode
from streams.connection import Connection
from streams.days import IntakeProgress
from streams.delivery import EXACTLY_ONCE
from streams.genesis import create_environment
from streams.reading import read_to_end, reader
from streams.topics import LOG, Environment
from streams.transaction import commit, make_producer
from streams.worker.clock import LOOK_AGAIN, SKEW_PAUSE, DayClock
from streams.worker.metrics import Metrics

TODAY = 20_000
HOUR = 3_600_000


class Clockwork:
    """A clock at a time of the test's choosing, and intake's progress as the test says."""

    def __init__(self, kafka: Connection, environment: Environment, producer: AIOKafkaProducer, progress: IntakeProgress) -> None:
        self.kafka, self.environment, self.producer, self.progress = kafka, environment, producer, progress
        self.now = midnight(TODAY)
        self.metrics = Metrics()
        self.clock = self.new_clock(skew_ms=10**15)

    def new_clock(self, *, skew_ms: int) -> DayClock:
        return DayClock(
            connection=self.kafka,
            environment=self.environment,
            partitions=2,
            last_day=TODAY,
            restored_to=0,
            now=lambda: self.now,
            skew_ms=lambda: skew_ms,
            metrics=self.metrics,
            fenced=lambda error: pytest.fail(repr(error)),
            failed=lambda error: pytest.fail(repr(error)),
            delivery=EXACTLY_ONCE,
        )

    async def tick(self, hours_after_midnight: float) -> float:
        self.now = midnight(TODAY) + int(hours_after_midnight * HOUR)
        return await self.clock.tick(self.producer, self.progress)

    async def arrives(self, hours_after_midnight: float) -> TopicPartition:
        visits = TopicPartition(self.environment.topic("web-visits"), 1)
        async with AIOKafkaProducer(**self.kafka.client_options()) as producer:
            time = midnight(TODAY) + int(hours_after_midnight * HOUR)
            await producer.send_and_wait(visits.topic, b"{}", b"v", visits.partition, time)
        return visits

    async def intake_reads(self, partition: TopicPartition, up_to: int) -> None:
        async with make_producer(self.kafka, f"{self.environment.prefix}intake") as producer:
            await commit(producer, {}, {partition: up_to}, self.environment.group)

    async def days(self) -> list[list[int]]:
        """Day records by partition of the log."""
        found = []
        for number in range(2):
            log = TopicPartition(self.environment.topic(LOG), number)
            async with reader(self.kafka, "read_uncommitted") as consumer:
                end = (await consumer.end_offsets([log]))[log]
            async with reader(self.kafka) as consumer:
                records = [record async for batch in read_to_end(consumer, log, end=end) for record in batch if record.key == DAY_KEY]
            days = [decode(record.value or b"") for record in records]
            found.append([day.day for day in days if isinstance(day, Day)])
        return found


@pytest.fixture
async def clockwork(kafka: Connection, prefix: str) -> AsyncIterator[Clockwork]:
    environment = Environment(prefix)
    await create_environment(kafka, environment, partitions=2, clock="played")  # so that inputs have their producer's time
    async with AsyncExitStack() as stack:
        producer = await stack.enter_async_context(make_producer(kafka, environment.transactional_id("clock", 0)))
        committed = await stack.enter_async_context(reader(kafka))
        uncommitted = await stack.enter_async_context(reader(kafka, "read_uncommitted"))
        admin = AIOKafkaAdminClient(**kafka.client_options())
        await admin.start()
        stack.push_async_callback(admin.close)
        progress = IntakeProgress(environment, 2, committed=committed, uncommitted=uncommitted, admin=admin, delivery=EXACTLY_ONCE)
        yield Clockwork(kafka, environment, producer, progress)


async def test_no_day_begins_before_its_midnight(clockwork: Clockwork):
    assert await clockwork.tick(23) == 60
    assert await clockwork.days() == [[], []]


async def test_a_day_begins_in_every_partition_after_its_midnight(clockwork: Clockwork):
    await clockwork.tick(24)
    assert await clockwork.days() == [[TODAY + 1], [TODAY + 1]]


async def test_a_day_waits_for_what_arrived_before_it_and_intake_has_not_read(clockwork: Clockwork):
    visits = await clockwork.arrives(23)
    assert await clockwork.tick(24) == LOOK_AGAIN
    assert await clockwork.tick(30) == LOOK_AGAIN
    assert await clockwork.days() == [[], []]
    await clockwork.intake_reads(visits, 1)
    await clockwork.tick(30)
    assert await clockwork.days() == [[TODAY + 1], [TODAY + 1]]


async def test_a_day_begins_under_steady_traffic_too(clockwork: Clockwork):
    visits = await clockwork.arrives(25)
    assert await clockwork.tick(25) == LOOK_AGAIN  # it may have been re-appended, and have arrived before midnight
    await clockwork.intake_reads(visits, 1)
    await clockwork.arrives(25.1)
    await clockwork.tick(25.1)
    assert await clockwork.days() == [[TODAY + 1], [TODAY + 1]]


async def test_days_that_were_slept_through_are_appended_one_by_one(clockwork: Clockwork):
    assert await clockwork.tick(73) == 0
    assert await clockwork.tick(73) == 0
    await clockwork.tick(73)
    assert await clockwork.days() == [[TODAY + 1, TODAY + 2, TODAY + 3]] * 2


async def test_a_clock_that_is_off_against_the_brokers_appends_nothing(clockwork: Clockwork):
    clockwork.clock = clockwork.new_clock(skew_ms=600_000)  # 2024 is long ago for the broker
    assert await clockwork.tick(24) == SKEW_PAUSE
    assert await clockwork.days() == [[], []]


async def test_transaction_markers_are_nothing_left_to_read(clockwork: Clockwork):
    visits = TopicPartition(clockwork.environment.topic("web-visits"), 0)
    async with make_producer(clockwork.kafka, f"{clockwork.environment.prefix}other") as producer:
        await commit(producer, {visits: [(b"v", b"{}", (), midnight(TODAY))]}, {}, clockwork.environment.group)
    await clockwork.intake_reads(visits, 1)  # the marker at offset 1 is no record
    await clockwork.tick(24)
    assert await clockwork.days() == [[TODAY + 1], [TODAY + 1]]


async def test_how_long_a_day_has_waited_is_told_and_a_clock_that_stops_tells_nothing(clockwork: Clockwork):
    delay, skew = clockwork.metrics.day_delay._value, clockwork.metrics.clock_skew._value
    visits = await clockwork.arrives(23)
    await clockwork.tick(30)
    assert delay.get() == 6 * 3_600
    assert skew.get() < 0  # 2024 is long ago for the broker
    await clockwork.intake_reads(visits, 1)
    await clockwork.tick(30)
    await clockwork.tick(30)
    assert delay.get() == 0
    await clockwork.clock.stop()
    assert skew.get() == 0
