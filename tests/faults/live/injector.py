"""Deals out faults, one after the other, in an order that the seed decides; waits after each until every unit has gone on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from signal import SIGKILL, SIGSTOP, SIGTERM, Signals
from time import monotonic

from streams.broker.local import LocalBroker
from tests.faults.live.crew import Crew
from tests.faults.live.failpoints import POINTS, REPLY_LOST, Setting
from tests.faults.live.figures import Resumes
from tests.faults.live.progress import Progress

SESSION_SECONDS = 6
RESUME_SECONDS = SESSION_SECONDS + 10.0
ZOMBIE_SECONDS = SESSION_SECONDS + 2.0
HEARTBEAT_SECONDS = SESSION_SECONDS / 5 + 0.3
TRAP_SECONDS = 10.0
START_SECONDS = 60.0
FOR_EVER_SECONDS = 120.0
HOME_CREW = 3
GUESTS_AT_ONCE = 2
TELL_EVERY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many of each at least."""

    kills: int
    zombies: int
    guests: int  # each joins and leaves
    outages: int  # half of them hard
    each_point: int
    points_at_once: int = 1  # how many workers are caught at the same time, each at another point


class Injector:
    """One run of a plan. What it does it says through ``tell``; what did not go on in time stands in ``complaints``."""

    def __init__(
        self,
        broker: LocalBroker,
        crew: Crew,
        progress: Progress,
        *,
        plan: Plan,
        seed: int,
        tell: Callable[[str], None],
        points: Sequence[str] = POINTS,
        spared: str | None = None,
    ) -> None:
        """``points``: the fail points that there are; ``spared``: a worker of the caller's that no fault is for."""
        self._broker, self._crew, self._progress, self._plan, self._tell = broker, crew, progress, plan, tell
        self._points, self._spared = points, spared
        self._rng = Random(f"faults {seed}")
        self._guests = count(1)
        self._trapped: set[str] = set()
        self.outages = 0
        self.resumes = Resumes()
        self.complaints: list[str] = []

    async def run(self) -> None:
        """All of the plan."""
        await self._begin()
        deck = self._deck()
        for number, fault in enumerate(deck):
            if number % TELL_EVERY == 0:
                self._tell(f"{number} of {len(deck)} faults are over")
            await fault()

    async def run_for(self, seconds: float, pause: float) -> None:
        """The plan, again and again, with about ``pause`` seconds between two faults."""
        deadline = monotonic() + seconds
        await self._begin()
        while True:
            for fault in self._deck():
                await asyncio.sleep(min(2 * pause * self._rng.random(), max(0.0, deadline - monotonic())))
                if monotonic() >= deadline:
                    return
                await fault()

    async def _begin(self) -> None:
        for number in range(HOME_CREW):
            self._crew.hire(f"home-{number + 1}")
        await self._went_on("the first start", monotonic(), seconds=START_SECONDS)

    @property
    def _victims(self) -> list[str]:
        return [name for name in self._crew.names if name != self._spared]

    def _deck(self) -> list[Callable[[], Awaitable[None]]]:
        plan = self._plan
        faults: list[Callable[[], Awaitable[None]]] = []
        alone = plan.kills // 5
        faults += [self._kill] * alone + [self._kill_two] * -(-(plan.kills - alone) // 2)
        together = plan.zombies // 5 // HOME_CREW
        faults += [self._zombie] * (plan.zombies - together * HOME_CREW) + [self._all_zombies] * together
        faults += [self._storm] * -(-plan.guests // GUESTS_AT_ONCE)
        hard = plan.outages // 2
        faults += [self._outage(SIGTERM)] * (plan.outages - hard) + [self._outage(SIGKILL)] * hard
        points = [point for point in self._points for _ in range(plan.each_point)]
        self._rng.shuffle(points)
        faults += [self._fail(points[at : at + plan.points_at_once]) for at in range(0, len(points), plan.points_at_once)]
        self._rng.shuffle(faults)
        return faults

    async def _kill(self) -> None:
        (name,) = self._some(1)
        self._tell(f"kill -9 {name}")
        self._crew.kill(name)
        await self._resumed("kill -9", monotonic())

    async def _kill_two(self) -> None:
        names = self._some(2)
        self._tell(f"kill -9 {', '.join(names)}")
        for name in names:
            self._crew.kill(name)
            await asyncio.sleep(self._rng.random())
        await self._resumed("kill -9 of two", monotonic(), len(names))

    async def _zombie(self) -> None:
        """It stands still in the middle of a commit until others have its units, and then goes on as if nothing had been."""
        steps = [point for point in self._points if point != REPLY_LOST]
        name, setting = await self._caught(self._rng.choice(steps), SIGSTOP)
        began = monotonic()
        self._tell(f"SIGSTOP {name} {setting.point}, {setting.role}")
        await self._resumed("zombie: others go on", began, 0)
        await asyncio.sleep(began + ZOMBIE_SECONDS - monotonic())
        self._tell(f"SIGCONT {name}")
        self._crew.resume(name)
        await self._settled("zombie comes back")

    async def _all_zombies(self) -> None:
        """Nobody took over: whoever still owns its units goes on."""
        names = self._victims
        self._tell(f"SIGSTOP {', '.join(names)}")
        for name in names:
            self._crew.pause(name)
        await asyncio.sleep(ZOMBIE_SECONDS)
        self._tell(f"SIGCONT {', '.join(names)}")
        for name in names:
            self._crew.resume(name)
        await self._settled("all zombies come back", len(names))

    async def _storm(self) -> None:
        """Two join, one leaves while the other is still joining; then that one leaves too."""
        first, second = (f"guest-{next(self._guests)}" for _ in range(GUESTS_AT_ONCE))
        self._tell(f"join {first}")
        self._crew.hire(first)
        await asyncio.sleep(2 + 2 * self._rng.random())
        self._tell(f"leave {first}, join {second}")
        await self._crew.dismiss(first)
        self._crew.hire(second)
        await self._settled("join and leave")
        self._tell(f"leave {second}")
        await self._crew.dismiss(second)
        await self._settled("join and leave")

    def _outage(self, how: Signals) -> Callable[[], Awaitable[None]]:
        async def outage() -> None:
            self._tell(f"broker: {how.name}")
            self.outages += 1
            await asyncio.to_thread(self._broker.interrupt, how)
            await asyncio.to_thread(self._broker.resume)
            self._tell("broker is back")
            await self._resumed(f"broker restarted, {how.name}", monotonic())

        return outage

    def _fail(self, points: Sequence[str]) -> Callable[[], Awaitable[None]]:
        async def fail() -> None:
            caught = await asyncio.gather(*(self._caught(point, SIGKILL) for point in points))
            for name, setting in caught:
                self._tell(f"{name}: {setting.point}, commit {setting.commit} of {setting.role}")
            took = await self._went_on(", ".join(points), monotonic())
            for point in points:
                self.resumes.add(f"at: {point}", took)

        return fail

    async def _caught(self, point: str, signal: Signals) -> tuple[str, Setting]:
        """Set traps until one springs; no worker has two."""
        while True:
            name = self._rng.choice([name for name in self._victims if name not in self._trapped])
            setting = Setting(point, self._rng.choice(("intake", "qualify")), self._rng.randint(1, 5), signal)
            self._trapped.add(name)
            try:
                if await self._sprung(name, setting):
                    return name, setting
            finally:
                self._trapped.discard(name)

    async def _sprung(self, name: str, setting: Setting) -> bool:
        """False where that worker had no such commit: it may own no unit of the role just now."""
        file = self._crew.set_trap(name, setting)
        deadline = monotonic() + TRAP_SECONDS
        while not file.exists():
            if monotonic() > deadline:
                self._crew.withdraw_trap(name)
                return False
            await asyncio.sleep(0.02)
        if setting.point == REPLY_LOST or setting.signal == SIGSTOP:
            file.unlink()  # it lives on, and may be caught again
        return True

    def _some(self, many: int) -> list[str]:
        return self._rng.sample(self._victims, many)

    async def _settled(self, kind: str, many: int = 1) -> None:
        """Work went on, of what workers only hear of at their next heartbeat."""
        began = monotonic()
        await asyncio.sleep(HEARTBEAT_SECONDS)
        await self._resumed(kind, began, many)

    async def _resumed(self, kind: str, since: float, many: int = 1) -> None:
        self.resumes.add(kind, await self._went_on(kind, since), many)

    async def _went_on(self, after: str, since: float, *, seconds: float = RESUME_SECONDS) -> float:
        """Wait until every unit has; a complaint where that takes more than ``seconds``, and RuntimeError where it is for ever."""
        took = await self._progress.resumed(since, seconds)
        if took is None:
            self.complaints.append(f"after {after}: work did not go on within {seconds:g} s")
            self._tell(self.complaints[-1])
            took = await self._progress.resumed(since, FOR_EVER_SECONDS)
            if took is None:
                msg = f"after {after}: work did not go on at all"
                raise RuntimeError(msg)
        return took
