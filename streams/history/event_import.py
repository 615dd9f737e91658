"""``mqa import segment|snowplow|cloudevents``: what a company's trackers already sent as a history.

Every event of the files ends in one place: taken, with all that it became; a raw line, which intake will bury; or left out and counted
with its reason (those of `engagement.adapters`, ``blank``, ``too_long``). A line may hold several events, as a batch does.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click
import msgspec

from engagement.adapters.formats import adapted
from engagement.adapters.mapping import Format, Mapping, load_mapping
from engagement.adapters.outcome import LeftOut, Outcome, Taken, Unusable
from engagement.adapters.payload import digest
from engagement.days import day_of
from engagement.errors import Refused
from engagement.events import Family
from engagement.written import printable
from streams.history.access_log import text_of
from streams.history.import_output import not_taken, output_option
from streams.history.lines import LONGEST_PATH, STANDARD_STREAM, encode_line, open_history, refuse_overwriting
from streams.history.progress import lines_read
from streams.history.sorting import in_order, log_lines, refuse_gaps
from streams.rulebooks import read_written

LONGEST_EVENTS = 1_000_000
"""Bytes of a line with its line feed: what intake takes of a record, and twice a batch of Segment's."""
_PATIENCE = 100  # unusable events at the start of a file, until it is taken for something else
_TOLD = 10  # unknown names that are told
_FILES = {
    Format.SEGMENT: "Segment's calls, one body of its HTTP API a line, as archives and Kafka topics hold them",
    Format.SNOWPLOW: "Snowplow's enriched events, one a line: 131 columns, or the JSON of an analytics SDK",
    Format.CLOUDEVENTS: "CloudEvents as JSON, one event or batch a line",
}


class EventImport:
    """Files on their way to a history. When all have been read, ``events == taken + raw + left_out.total()``."""

    def __init__(self, written_in: Format, mapping: Mapping) -> None:
        self.lines = 0
        self.taken = 0
        self.raw = 0
        self.made: Counter[Family] = Counter()
        self.left_out: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()  # what calls itself by a name that decided that it was left out
        self._written_in = written_in
        self._mapping = mapping
        self._first_lines: dict[int, str] = {}  # day -> the first line that the history has of it, in words

    @property
    def events(self) -> int:
        """Events, and lines without any, that have found their place so far."""
        return self.taken + self.raw + self.left_out.total()

    def history(self, place: str, lines: Iterable[bytes]) -> Iterator[bytes]:
        """History lines of one file, in its order. What cannot be used counts as received when the event before it was.

        Raises `Refused` where nothing of the file becomes an event, so that there is no such time.
        """
        at: int | None = None  # ms
        unusable: list[tuple[str, Unusable]] = []  # with the line, in words; at the start of the file, until there is a time to give them
        for where, outcome in self._outcomes(lines):
            match outcome:
                case LeftOut(reason, name):
                    self.left_out[reason] += 1
                    if name is not None:
                        self.unknown[name] += 1
                    continue
                case Taken(received_at=received_at):
                    at = received_at
                case Unusable():
                    unusable.append((where, outcome))
            if at is not None:
                yield from (self._buried(f"{place} {line}", each, at) for line, each in unusable)
                unusable.clear()
            elif len(unusable) > _PATIENCE:
                break
            if isinstance(outcome, Taken):
                yield from self._taken(f"{place} {where}", outcome)
        if unusable:
            where, first = unusable[0]
            why = printable(first.dead.detail, 200)
            raise Refused(
                f"{place}: nothing in it becomes an event, and {where} is no {self._written_in} event: {why}; see docs/adapters.md"
            )

    def check(self, place: str) -> None:
        """Raise `Refused` where the times in the files lie too far apart to be played; ``place`` names them together."""
        refuse_gaps(place, self._first_lines)

    def _outcomes(self, lines: Iterable[bytes]) -> Iterator[tuple[str, Outcome]]:
        for number, line in enumerate(lines, 1):
            self.lines += 1
            where = f"line {number}"
            if len(line) > LONGEST_EVENTS:
                yield where, LeftOut("too_long")
            elif not line.strip():
                yield where, LeftOut("blank")
            else:
                for outcome in adapted(line.rstrip(b"\r\n"), self._written_in, self._mapping):
                    yield where, outcome

    def _taken(self, where: str, taken: Taken) -> Iterator[bytes]:
        self.taken += 1
        self._first_lines.setdefault(day_of(taken.received_at), where)
        for each in taken.events:
            self.made[each.family] += 1
            yield encode_line(each.family, taken.received_at, each.key, value=msgspec.Raw(each.value))

    def _buried(self, where: str, unusable: Unusable, at: int) -> bytes:
        self.raw += 1
        self._first_lines.setdefault(day_of(at), where)
        return encode_line(Family.WEB_VISITS, at, digest(unusable.payload), raw=text_of(unusable.payload))


def events_command(written_in: Format) -> click.Command:
    """Make the command that imports one format."""

    @click.command(written_in.value, help=f"Turn FILES ({_FILES[written_in]}; gzip where a name ends in .gz) into events of ours.")
    @click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @output_option
    @click.option(
        "--mapping",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE.yaml",
        help="Which of your names mean what, as under `adapters` in a rulebook: see docs/adapters.md.",
    )
    def command(files: tuple[Path, ...], output: Path, mapping: Path | None) -> None:
        refuse_overwriting(output, *files, mapping)
        event_import = EventImport(written_in, Mapping() if mapping is None else _read_mapping(mapping))
        place = _place(files[0]) if len(files) == 1 else f"{len(files)} files"
        with open_history(output, "wb") as file, lines_read() as counted:
            file.writelines(in_order(_history(event_import, files, place, counted)))
        _tell(event_import, place, err=output == STANDARD_STREAM)

    return command


def _history(
    event_import: EventImport, files: Iterable[Path], place: str, counted: Callable[[Iterable[bytes]], Iterable[bytes]]
) -> Iterator[bytes]:
    for path in files:
        with open_history(path, "rb") as source:
            yield from event_import.history(_place(path), counted(log_lines(source, LONGEST_EVENTS)))
    event_import.check(place)


def _tell(event_import: EventImport, place: str, *, err: bool) -> None:
    click.echo(
        f"{place}: {event_import.lines} lines, {event_import.events} events = {event_import.taken} taken "
        f"+ {not_taken(event_import.raw, event_import.left_out)}",
        err=err,
    )
    if event_import.made:
        click.echo(f"taken became {', '.join(f'{count} {family}' for family, count in sorted(event_import.made.items()))}", err=err)
    if event_import.unknown:
        names = ", ".join(f"{count} {printable(name, 60)}" for name, count in event_import.unknown.most_common(_TOLD))
        more = len(event_import.unknown) - _TOLD
        click.echo(f"left out by name: {names}{f' and {more} names more' if more > 0 else ''}; --mapping can say what they are", err=True)


def _read_mapping(path: Path) -> Mapping:
    place = _place(path)
    return load_mapping(read_written(path, place, "name a file as docs/adapters.md has it"), place)


def _place(path: Path) -> str:
    return printable(str(path), LONGEST_PATH)
