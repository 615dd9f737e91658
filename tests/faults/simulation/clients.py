"""Stand-ins for aiokafka's producer, consumer and admin client, as far as this product uses them, over a simulated network."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from aiokafka.errors import IllegalOperation, InvalidProducerEpoch, NotEnoughReplicasError, ProducerFenced
from aiokafka.structs import OffsetAndMetadata, OffsetAndTimestamp, TopicPartition

from engagement.machine import PlainRecord
from streams.connection import Connection
from streams.transaction import BATCH_BYTES, Row
from tests.faults.simulation.broker import Isolation
from tests.faults.simulation.network import Network

T = TypeVar("T")

POLL = 0.02
"""A fetch that finds nothing looks again so soon."""

FAILED_SEND = 0.3
"""Of the troubled sends: how many fail for good and abort the transaction, as where a leader is gone for too long."""


class Sent(NamedTuple):
    """What aiokafka says of a batch that was stored."""

    topic: str
    partition: int
    offset: int
    timestamp: int


class Batch:
    """What `SimulatedProducer.create_batch` gives."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._bytes = 0

    def append(
        self, *, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]], timestamp: int | None
    ) -> object | None:
        """Take a record; None where the batch is full. The first is taken at any size."""
        size = len(key or b"") + len(value or b"") + sum(len(name) + len(each) for name, each in headers)
        if self.rows and self._bytes + size > BATCH_BYTES:
            return None
        self._bytes += size
        self.rows.append((key, value, tuple(headers), timestamp))
        return self

    def record_count(self) -> int:
        """How many it holds."""
        return len(self.rows)


class SimulatedProducer:
    """A transactional producer, or an idempotent one without ``transactional_id``."""

    def __init__(self, network: Network, transactional_id: str | None) -> None:
        self._network, self._id = network, transactional_id
        self._epoch = 0
        self._in_transaction = self._has_sent = False
        self._failure: BaseException | None = None  # for ever, or until the transaction is aborted
        self._pending: list[asyncio.Task[Sent]] = []
        self._last: asyncio.Task[Sent] | None = None  # batches are stored in the order in which they were sent

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop it."""
        await self.stop()

    async def start(self) -> None:
        """Fence whoever had the transactional id before."""
        if self._id is not None:
            transactional_id = self._id
            self._epoch = await self._network.call(lambda: self._network.broker.init_producer(transactional_id))

    async def stop(self) -> None:
        """Wait for what was sent; an open transaction is left to the broker."""
        if self._pending:
            await asyncio.wait(self._pending)

    async def begin_transaction(self) -> None:
        """No request: the first send tells the broker."""
        self._refuse_failed()
        assert not self._in_transaction, "a transaction is open already"  # as aiokafka does
        self._in_transaction, self._has_sent, self._pending = True, False, []

    def create_batch(self) -> Batch:
        """Make an empty batch."""
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> "asyncio.Task[Sent]":
        """Begin to send; the task has what became of it."""
        self._refuse_failed()
        if self._id is not None and not self._in_transaction:
            raise IllegalOperation("no transaction is open")
        self._has_sent = True
        self._last = asyncio.create_task(self._store(TopicPartition(topic, partition), batch.rows, self._last))
        self._pending.append(self._last)
        return self._last

    async def send_offsets_to_transaction(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], group: str) -> None:
        """Let the group have read so far once the transaction commits."""
        self._refuse_failed()
        if not self._in_transaction or self._id is None:
            raise IllegalOperation("no transaction is open")
        self._has_sent = True
        producer, epoch = self._id, self._epoch
        plain = {partition: each.offset for partition, each in offsets.items()}
        await self._ask(lambda: self._network.broker.add_offsets(group, plain, producer=producer, epoch=epoch))

    async def commit_transaction(self) -> None:
        """Returns when the broker has decided it; readers see it a little later."""
        await self._end(committed=True)

    async def abort_transaction(self) -> None:
        """As `commit_transaction`, the other way."""
        if isinstance(self._failure, NotEnoughReplicasError):
            self._failure = None
        await self._end(committed=False)

    async def _end(self, *, committed: bool) -> None:
        if self._pending:
            await asyncio.wait(self._pending)
        self._refuse_failed()
        if not self._in_transaction or self._id is None:
            raise IllegalOperation("no transaction is open")
        if self._has_sent:
            producer, epoch = self._id, self._epoch
            await self._ask(lambda: self._network.broker.end(producer, epoch, committed=committed))
        self._in_transaction = False

    async def _store(self, at: TopicPartition, rows: Sequence[Row], after: "asyncio.Task[Sent] | None") -> Sent:
        if after is not None and not after.done():
            await asyncio.wait([after])
        self._refuse_failed()
        network, producer, epoch = self._network, self._id, self._epoch

        def store(stored: Sequence[Row]) -> tuple[int, int]:
            base = network.broker.produce(at, stored, producer=producer, epoch=epoch)
            if producer is not None:
                network.watch(producer)
            return base

        if producer is not None and network.random.random() < network.trouble * FAILED_SEND:
            is_stored = network.random.random() < 1 / 2  # and nobody was told; the partition belongs to the transaction either way
            await self._ask(lambda: store(rows if is_stored else ()))
            self._failure = NotEnoughReplicasError()
            raise self._failure
        offset, at_ms = await self._ask(lambda: store(rows))
        return Sent(at.topic, at.partition, offset, at_ms)

    async def _ask(self, request: Callable[[], T]) -> T:
        try:
            return await self._network.call(request, writer=self._id)
        except InvalidProducerEpoch:
            self._failure = ProducerFenced()
            raise self._failure from None

    def _refuse_failed(self) -> None:
        if self._failure is not None:
            raise self._failure


class SimulatedConsumer:
    """A consumer in no group."""

    def __init__(self, network: Network, isolation: Isolation) -> None:
        self._network, self._isolation = network, isolation
        self._positions: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        """Nothing is asked yet."""

    async def stop(self) -> None:
        """Nothing is owed to the broker. Raises what aiokafka's does where a fetch has just failed: a CancelledError of its own."""
        if self._network.random.random() < self._network.trouble:
            raise asyncio.CancelledError

    def assign(self, partitions: Collection[TopicPartition]) -> None:
        """Read these from here on; those that were read before go on where they stand."""
        self._positions = {partition: self._positions.get(partition, 0) for partition in partitions}

    def unsubscribe(self) -> None:
        """Read nothing."""
        self._positions = {}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go on there."""
        self._positions[partition] = offset

    async def seek_to_beginning(self, partition: TopicPartition) -> None:
        """Go on at the first offset that is kept."""
        self._positions[partition] = await self._network.call(lambda: self._network.broker.partition(partition).first)

    async def position(self, partition: TopicPartition) -> int:
        """Where the next fetch begins."""
        return self._positions[partition]

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int = 1_000
    ) -> dict[TopicPartition, list[PlainRecord]]:
        """Fetch; waits ``timeout_ms`` for the first records. Offsets without visible records are passed over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_ms / 1000
        while True:
            fetched = await self._network.call(lambda: self._fetch(partitions or tuple(self._positions), max_records))
            if fetched or loop.time() >= deadline:
                return fetched
            await asyncio.sleep(POLL)

    def _fetch(self, partitions: Collection[TopicPartition], most: int) -> dict[TopicPartition, list[PlainRecord]]:
        fetched = {}
        for partition in partitions:
            log = self._network.broker.partition(partition)
            records, self._positions[partition] = log.read(
                max(self._positions[partition], log.first), self._network.random.randint(1, most), self._isolation
            )
            if records:
                fetched[partition] = records
        return fetched

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The end of each, for read_committed the last stable offset."""
        broker = self._network.broker
        return await self._network.call(lambda: {each: broker.partition(each).end(self._isolation) for each in partitions})

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The first offset of each that is kept."""
        broker = self._network.broker
        return await self._network.call(lambda: {each: broker.partition(each).first for each in partitions})

    async def offsets_for_times(self, instants: Mapping[TopicPartition, int]) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        """The first record of that instant or later."""
        broker = self._network.broker
        found = await self._network.call(lambda: {each: broker.offset_at(each, at) for each, at in instants.items()})
        return {each: None if at is None else OffsetAndTimestamp(at, instants[each]) for each, at in found.items()}

    async def topics(self) -> set[str]:
        """Every topic there is."""
        return await self._network.call(lambda: set(self._network.broker.topics))


class SimulatedAdmin:
    """What is asked of an admin client."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def list_consumer_group_offsets(
        self, group: str, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """What the group committed, -1 where it did not."""
        broker = self._network.broker
        found = await self._network.call(lambda: {each: broker.committed_offset(group, each) for each in partitions})
        return {each: OffsetAndMetadata(offset, "") for each, offset in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedConnection(Connection):
    """A `Connection` whose clients go to a `Network`."""

    bootstrap: str = "simulated:9092"
    network: Network = field(repr=False)

    def producer(self, **options: Any) -> Any:
        """Make a `SimulatedProducer`."""
        return SimulatedProducer(self.network, options.get("transactional_id"))

    def consumer(self, **options: Any) -> Any:
        """Make a `SimulatedConsumer`."""
        return SimulatedConsumer(self.network, options.get("isolation_level", "read_uncommitted"))

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[Any]:
        """Open a `SimulatedAdmin`."""
        yield SimulatedAdmin(self.network)
