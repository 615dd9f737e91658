"""``mqa import access-log``: a web server's own log as a history, so that a newcomer sees their own traffic at once.

Every line of the log ends in one place: a web visit; a raw line, which intake will bury as ``malformed_json``; or left out
and counted with its reason (`access_log.NoView`, ``blank``, ``too_long``). Robots and assets are web visits here, and whose an
address is stays open: intake filters and finds, with the reasons and the networks it has for live traffic.

A line of an impossible year is a raw line. One of a possible year, but far from all others, may be right, so a person decides: the import
is refused before anything is written.
"""

import hmac
from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import click

from engagement.adapters.mapping import Format
from engagement.adapters.payload import digest
from engagement.days import EARLIEST, day_of, iso_day, iso_instant
from engagement.errors import Refused
from engagement.events import Family
from engagement.written import printable
from streams.history.access_log import Request, parse_line, text_of
from streams.history.event_import import events_command
from streams.history.import_output import not_taken, output_option
from streams.history.lines import LONGEST_PATH, STANDARD_STREAM, encode_line, open_history, refuse_overwriting
from streams.history.progress import lines_read
from streams.history.sorting import LONGEST_LINE, in_order, log_lines, refuse_gaps
from streams.person_key import person_key

_PATIENCE = 100  # unreadable lines at the start of a file, until it is taken for something else


class LogImport:
    """One log on its way to a history. When `history` is exhausted, ``lines == visits + raw + left_out.total()``."""

    def __init__(self, place: str, *, secret: bytes, site: str = "") -> None:
        """``place`` names the log in errors; ``site`` (``https://www.acme.com``) is put before every path.

        ``secret``: of the people's hashes. A visitor's id is made with it of address and user agent, and is kept where no address is.
        """
        self.place = place
        self._secret = secret
        self.site = site.rstrip("/")
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
        refuse_gaps(self.place, {day: f"line {number}" for day, number in self._first_lines.items()})

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
        browser = f"{request.address} {request.user_agent}".encode()  # such a log knows no cookies
        visitor = f"log-{hmac.digest(self._secret, browser, 'sha256').hex()[:16]}"
        said = {
            "id": f"log-{number}-{digest(text)}",
            "occurred_at": iso_instant(request.at),
            "visitor_id": visitor,
            "url": page_url(self.site, request.target),
            "referrer": request.referrer,
            "user_agent": request.user_agent,
            "ip": request.address,
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


@click.group("import")
def import_() -> None:
    """Make a history of what you have."""


for written_in in Format:
    import_.add_command(events_command(written_in))


@import_.command("access-log")
@click.argument("log", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@output_option
@click.option("--site", default="", metavar="URL", help="What stands before every path, as https://www.acme.com.")
def access_log(log: Path, output: Path, site: str) -> None:
    """Turn LOG (combined format: nginx, Apache; gzip where the name ends in .gz) into web visits.

    A page view is a GET or POST that was answered with content. Errors, redirects, HEAD and the like are left out and counted. Each visit
    keeps its IP address: whoever replays or plays the history says with --networks whose addresses are whose.
    """
    if site and not is_site(site):
        msg = f"--site {site}: is no address of a site; write it with its scheme, like https://www.acme.com"
        raise Refused(msg)
    refuse_overwriting(output, log)
    place = printable(str(log), LONGEST_PATH)
    log_import = LogImport(place, secret=person_key("played").secret, site=site)
    with open_history(log, "rb") as source, open_history(output, "wb") as file, lines_read() as counted:
        file.writelines(in_order(log_import.history(counted(log_lines(source)))))
    click.echo(
        f"{place}: {log_import.lines} lines = {log_import.visits} visits + {not_taken(log_import.raw, log_import.left_out)}",
        err=output == STANDARD_STREAM,
    )
