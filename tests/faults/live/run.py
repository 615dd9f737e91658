"""One fault run: a broker, workers, a load, the injector and the verifier, and what came of it."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any

from engagement.days import parse_day
from streams.broker.local import LocalBroker
from streams.delivery import EXACTLY_ONCE, AtLeastOnce, Promise
from streams.genesis import create_environment
from streams.topics import Environment
from tests.faults.live.crew import Crew
from tests.faults.live.failpoints import POINTS, POINTS_IN_ORDER
from tests.faults.live.fates import Fates, check_fates
from tests.faults.live.feed import Feed
from tests.faults.live.injector import SESSION_SECONDS, Injector, Plan
from tests.faults.live.load import RULEBOOK, Load
from tests.faults.live.progress import Progress
from tests.faults.live.verifier import Verdict, Verifier
from tests.streams.live_runs import no_transactions

PARTITIONS = 4
FIRST_DAY = parse_day("2025-01-01")
ACCOUNTS, EVENTS = 400, 400
DAYS_A_CODEC = 8
REST_SECONDS = 120.0

Tell = Callable[[str], None]


class FaultRun:
    """Made, then `run`; everything of it lives in ``folder`` and on ``broker``."""

    def __init__(
        self,
        broker: LocalBroker,
        folder: Path,
        *,
        plan: Plan,
        seed: int,
        tell: Tell,
        mutant: str | None = None,
        promise: Promise = "exactly_once",
    ) -> None:
        """``mutant``: what breaks every worker, which must then be found out; ``promise``: what the environment is made to keep."""
        self._broker, self._connection, self._plan, self._seed, self._tell = broker, broker.connection, plan, seed, tell
        self._environment, self._promise = Environment("faults-"), promise
        delivery = EXACTLY_ONCE if promise == "exactly_once" else AtLeastOnce()
        self._crew = Crew(
            self._connection,
            self._environment,
            folder,
            options=("--session-timeout", str(SESSION_SECONDS), "--log-level", "INFO"),
            mutant=mutant,
        )
        group = delivery.offsets_group(self._environment)
        self._progress = Progress(self._connection, self._environment, PARTITIONS, group=group)
        self._verifier = Verifier(self._connection, self._environment, PARTITIONS, promise=promise)
        points = POINTS if promise == "exactly_once" else POINTS_IN_ORDER
        self.injector = Injector(broker, self._crew, self._progress, plan=plan, seed=seed, tell=tell, points=points)
        load = Load(seed=seed, accounts=ACCOUNTS, events=EVENTS, partitions=PARTITIONS)
        self._feed = Feed(
            self._connection,
            self._environment,
            load,
            first_day=FIRST_DAY,
            days_a_codec=DAYS_A_CODEC,
            outages=lambda: self.injector.outages,
        )
        self.verdict = Verdict()
        self.fates = Fates()
        self.seconds = 0.0

    async def run(self) -> None:
        """All of the plan, then rest, then the comparison."""
        began = monotonic()
        await self._create()
        try:
            await self._under_faults()
            await self._crew.dismiss_all()
        except Exception:
            self._tell(f"the load stood at day {self._feed.day - FIRST_DAY}, disturbed {self._feed.disturbances} times")
            await self._crew.ask_where_they_stand()  # into their logs
            raise
        finally:
            self._crew.end()
        self.verdict = await self._verifier.at_rest()
        self.fates = await check_fates(self._connection, self._environment, PARTITIONS, self._verifier.oracle, self._promise)
        self.seconds = monotonic() - began

    async def _create(self) -> None:
        """On a broker with transactions an environment keeps more than at least once, unless it is told that there are none."""
        with no_transactions() if self._promise == "at_least_once" else nullcontext():
            await create_environment(self._connection, self._environment, partitions=PARTITIONS, clock="played", rulebook=RULEBOOK)

    async def _under_faults(self) -> None:
        stopping = asyncio.Event()
        beside = [asyncio.create_task(each) for each in (self._crew.watch(), self._progress.watch(), self._verifier.watch())]
        play = asyncio.create_task(self._feed.play(stopping))
        try:
            await _first_of(self._injected(stopping), play, *beside)
            async with asyncio.timeout(REST_SECONDS):  # no worker may hang now either
                await _first_of(_wait(play), *beside)
        finally:
            for task in (play, *beside):
                task.cancel()
            await asyncio.wait([play, *beside])

    async def _injected(self, stopping: asyncio.Event) -> None:
        await self.injector.run()
        stopping.set()

    @property
    def complaints(self) -> list[str]:
        """Everything that did not hold."""
        refusals = [f"{refusal.name} stopped for a person to decide: {refusal.said}" for refusal in self._crew.refusals]
        return [*self.injector.complaints, *self._crew.complaints, *refusals, *self.verdict.found, *self.fates.found]

    def lines(self) -> list[str]:
        """What a person reads in the end."""
        verdict, fates = self.verdict, self.fates
        endings = [f"{ending.name} ended with status {ending.status}: {ending.said[:200]}" for ending in self._crew.endings]
        return [
            *self.injector.resumes.lines(),
            "",
            f"{self._feed.day - FIRST_DAY} days, {fates.events:,} events; the play was disturbed {self._feed.disturbances} times",
            f"codecs: {', '.join(sorted(self._feed.codecs))}",
            f"events: {fates.counted:,} counted, {fates.filtered:,} filtered, {fates.dead:,} dead, {fates.rerouted:,} of them sent on",
            f"visitors: {fates.identified:,} times one said who it is, {fates.derived:,} by intent; {fates.forgotten:,} forgotten",
            f"their visits: {fates.visits:,}: {fates.credited:,} counted, {fates.waiting:,} waiting, {fates.undone:,} times taken out",
            f"events: {fates.lost} lost, {fates.double} double, {fates.mismatch} mismatch; {fates.visitors} other visitors",
            f"tier changes: {verdict.changes:,} of {verdict.accounts:,} accounts, looked at {verdict.looks} times under way",
            f"tier changes: {verdict.lost} lost, {verdict.double} double, {verdict.mismatch} mismatch, {verdict.gaps} gaps",
            *self._repeats(),
            f"at rest: {verdict.states} other states, {verdict.unread} records unread",
            f"{self._crew.fences} times a unit was fenced; {len(endings)} workers ended by themselves and were started again",
            *endings,
            *self.complaints,
        ]

    def _repeats(self) -> list[str]:
        if self._promise == "exactly_once":
            return []
        return [f"came again as they were: {self.verdict.repeats:,} tier changes, {self.fates.repeats:,} records of intake"]

    def report(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "seed": self._seed,
            "promise": self._promise,
            "seconds": round(self.seconds, 1),
            "faults": self.injector.resumes.report(),
            "days": self._feed.day - FIRST_DAY,
            "events": asdict(self.fates),
            "tier_changes": asdict(self.verdict),
            "codecs": sorted(self._feed.codecs),
            "fences": self._crew.fences,
            "endings": [asdict(ending) for ending in self._crew.endings],
            "complaints": self.complaints,
        }


async def _first_of(main: Coroutine[Any, Any, None], *others: asyncio.Task[None]) -> None:
    """Run ``main`` to its end; where one of the others fails before, so does this."""
    task = asyncio.create_task(main)
    try:
        waiting: set[asyncio.Task[None]] = {task, *others}
        while not task.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _wait(task: asyncio.Task[None]) -> None:
    await asyncio.shield(task)
