"""A Faust transport (URL scheme ``mqa``) that hands the agent one chunk per partition and fetch.

Faust's own fetch loop costs 100-400 microseconds a message; a chunk makes that a cost per fetch. A chunk also says from where to
where it reaches, because Faust can drop one silently (flow control cleared, a generation change): the receiver sees a gap and
seeks again. Record offsets cannot tell, transaction markers leave legitimate gaps.

Line references: faust-streaming 0.15.3 (``F:``), aiokafka 0.14.0 (``A:``).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from aiokafka.errors import OffsetOutOfRangeError, UnknownTopicOrPartitionError
from aiokafka.protocol.fetch import FetchResponse_v0
from aiokafka.structs import TopicPartition
from faust.transport import drivers
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from engagement.machine import Record

SCHEME = "mqa"
FETCH_WAIT_MS = 50
FETCH_MIN_BYTES = 256 << 10
"""At low load the broker waits until 50 ms or 256 KiB: 0.19 of a core instead of 0.76, for 10 ms of latency."""

LOST = frozenset({OffsetOutOfRangeError.errno, UnknownTopicOrPartitionError.errno})
"""What a fetch is answered where the offset or the whole topic is gone."""


class Chunk:
    """Records of one partition, ``start`` <= offset < ``stop``; carries the fields that Faust reads of a consumed record.

    There may be none: transaction markers, and records that were aborted, are offsets too.
    """

    __slots__ = (
        "checksum",
        "headers",
        "key",
        "offset",
        "partition",
        "records",
        "serialized_key_size",
        "serialized_value_size",
        "start",
        "stop",
        "timestamp",
        "timestamp_type",
        "topic",
        "value",
    )

    def __init__(self, partition: TopicPartition, records: Sequence[Record], start: int, stop: int) -> None:
        """``stop`` is where the next fetch begins, past any transaction markers."""
        self.topic, self.partition, self.records, self.start, self.stop = partition.topic, partition.partition, records, start, stop
        self.offset, self.timestamp, self.timestamp_type = stop - 1, records[-1].timestamp if records else 0, 0
        self.headers, self.key, self.checksum, self.serialized_key_size, self.serialized_value_size = (), None, None, 0, 0
        self.value = self  # a raw topic hands the value through: the agent receives the chunk itself


class ChunkConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that owns aiokafka's consumer."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        """Faust has no setting for these; all are read when the consumer starts (A:consumer/consumer.py:391-420)."""
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._fetch_min_bytes = FETCH_MIN_BYTES
        consumer._partition_assignment_strategy = [self.app.assignor_of_units]
        consumer._client.send = partial(self._send, consumer._client.send)
        return consumer

    async def _send(self, send: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Any:
        """Tell of what is gone: aiokafka would go on elsewhere, or in a new topic, without a word (A:consumer/fetcher.py:884-903)."""
        response = await send(*args, **options)
        if response.API_KEY == FetchResponse_v0.API_KEY:
            for topic, partitions in response.topics:
                if any(error_code in LOST for _, error_code, *_ in partitions):
                    self.consumer.loop.call_soon_threadsafe(self.app.ownership.source_lost, topic)
        return response

    async def _fetch_records(self, *args: Any, **options: Any) -> dict[Any, list[Chunk]]:
        """Wrap each partition's records; those fetched before our own seek on this assignment have no known start."""
        fetched = await super()._fetch_records(*args, **options)
        chunks = {}
        for partition in self._consumer.assignment():
            state = self._state(partition)
            if state is None or not state.has_valid_position:
                continue
            start, state._chunk_start = getattr(state, "_chunk_start", None), state.position
            if start is not None and start < state.position:
                chunks[partition] = [Chunk(partition, fetched.get(partition, []), start, state.position)]
        return chunks

    def _state(self, partition: TopicPartition) -> Any:
        """Aiokafka's state of an assigned partition, else None."""
        subscription = self._consumer._subscription.subscription
        assignment = subscription and subscription.assignment
        if not assignment or not assignment.active or partition not in assignment.tps:
            return None
        return assignment.state_value(partition)

    async def seek_chunks(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Runs in the consumer's loop: nothing is awaited between the check and the seek."""
        for partition, offset in offsets.items():
            state = self._state(partition)
            if state is not None:
                self._consumer.seek(partition, offset)
                state._chunk_start = offset

    async def whereabouts(self, partition: TopicPartition) -> int | None:
        """Start of the next chunk as the fetcher knows it; None where it does not."""
        state = self._state(partition)
        if state is None or not state.has_valid_position:
            return None
        return getattr(state, "_chunk_start", None)


class ChunkConsumer(driver.Consumer):
    """Seeks to the state's position, never to the group's offset: state and position are committed together."""

    def _new_consumer_thread(self) -> ChunkConsumerThread:
        return ChunkConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Faust calls this before it resumes after a rebalance (F:tables/recovery.py:327)."""
        await self.seek_to(self.app.ownership.positions())

    async def seek_to(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Continue there. Forgets Faust's own idea of the offset, by which it would drop chunks."""
        await self._thread.call_thread(self._thread.seek_chunks, offsets)
        for partition in offsets:
            self._read_offset[TP(*partition)] = None

    async def whereabouts(self, partition: TopicPartition) -> int | None:
        """See `ChunkConsumerThread.whereabouts`."""
        whereabouts: int | None = await self._thread.call_thread(self._thread.whereabouts, partition)
        return whereabouts

    def join_error(self) -> BaseException | None:
        """What the group answered last to a join that cannot succeed; Faust never asks (A:consumer/group_coordinator.py:335)."""
        consumer = self._thread and self._thread._consumer
        coordinator = consumer and consumer._coordinator
        error: BaseException | None = getattr(coordinator, "_pending_exception", None)
        return error

    @property
    def membership(self) -> tuple[int, str]:
        """(generation, member id) of this worker in its group."""
        coordinator = self._thread._consumer._coordinator
        return coordinator.generation, coordinator.member_id

    def leave_for_good(self) -> None:
        """Let the stop send LeaveGroup, which aiokafka omits for static members (A:consumer/group_coordinator.py:375)."""
        consumer = self._thread and self._thread._consumer
        if consumer and consumer._coordinator:
            consumer._coordinator._group_instance_id = None


class ChunkTransport(driver.Transport):
    """What ``mqa://`` stands for."""

    Consumer = ChunkConsumer


def register() -> None:
    """Make Faust know the URL scheme."""
    drivers.TRANSPORTS.aliases[SCHEME] = f"{__name__}:ChunkTransport"
