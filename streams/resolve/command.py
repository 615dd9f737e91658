"""``mqa resolve``: whose an event is, by which method, and why the others lost."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import msgspec

from engagement.errors import Refused
from engagement.explain.resolved import Resolved
from engagement.rulebook import Rulebook, default_rulebook_text, load_rulebook
from engagement.written import printable
from streams.history.arrivals import Arrival
from streams.history.lines import LONGEST_PATH, STANDARD_STREAM, open_history
from streams.history.progress import lines_read
from streams.networks.files import networks_option, read_networks
from streams.resolve.events import read_event, read_events
from streams.resolve.fold import Resolution
from streams.resolve.text import event_lines, summary_lines
from streams.rulebooks import read_rulebook

_MOST_TOLD = 20
"""Lines without an event that are told one by one; the rest is counted."""


@click.command()
@click.argument("event", required=False)
@click.option(
    "--file", type=click.Path(path_type=Path, allow_dash=True), help="JSON Lines of events, or a history (- for standard input; .gz too)."
)
@click.option("--rulebook", type=click.Path(path_type=Path), help="By default the one that comes with mqa.")
@networks_option()
@click.option("--json", "is_json", is_flag=True, help="For programs: one JSON object a line; the summary goes to standard error.")
def resolve(event: str | None, *, file: Path | None, rulebook: Path | None, networks: tuple[Path, ...], is_json: bool) -> None:
    """Tell whose an EVENT is, and why each other method lost.

    By which method of the rulebook's order its account was found, and with which confidence. EVENT is JSON (by default it is read from
    standard input); or --file names many, which are told one by one: each knows the visitors as far as the events before it tell. A
    summary follows. No broker is asked: a visitor whom only a running environment knows is nobody here.
    """
    if event is not None and file is not None:
        msg = "name an EVENT, or a --file of them (one of the two)"
        raise click.UsageError(msg)
    if event is None and file is None and (sys.stdin is None or sys.stdin.isatty()):
        msg = "name an EVENT (JSON), or a --file of them, or pipe one in"
        raise click.UsageError(msg)
    book = load_rulebook(default_rulebook_text(), "default rulebook") if rulebook is None else read_rulebook(rulebook)
    resolution = Resolution(book, read_networks(networks))
    if file is not None:
        _resolve_file(file, resolution, book, is_json=is_json)
    else:
        text, place = (sys.stdin.buffer.read(), "standard input") if event is None else (os.fsencode(event), "EVENT")
        for told in resolution.take(read_event(text, place)):
            _tell(told, is_json=is_json)


def _resolve_file(file: Path, resolution: Resolution, rulebook: Rulebook, *, is_json: bool) -> None:
    place = "standard input" if file == STANDARD_STREAM else printable(str(file), LONGEST_PATH)
    bad = 0

    def refused(refusal: Refused) -> None:
        nonlocal bad
        bad += 1
        if bad <= _MOST_TOLD:
            click.echo(f"{refusal}", err=True)

    with open_history(file, "rb") as lines, lines_read() as counted:
        for told in _told(resolution, read_events(counted(lines), place, refused)):
            _tell(told, is_json=is_json)
    click.echo("\n".join(summary_lines(resolution.fates, resolution.counted, rulebook, bad)), err=is_json)


def _told(resolution: Resolution, events: Iterable[tuple[int, Arrival]]) -> Iterator[Resolved]:
    for number, event in events:
        for told in resolution.take(event):
            yield msgspec.structs.replace(told, line=number)


def _tell(told: Resolved, *, is_json: bool) -> None:
    click.echo(msgspec.json.encode(told).decode() if is_json else "\n".join(event_lines(told)))
