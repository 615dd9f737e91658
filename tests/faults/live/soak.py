"""``python -m tests.faults.live.soak``: a steady load and a random fault now and then, for an hour; what grows, and how fast?"""

import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from signal import SIGTERM, default_int_handler, signal
from statistics import median, quantiles
from time import monotonic
from typing import Any

import click

from streams.broker.kafka import Kafka
from streams.broker.local import LocalBroker
from streams.genesis import create_environment
from streams.topics import CHANGELOGS, Environment
from tests.faults.live.crew import Crew
from tests.faults.live.fates import check_fates
from tests.faults.live.feed import Feed
from tests.faults.live.figures import write_report
from tests.faults.live.gauges import Sample, folder_megabytes, sample, slope
from tests.faults.live.injector import SESSION_SECONDS, Injector, Plan
from tests.faults.live.load import RULEBOOK, Load
from tests.faults.live.progress import Progress
from tests.faults.live.run import FIRST_DAY, PARTITIONS
from tests.faults.live.verifier import Verifier

SPARED = "spared"
"""A worker that no fault is for: its memory tells of a whole hour."""

SAMPLE_SECONDS = 10.0
FAULT_SECONDS = 60.0
DAY_SECONDS = 1.0
ACCOUNTS, EVENTS = 400, 400
PLAN = Plan(kills=4, zombies=1, guests=2, outages=1, each_point=1)
"""Dealt out again and again."""

FAILED = 1


class Soak:
    """One soak; `run` stops by itself."""

    def __init__(self, broker: LocalBroker, folder: Path, *, seconds: float, seed: int, tell: Callable[[str], None]) -> None:
        self._broker, self._connection, self._seconds, self._seed, self._tell = broker, broker.connection, seconds, seed, tell
        self._environment = Environment("soak-")
        options = ("--session-timeout", str(SESSION_SECONDS), "--port", "0", "--log-level", "INFO")
        self._crew = Crew(self._connection, self._environment, folder, options=options)
        self._progress = Progress(self._connection, self._environment, PARTITIONS)
        self._verifier = Verifier(self._connection, self._environment, PARTITIONS)
        self._injector = Injector(broker, self._crew, self._progress, plan=PLAN, seed=seed, tell=tell, spared=SPARED)
        self._feed = Feed(
            self._connection,
            self._environment,
            Load(seed=seed, accounts=ACCOUNTS, events=EVENTS, partitions=PARTITIONS),
            first_day=FIRST_DAY,
            days_a_codec=100,
            outages=lambda: self._injector.outages,
            day_seconds=DAY_SECONDS,
        )
        self._samples: list[Sample] = []
        self._changelog: list[tuple[float, float]] = []  # (s, MB)
        self.complaints: list[str] = []

    async def run(self) -> None:
        """Until the time is over, then the comparison."""
        await create_environment(self._connection, self._environment, partitions=PARTITIONS, clock="played", rulebook=RULEBOOK)
        stopping = asyncio.Event()
        beside = [asyncio.create_task(each) for each in (self._crew.watch(), self._progress.watch(), self._verifier.watch())]
        play = asyncio.create_task(self._feed.play(stopping))
        sampling = asyncio.create_task(self._sample())
        try:
            self._crew.hire(SPARED)
            await self._injector.run_for(self._seconds, FAULT_SECONDS)
            stopping.set()
            await play
            await self._crew.dismiss_all()
        finally:
            for task in (play, sampling, *beside):
                task.cancel()
            await asyncio.wait([play, sampling, *beside])
            self._crew.end()
        verdict = await self._verifier.at_rest()
        fates = await check_fates(self._connection, self._environment, PARTITIONS, self._verifier.oracle)
        self.complaints += [*self._injector.complaints, *self._crew.complaints, *verdict.found, *fates.found]
        self._found = {
            "events": fates.events,
            "tier changes": verdict.changes,
            "lost": fates.lost + verdict.lost,
            "double": fates.double + verdict.double,
            "mismatch": fates.mismatch + fates.visitors + verdict.faults - verdict.lost - verdict.double,
        }

    async def _sample(self) -> None:
        while True:
            taken = await sample(self._crew.pid(SPARED), self._crew.said(SPARED), monotonic())
            if taken is not None:
                self._samples.append(taken)
            log = self._broker._running.folder / "log"  # type: ignore[union-attr]  # it runs; nobody but a soak asks for its files
            state = self._environment.topic(CHANGELOGS["qualify"])
            self._changelog.append((monotonic(), folder_megabytes(log.glob(f"{state}-*"))))
            await asyncio.sleep(SAMPLE_SECONDS)

    def summary(self) -> dict[str, Any]:
        """Figures by name. What grows is said of the second half, when caches are full."""
        samples = self._samples[len(self._samples) // 2 :]
        changelog = self._changelog[len(self._changelog) // 2 :]
        first, last = self._samples[0], self._samples[-1]
        done = max(1.0, last.transactions - first.transactions)
        days = quantiles(self._feed.seconds, n=100)
        return {
            **self._found,
            "days": self._feed.day - FIRST_DAY,
            "faults": sum(self._injector.resumes.injected.values()),
            "memory MB": round(last.resident, 1),
            "memory MB an hour": round(slope((each.at, each.resident) for each in samples), 2),
            "open files": int(last.open_files),
            "open files an hour": round(slope((each.at, each.open_files) for each in samples), 2),
            "lag median, records": int(median(each.lag for each in self._samples)),
            "transaction mean, ms": round(1000 * (last.transaction_seconds - first.transaction_seconds) / done, 1),
            "day median, s": round(days[49], 3),
            "day p99, s": round(days[98], 3),
            "changelog MB": round(changelog[-1][1], 2),
            "changelog MB an hour": round(slope(changelog), 2),
        }

    def lines(self) -> list[str]:
        """What a person reads in the end."""
        return [*self._injector.resumes.lines(), "", *(f"{name}: {value}" for name, value in self.summary().items()), *self.complaints]


@click.command()
@click.option("--hours", default=1.0, show_default=True, type=click.FloatRange(0, min_open=True))
@click.option("--seed", default=1, show_default=True, help="Decides which faults come in which order, and the load.")
@click.option("--report", metavar="FILE", help="Write the figures there as JSON.")
def main(hours: float, seed: int, report: str | None) -> None:
    """Let it run for long, and look what grows."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    signal(SIGTERM, default_int_handler)  # whatever ends this ends its workers too
    began = monotonic()
    with tempfile.TemporaryDirectory(prefix="mqa-soak-") as folder, LocalBroker(Kafka()) as broker:
        soak = Soak(
            broker,
            Path(folder),
            seconds=hours * 3600,
            seed=seed,
            tell=lambda what: click.echo(f"{monotonic() - began:7.1f}  {what}"),
        )
        asyncio.run(soak.run())
    click.echo("\n".join(soak.lines()))
    if report is not None:
        write_report(report, {"hours": hours, "seed": seed, **soak.summary(), "complaints": soak.complaints})
    if soak.complaints:
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
