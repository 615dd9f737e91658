"""What waits to be folded: how many records, and since when. Asked of the broker whenever somebody wants to know.

What the fetcher knows of a topic's end is not enough: while a unit stands still it fetches nothing, and would go on saying how little was
left when it last did.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from streams.connection import Connection
from streams.reading import reader
from streams.worker.assignor import UnitId
from streams.worker.metrics import Metrics

log = logging.getLogger("mqa.worker")

LOOK_SECONDS = 3.0
"""Prometheus gives a scrape 10 s."""

FETCH_BYTES = 64 << 10
FETCH_MS = 20
"""Short, because markers do not end a wait."""

Spans = Mapping[TopicPartition, tuple[int, int]]
"""Next offset to fold, and where the topic ends."""


class Backlog:
    """Keeps the gauges of lag and age, until `stop`."""

    def __init__(
        self,
        connection: Connection,
        metrics: Metrics,
        *,
        role_of: Mapping[str, str],
        positions: Callable[[], Mapping[TopicPartition, int]],
        now: Callable[[], int] | None,
    ) -> None:
        """``role_of``: full topic name -> role. ``positions``: next offset of all that this worker folds. ``now``: ms; None: no ages."""
        self._connection, self._metrics, self._role_of, self._positions, self._now = connection, metrics, role_of, positions, now
        self._received: dict[TopicPartition, tuple[int, int]] = {}  # position -> Kafka's time of the first record from there on, in ms
        self._clients = AsyncExitStack()
        self._consumer: AIOKafkaConsumer | None = None
        self._looking = asyncio.Lock()

    async def stop(self) -> None:
        """Disconnect."""
        async with self._looking:
            self._consumer = None
            await self._clients.aclose()

    async def observe(self) -> None:
        """Look now. Where the broker does not answer in time there are no values until it does: the last ones would be wrong."""
        async with self._looking:
            positions = dict(self._positions())
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    consumer = await self._connected()
                    ends = await consumer.end_offsets(list(positions)) if positions else {}
                    behind = {source: (position, ends[source]) for source, position in positions.items() if position < ends[source]}
                    if self._now is not None:
                        await self._find_oldest(consumer, behind)
            except (KafkaError, TimeoutError) as error:
                log.warning("how much waits to be folded is not known: %r", error)
                self._metrics.lag.clear()
                self._metrics.oldest.clear()
                return
            self._tell(positions, behind)

    async def _connected(self) -> AIOKafkaConsumer:
        """Uncommitted records count: they lie there, and what hides behind an open transaction is not folded."""
        if self._consumer is None:
            self._consumer = await self._clients.enter_async_context(reader(self._connection, "read_uncommitted", FETCH_BYTES))
        return self._consumer

    def _tell(self, sources: Collection[TopicPartition], behind: Spans) -> None:
        self._metrics.lag.clear()
        self._metrics.oldest.clear()
        ages: dict[UnitId, float] = {}
        for source in sources:
            position, end = behind.get(source, (0, 0))
            unit = (self._role_of[source.topic], source.partition)
            self._metrics.lag.labels(unit[0], *source).set(end - position)
            if self._now is not None:
                age = (self._now() - self._received[source][1]) / 1000 if source in self._received else 0.0
                ages[unit] = max(age, ages.get(unit, 0.0))
        for unit, age in ages.items():
            self._metrics.oldest.labels(*unit).set(age)

    async def _find_oldest(self, consumer: AIOKafkaConsumer, behind: Spans) -> None:
        """Learn when the first record from each position on was received, unless that is known. Markers alone never were."""
        self._received = {source: known for source, known in self._received.items() if source in behind and behind[source][0] == known[0]}
        unknown = {source: span for source, span in behind.items() if source not in self._received}
        if not unknown:
            return
        consumer.assign(list(unknown))
        for source, (position, _) in unknown.items():
            consumer.seek(source, position)
        try:
            await self._read_first(consumer, unknown)
        finally:
            consumer.unsubscribe()  # or its fetcher would ask the broker without pause

    async def _read_first(self, consumer: AIOKafkaConsumer, unread: Spans) -> None:
        left = list(unread)
        while left:
            fetched = await consumer.getmany(*left, timeout_ms=FETCH_MS)
            self._received |= {source: (unread[source][0], records[0].timestamp) for source, records in fetched.items() if records}
            left = [source for source in left if source not in fetched and await consumer.position(source) < unread[source][1]]
