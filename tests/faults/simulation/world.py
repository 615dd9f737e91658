"""A seed played to its end: workers on a simulated broker, everything that can happen to them, and whether the promises held."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from contextvars import Context
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from typing import Any

from aiokafka.structs import TopicPartition

from engagement.days import MS_PER_DAY, midnight
from engagement.events import Family
from engagement.intake import Intake
from engagement.machine import Fold
from engagement.qualify import Qualify
from engagement.records import GENESIS_KEY, Genesis, encode
from streams.activation import activate_rulebook
from streams.days import IntakeProgress
from streams.delivery import EXACTLY_ONCE
from streams.history import player
from streams.reading import reader
from streams.topics import INPUTS, LOG, RULEBOOKS, STATEFUL, TOPICS, Environment
from streams.transaction import make_producer, send
from streams.worker.assignor import UnitAssignor, UnitId
from streams.worker.clock import DayClock
from streams.worker.metrics import Metrics
from streams.worker.ownership import BROKEN
from streams.worker.unit import Limits, Unit
from tests.faults.simulation.broker import Broker
from tests.faults.simulation.clients import SimulatedConnection
from tests.faults.simulation.group import LOOK, SESSION, Group
from tests.faults.simulation.loop import WORLD, SimulatedLoop, Stuck
from tests.faults.simulation.network import Network
from tests.faults.simulation.scenario import FIRST_DAY, IDENTITY, PARTITIONS, RULEBOOK, Scenario, scenario
from tests.faults.simulation.verdict import problems
from tests.faults.simulation.worker import SimulatedWorker

ENVIRONMENT = Environment("sim-")
MOST_STEPS = 2_000_000
QUIET_DAYS = 6
"""After the last event, so that what rose falls."""

DAY_SECONDS = 12.0
"""How long a day lasts where days come by the clock."""

STUCK = "nothing came of opening the units"
EXPECTED = re.compile(
    "^(Ambiguous|NotEnoughReplicasError|the broker did not answer in time)"
    "|was fenced twice|expelled from the group|a transaction did not end"
)
"""Why a worker may say that it is to be started again."""

PATIENCE = 400.0
"""Seconds without faults within which everything must have come to rest: a session, a transaction's time-out and a few restarts are 60."""

player.LOOK_AGAIN = 0.25  # the player asks a hundred times a second, and most steps would be its

_CLOCK, _CLOCK_UNIT = (ENVIRONMENT.transactional_id(role, 0) for role in ("clock", "intake"))
_BEFORE_A_DAY, _TRANSACTION_OPEN = (0, 2, 3, 4), (1, 5)
"""After how many writes of the clock, which asks for the time with two, and appends a day with four, the third to its own partition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a seed."""

    seed: int
    problems: tuple[str, ...]
    steps: int
    faults: Counter[str]
    trace: int  # the same for the same seed

    @property
    def holds(self) -> bool:
        """Whether every promise held."""
        return not self.problems


def simulate(seed: int, watch: Callable[[Metrics], None] = lambda _: None) -> Outcome:
    """Play a seed. ``watch`` is given every worker's metrics as it starts."""
    world = _World(scenario(seed), watch)
    with world.loop_running() as loop:
        try:
            loop.run_until_complete(
                asyncio.wait_for(world.play(), world.told.seconds + PATIENCE + DAY_SECONDS * (len(world.told.days) + QUIET_DAYS))
            )
            found = [*world.complaints, *problems(world.broker, ENVIRONMENT, world.told)]
        except TimeoutError:
            found = [
                *world.complaints,
                f"after {loop.time():.0f} s nothing had come to rest",
                *problems(world.broker, ENVIRONMENT, world.told),
            ]
        except Stuck as stuck:
            found = [*world.complaints, str(stuck)]
        return Outcome(seed=seed, problems=tuple(found), steps=loop.steps, faults=world.faults, trace=world.trace)


@dataclass(slots=True)
class _Sleep:
    """How a frozen process is woken: by requests of others, and so many more of them."""

    is_replaced: Callable[[str | None], bool]  # told under which transactional id something is written
    requests: int
    is_over: bool = False


class _World:
    def __init__(self, told: Scenario, watch: Callable[[Metrics], None]) -> None:
        self.told, self._watch = told, watch
        self.random = Random(f"{told.seed} world")
        self.loop = SimulatedLoop(self.random, most_steps=MOST_STEPS)
        self.loop.before_step = self._before_step
        self.broker = Broker(self.now)
        self.network = Network(self.broker, self.random, latency=told.latency, trouble=told.trouble)
        self.network.before_call = self._before_call
        self.connection = SimulatedConnection(network=self.network)
        # Whoever plays, and whoever looks on in the end, has a cable of its own: it is the workers that are tried.
        self._apart = SimulatedConnection(network=Network(self.broker, self.random, latency=0.001, trouble=0.0))
        self.faults: Counter[str] = Counter()
        self.complaints: list[str] = []
        self.trace = 0
        self._running: dict[str, SimulatedWorker] = {}  # by the process's name
        self._doomed: dict[str, int] = {}  # process -> steps it still takes
        self._dazed: dict[str, int] = {}  # process -> requests it still makes before it is frozen
        self._asleep: dict[str, _Sleep] = {}  # frozen processes
        self._clock_trial: tuple[int, bool] | None = None  # writes until the clock is tried, and whether it freezes
        self._starts = 0
        self._make_environment()

    def now(self) -> int:
        """Milliseconds: by the clock on the wall, a day passes in `DAY_SECONDS`."""
        scale = MS_PER_DAY / DAY_SECONDS if self.told.is_wall else 1_000
        return midnight(FIRST_DAY) + int(self.loop.time() * scale)

    @contextmanager
    def loop_running(self) -> Iterator[SimulatedLoop]:
        """The loop; what is unfinished is unwound afterwards."""
        try:
            yield self.loop
        finally:
            self.loop.end()

    async def play(self) -> None:
        """Play the history while faults go on, then let everything come to rest."""
        names = [f"worker-{number}" for number in range(self.told.workers)]
        self.group = self._make_group()
        for name in names:
            self._start(name)
        looking = asyncio.create_task(self._looks())
        async with asyncio.TaskGroup() as tasks:
            for work in (self._kills(), self._freezes(), self._clock_faults(), self._outages(), self._storms(), self._faults_end()):
                tasks.create_task(work)
            tasks.create_task(self._feed_by_the_clock() if self.told.is_wall else self._play_days())
        await self._rest()
        looking.cancel()

    # what happens without faults

    def _make_environment(self) -> None:
        for each in TOPICS:
            config = each.configs("wall" if self.told.is_wall else "played", 1)
            is_stamped = config["message.timestamp.type"] == "LogAppendTime"
            self.broker.create(ENVIRONMENT.topic(each.short), each.partitions(PARTITIONS), log_append_time=is_stamped)
        clock = "wall" if self.told.is_wall else "played"
        self._genesis = Genesis(
            partitions=PARTITIONS,
            clock=clock,
            day=FIRST_DAY if self.told.is_wall else None,
            rulebook=RULEBOOK.canonical(),
            version=RULEBOOK.version,
        )
        rulebook = (RULEBOOK.version.encode(), RULEBOOK.canonical().encode(), (), None)
        self.broker.produce(TopicPartition(ENVIRONMENT.topic(RULEBOOKS), 0), [rulebook])
        for short in STATEFUL:
            for number in range(PARTITIONS):
                self.broker.produce(TopicPartition(ENVIRONMENT.topic(short), number), [(GENESIS_KEY, encode(self._genesis), (), 0)])

    async def _play_days(self) -> None:
        async with AsyncExitStack() as stack:
            clock = make_producer(self._apart, ENVIRONMENT.transactional_id("clock", 0))
            producer = await stack.enter_async_context(self._apart.producer())
            committed = await stack.enter_async_context(reader(self._apart))
            uncommitted = await stack.enter_async_context(reader(self._apart, "read_uncommitted"))
            admin = await stack.enter_async_context(self._apart.admin())
            intake, qualify = (
                IntakeProgress(
                    ENVIRONMENT, PARTITIONS, committed=committed, uncommitted=uncommitted, admin=admin, topics=topics, delivery=EXACTLY_ONCE
                )
                for topics in (INPUTS, (LOG,))
            )
            playing = player.Player(
                ENVIRONMENT,
                PARTITIONS,
                clock=clock,
                clock_reader=committed,
                producer=producer,
                intake=intake,
                qualify=qualify,
                patience=float("inf"),
                delivery=EXACTLY_ONCE,
            )
            for number, events in enumerate(self.told.days):
                await playing.begin(FIRST_DAY + number)
                await self._activate(number)
                await playing.receive(event.arrival for event in events)
            await playing.begin(FIRST_DAY + len(self.told.days) + QUIET_DAYS)
            await playing.settle()

    async def _feed_by_the_clock(self) -> None:
        async with self._apart.producer() as producer:
            for number, events in enumerate(self.told.days):
                await self._activate(number)
                for event in events:
                    await asyncio.sleep(max(0.0, (event.arrival.received_at - self.now()) / MS_PER_DAY * DAY_SECONDS))
                    family, partition, _, key, value = event.arrival
                    await send(producer, {TopicPartition(ENVIRONMENT.topic(family.value), partition): [(key, value, (), None)]})
            await asyncio.sleep(DAY_SECONDS * QUIET_DAYS)

    async def _activate(self, day: int) -> None:
        rulebook = self.told.activations.get(day)
        if rulebook is not None:
            await activate_rulebook(self._apart, ENVIRONMENT, self._genesis, rulebook, place="simulation")

    async def _rest(self) -> None:
        """Wait until nothing is left to read, then stop every worker in order."""
        async with AsyncExitStack() as stack:
            committed = await stack.enter_async_context(reader(self._apart))
            uncommitted = await stack.enter_async_context(reader(self._apart, "read_uncommitted"))
            admin = await stack.enter_async_context(self._apart.admin())
            for topics in (INPUTS, (LOG,)):
                progress = IntakeProgress(
                    ENVIRONMENT, PARTITIONS, committed=committed, uncommitted=uncommitted, admin=admin, topics=topics, delivery=EXACTLY_ONCE
                )
                while not await progress.has_reached(await progress.ends()):  # noqa: ASYNC110 - no event: it is a broker that is asked
                    await asyncio.sleep(1)
        if self.told.is_wall:
            return  # the next day would come while they stop
        while self._running:
            for process, worker in list(self._running.items()):
                if not worker.should_stop:
                    self.loop.spawn(process, worker.stop())
            await asyncio.sleep(1)

    def _make_group(self) -> Group:
        assignor = UnitAssignor({"intake": [ENVIRONMENT.topic(short) for short in INPUTS], "qualify": [ENVIRONMENT.topic(LOG)]})
        cluster: Any = SimpleNamespace(partitions_for_topic=lambda _: set(range(PARTITIONS)))
        return Group(lambda members: assignor.assign(cluster, members), self.loop.time)

    # processes

    def _start(self, name: str) -> None:
        self._starts += 1
        process = f"{name}#{self._starts}"

        def ended(status: int, words: str) -> None:
            if process not in self._running:
                return  # its last step goes on to its end
            self.faults[f"ended {status}"] += 1
            is_away = self.loop.time() < self.network.down_until and STUCK in words  # outages may follow one on another for a minute
            if status in {1, 2} or (status == BROKEN and not is_away and not EXPECTED.search(words)):
                self.complaints.append(f"{process} ended with status {status} at {self.loop.time():.1f} s: {words}")
            self._gone(process, name, may_return=status == BROKEN)

        worker = SimulatedWorker(
            name,
            connection=self.connection,
            environment=ENVIRONMENT,
            group=self.group,
            random=self.random,
            make_fold=_make_fold,
            make_clock=self._make_clock if self.told.is_wall else None,
            limits=Limits(batch=self.told.batch),
            ended=ended,
        )
        self._watch(worker.metrics)
        self._running[process] = worker
        self.loop.spawn(process, worker.run())

    def _gone(self, process: str, name: str, *, may_return: bool) -> None:
        self.loop.kill(process)
        self._running.pop(process, None)
        self._doomed.pop(process, None)
        self._dazed.pop(process, None)
        if may_return:
            pause = self.random.choice((0.1, 1.0, 4.0, 14.0))
            self.loop.call_later(pause, self._start, name, context=Context())

    def _make_clock(self, worker: SimulatedWorker, unit: Unit) -> DayClock:
        return DayClock(
            connection=self.connection,
            environment=ENVIRONMENT,
            partitions=PARTITIONS,
            last_day=FIRST_DAY if unit.clock_row is None else int(unit.clock_row),
            restored_to=unit.restored_to,
            now=self.now,
            skew_ms=lambda: MS_PER_DAY // 2,
            metrics=worker.metrics,
            fenced=lambda _: worker.ownership.fenced(unit),
            failed=lambda error: worker.ownership.failed(unit, error),
            delivery=EXACTLY_ONCE,
        )

    # faults

    def _before_step(self, process: str) -> None:
        if process == WORLD:
            return
        self.trace = (self.trace * 31 + hash((process, round(self.loop.time() * 1e6)))) % 2**61
        left = self._doomed.get(process)
        if left is None:
            return
        if left > 0:
            self._doomed[process] = left - 1
            return
        self._kill(process)

    def _kill(self, process: str) -> None:
        if process in self._running:
            self.faults["kill"] += 1
            self._gone(process, process.partition("#")[0], may_return=True)

    def _before_call(self, process: str, writer: str | None) -> None:
        """Freeze in the middle of the work, and thaw while others are in the middle of theirs: a zombie is at its worst then."""
        left = self._dazed.get(process) if writer is not None else None
        if left == 0:
            del self._dazed[process]
            if self.random.random() < 1 / 2:
                self._freeze(process)
                self.loop.call_later(self.random.choice((1.0, 8.0, 25.0)), self._thaw, process, context=Context())
            else:
                generation = self.group.generation
                self._freeze(process, _Sleep(lambda _: self.group.generation != generation, self.random.randint(0, 40)))
        elif left is not None:
            self._dazed[process] = left - 1
        if writer is not None and writer.startswith(_CLOCK):
            self._try_clock(process, writer)
        for sleeper, sleep in list(self._asleep.items()):
            sleep.is_over = sleep.is_over or sleep.is_replaced(writer)
            if sleep.is_over:
                sleep.requests -= 1
                if sleep.requests < 0:
                    self._thaw(sleeper)

    def _try_clock(self, process: str, writer: str) -> None:
        """Have it go on when another clock has just begun; or die with a transaction open, behind which its worker commits more."""
        if self._clock_trial is None or self._asleep:
            return
        left, freezes = self._clock_trial
        self._clock_trial = (left - 1, freezes) if left else None
        if left:
            return
        self.faults["clock"] += 1
        if freezes:
            self._freeze(process, _Sleep(lambda writer: writer == _CLOCK_UNIT, self.random.choice((0, 2, 4, 8, 60))))
        else:
            seconds = self.random.uniform(1, 8)
            self.network.silent_until[writer] = self.loop.time() + seconds
            self.loop.call_later(seconds, self._kill, process, context=Context())

    def _freeze(self, process: str, sleep: _Sleep | None = None) -> None:
        self.faults["freeze"] += 1
        self.loop.freeze(process)
        if sleep is not None:
            self._asleep[process] = sleep
            self.loop.call_later(4 * SESSION, self._thaw, process, context=Context())

    def _thaw(self, process: str) -> None:
        self._asleep.pop(process, None)
        self.loop.thaw(process)

    async def _faults_end(self) -> None:
        await asyncio.sleep(self.told.seconds)
        self.network.trouble = 0.0

    async def _every(self, seconds: float, happen: Callable[[], None]) -> None:
        while (pause := self.random.expovariate(1 / seconds)) < self.told.seconds - self.loop.time():
            await asyncio.sleep(pause)
            happen()

    async def _kills(self) -> None:
        def kill() -> None:
            if self._running:
                self._doomed.setdefault(self.random.choice(list(self._running)), self.random.randint(0, 60))

        await self._every(self.told.kill_every, kill)

    async def _freezes(self) -> None:
        def freeze() -> None:
            if self._running:
                self._dazed.setdefault(self.random.choice(list(self._running)), self.random.randint(0, 6))

        await self._every(self.told.freeze_every, freeze)

    async def _clock_faults(self) -> None:
        def choose() -> None:
            freezes = self.random.random() < 1 / 2
            self._clock_trial = self.random.choice(_BEFORE_A_DAY if freezes else _TRANSACTION_OPEN), freezes

        if self.told.is_wall:
            await self._every(self.told.clock_every, choose)

    async def _outages(self) -> None:
        def outage() -> None:
            self.faults["outage"] += 1
            self.network.down_until = self.loop.time() + self.random.choice((0.5, 3.0, 12.0, 35.0))

        await self._every(self.told.outage_every, outage)

    async def _storms(self) -> None:
        def come() -> None:
            self.faults["join"] += 1
            name = f"storm-{self._starts}"
            self._start(name)
            self.loop.call_later(self.random.uniform(0.5, 20), go, name)

        def go(name: str) -> None:
            for process, worker in list(self._running.items()):
                if process.startswith(f"{name}#"):
                    self.faults["leave"] += 1
                    self.loop.spawn(process, worker.stop())

        await self._every(self.told.storm_every, come)

    async def _looks(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self.group.look()


def _make_fold(unit: UnitId) -> Fold:
    role, number = unit
    if role == "qualify":
        return Qualify(topic=ENVIRONMENT.topic(LOG), partition=number)
    families = {ENVIRONMENT.topic(family.value): family for family in Family}
    return Intake(families=families, partition=number, rulebook=RULEBOOK, identity=IDENTITY)
