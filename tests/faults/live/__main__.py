"""``python -m tests.faults.live``: the fault runs on a real Kafka; see docs/faults.md."""

import asyncio
import logging
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from signal import SIGTERM, default_int_handler, signal
from time import monotonic
from typing import Any, NamedTuple

import click

from streams.broker.kafka import Kafka
from streams.broker.local import LocalBroker
from streams.delivery import Promise
from tests.faults.live.figures import write_report
from tests.faults.live.injector import Plan
from tests.faults.live.run import FaultRun
from tests.faults.live.scenarios.losses import losses
from tests.faults.live.scenarios.masses import masses
from tests.faults.live.scenarios.restatement import restatement
from tests.faults.live.scenarios.skew import skew
from tests.faults.live.scenarios.stage import Outcome
from tests.faults.mutants import MUTANTS


class Form(NamedTuple):
    """How much of everything."""

    plan: Plan
    accounts: int  # of the scenario of very many
    restated: int


SHORT = Plan(kills=4, zombies=1, guests=2, outages=1, each_point=1, points_at_once=3)
FORMS = {
    "short": Form(SHORT, accounts=3_000, restated=2_000),
    "middle": Form(Plan(kills=12, zombies=3, guests=4, outages=2, each_point=2), accounts=30_000, restated=10_000),
    "full": Form(Plan(kills=60, zombies=15, guests=20, outages=8, each_point=15, points_at_once=2), accounts=300_000, restated=20_000),
}
PARTS = ("faults", "losses", "skew", "restatement", "masses")
FAILED = 1


@click.command()
@click.option("--form", type=click.Choice(list(FORMS)), default="full", show_default=True, help="How much of everything.")
@click.option("--seed", default=1, show_default=True, help="Decides which faults come in which order, and the load.")
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Only this part; may be said several times.")
@click.option(
    "--mutant", type=click.Choice(sorted(MUTANTS)), help="Break the workers first: then the part `faults`, all that is run, must fail."
)
@click.option(
    "--at-least-once",
    is_flag=True,
    help="Have the environment promise that, as on a broker without transactions: only the part `faults` is run, and what comes twice "
    "must be the same to the byte.",
)
@click.option("--report", metavar="FILE", help="Write the figures there as JSON.")
def main(*, form: str, seed: int, only: tuple[str, ...], mutant: str | None, at_least_once: bool, report: str | None) -> None:
    """Break what can be broken, and count what was lost."""
    if only and (mutant or at_least_once) and only != PARTS[:1]:
        msg = "--mutant and --at-least-once go with the part `faults` alone"
        raise click.UsageError(msg)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    signal(SIGTERM, default_int_handler)  # whatever ends this ends its workers too
    os.environ.setdefault("MQA_PERSON_SECRET", "of the fault runs")
    began = monotonic()

    def tell(what: str) -> None:
        click.echo(f"{monotonic() - began:7.1f}  {what}")

    complaints: list[str] = []
    sections: dict[str, Any] = {"form": form, "seed": seed}
    chosen = FORMS[form]
    promise: Promise = "at_least_once" if at_least_once else "exactly_once"
    folder = Path(tempfile.mkdtemp(prefix="mqa-faults-"))
    try:
        tell("a Kafka is started")
        with LocalBroker(Kafka()) as broker:
            connection = broker.connection
            scenarios: dict[str, Callable[[], Coroutine[Any, Any, Outcome]]] = {
                "losses": lambda: losses(connection, folder, tell=tell),
                "skew": lambda: skew(connection, folder, tell=tell),
                "restatement": lambda: restatement(connection, folder, accounts=chosen.restated, tell=tell),
                "masses": lambda: masses(connection, folder, accounts=chosen.accounts, falling=chosen.accounts * 2 // 3, tell=tell),
            }
            for part in PARTS[:1] if mutant or at_least_once else only or PARTS:
                tell(f"part {part}")
                if part == "faults":
                    run = FaultRun(broker, folder, plan=chosen.plan, seed=seed, tell=tell, mutant=mutant, promise=promise)
                    asyncio.run(run.run())
                    lines, sections[part], broken = run.lines(), run.report(), run.complaints
                else:
                    outcome = asyncio.run(scenarios[part]())
                    lines, sections[part], broken = outcome.lines(), asdict(outcome), outcome.complaints
                click.echo("\n".join(lines))
                complaints += broken
    except Exception as error:  # noqa: BLE001 - a run that cannot go on has failed, whatever it says
        (folder / "failure.txt").write_text(traceback.format_exc())
        complaints.append(f"the run could not go on: {error!r}")
        click.echo(complaints[-1])
    except BaseException:
        shutil.rmtree(folder)
        raise
    sections["seconds"] = round(monotonic() - began, 1)
    if report is not None:
        write_report(report, sections | {"complaints": complaints})
    if complaints:
        click.echo(f"FAILED after {monotonic() - began:.0f} s ({form}, seed {seed}); the workers' logs are in {folder}")
        sys.exit(FAILED)
    shutil.rmtree(folder)
    click.echo(f"held after {monotonic() - began:.0f} s")


main()
