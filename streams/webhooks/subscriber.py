"""One subscription's reader of ``tier-changes``: a consumer group of its own, whose committed offsets are what was delivered or parked.

Several senders may run with one file; Kafka deals out the partitions among them. One that loses its partitions cuts off what is under way
and commits first, so that the next owner sends only that again. A sender that stood still for longer than its session does not know that it
was replaced: what it is just sending then comes twice, and late.
"""

import asyncio
import logging
from collections.abc import Collection, Sequence
from time import monotonic, time
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError, KafkaTimeoutError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from engagement.subscriptions import Subscription, read_change
from streams.closing import close_client
from streams.connection import Connection
from streams.group import stored_positions
from streams.topics import TIER_CHANGES, Environment
from streams.webhooks.courier import Courier
from streams.webhooks.lanes import Delivery, Lanes
from streams.webhooks.message import message_of, mode_of
from streams.webhooks.metrics import SubscriptionMetrics
from streams.webhooks.undelivered import Undelivered

log = logging.getLogger("mqa.webhooks")

POLL_MS = 200
COMMIT_SECONDS = 1.0
LOOK_SECONDS = 3.0
LAST_COMMIT_SECONDS = 5.0
FETCH_BYTES = 256 << 10  # of a partition: what is fetched ahead is memory too

Positions = dict[TopicPartition, OffsetAndMetadata]


def group_of(environment: Environment, subscription: Subscription) -> str:
    """The consumer group in which it is stored how far a subscription has come."""
    return f"{environment.group}-webhook-{subscription.name}"


def make_consumer(connection: Connection, group: str, session_seconds: int) -> AIOKafkaConsumer:
    """Not started."""
    return connection.consumer(
        group_id=group,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # never asked: whoever gets a partition is told its position
        max_partition_fetch_bytes=FETCH_BYTES,
        session_timeout_ms=session_seconds * 1_000,
        heartbeat_interval_ms=session_seconds * 1_000 // 6,  # by its answer a sender learns that partitions change hands
    )


class Subscriber(ConsumerRebalanceListener):
    """Reads, filters and hands on; `run` does it until it is cancelled."""

    def __init__(
        self,
        connection: Connection,
        environment: Environment,
        subscription: Subscription,
        consumer: AIOKafkaConsumer,
        *,
        courier: Courier,
        metrics: SubscriptionMetrics,
    ) -> None:
        """``consumer``: of `make_consumer`, not started. Reaches for nothing yet."""
        self._connection, self._subscription, self._consumer, self._metrics = connection, subscription, consumer, metrics
        self._group, self._topic = group_of(environment, subscription), environment.topic(TIER_CHANGES)
        self._lanes = Lanes(courier.deliver, lambda delivery: self._undelivered[delivery.partition].remove(delivery.offset))
        self._undelivered: dict[TopicPartition, Undelivered] = {}
        self._committed: Positions = {}
        self._failure: Exception | None = None
        self.is_ready = False

    async def run(self) -> None:
        """Deliver until cancelled. Raises what no retry can mend, such as a missing authorization."""
        self._consumer.subscribe([self._topic], listener=self)
        try:
            await self._consumer.start()
            last = monotonic()
            while True:
                await self._turn()
                if monotonic() - last >= COMMIT_SECONDS:
                    await self._commit()
                    last = monotonic()
        finally:
            await self._lanes.stop()
            try:
                await asyncio.wait_for(self._commit(), LAST_COMMIT_SECONDS)
            except (TimeoutError, KafkaError) as error:
                log.warning("%s: its position was not stored (%r): what was delivered lately comes again", self._subscription.name, error)
            await close_client(self._consumer.stop())

    async def observe(self) -> None:
        """Look at how much waits, for the metrics. Where Kafka does not answer there is no lag: the last would be wrong."""
        oldest = self._lanes.oldest()
        self._metrics.show_waiting(self._lanes.waiting, 0.0 if oldest is None else max(0.0, time() - oldest / 1_000))
        positions = {partition: undelivered.position for partition, undelivered in self._undelivered.items()}
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                ends = await self._consumer.end_offsets(list(positions)) if positions else {}
        except (KafkaError, TimeoutError) as error:
            log.warning("%s: how much waits is not known: %r", self._subscription.name, error)
            ends = {}
        self._metrics.show_lag({partition.partition: max(0, end - positions[partition]) for partition, end in ends.items()})

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Leave them as they are to be found: what is under way is cut off."""
        self.is_ready = False
        await self._lanes.stop()
        if revoked:
            try:
                await self._commit()
            except KafkaError as error:
                self._failure = error
        self._undelivered.clear()
        self._committed.clear()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Go on from where each was left."""
        try:
            await self._resume(list(assigned))
        except Exception as error:  # noqa: BLE001 - the client would only log it, and these partitions would stand still for ever
            self._failure = error
        self.is_ready = True

    async def _turn(self) -> None:
        self._lanes.check()
        if self._failure is not None:
            raise self._failure
        partitions = self._consumer.assignment()
        room = self._subscription.waiting - self._lanes.waiting
        if room > 0:
            self._consumer.resume(*partitions)
        else:
            self._consumer.pause(*partitions)
        try:
            fetched = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=max(room, 1))
        except KafkaError as error:
            if not (error.retriable or isinstance(error, KafkaTimeoutError)):
                raise
            log.warning("%s: tier changes could not be read (%r), which is tried again", self._subscription.name, error)
            await asyncio.sleep(COMMIT_SECONDS)
            return
        for partition, records in fetched.items():
            self._take(partition, records)

    def _take(self, partition: TopicPartition, records: Sequence[Any]) -> None:
        undelivered = self._undelivered.get(partition)
        if undelivered is None or not self.is_ready:  # the partitions are being dealt out: it is read again by whoever gets it
            self._consumer.seek(partition, records[0].offset)
            return
        for record in records:
            if not undelivered.wants(record.offset):
                continue
            told = read_change(record.value)
            mode = mode_of(record)
            if told is None:
                log.warning("%s/%d/%d is no tier change", self._topic, partition.partition, record.offset)
                self._metrics.count("unreadable")
            elif self._subscription.wants(told, mode):
                undelivered.add(record.offset)
                self._lanes.add(Delivery(partition, record.offset, record.timestamp, message_of(told, record.value, mode)))
            else:
                self._metrics.count("unwanted")
        undelivered.read_to(records[-1].offset + 1)

    async def _commit(self) -> None:
        """Store the positions that have moved."""
        for partition, undelivered in list(self._undelivered.items()):
            try:
                position = await self._consumer.position(partition)  # behind the markers of transactions, which are no records
            except IllegalStateError:  # it is somebody else's by now
                continue
            undelivered.read_to(position)
        positions = {each: OffsetAndMetadata(undelivered.position, undelivered.note) for each, undelivered in self._undelivered.items()}
        moved = {partition: position for partition, position in positions.items() if self._committed.get(partition) != position}
        if not moved:
            return
        try:
            await self._consumer.commit(moved)
        except (CommitFailedError, IllegalStateError) as error:
            log.info("%s: its position was not stored (%r): its partitions are dealt out anew", self._subscription.name, error)
        else:
            self._committed |= moved

    async def _resume(self, partitions: list[TopicPartition]) -> None:
        begins = await self._consumer.beginning_offsets(partitions)
        ends = await self._consumer.end_offsets(partitions)
        notes = await self._notes(partitions)
        new = []
        for partition in partitions:
            position, note = await self._consumer.committed(partition), notes.get(partition)
            if position is None:
                new.append(partition)
            elif begins[partition] <= position <= ends[partition]:
                self._go_on(partition, position, note.metadata if note is not None and note.offset == position else "")
            else:
                place = f"{partition.topic}/{partition.partition}"
                log.error("%s: %s no longer has offset %d: it goes on at its beginning", self._subscription.name, place, position)
                self._go_on(partition, begins[partition])
        if new:
            log.info("%s: no position is stored of %d partitions: they start at %s", self._group, len(new), self._subscription.start)
            starts = await self._starts(new, begins, ends)
            for partition in new:
                self._go_on(partition, starts[partition])

    async def _starts(self, new: list[TopicPartition], begins: dict[Any, int], ends: dict[Any, int]) -> dict[TopicPartition, int]:
        """Where partitions begin that have no position."""
        if self._subscription.start == "beginning":
            return begins
        if self._subscription.start_at is None:
            return ends
        found = await self._consumer.offsets_for_times(dict.fromkeys(new, self._subscription.start_at))
        return {partition: ends[partition] if found[partition] is None else found[partition].offset for partition in new}

    async def _notes(self, partitions: list[TopicPartition]) -> Positions:
        """What was stored with the positions; of no use where Kafka does not say it, as then more is sent again."""
        try:
            async with self._connection.admin() as admin:
                return await stored_positions(admin, self._group, partitions)
        except (KafkaError, TimeoutError) as error:
            log.warning("%s: what was delivered behind its position is not known (%r), and is sent again", self._group, error)
            return {}

    def _go_on(self, partition: TopicPartition, position: int, note: str = "") -> None:
        self._undelivered[partition] = Undelivered(position, note)
        self._consumer.seek(partition, position)
