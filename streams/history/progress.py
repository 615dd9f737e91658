"""One line on a terminal that says how far a history, or the making of one, has come; nothing where standard error is no terminal."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from engagement.days import iso_day

Advance = Callable[[int, int], None]
"""Called with a day that has begun and how many events it brings."""


@contextmanager
def day_line(verb: str) -> Iterator[Advance]:
    """Show days, events and the rate while the block runs; the line goes away with it."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True, redirect_stdout=sys.stdout.isatty()
    ) as progress:
        task = progress.add_task(verb)
        began, events = monotonic(), 0

        def advance(day: int, more: int) -> None:
            nonlocal events
            events += more
            seconds = monotonic() - began
            rate = f", {events / seconds:,.0f}/s" if seconds > 0 else ""
            progress.update(task, description=f"{verb} {iso_day(day)}: {events:,} events{rate}")

        yield advance


@contextmanager
def lines_read() -> Iterator[Callable[[Iterable[bytes]], Iterable[bytes]]]:
    """Show while the block runs how many of the lines were read that go through what it is given."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,} lines"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
        yield lambda lines: progress.track(lines, total=None, description="reading")
