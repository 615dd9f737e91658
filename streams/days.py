"""Day records: how time gets into the log, and when it may.

Day D is appended to every partition of ``account-log`` in one transaction, and only when intake has read everything that arrived before D
began. So no account loses points for silence while its signals are still waiting to be read.
"""

from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from engagement.machine import CLOCK_KEY
from engagement.records import DAY_KEY, Day, encode
from streams.topics import CHANGELOGS, INPUTS, LOG, Environment
from streams.transaction import Row, commit, send

Offsets = Mapping[TopicPartition, int]


def clock_partition(environment: Environment) -> TopicPartition:
    """Where the clock remembers the last day it appended."""
    return TopicPartition(environment.topic(CHANGELOGS["intake"]), 0)


async def append_day(producer: AIOKafkaProducer, environment: Environment, partitions: int, day: int) -> None:
    """``day`` begins, in all partitions or in none. Raises what `commit` raises: `Fenced` where another clock has taken over."""
    record = (DAY_KEY, encode(Day(day=day)), (), None)
    rows: dict[TopicPartition, list[Row]] = {TopicPartition(environment.topic(LOG), number): [record] for number in range(partitions)}
    rows[clock_partition(environment)] = [(CLOCK_KEY, b"%d" % day, (), None)]
    await commit(producer, rows, {}, environment.group)


async def broker_time(producer: AIOKafkaProducer, environment: Environment) -> int:
    """The broker's clock in ms: the append time it gives to a record that is then aborted."""
    await producer.begin_transaction()
    try:
        (metadata,) = await send(producer, {clock_partition(environment): [(CLOCK_KEY, b"", (), None)]})
    finally:
        await producer.abort_transaction()
    return metadata.timestamp


class IntakeProgress:
    """Answers whether intake has read its topics up to given offsets."""

    def __init__(
        self,
        environment: Environment,
        partitions: int,
        *,
        committed: AIOKafkaConsumer,
        uncommitted: AIOKafkaConsumer,
        admin: AIOKafkaAdminClient,
    ) -> None:
        """Two readers of those isolation levels and an admin client, all started and owned by the caller."""
        self._group = environment.group
        self._inputs = [TopicPartition(environment.topic(short), number) for short in INPUTS for number in range(partitions)]
        self._committed, self._uncommitted, self._admin = committed, uncommitted, admin

    async def ends(self) -> Offsets:
        """Where the inputs end now, open transactions included."""
        ends: Offsets = await self._uncommitted.end_offsets(self._inputs)
        return ends

    async def bounds_at(self, instant_ms: int) -> Offsets:
        """For each input the offset before which everything arrived before that instant."""
        found = await self._uncommitted.offsets_for_times(dict.fromkeys(self._inputs, instant_ms))
        ends = await self.ends()
        return {partition: ends[partition] if at is None else at.offset for partition, at in found.items()}

    async def has_reached(self, bounds: Offsets) -> bool:
        """True when no record below ``bounds`` is left to read. Transaction markers are not records, so offsets alone cannot tell."""
        offsets = await self._admin.list_consumer_group_offsets(self._group, partitions=self._inputs)
        for partition, bound in bounds.items():
            position = max(0, offsets[partition].offset)
            if position < bound and not await self._only_markers(partition, position, bound):
                return False
        return True

    async def _only_markers(self, partition: TopicPartition, position: int, bound: int) -> bool:
        consumer = self._committed
        consumer.assign([partition])
        consumer.seek(partition, position)
        batch = await consumer.getmany(partition, timeout_ms=200)
        if any(record.offset < bound for records in batch.values() for record in records):
            return False
        reached: int = await consumer.position(partition)
        return reached >= bound  # else an open transaction still hides what is there
