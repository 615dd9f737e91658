"""Day records: how time gets into the log, and when it may.

Day D is appended to every partition of ``account-log`` in one transaction, and only when intake has read everything that arrived before D
began. So no account loses points for silence while its signals are still waiting to be read.
"""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from engagement.machine import CLOCK_KEY
from engagement.records import DAY_KEY, Day, encode
from streams.delivery import Delivery
from streams.group import committed_offsets
from streams.reading import read_to_end
from streams.topics import CHANGELOGS, INPUTS, LOG, Environment
from streams.transaction import Row

LOOK_SECONDS = 0.5
"""How long to look for records between a position and a bound before an open transaction is assumed there."""

Offsets = Mapping[TopicPartition, int]


def clock_partition(environment: Environment) -> TopicPartition:
    """Where the clock remembers the last day it appended."""
    return TopicPartition(environment.topic(CHANGELOGS["intake"]), 0)


async def append_day(producer: AIOKafkaProducer, environment: Environment, partitions: int, day: int, delivery: Delivery) -> None:
    """``day`` begins, in all partitions or in none (at least once: or is begun again by the next clock, where it stands ignored).

    Raises what `Delivery.commit` raises: `Fenced` where another clock has taken over.
    """
    record = (DAY_KEY, encode(Day(day=day)), (), None)
    rows: dict[TopicPartition, list[Row]] = {TopicPartition(environment.topic(LOG), number): [record] for number in range(partitions)}
    rows[clock_partition(environment)] = [(CLOCK_KEY, b"%d" % day, (), None)]
    await delivery.commit(producer, rows, {}, environment.group)


async def last_day_of(consumer: AIOKafkaConsumer, environment: Environment) -> int | None:
    """Read the last day that was appended; None where none was."""
    last_day: int | None = None
    async for records in read_to_end(consumer, clock_partition(environment)):
        for record in records:
            if record.key == CLOCK_KEY and record.value is not None:
                last_day = int(record.value)
    return last_day


class IntakeProgress:
    """Answers whether intake has read its topics up to given offsets (or another reader of the group, where ``topics`` are its)."""

    def __init__(
        self,
        environment: Environment,
        partitions: int,
        *,
        committed: AIOKafkaConsumer,
        uncommitted: AIOKafkaConsumer,
        admin: AIOKafkaAdminClient,
        topics: Sequence[str] = INPUTS,
        delivery: Delivery,
    ) -> None:
        """Two readers of those isolation levels and an admin client, all started and owned by the caller."""
        self._group = delivery.offsets_group(environment)
        self._inputs = [TopicPartition(environment.topic(short), number) for short in topics for number in range(partitions)]
        self._committed, self._uncommitted, self._admin = committed, uncommitted, admin

    async def positions(self) -> Offsets:
        """What is committed as read: the next offset of each input, 0 where that is not known."""
        return await committed_offsets(self._admin, self._group, self._inputs)

    async def ends(self) -> Offsets:
        """Where the inputs end now, open transactions included."""
        ends: Offsets = await self._uncommitted.end_offsets(self._inputs)
        return ends

    async def bounds_at(self, instant_ms: int) -> Offsets:
        """For each input the offset before which everything arrived before that instant."""
        found = await self._uncommitted.offsets_for_times(dict.fromkeys(self._inputs, instant_ms))
        ends = await self.ends()
        # Where nothing came later, Kafka says no offset; the embedded broker says the first one, at no time.
        return {partition: ends[partition] if at is None or at.timestamp < 0 else at.offset for partition, at in found.items()}

    async def has_reached(self, bounds: Offsets) -> bool:
        """True when no record below ``bounds`` is left to read. Transaction markers are not records, so offsets alone cannot tell."""
        positions = await self.positions()
        behind = {partition: positions[partition] for partition, bound in bounds.items() if positions[partition] < bound}
        return not behind or await self._only_markers(behind, bounds)

    async def _only_markers(self, behind: Offsets, bounds: Offsets) -> bool:
        consumer = self._committed
        consumer.assign(list(behind))
        for partition, position in behind.items():
            consumer.seek(partition, position)
        waiting = set(behind)
        deadline = asyncio.get_running_loop().time() + LOOK_SECONDS
        while waiting and asyncio.get_running_loop().time() < deadline:
            batches = await consumer.getmany(*waiting, timeout_ms=5)  # markers alone would not end a longer wait
            if any(record.offset < bounds[partition] for partition, records in batches.items() for record in records):
                return False
            waiting = {partition for partition in waiting if await consumer.position(partition) < bounds[partition]}
        return not waiting  # else an open transaction still hides what is there
