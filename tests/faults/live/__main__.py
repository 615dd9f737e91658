"""``python -m tests.faults.live``: the fault runs on a real Kafka; see docs/faults.md."""

import asyncio
import logging
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import Any

import click

from streams.broker.local import LocalBroker
from tests.faults.live.figures import write_report
from tests.faults.live.injector import Plan
from tests.faults.live.run import FaultRun

FORMS = {
    "short": Plan(kills=4, zombies=1, guests=1, outages=1, each_point=1),
    "middle": Plan(kills=12, zombies=3, guests=4, outages=2, each_point=2),
    "full": Plan(kills=60, zombies=15, guests=20, outages=8, each_point=15),
}
FAILED = 1


@click.command()
@click.option("--form", type=click.Choice(list(FORMS)), default="full", show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--report", metavar="FILE", help="Write the figures there as JSON.")
def main(form: str, seed: int, report: str | None) -> None:
    """Break what can be broken, and count what was lost."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    began = monotonic()

    def tell(what: str) -> None:
        click.echo(f"{monotonic() - began:7.1f}  {what}")

    sections: dict[str, Any] = {"form": form}
    with tempfile.TemporaryDirectory(prefix="mqa-faults-") as folder, LocalBroker() as broker:
        run = FaultRun(broker, Path(folder), plan=FORMS[form], seed=seed, tell=tell)
        asyncio.run(run.run())
        click.echo("\n".join(run.lines()))
        sections["faults"] = run.report()
    if report is not None:
        write_report(report, sections)
    click.echo(f"{'held' if run.holds else 'FAILED'} after {monotonic() - began:.0f} s")
    if not run.holds:
        sys.exit(FAILED)


main()
