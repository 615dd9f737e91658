"""A worker in the simulation: the product's `Ownership` and all below it, with a stand-in for Faust and aiokafka's consumer around it.

The stand-in does what Faust was found to do: it does not cancel a restore when the next rebalance begins, it resumes fetching after it, and
it drops or repeats chunks without a word.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any, NoReturn

from aiokafka.errors import KafkaError, RebalanceInProgressError
from aiokafka.structs import TopicPartition

from engagement.machine import Fold
from streams.delivery import EXACTLY_ONCE
from streams.topics import SOURCES, Environment
from streams.worker.assignor import UnitAssignor, UnitId
from streams.worker.clock import DayClock
from streams.worker.metrics import Metrics
from streams.worker.ownership import Ownership
from streams.worker.transport import Chunk
from streams.worker.unit import Limits, Unit
from tests.faults.simulation.clients import SimulatedConnection
from tests.faults.simulation.group import SESSION, FencedInstance, Group, Joined

HEARTBEAT = SESSION / 5
FETCH = 0.1
QUEUE = 8  # chunks between fetcher and agent, as the product sets it
STOP = 8.0  # seconds, after which `streams.worker.application.EngagementWorker` ends without the group
DROPPED = 0.03
REPEATED = 0.03


class Ended(BaseException):
    """The process ended itself."""


class SimulatedWorker:
    """One process. Plays both ``app`` and ``app.consumer`` for `Ownership`."""

    def __init__(
        self,
        name: str,
        *,
        connection: SimulatedConnection,
        environment: Environment,
        group: Group,
        random: Random,
        make_fold: Callable[[UnitId], Fold],
        make_clock: Callable[["SimulatedWorker", Unit], DayClock] | None,
        limits: Limits,
        ended: Callable[[int, str], None],
    ) -> None:
        """``name`` is the instance id. ``ended`` is told the exit status and the last words; the process must not run after that."""
        self.conf = SimpleNamespace(broker_session_timeout=SESSION)
        self.rebalancing, self.rebalancing_count, self.should_stop = True, 0, False
        self.consumer = self
        self._name, self._network, self._group, self._random, self._ended = name, connection.network, group, random, ended
        topics_of = {role: [environment.topic(short) for short in shorts] for role, shorts in SOURCES.items()}
        self._assignor = UnitAssignor(topics_of)
        self._topics = [topic for topics in topics_of.values() for topic in topics]
        self._joined: Joined | None = None
        self._member = ""
        self._is_joining = False
        self._starts: dict[TopicPartition, int] = {}  # where the next chunk of an assigned partition begins, since our own seek
        self._chunks: deque[Chunk] = deque()
        self._fetched, self._taken = asyncio.Event(), asyncio.Event()
        self._rejoin = asyncio.Event()
        self._work: set[asyncio.Task[None]] = set()
        self.metrics = Metrics()
        self.ownership = Ownership(
            self,
            roles=topics_of,
            make_fold=make_fold,
            make_clock=None if make_clock is None else partial(make_clock, self),
            connection=connection,
            environment=environment,
            metrics=self.metrics,
            limits=limits,
            delivery=EXACTLY_ONCE,
            end_process=self.end,
        )

    def end(self, status: int, words: str) -> NoReturn:
        """What `streams.worker.ownership.end` does to a real process."""
        self._ended(status, words)
        raise Ended

    async def run(self) -> None:
        """Be a worker until `stop` or the end of the process."""
        for work in (self._heartbeats(), self._fetch(), self._agent(), self.ownership.watch()):
            self._spawn(work)
        while not self.should_stop:
            self.rebalancing = True
            self.rebalancing_count += 1
            await self.ownership.on_revoked()
            self._starts.clear()
            if self._random.random() < 1 / 2:
                self._chunks.clear()  # Faust clears its flow control; what the agent holds it keeps
                self._taken.set()
            self._rejoin.clear()
            if not await self._join():
                continue
            await self.ownership.on_assigned()
            self._spawn(self._complete(self.rebalancing_count))
            await self._rejoin.wait()

    async def stop(self) -> None:
        """SIGTERM."""
        self.should_stop = True
        self._starts.clear()
        try:
            async with asyncio.timeout(STOP):
                await self.ownership.on_before_shutdown()
                member = self._member
                await self._network.call(lambda: self._group.leave(member))
        except TimeoutError:
            self.end(0, "left without a word")
        self.end(0, "stopped")

    async def _join(self) -> bool:
        metadata = self._assignor.metadata(self._topics)
        self._is_joining = True
        try:
            member = self._member
            waiting = await self._network.call(lambda: self._group.join(member, self._name, metadata))
            self._joined = await waiting
        except FencedInstance as error:
            self.end(2, f"the group refuses this worker: {error!r}")
        except KafkaError:
            self._member = ""  # unknown there: join as a new one
            return False
        finally:
            self._is_joining = False
        self._member = self._joined.member
        self._assignor.on_assignment(self._joined.assignment)
        return True

    async def _complete(self, rebalance: int) -> None:
        """What Faust's recovery does after a rebalance."""
        await self.ownership.on_rebalance_complete()
        if self.rebalancing_count == rebalance:
            await self.seek_to(self.ownership.positions())
            self.rebalancing = False

    async def _heartbeats(self) -> None:
        while not self.should_stop:
            await asyncio.sleep(HEARTBEAT)
            joined = self._joined
            if joined is None or self._is_joining or self._rejoin.is_set():
                continue
            try:
                await self._network.call(lambda: self._group.heartbeat(joined.member, self._name, joined.generation))  # noqa: B023 - called at once
            except (FencedInstance, KafkaError) as error:
                if joined is not self._joined or self._is_joining:
                    continue  # it asked as the member that it was; a real one's connection keeps requests in order
                if isinstance(error, FencedInstance):
                    self.end(2, f"the group refuses this worker: {error!r}")
                if not isinstance(error, RebalanceInProgressError):
                    self._member = ""
                self._rejoin.set()

    async def _fetch(self) -> None:
        while True:
            await asyncio.sleep(self._random.expovariate(1 / FETCH))
            for partition, start in list(self._starts.items()):
                log = self._network.broker.partition(partition)
                if log.end("read_committed") <= start or self._random.random() < 1 / 2:
                    continue  # a broker answers a fetch only when it has something
                most = self._random.choice((1, 3, 20))
                records, stop = await self._network.call(lambda: log.read(start, most, "read_committed"))  # noqa: B023 - called at once
                if stop == start or self._starts.get(partition) != start:
                    continue  # nothing new; or sought elsewhere meanwhile, and aiokafka throws away what it fetched
                self._starts[partition] = stop
                await self._hand_over(Chunk(partition, records, start, stop))

    async def _hand_over(self, chunk: Chunk) -> None:
        drawn = self._random.random()
        if drawn < DROPPED:
            return
        for _ in range(2 if drawn < DROPPED + REPEATED else 1):
            while len(self._chunks) >= QUEUE:
                self._taken.clear()
                await self._taken.wait()
            self._chunks.append(chunk)
            self._fetched.set()

    async def _agent(self) -> None:
        while True:
            while not self._chunks:
                self._fetched.clear()
                await self._fetched.wait()
            chunk = self._chunks.popleft()
            self._taken.set()
            await self.ownership.offer(chunk)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._work.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, Ended):
            self._ended(1, f"{type(error).__name__}: {error}")

    # what `Ownership` asks of Faust's consumer

    def assignment(self) -> set[TopicPartition]:
        """What this worker may read."""
        assert self._joined is not None, "asked after a rebalance only"
        return {TopicPartition(topic, number) for topic, numbers in self._joined.assignment.assignment for number in numbers}

    @property
    def membership(self) -> tuple[int, str]:
        """(generation, member id)."""
        assert self._joined is not None, "asked after a rebalance only"
        return self._joined.generation, self._joined.member

    async def seek_to(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Fetch from there on, where it is still assigned."""
        assigned = self.assignment()
        self._starts |= {partition: offset for partition, offset in offsets.items() if partition in assigned}

    async def whereabouts(self, partition: TopicPartition) -> int | None:
        """Start of the next chunk."""
        return self._starts.get(partition)

    def join_error(self) -> BaseException | None:
        """What cannot be joined has ended the process already."""
        return None

    def leave_for_good(self) -> None:
        """`stop` leaves the group."""
