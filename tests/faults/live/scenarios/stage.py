"""What every scenario of its own has: an environment, workers under a supervisor, a verifier, and what came of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from aiokafka.structs import TopicPartition

from engagement.records import Genesis
from engagement.rulebook import Rulebook
from streams.connection import Connection
from streams.genesis import create_environment
from streams.reading import reader
from streams.topics import CHANGELOGS, Clock, Environment
from tests.faults.live.crew import Crew
from tests.faults.live.injector import SESSION_SECONDS
from tests.faults.live.verifier import Verifier

PARTITIONS = 4
Tell = Callable[[str], None]


@dataclass(kw_only=True)
class Outcome:
    """What a scenario measured, and what did not hold."""

    name: str
    seconds: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """What a person reads."""
        said = ", ".join(f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in self.figures.items())
        return [f"{self.name}: {said} ({self.seconds:.0f} s)", *(f"  {complaint}" for complaint in self.complaints)]


class Stage:
    """Made by `open_stage`."""

    def __init__(
        self, connection: Connection, environment: Environment, genesis: Genesis, crew: Crew, *, outcome: Outcome, tell: Tell
    ) -> None:
        self.connection, self.environment, self.genesis, self.crew = connection, environment, genesis, crew
        self.verifier = Verifier(connection, environment, PARTITIONS)
        self.outcome = outcome
        self._tell = tell

    def tell(self, what: str) -> None:
        self._tell(f"{self.outcome.name}: {what}")

    async def judged(self) -> int:
        """How far the workers' state has grown: it does with every slice of accounts."""
        states = [TopicPartition(self.environment.topic(CHANGELOGS["qualify"]), number) for number in range(PARTITIONS)]
        async with reader(self.connection, "read_uncommitted") as consumer:
            ends: dict[TopicPartition, int] = await consumer.end_offsets(states)
        return sum(ends.values())

    async def kill_on_the_way(self, accounts: int) -> int:
        """Kill each worker once while ``accounts`` are judged, in the middle of it; returns how many were killed in time."""
        start, kills = await self.judged(), 0
        for number, name in enumerate(self.crew.names, 1):
            share = accounts * number // (len(self.crew.names) + 2)
            while (reached := await self.judged() - start) < share:  # noqa: ASYNC110 - a broker tells nobody
                await asyncio.sleep(0.02)
            self.tell(f"kill -9 {name} when some {reached:,} of {accounts:,} were judged")
            self.crew.kill(name)
            kills += reached < accounts
        return kills

    async def verify(self) -> None:
        """All workers leave; then everything must be as the log says."""
        await self.crew.dismiss_all()
        verdict = await self.verifier.at_rest()
        self.outcome.figures |= {
            "tier changes": verdict.changes,
            "accounts": verdict.accounts,
            "lost": verdict.lost,
            "double": verdict.double,
            "mismatch": verdict.mismatch + verdict.gaps + verdict.states + verdict.unread,
        }
        self.outcome.complaints += verdict.found
        self.outcome.complaints += self.crew.complaints
        self.outcome.complaints += [f"{refusal.name} stopped: {refusal.said}" for refusal in self.crew.refusals]


@asynccontextmanager
async def open_stage(
    connection: Connection,
    folder: Path,
    name: str,
    *,
    tell: Tell,
    clock: Clock = "played",
    rulebook: Rulebook | None = None,
    workers: Sequence[str] = (),
    options: Sequence[str] = (),
) -> AsyncIterator[Stage]:
    """Make the environment and start ``workers``, whom a supervisor starts again. All have ended when the block has."""
    began = monotonic()
    environment = Environment(f"{name.replace(' ', '-')}-")
    genesis = await create_environment(connection, environment, partitions=PARTITIONS, clock=clock, rulebook=rulebook)
    crew = Crew(connection, environment, folder / environment.prefix, options=("--session-timeout", str(SESSION_SECONDS), *options))
    stage = Stage(connection, environment, genesis, crew, outcome=Outcome(name=name), tell=tell)
    supervisor = asyncio.create_task(crew.watch())
    try:
        for worker in workers:
            crew.hire(worker)
        yield stage
    finally:
        supervisor.cancel()
        await asyncio.wait([supervisor])
        crew.end()
        stage.outcome.seconds = monotonic() - began
