"""``python -m tests.faults.simulation``: seeds played one after the other, and the failing ones told.

``make simulate-faults SEEDS=0-9999`` plays ten thousand. A seed that fails is printed with what did not hold, and with the command that
plays it again; it does the same every time.
"""

import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from time import monotonic

import click

from tests.faults.mutants import MUTANTS
from tests.faults.simulation.world import Outcome, simulate

FAILED = 1
_CHUNK = 10


@click.command()
@click.option("--seeds", default="0-299", show_default=True, metavar="FIRST-LAST", help="Which to play.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default="processors", type=click.IntRange(1), help="How many at once.")
@click.option("--mutant", type=click.Choice(sorted(MUTANTS)), help="Break the product first: then some seed must fail.")
@click.option("--until-one-fails", is_flag=True, help="Stop at the first failing seed.")
def main(seeds: str, jobs: int, mutant: str | None, *, until_one_fails: bool) -> None:
    """Play seeds of the simulation. Exit status 1 where a promise did not hold."""
    chosen = _seeds(seeds)
    began, faults, failed, steps, trace = monotonic(), Counter[str](), 0, 0, 0
    for number, outcome in enumerate(_played(chosen, jobs, mutant), 1):
        faults += outcome.faults
        steps += outcome.steps
        trace = (trace + outcome.trace) % 2**61
        if not outcome.holds:
            failed += 1
            again = f"python -m tests.faults.simulation --seeds {outcome.seed}" + (f" --mutant {mutant}" if mutant else "")
            click.echo(f"seed {outcome.seed} failed ({again}):\n" + "\n".join(f"  {problem}" for problem in outcome.problems))
            if until_one_fails:
                break
        if number % (50 if len(chosen) <= 1_000 else 500) == 0:
            click.echo(f"{number:,} of {len(chosen):,} seeds, {failed} failed, {monotonic() - began:.0f} s", err=True)
    injected = ", ".join(f"{kind} {count:,}" for kind, count in sorted(faults.items()))
    click.echo(f"{number:,} seeds, {failed} failed, {steps:,} steps, trace {trace:x}, {monotonic() - began:.0f} s; {injected}")
    if failed:
        sys.exit(FAILED)


def _seeds(said: str) -> range:
    first, _, last = said.partition("-")
    try:
        chosen = range(int(first), int(last or first) + 1)
    except ValueError:
        chosen = range(0)
    if not chosen:
        msg = f"--seeds {said!r}: write a number such as 123, or a range such as 0-9999"
        raise click.UsageError(msg)
    return chosen


def _played(seeds: range, jobs: int, mutant: str | None) -> Iterator[Outcome]:
    if jobs == 1 or len(seeds) == 1:
        _prepare(mutant)
        yield from map(simulate, seeds)
        return
    with ProcessPoolExecutor(jobs, initializer=_prepare, initargs=(mutant,)) as pool:
        try:
            yield from pool.map(simulate, seeds, chunksize=_CHUNK)
        finally:
            pool.shutdown(cancel_futures=True)


def _prepare(mutant: str | None) -> None:
    logging.disable(logging.CRITICAL)  # every fault is warned of
    if mutant is not None:
        MUTANTS[mutant]()


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of names are gone through in an order that depends on it
        os.execve(sys.executable, [sys.executable, "-m", "tests.faults.simulation", *sys.argv[1:]], os.environ | {"PYTHONHASHSEED": "0"})
    main()
