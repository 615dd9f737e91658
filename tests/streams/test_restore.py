"""State and topics that contradict each other stop a worker with the value, the place and the remedy."""

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.structs import TopicPartition

from engagement.errors import Refused
from engagement.machine import POSITION_KEY
from engagement.qualify import Qualify
from streams.connection import Connection
from streams.days import append_day
from streams.delivery import EXACTLY_ONCE
from streams.genesis import create_environment
from streams.reading import read_to_end, reader
from streams.topics import LOG, Environment
from streams.transaction import commit, make_producer, rows_of
from streams.worker.restore import check_sources, committed_now, restore


class Log:
    """The log and its state in an environment of one partition."""

    def __init__(self, kafka: Connection, prefix: str) -> None:
        self.kafka, self.environment = kafka, Environment(prefix)
        self.source = TopicPartition(self.environment.topic(LOG), 0)
        self.changelog = TopicPartition(self.environment.topic("accounts-changelog"), 0)

    async def make(self) -> None:
        await create_environment(self.kafka, self.environment, partitions=1, clock="played")
        async with make_producer(self.kafka, "clock") as producer:
            await append_day(producer, self.environment, 1, 20_000, EXACTLY_ONCE)

    async def fold(self) -> Qualify:
        """As a worker would: everything in the log, committed with its state."""
        fold = Qualify(topic=self.source.topic, partition=0)
        async with reader(self.kafka) as consumer, make_producer(self.kafka, "qualify") as producer:
            await restore(self.kafka, consumer, self.changelog, fold, stale=lambda: False, beside={})
            records = [record async for batch in read_to_end(consumer, self.source) for record in batch]
            step = fold.step(records, 1_000)
            rows = rows_of(step, self.changelog, self.environment.topic)
            await commit(producer, rows, {self.source: step.positions[self.source.topic]}, self.environment.group)
            fold.accept(step)
        return fold

    async def open(self) -> Qualify:
        fold = Qualify(topic=self.source.topic, partition=0)
        async with make_producer(self.kafka, "qualify"), reader(self.kafka) as consumer:  # fenced: the last commit is whole
            committed = await committed_now(self.kafka, self.environment.group, [self.source])
            await restore(self.kafka, consumer, self.changelog, fold, stale=lambda: False, beside={})
            await check_sources(
                self.kafka,
                consumer,
                [self.source],
                fold,
                environment=self.environment,
                changelog=self.changelog,
                landmarks={},
                accept_loss=(),
                committed=committed,
            )
        return fold

    async def make_anew(self, partition: TopicPartition) -> None:
        admin = AIOKafkaAdminClient(**self.kafka.client_options())
        await admin.start()
        try:
            await admin.delete_topics([partition.topic])
            created = False
            while not created:  # a topic's deletion ends some time after it was answered
                answer = await admin.create_topics([NewTopic(partition.topic, 1, 1)])
                created = answer.topic_errors[0][1] == 0
        finally:
            await admin.close()

    async def delete_records(self, partition: TopicPartition, before: int) -> None:
        admin = AIOKafkaAdminClient(**self.kafka.client_options())
        await admin.start()
        try:
            await admin.delete_records({partition: RecordsToDelete(before_offset=before)})
        finally:
            await admin.close()


@pytest.fixture
async def log(kafka: Connection, prefix: str) -> Log:
    made = Log(kafka, prefix)
    await made.make()
    return made


async def test_a_restored_state_is_the_committed_one(log: Log):
    committed = await log.fold()
    restored = await log.open()
    assert restored.position == committed.position
    assert restored.position.rule_day == 20_000


async def test_a_state_topic_that_is_gone_behind_a_committed_position_stops_the_worker(log: Log):
    await log.fold()
    await log.make_anew(log.changelog)
    with pytest.raises(Refused, match=r"accounts-changelog/0 holds no state, but the group .* committed offset 3 of .*account-log/0"):
        await log.open()


async def test_a_state_topic_that_lost_rows_stops_the_worker(log: Log):
    fold = await log.fold()
    position = fold.position
    position.rows = 3
    async with make_producer(log.kafka, "qualify") as producer:
        await commit(producer, {log.changelog: [(POSITION_KEY, msgspec.json.encode(position), (), None)]}, {}, log.environment.group)
    with pytest.raises(Refused, match=r"restored 0 rows .* vouches for 3 rows"):
        await log.open()


async def test_a_log_that_was_made_anew_behind_its_state_stops_the_worker(log: Log):
    fold = await log.fold()
    position = fold.position
    position.next = {log.source.topic: 5_000}
    async with make_producer(log.kafka, "qualify") as producer:
        await commit(producer, {log.changelog: [(POSITION_KEY, msgspec.json.encode(position), (), None)]}, {}, log.environment.group)
    with pytest.raises(Refused, match=r"account-log/0 ends at offset \d, before the state's position 5000"):
        await log.open()


async def test_records_that_expired_unread_stop_the_worker(log: Log):
    await log.fold()
    async with AIOKafkaProducer(**log.kafka.client_options()) as producer:
        for _ in range(9):
            await producer.send_and_wait(log.source.topic, b"{}", partition=0)
    await log.delete_records(log.source, 8)
    with pytest.raises(Refused, match=r"begins at offset 8, but the state has only read to 3: retention deleted 5 offsets unread"):
        await log.open()
