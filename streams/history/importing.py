"""``mqa import access-log``: a web server's own log as a history, so that a newcomer sees their own traffic at once.

Every line of the log ends in one place: a web visit; a raw line, which intake will bury as ``malformed_json``; or left out
and counted with its reason (`access_log.NoView`, ``blank``, ``too_long``). Robots and assets are web visits here: intake
filters them, with the reasons it has for live traffic.

A line of an impossible year is a raw line. One of a possible year, but far from all others, may be right, so a person decides: the import
is refused before anything is written.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from heapq import merge
from ipaddress import ip_address
from itertools import islice, pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from engagement.days import EARLIEST, day_of, iso_day, iso_instant
from engagement.errors import Refused
from engagement.events import Family
from engagement.written import printable
from streams.history.access_log import Request, parse_line, text_of
from streams.history.lines import LONGEST_PATH, MOST_DAYS_APART, STANDARD_STREAM, encode_line, open_history, refuse_overwriting
from streams.history.networks import Networks, read_networks

LONGEST_LINE = 128 << 10
"""Bytes with the line feed. Servers cut request lines and headers at some 8 KiB; as JSON even this much escapes to less than 1 MB."""
RUN = 200_000
"""History lines sorted in memory at a time: some 100 MB."""
_PATIENCE = 100  # unreadable lines at the start of a file, until it is taken for something else
_TIME = slice(len(b'{"topic":"web-visits","received_at":"'), len(b'{"topic":"web-visits","received_at":"2015-05-17T10:05:03.000Z'))


class LogImport:
    """One log on its way to a history. When `history` is exhausted, ``lines == visits + raw + left_out.total()``."""

    def __init__(self, place: str, *, site: str = "", networks: Networks | None = None) -> None:
        """``place`` names the log in errors; ``site`` (``https://www.acme.com``) is put before every path."""
        self.place = place
        self.site = site.rstrip("/")
        self.networks = Networks() if networks is None else networks
        self.visits = 0
        self.raw = 0
        self.left_out: Counter[str] = Counter()
        self._first_lines: dict[int, int] = {}  # day -> number of the first line that the history has of it

    @property
    def lines(self) -> int:
        """Lines that have found their place so far."""
        return self.visits + self.raw + self.left_out.total()

    def history(self, log: Iterable[bytes]) -> Iterator[bytes]:
        """History lines in the order of the log, which need not be the order of their times.

        A line that is not in the combined format counts as received when the line before it was; the first lines of a log, when its first
        readable one was. Raises `Refused` where nothing is readable, and in the end where the times lie too far apart to be replayed.
        """
        unreadable: list[tuple[int, bytes]] = []  # number and text; at the start of the log, until there is a time to give them
        at: int | None = None
        for number, line in enumerate(log, 1):
            text = line.rstrip(b"\r\n")
            if len(line) > LONGEST_LINE:
                self.left_out["too_long"] += 1
                continue
            if not text.strip():
                self.left_out["blank"] += 1
                continue
            request = parse_line(text)
            if request is None:
                unreadable.append((number, text))
            else:
                at = request.at
            if at is not None:
                yield from (self._raw(*each, at) for each in unreadable)
                unreadable.clear()
            elif len(unreadable) > _PATIENCE:
                break
            if request is not None:
                yield from self._visit(request, number, text)
        if unreadable:
            beginning = text_of(unreadable[0][1][:80])
            msg = (
                f"{self.place}: it begins {beginning!r}, which is not the combined format with a time from {iso_day(day_of(EARLIEST))} on; "
                "see log_format in nginx, LogFormat in Apache"
            )
            raise Refused(msg)
        self._refuse_gaps()

    def _refuse_gaps(self) -> None:
        for before, after in pairwise(sorted(self._first_lines)):
            if after - before > MOST_DAYS_APART:
                msg = (
                    f"{self.place}: nothing lies between {iso_day(before)} (line {self._first_lines[before]}) and {iso_day(after)} "
                    f"(line {self._first_lines[after]}), {after - before} days, but a history may pause for {MOST_DAYS_APART} at most; "
                    "mend or remove lines of a wrong year, or import the parts of the log by themselves"
                )
                raise Refused(msg)

    def _raw(self, number: int, text: bytes, at: int) -> bytes:
        self.raw += 1
        self._first_lines.setdefault(day_of(at), number)
        return encode_line(Family.WEB_VISITS, at, raw_key(text), raw=text_of(text))

    def _visit(self, request: Request, number: int, text: bytes) -> Iterator[bytes]:
        reason = request.no_view
        if reason is not None:
            self.left_out[reason] += 1
            return
        self.visits += 1
        self._first_lines.setdefault(day_of(request.at), number)
        visitor = "log-" + digest(f"{request.address} {request.user_agent}".encode())  # such a log knows no cookies
        said = {
            "id": f"log-{number}-{digest(text)}",
            "occurred_at": iso_instant(request.at),
            "visitor_id": visitor,
            "url": page_url(self.site, request.target),
            "referrer": request.referrer,
            "user_agent": request.user_agent,
            "ip": request.address,
            "account": self.networks.domain_of(request.address),
        }
        yield encode_line(Family.WEB_VISITS, request.at, visitor, value={name: value for name, value in said.items() if value is not None})


def is_site(text: str) -> bool:
    """Whether paths can follow it: a scheme and a host."""
    try:
        parts = urlsplit(text)
    except ValueError:  # brackets that hold no IPv6 address, and the like
        return False
    return bool(parts.scheme and parts.netloc) and text.isprintable()


def page_url(site: str, target: str) -> str:
    """A whole URL stays (a proxy asked); a path follows ``site``. Slashes before a path are one, so that it never reads as a host."""
    return f"{site}/{target.lstrip('/')}" if target.startswith("/") else target


def raw_key(text: bytes) -> str:
    """The client's address where the line starts with one, else a digest of the line: neighbours keep together, the rest spreads."""
    address = text_of(text.split(b" ", 1)[0][:64])
    try:
        return str(ip_address(address))
    except ValueError:
        return digest(text)


def digest(text: bytes) -> str:
    """64 bits in hex."""
    return sha256(text).hexdigest()[:16]


def log_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines of a file in bounded memory: of one beyond `LONGEST_LINE` only the beginning, still beyond it."""
    while line := file.readline(LONGEST_LINE + 1):
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE + 1)
        yield line


def in_order(lines: Iterable[bytes], run: int = RUN) -> Iterator[bytes]:
    """Web-visit lines sorted by ``received_at``, equal ones as they came. Runs of ``run`` lines are kept on disk, never the whole."""
    rest = iter(lines)
    with ExitStack() as files:
        runs = []
        while batch := sorted(islice(rest, run), key=received_text):
            runs.append(files.enter_context(_kept(batch)))
        yield from merge(*runs, key=received_text)


def _kept(lines: Iterable[bytes]) -> IO[bytes]:
    """Lines on disk, to be read from the first; the file goes when it is closed."""
    try:
        file = TemporaryFile()  # noqa: SIM115 - the caller closes it
        file.writelines(lines)
        file.seek(0)
    except OSError as error:
        msg = f"folder for temporary files: {error.strerror}; set TMPDIR to one with room for the whole log"
        raise Refused(msg) from None
    return file


def received_text(line: bytes) -> bytes:
    """The time of a web-visit line: its spelling has one width, so it sorts as it stands."""
    return line[_TIME]


@click.group("import")
def import_() -> None:
    """Make a history of what you have."""


@import_.command("access-log")
@click.argument("log", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default=STANDARD_STREAM,
    show_default=True,
    help="File to write (.jsonl, or .jsonl.gz); - for standard output.",
)
@click.option("--site", default="", metavar="URL", help="What stands before every path, as https://www.acme.com.")
@click.option(
    "--networks",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="TABLE.csv",
    help="Who owns which network: lines of network,domain.",
)
def access_log(log: Path, output: Path, site: str, networks: Path | None) -> None:
    """Turn LOG (combined format: nginx, Apache; gzip where the name ends in .gz) into web visits.

    A page view is a GET or POST that was answered with content. Errors, redirects, HEAD and the like are left out and counted.
    """
    if site and not is_site(site):
        msg = f"--site {site}: is no address of a site; write it with its scheme, like https://www.acme.com"
        raise Refused(msg)
    refuse_overwriting(output, log, networks)
    place = printable(str(log), LONGEST_PATH)
    log_import = LogImport(place, site=site, networks=None if networks is None else read_networks(networks))
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,} lines"), TimeElapsedColumn())
    with (
        open_history(log, "rb") as source,
        open_history(output, "wb") as file,
        Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress,
    ):
        read = progress.track(log_lines(source), total=None, description="reading")
        file.writelines(in_order(log_import.history(read)))
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(log_import.left_out.items()))
    click.echo(
        f"{place}: {log_import.lines} lines = {log_import.visits} visits + {log_import.raw} unreadable (kept for the dead letters) "
        f"+ {log_import.left_out.total()} left out{f' ({reasons})' if reasons else ''}",
        err=output == STANDARD_STREAM,
    )
    if networks is None:
        click.echo("no --networks: a visit of nobody known belongs to no account, so these will be filtered as unresolved", err=True)
