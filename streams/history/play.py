"""``mqa play``: a history file into an environment of its own, day by day."""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import NamedTuple, Protocol, get_args

import click

from engagement.days import iso_day
from streams.connection import Connection
from streams.history.arrivals import Arrival, arrivals_by_day, reading_history
from streams.history.player import Compression, Player, open_player
from streams.history.progress import Advance, day_line
from streams.topics import Environment

INTERRUPTED = 130


class Played(NamedTuple):
    """What was played."""

    events: int
    days: int
    seconds: float


class Stage(Protocol):
    """Where days are played: a `Player`."""

    @property
    def last_day(self) -> int | None:
        """The day that began last."""

    async def begin(self, day: int) -> None:
        """``day`` begins, and before it every day since the last one. Raises `Refused` where ``day`` lies before that."""

    async def receive(self, arrivals: Iterable[Arrival]) -> None:
        """Events of the day begun last come in, and are read."""

    async def settle(self) -> None:
        """Everything is folded when this returns."""


async def play_days(
    player: Stage,
    days: Iterable[tuple[int, list[Arrival]]],
    *,
    advance: Advance,
    quiet_days: int = 0,
    latest: int | None = None,
    days_per_second: float | None = None,
    stopping: asyncio.Event | None = None,
) -> Played:
    """Play days as `arrivals_by_day` gives them, then one more and ``quiet_days``, on which nothing happens; return when all is folded.

    ``latest``: the last of those days that may begin. ``stopping``: set to end after the day under way (the day after it still begins).
    """
    began = monotonic()
    events = count = 0
    for day, arrivals in days:
        await player.begin(day)
        await player.receive(arrivals)
        events, count = events + len(arrivals), count + 1
        advance(day, len(arrivals))
        if stopping is not None and stopping.is_set():
            break
        if days_per_second is not None:
            await _pause(began + count / days_per_second - monotonic(), stopping)
    if count:
        assert player.last_day is not None
        is_stopped = stopping is not None and stopping.is_set()
        end = player.last_day + 1 + (0 if is_stopped else quiet_days)
        await player.begin(end if latest is None else max(player.last_day, min(end, latest)))
    await player.settle()
    return Played(events, count, monotonic() - began)


async def _pause(seconds: float, stopping: asyncio.Event | None) -> None:
    if seconds <= 0:
        return
    if stopping is None:
        await asyncio.sleep(seconds)
        return
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return


class Outcome(NamedTuple):
    """How a play ended."""

    played: Played
    last_day: int | None  # of the environment
    is_stopped: bool  # before the end of the history


async def play_file(
    connection: Connection,
    environment: Environment,
    file: Path,
    *,
    compression: Compression,
    days_per_second: float | None = None,
    quiet_days: int = 0,
    latest: int | None = None,
    stage_of: Callable[[Player], Stage] = lambda player: player,
) -> Outcome:
    """Play a history file into an environment; see `play_days`. A signal to stop ends it after the day under way."""
    async with open_player(connection, environment, compression=compression) as player:
        with reading_history(file) as lines, day_line("playing") as advance, _stopped_by_signals() as stopping:
            played = await play_days(
                stage_of(player),
                arrivals_by_day(lines, player.partitions),
                advance=advance,
                quiet_days=quiet_days,
                latest=latest,
                days_per_second=days_per_second,
                stopping=stopping,
            )
            return Outcome(played, player.last_day, stopping.is_set())


def tell(outcome: Outcome, environment: Environment) -> None:
    """Say in one line what was played; ends the command where a signal stopped it."""
    played = outcome.played
    until = "" if outcome.last_day is None else f"; it is {iso_day(outcome.last_day)} there"
    click.echo(
        f"played {played.events:,} events of {played.days} days into environment {environment.prefix!r} "
        f"in {played.seconds:.1f} s ({played.events / max(played.seconds, 0.001):,.0f}/s){until}"
    )
    if outcome.is_stopped:
        sys.exit(INTERRUPTED)


compression_option = click.option("--compression", type=click.Choice(get_args(Compression)), default="none", show_default=True)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--prefix", default="", metavar="PREFIX", help="The environment, made with --clock played.", envvar="MQA_PREFIX")
@click.option("--bootstrap", metavar="HOST:PORT", help="Kafka; else KAFKA_BOOTSTRAP, else the local broker.")
@click.option("--days-per-second", type=click.FloatRange(0, min_open=True), metavar="N", help="Speed; as fast as possible by default.")
@click.option("--quiet-days", type=click.IntRange(0, 3660), default=0, help="Days without events in the end, so that accounts may fall.")
@compression_option
def play(
    file: Path, *, prefix: str, bootstrap: str | None, days_per_second: float | None, quiet_days: int, compression: Compression
) -> None:
    """Play a history into Kafka, day by day.

    FILE (- for standard input) goes into the topics of an environment with a played clock; its workers must be running.
    Ctrl-C ends it after the day under way; a file that begins where the environment stands goes on from there.
    """
    environment, connection = Environment(prefix), Connection.find(bootstrap)

    async def run() -> Outcome:
        await connection.wait_until_ready()
        return await play_file(
            connection, environment, file, compression=compression, days_per_second=days_per_second, quiet_days=quiet_days
        )

    tell(asyncio.run(run()), environment)


@contextmanager
def _stopped_by_signals() -> Iterator[asyncio.Event]:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C interrupts at once."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        stopping.set()
        click.echo("ending after the day under way; Ctrl-C again ends at once", err=True)
        for each in signals:
            loop.remove_signal_handler(each)

    for each in signals:
        loop.add_signal_handler(each, stop)
    try:
        yield stopping
    finally:
        for each in signals:
            loop.remove_signal_handler(each)
