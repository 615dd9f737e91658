"""A unit: one role's partition number, with its state, its queue and its commits.

The way of an event: Faust's agent offers a chunk -> the queue -> `Fold.step` on an overlay -> one transaction -> `Fold.accept`.
Only after the commit does memory change, so whatever fails before leaves the state as the log has it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from engagement.errors import Refused
from engagement.fates import WAITING
from engagement.intake import IntakePosition
from engagement.machine import CLOCK_KEY, LANDMARKS_KEY, Fold, Position, Record, Step
from engagement.qualify import QualifyPosition
from streams.closing import close_client
from streams.connection import Connection
from streams.delivery import Delivery
from streams.reading import reader
from streams.topics import CHANGELOGS, DEAD_LETTERS, Environment
from streams.transaction import Fenced, Row, rows_of
from streams.worker import landmarks
from streams.worker.assignor import UnitId
from streams.worker.metrics import Metrics
from streams.worker.restore import check_sources, committed_now, restore
from streams.worker.transport import Chunk

log = logging.getLogger("mqa.worker")

STEP_SECONDS = 0.1
"""A fold holds up the whole worker while it runs; a transaction waits for a few of the other units' steps, and has 20 s."""

SMALLEST_STEP = 50
_SHORTEST = 1e-6
START_TIMEOUT = 40.0
COMMIT_TIMEOUT = 30.0
CLOSE_TIMEOUT = 5.0
LEAVE_TIMEOUT = 1.0
IDLE_CHECK = 2.0
TELL_GROUP_SECONDS = 0.5
"""How seldom the group is told how far inputs are read: that takes two of a commit's five round trips, and no unit goes on from there."""

SOON = 0.05
"""How long that waits at least when nothing comes: a commit for what does come tells it on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much at once, how much bad input, and which losses a person has accepted."""

    batch: int = 10_000  # records, and touched rows, of a step at most
    dead_letters: int = 1_000  # in a row before the worker stops; 0 is no limit
    accept_loss: frozenset[str] = frozenset()  # topic/partition where records may be lost unread


class Owner(Protocol):
    """What a unit asks of the worker around it."""

    async def seek_to(self, offsets: dict[TopicPartition, int]) -> None:
        """Fetch from there on."""

    async def whereabouts(self, partition: TopicPartition) -> int | None:
        """Start of the next chunk; None where unknown."""

    def fenced(self, unit: "Unit") -> None:
        """A newer owner exists; the unit has stopped."""

    def failed(self, unit: "Unit", error: BaseException) -> None:
        """The unit cannot go on; the worker must end."""


class Unit:
    """Created closed; `open` fences and restores; `admit` lets transactions begin; `close` ends it."""

    def __init__(
        self,
        identity: UnitId,
        fold: Fold,
        *,
        topics: Sequence[str],
        connection: Connection,
        environment: Environment,
        metrics: Metrics,
        owner: Owner,
        turns: asyncio.Semaphore,
        limits: "Limits",
        delivery: Delivery,
        tell_seconds: float,
    ) -> None:
        """Reaches for nothing yet. ``turns`` bounds how many units of the worker are in a transaction at once.

        ``tell_seconds``: how long the group may not know how far the inputs are read.
        """
        self.identity, self.fold = identity, fold
        self.role, self.number = identity
        self.sources = [TopicPartition(topic, self.number) for topic in topics]
        self.changelog = TopicPartition(environment.topic(CHANGELOGS[self.role]), self.number)
        self.clock_row: bytes | None = None  # beside the state of intake's unit 0: the last day appended
        self.restored_to = 0  # offset in the changelog
        self._connection, self._environment, self._metrics, self._owner = connection, environment, metrics, owner
        self._turns, self._limits, self._delivery = turns, limits, delivery
        self._size = min(SMALLEST_STEP, limits.batch)  # records and touched rows of the next step
        self._group = delivery.offsets_group(environment)
        self._producer = delivery.make_producer(connection, environment.transactional_id(self.role, self.number))
        self._queue: asyncio.Queue[Chunk] = asyncio.Queue()
        self._held = 0  # records in the queue
        self._room = asyncio.Event()
        self._closed = False
        self._gate = asyncio.Event()  # open: transactions may begin
        self._transaction = asyncio.Lock()  # held: one is running
        self._landmarks: landmarks.Landmarks = {}
        self._ahead: dict[
            TopicPartition, tuple[int, int]
        ] = {}  # (fetched to, position) of sources whose fetcher was ahead at the last look
        self._looked = asyncio.get_running_loop().time()
        self._tell_seconds, self._told_at = tell_seconds, self._looked
        self._told: dict[TopicPartition, int] = {}  # what the group was told last
        self._task: asyncio.Task[None] | None = None

    def __str__(self) -> str:
        return f"{self.role}/{self.number}"

    async def open(self, stale: Callable[[], bool]) -> bool:
        """Fence the last owner, then read its state to the end. False where ``stale`` interrupted it. Raises `Refused`."""
        began = asyncio.get_running_loop().time()
        await asyncio.wait_for(self._producer.start(), START_TIMEOUT)
        beside: dict[bytes, bytes] = {}
        committed = await committed_now(self._connection, self._group, self.sources)
        async with reader(self._connection) as consumer:
            exact = self._delivery.promise == "exactly_once"
            end = await restore(
                self._connection,
                consumer,
                self.changelog,
                self.fold,
                stale=stale,
                beside=beside,
                exact=exact,
                told=self._metrics.restored.labels(self.role, self.number).set,
            )
            if end is None:
                return False
            self.restored_to = end
            self.clock_row = beside.get(CLOCK_KEY)
            self._landmarks = landmarks.decode(beside.get(LANDMARKS_KEY, b"{}"))
            restarts = await self._check_sources(consumer, self._limits.accept_loss, committed)
        rows: dict[TopicPartition, list[Row]] = {}
        if restarts:
            log.warning("%s: records were lost, which was accepted; reading on from %s", self, restarts)
            self._landmarks = {topic: last for topic, last in self._landmarks.items() if topic not in restarts}
            step = self.fold.step([], 1, restarts)
            rows = self._rows(step, self._landmarks)
            self.fold.accept(step)  # before the commit for once: where that fails, so does the opening
        # The broker forgets what an empty group committed after a week; the clock asks the group how far intake has read.
        await self._commit(rows, self.positions())
        self._has_told(self.positions())
        seconds = asyncio.get_running_loop().time() - began
        self._metrics.restore.labels(self.role, self.number).set(seconds)
        self._observe_state()
        log.info("%s restored: %d rows in %.2f s, position %s", self, self.fold.position.rows, seconds, self.fold.position.next)
        self._task = asyncio.create_task(self._run(), name=str(self))
        return True

    async def still_fits(self) -> bool:
        """Whether the sources are still those of the state. To be asked while it is paused, after which a topic may be another one."""
        committed = await committed_now(self._connection, self._group, self.sources)
        async with reader(self._connection) as consumer:
            try:
                await self._check_sources(consumer, (), committed)
            except Refused:
                return False  # `open` says why, or that it was accepted
        return True

    async def _check_sources(
        self, consumer: AIOKafkaConsumer, accept_loss: Collection[str], committed: Mapping[TopicPartition, int]
    ) -> dict[str, int]:
        return await check_sources(
            self._connection,
            consumer,
            self.sources,
            self.fold,
            environment=self._environment,
            changelog=self.changelog,
            landmarks=self._landmarks,
            accept_loss=accept_loss,
            committed=committed,
        )

    def positions(self) -> dict[TopicPartition, int]:
        """Next offset of each source, as committed with the state."""
        return self._positions_in(self.fold.position)

    def _positions_in(self, position: Position) -> dict[TopicPartition, int]:
        return {source: position.next.get(source.topic, 0) for source in self.sources}

    def admit(self) -> None:
        """Transactions may begin."""
        self._gate.set()

    async def pause(self) -> None:
        """No transaction begins after this, and none is running when it returns. Memory is kept."""
        self._gate.clear()
        async with self._transaction:
            pass

    async def close(self) -> None:
        """Let a running transaction end, drop what is only queued (it will be fetched again), release the producer."""
        self._closed = True
        self._gate.clear()
        self._room.set()
        if self._task is not None and self._task is not asyncio.current_task():
            try:
                await asyncio.wait_for(self.pause(), CLOSE_TIMEOUT)
            except TimeoutError:
                log.warning("%s: a transaction is still running at close; its fate is the broker's", self)
            else:
                await self._take_leave()
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CLOSE_TIMEOUT)
        await close_client(self._producer.stop())
        self._metrics.forget_unit(self.role, self.number)

    async def offer(self, chunk: Chunk) -> None:
        """Queue a chunk; returns when there is room for the next (counted in records), or the unit is closed."""
        self._queue.put_nowait(chunk)
        self._held += len(chunk.records)
        while self._held > self._limits.batch and not self._closed:
            self._room.clear()
            await self._room.wait()

    async def _run(self) -> None:
        try:
            while True:
                if asyncio.get_running_loop().time() - self._looked > IDLE_CHECK:
                    await self._look_around()
                try:
                    async with asyncio.timeout(self._patience()):  # unlike `wait_for` it makes no task for each
                        chunks = [await self._queue.get()]
                except TimeoutError:
                    await self._tell()
                    continue
                await self._gate.wait()
                while not self._queue.empty():  # everything that waits goes into one transaction
                    chunks.append(self._queue.get_nowait())
                self._held = 0
                self._room.set()
                await self._fold_chunks(chunks)
        except Fenced as error:
            log.warning("%s fenced: %r", self, error.__cause__)
            self._owner.fenced(self)
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker must not go on as if nothing was
            self._owner.failed(self, error)

    async def _fold_chunks(self, chunks: Sequence[Chunk]) -> None:
        records: list[Record] = []
        seen = self.positions()  # what is folded once all of ``records`` are, transaction markers included
        for chunk in chunks:
            source = TopicPartition(chunk.topic, chunk.partition)
            if chunk.stop <= seen[source]:
                continue
            if chunk.start > seen[source]:
                await self._fetch_again(source, seen[source])
                continue
            records += [record for record in chunk.records if record.offset >= seen[source]]
            seen[source] = chunk.stop
        done = 0
        while self.positions() != seen:
            async with self._turn():
                last = done + self._size >= len(records)
                done += await self._fold_and_commit(records[done : done + self._size], seen if last else {})

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Let one transaction run."""
        async with self._turns:
            while not self._gate.is_set():  # it may have been closed again before its waiters had their turn
                await self._gate.wait()  # the last await before the lock: no transaction begins after a revocation
            async with self._transaction:
                yield

    async def _fold_and_commit(self, records: Sequence[Record], seen: Mapping[TopicPartition, int]) -> int:
        began = asyncio.get_running_loop().time()
        step = self.fold.step(records, self._size, {source.topic: offset for source, offset in seen.items()})
        self._adapt(max(step.consumed, len(step.changelog), len(step.outputs)), asyncio.get_running_loop().time() - began)
        self._check_dead_letters(step, records)
        began = asyncio.get_running_loop().time()
        is_to_tell = asyncio.get_running_loop().time() >= self._told_at + self._tell_seconds
        told = self._positions_in(step.position) if is_to_tell else {}
        marks = self._landmarks | landmarks.landmarks(records[: step.consumed])
        aborts = await self._commit(self._rows(step, marks), told)
        if told:
            self._has_told(told)
        before = self.fold.position
        self.fold.accept(step)
        self._landmarks = marks
        self._observe(before.fates, step, asyncio.get_running_loop().time() - began, aborts)
        return step.consumed

    def _patience(self) -> float:
        """Seconds after which something is to be done though nothing came."""
        if self._told == self.positions():
            return IDLE_CHECK
        return max(SOON, self._told_at + self._tell_seconds - asyncio.get_running_loop().time())

    def _has_told(self, positions: dict[TopicPartition, int]) -> None:
        self._told, self._told_at = positions, asyncio.get_running_loop().time()

    async def _tell(self) -> None:
        """Say how far the inputs are read, if the group does not know it yet."""
        if self._told != self.positions():
            async with self._turn():
                await self._commit({}, self.positions())
                self._has_told(self.positions())

    async def _take_leave(self) -> None:
        """Tell the group for the last time, for whoever asks it while nobody has the unit. Where there is no fencing, the next one does."""
        if self._told != self.positions() and self._delivery.promise == "exactly_once":
            with suppress(Exception):  # fenced, or nobody answers: the next owner tells it when it opens
                await asyncio.wait_for(self._delivery.commit(self._producer, {}, self.positions(), self._group), LEAVE_TIMEOUT)

    async def _commit(self, rows: Mapping[TopicPartition, Sequence[Row]], offsets: Mapping[TopicPartition, int]) -> int:
        async with asyncio.timeout(COMMIT_TIMEOUT):
            return await self._delivery.commit(self._producer, rows, offsets, self._group)

    def _rows(self, step: Step, marks: landmarks.Landmarks) -> dict[TopicPartition, list[Row]]:
        rows = rows_of(step, self.changelog, self._environment.topic)
        rows[self.changelog].insert(0, (LANDMARKS_KEY, landmarks.encode(marks), (), None))
        return rows

    def _adapt(self, work: int, seconds: float) -> None:
        """Let the next step take about `STEP_SECONDS`. Where steps end is nowhere seen in what they give."""
        if seconds > STEP_SECONDS or work * 2 > self._size:  # a small step says little about a large one
            fitting = min(int(work * STEP_SECONDS / max(seconds, _SHORTEST)), self._size * 2)
            self._size = min(max(fitting, SMALLEST_STEP), self._limits.batch)

    def _check_dead_letters(self, step: Step, records: Sequence[Record]) -> None:
        if step.consumed and self._limits.dead_letters and step.position.dead_run >= self._limits.dead_letters:
            reasons = {dict(output.headers)["reason"].decode() for output in step.outputs if output.topic == DEAD_LETTERS}
            msg = (
                f"{self}: the last {step.position.dead_run} events up to offset {records[step.consumed - 1].offset} of {records[0].topic} "
                f"were all dead letters ({', '.join(sorted(reasons))}); nothing of this step was committed; "
                "mend the producer, or go on with `mqa worker --dead-letter-limit 0`"
            )
            raise Refused(msg)

    def _observe(self, before: dict[str, int], step: Step, seconds: float, aborts: int) -> None:
        self._metrics.transaction.labels(self.role).observe(seconds)
        self._metrics.aborts.labels(self.role).inc(aborts)
        self._metrics.count_step(self.role, before, step)
        self._observe_state()

    def _observe_state(self) -> None:
        position = self.fold.position
        self._metrics.rows.labels(self.role, self.number).set(position.rows)
        self._metrics.state_bytes.labels(self.role, self.number).set(self.fold.state_bytes)
        if isinstance(position, QualifyPosition) and position.rule_day is not None:
            self._metrics.rule_day.labels(self.number).set(position.rule_day)
        if isinstance(position, IntakePosition):
            self._metrics.waiting.labels(self.number).set(position.fates.get(WAITING, 0))

    async def _look_around(self) -> None:
        """While idle: see that what others know of us is right, and that nothing is on its way to us for ever."""
        self._looked = asyncio.get_running_loop().time()
        if self._gate.is_set() and self._queue.empty():
            await self._delivery.remind(self.positions())
            await self._find_dropped_chunks()

    async def _find_dropped_chunks(self) -> None:
        """Where the fetcher is ahead of us and nothing came for two looks in a row, Faust dropped the last chunk of that source."""
        ahead = {}
        for source, position in self.positions().items():
            start = await self._owner.whereabouts(source)
            if start is not None and start > position:
                ahead[source] = (start, position)
        dropped = [source for source in ahead if self._ahead.get(source) == ahead[source]]
        self._ahead = ahead
        for source in dropped:
            await self._fetch_again(source, ahead[source][1])

    async def _fetch_again(self, source: TopicPartition, offset: int) -> None:
        log.info("%s: a chunk of %s never came; fetching again from %d", self, source.topic, offset)
        self._metrics.reseeks.labels(self.role).inc()
        await self._owner.seek_to({source: offset})
