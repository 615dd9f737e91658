"""A worker that can be made to fail: ``python -m tests.faults.live.worker [--trap FILE] [--clock-shift MS] [--mutant NAME] worker ...``.

Beyond that it is the product's own command line.
"""

import argparse
import faulthandler
import sys
from pathlib import Path
from signal import SIGUSR1, signal
from time import time_ns

from streams.cli import main
from streams.connection import Connection
from tests.faults.live.failpoints import Trap, failing


def tell_where_it_stands(*_: object) -> None:
    """Log where every task waits: for one that hangs. A signal's handler, run in the loop."""
    from streams.worker.ownership import log_tasks  # noqa: PLC0415 - imports Faust

    log_tasks()
    faulthandler.dump_traceback()


def run(arguments: list[str]) -> None:
    """Switch faults on, then be `mqa`."""
    signal(SIGUSR1, tell_where_it_stands)
    parser = argparse.ArgumentParser()
    parser.add_argument("--trap", type=Path, help="file that sets a fail point")
    parser.add_argument("--clock-shift", type=int, default=0, metavar="MS", help="how far this machine's clock is ahead")
    parser.add_argument("--mutant", metavar="NAME", help="break the product: one of tests.faults.mutants")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    chosen = parser.parse_args(arguments)
    sys.argv = ["mqa", *chosen.command]  # before Faust is imported, which reads it
    if chosen.trap is not None:
        Connection.producer = failing(Trap(chosen.trap))  # type: ignore[method-assign]  # the one place where every producer is made
    if chosen.clock_shift:
        from streams.worker import application  # noqa: PLC0415 - imports Faust

        shift_ns = chosen.clock_shift * 1_000_000
        application.time_ns = lambda: time_ns() + shift_ns  # type: ignore[attr-defined]  # the worker's one clock
    if chosen.mutant is not None:
        from tests.faults.mutants import MUTANTS  # noqa: PLC0415 - imports Faust

        MUTANTS[chosen.mutant]()
    main()


if __name__ == "__main__":
    run(sys.argv[1:])
