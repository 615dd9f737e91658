"""``mqa replay``: a history, or an environment's own log, through the worker's folds without a broker."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import IO

import click

from engagement.days import iso_day
from engagement.machine import Output
from engagement.rulebook import Rulebook, default_rulebook_text, load_rulebook
from streams.configuration import newest_rulebook
from streams.connection import Connection
from streams.delivery import Promise, delivery_of
from streams.genesis import PARTITIONS, read_genesis
from streams.history.arrivals import arrivals_by_day, reading_history
from streams.history.compare import Comparison
from streams.history.engine import BATCH, HistoryReplay, LogReplay
from streams.history.lines import open_history, refuse_overwriting
from streams.history.live import Tell, compare_log, read_intake_fates, replay_log
from streams.history.progress import day_line
from streams.history.summary import changes_lines, fates_lines, funnel_lines, funnel_of, records_line, where_events_ended
from streams.identity import make_identity
from streams.networks.files import networks_option, read_networks
from streams.networks.lookup import Networks
from streams.person_key import person_key
from streams.rulebooks import read_rulebook
from streams.topics import Environment

DIFFERS = 1
"""Exit status where live and replay are not the same."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), required=False)
@click.option("--log", "is_log", is_flag=True, help="Replay an environment's account-log in place of a FILE.")
@click.option("--compare", is_flag=True, help="With --log: compare with the tier changes and the state that the workers wrote.")
@click.option("--prefix", default="", metavar="PREFIX", help="With --log: the environment.", envvar="MQA_PREFIX")
@click.option("--bootstrap", metavar="HOST:PORT", help="With --log: Kafka; else KAFKA_BOOTSTRAP, else the local broker.")
@click.option("--partitions", type=click.IntRange(1, 1000), default=PARTITIONS, show_default=True, help="With FILE: of every topic.")
@click.option("--rulebook", type=click.Path(path_type=Path), help="With FILE: by default the one that comes with mqa.")
@networks_option(only="With FILE: ")
@click.option("--batch", type=click.IntRange(1), default=BATCH, show_default=True, help="Records of a step at most; shows in nothing.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the tier changes (.jsonl, or .jsonl.gz); by default standard output, with --compare nowhere.",
)
def replay(
    file: Path | None,
    *,
    is_log: bool,
    compare: bool,
    prefix: str,
    bootstrap: str | None,
    partitions: int,
    rulebook: Path | None,
    networks: tuple[Path, ...],
    batch: int,
    output: Path | None,
) -> None:
    """Recompute tier changes without Kafka, or from its log.

    Of a history FILE (- for standard input), or of an environment's log (--log). Tier changes are written as JSON Lines, a
    summary goes to standard error. With --compare the exit status is 1 where anything differs.
    """
    if is_log == (file is not None):
        msg = "name a history FILE, or say --log for an environment's log (one of the two)"
        raise click.UsageError(msg)
    if compare and not is_log:
        msg = "--compare needs --log: only an environment has live tier changes to compare with"
        raise click.UsageError(msg)
    if is_log and rulebook is not None:
        msg = "--rulebook needs a history FILE: an environment's log is judged by the rulebooks that it holds"
        raise click.UsageError(msg)
    if is_log and networks:
        msg = "--networks needs a history FILE: whose an address was stands in an environment's log"
        raise click.UsageError(msg)
    if file is not None:
        refuse_overwriting(output, file, rulebook, *networks)
        known = read_networks(networks)
        book = load_rulebook(default_rulebook_text(), "default rulebook") if rulebook is None else read_rulebook(rulebook)
        with _writing(output, is_quiet=False) as tell:
            _replay_history(file, book, tell, partitions=partitions, networks=known, batch=batch)
        return
    environment, connection = Environment(prefix), Connection.find(bootstrap)
    with _writing(output, is_quiet=compare) as tell:
        comparison, promise = asyncio.run(_replay_log(connection, environment, batch, tell, compare=compare))
    if comparison is not None:
        click.echo("\n".join(comparison.lines(promise)))
        if not comparison.keeps(promise):
            sys.exit(DIFFERS)


def _replay_history(file: Path, rulebook: Rulebook, tell: Tell, *, partitions: int, networks: Networks, batch: int) -> None:
    key = person_key("played")
    identity = make_identity(partitions=partitions, secret=key.secret, key_id=key.key_id, networks=networks)
    engine = HistoryReplay(partitions=partitions, rulebook=rulebook, identity=identity, batch=batch)
    began = monotonic()
    first = last = None
    with reading_history(file) as lines, day_line("replaying") as advance:
        for day, arrivals in arrivals_by_day(lines, partitions):
            first, last = day if first is None else first, day
            advance(day, len(arrivals))
            for change in engine.begin(day):
                tell(change)
            for change in engine.receive(arrivals):
                tell(change)
    seconds = monotonic() - began
    _summarize(engine.log, rulebook, fates_lines(where_events_ended(engine.fates, engine.log.fates)))
    if first is not None and last is not None:
        rate = engine.fates["in"] / max(seconds, 0.001)
        click.echo(f"{last - first + 1} days, {iso_day(first)} to {iso_day(last)}, in {seconds:.1f} s ({rate:,.0f} events/s)", err=True)


async def _replay_log(
    connection: Connection, environment: Environment, batch: int, tell: Tell, *, compare: bool
) -> tuple[Comparison | None, Promise]:
    await connection.wait_until_ready()
    genesis = await read_genesis(connection, environment)
    comparison = None
    began = monotonic()
    if compare:
        engine, comparison = await compare_log(connection, environment, genesis.partitions, tell, batch=batch)
    else:
        engine = await replay_log(connection, environment, genesis.partitions, tell, batch=batch)
    seconds = monotonic() - began
    fates = await read_intake_fates(connection, environment, genesis.partitions)
    rulebook = await newest_rulebook(connection, environment)  # none that is older than what was replayed
    _summarize(engine, rulebook, [*fates_lines(where_events_ended(fates, engine.fates)), records_line(engine.fates)])
    click.echo(f"in {seconds:.1f} s ({engine.fates['in'] / max(seconds, 0.001):,.0f} log records/s)", err=True)
    return comparison, delivery_of(genesis).promise


def _summarize(engine: LogReplay, rulebook: Rulebook, heading: list[str]) -> None:
    funnel = funnel_of((state for _, state in engine.states()), rulebook)
    click.echo("\n".join([*heading, *changes_lines(engine.fates, rulebook), *funnel_lines(funnel)]), err=True)


@contextmanager
def _writing(output: Path | None, *, is_quiet: bool) -> Iterator[Tell]:
    """Where tier changes go: a file, standard output, or (``is_quiet``, and no file named) nowhere."""

    def into(file: IO[bytes]) -> Tell:
        def tell(change: Output) -> None:
            assert change.value is not None
            file.write(change.value + b"\n")

        return tell

    if output is not None:
        with open_history(output, "wb") as file:
            yield into(file)
    elif is_quiet:
        yield lambda _: None
    else:
        yield into(sys.stdout.buffer)
        sys.stdout.buffer.flush()
