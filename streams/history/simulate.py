"""``mqa simulate``: a believable history of a market, from nothing but a seed.

The same arguments give the same bytes. A larger market holds the smaller one: every account, visitor and robot draws
from a stream of its own.
"""

import sys
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from random import Random
from typing import NamedTuple

import click
from rich.console import Console
from rich.progress import Progress

from engagement.days import EARLIEST, LATEST, day_of, iso_day, midnight, parse_day
from engagement.written import printable
from streams.history.journeys import JOURNEYS
from streams.history.lines import LONGEST_PATH, STANDARD_STREAM, open_history
from streams.history.simulate_crowd import RELATIONSHIPS, Season, draw_temperament, own_staff, plan
from streams.history.simulate_moves import Move
from streams.history.simulate_passers import passers_by
from streams.history.simulate_transit import Delivery, disturbed, undisturbed
from streams.history.simulate_world import Company, make_company, stream

MAX_ACCOUNTS = 40_000  # more companies than that would share a documentation network with a journey
MAX_DAYS = 3660
STARTS = range(day_of(EARLIEST), day_of(LATEST) - MAX_DAYS + 1)
"""First days of histories of which every line can be received."""


class Actor(NamedTuple):
    """A company, the way its events travel, and the random stream they are drawn from."""

    company: Company
    travel: Callable[[Company, Move, Random], Iterator[Delivery]]
    rng: Random


Agenda = defaultdict[int, list[tuple[Actor, Move]]]
"""Day -> who does what."""


def simulate_history(*, accounts: int, days: int, start_day: int, seed: int) -> Iterator[bytes]:
    """The lines of a history: ``accounts`` companies, our own staff and the named journeys, on ``days`` days from ``start_day``.

    In order of ``received_at``, each line with its line feed.
    """
    return chain.from_iterable(simulate_days(accounts=accounts, days=days, start_day=start_day, seed=seed))


def simulate_days(*, accounts: int, days: int, start_day: int, seed: int) -> Iterator[list[bytes]]:
    """The same, a list of lines for each day. What would arrive after the last day is left out."""
    season = Season(start=start_day, end=start_day + days)
    agenda = make_agenda(accounts, season, seed)
    under_way: list[Delivery] = []
    for day in range(season.start, season.end):
        for actor, move in agenda.pop(day, ()):
            under_way.extend(actor.travel(actor.company, move, actor.rng))
        under_way.extend(passers_by(seed, day, accounts))
        under_way.sort()
        cut = bisect_left(under_way, (midnight(day + 1),))
        yield [delivery.line for delivery in under_way[:cut]]
        del under_way[:cut]


def make_agenda(accounts: int, season: Season, seed: int) -> Agenda:
    """What everybody will do on which day: some 200 bytes a move, which is what bounds the memory of a simulation."""
    agenda: Agenda = defaultdict(list)
    for journey in JOURNEYS.values():
        actor = Actor(journey.company, undisturbed, stream("journey", journey.domain, "events"))
        for move in journey.moves(season.start):
            agenda[day_of(move.at)].append((actor, move))
    for number in range(accounts + 1):
        rng = stream(seed, "account", number)
        temperament = draw_temperament(rng) if number else own_staff
        company = make_company(number, RELATIONSHIPS.get(temperament, "prospect"), rng)
        actor = Actor(company, disturbed, rng)
        for move in plan(company, temperament, season, rng):
            agenda[day_of(move.at)].append((actor, move))
    return agenda


class StartDay(click.ParamType):
    """One of `STARTS` as ``2025-01-01``."""

    name = "day"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Days since 1970."""
        try:
            day = parse_day(str(value))
        except ValueError:
            self.fail(f"{value!r} is no day; write it as 2025-01-01", param, ctx)
        if day not in STARTS:
            self.fail(f"{value!r} is not in the range {iso_day(STARTS[0])} to {iso_day(STARTS[-1])}", param, ctx)
        return day


@click.command()
@click.option(
    "--accounts", type=click.IntRange(0, MAX_ACCOUNTS), default=300, show_default=True, help="Companies, beside the named journeys."
)
@click.option("--days", type=click.IntRange(1, MAX_DAYS), default=92, show_default=True, help="Length of the history.")
@click.option("--start", type=StartDay(), default="2025-01-01", show_default=True, help="Its first day (UTC).")
@click.option("--seed", type=int, default=1, show_default=True, help="The same arguments give the same file.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    required=True,
    help="File to write (.jsonl, or .jsonl.gz); - for standard output.",
)
def simulate(accounts: int, days: int, start: int, seed: int, output: Path) -> None:
    """Make a believable history.

    Committees, campaigns, surges, robots, lone enthusiasts, late and broken events.
    """
    topics: Counter[str] = Counter()
    with (
        open_history(output, "wb") as file,
        Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress,
    ):
        for lines in progress.track(
            simulate_days(accounts=accounts, days=days, start_day=start, seed=seed), total=days, description="simulating"
        ):
            topics.update(line.split(b'"', 4)[3].decode() for line in lines)
            file.writelines(lines)
    counts = ", ".join(f"{count} {topic}" for topic, count in sorted(topics.items()))
    click.echo(
        f"{printable(str(output), LONGEST_PATH)}: {topics.total()} events ({counts}) of {accounts} accounts, "
        f"our own staff and {len(JOURNEYS)} named journeys, "
        f"{iso_day(start)} to {iso_day(start + days - 1)}",
        err=output == STANDARD_STREAM,
    )
