r"""One line of a web server's access log, in the combined format of nginx and Apache.

``203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /pricing HTTP/1.1" 200 5316 "https://referrer/" "user agent"``

Both servers escape what would break the line (``\"``, ``\\``, ``\x16``); fields behind the user agent are allowed and
ignored. Bytes that are no UTF-8 are read as Latin-1, so every line can be read as text.
"""

import re
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import NamedTuple

from engagement.days import EARLIEST, LATEST, to_ms

_QUOTED = rb'"([^"\\]*(?:\\.[^"\\]*)*)"'
_TIME = rb"(\d{2})/([A-Z][a-z]{2})/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})"
_COMBINED = re.compile(
    rb"(\S{1,256}) \S+ .+? \[" + _TIME + rb"\] " + _QUOTED + rb" (\d{3}) (?:\d+|-) " + _QUOTED + rb" " + _QUOTED + rb"(?: .*)?", re.DOTALL
)
_REQUEST = re.compile(r"([A-Z]{1,32}) (\S.*?)(?: HTTP/\d(?:\.\d)?)?", re.DOTALL)
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_PLAIN_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"v": b"\v", b"f": b"\f"}
_MONTHS = {
    name: number
    for number, name in enumerate((b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"), 1)
}
_SHOWN = frozenset({200, 201, 202, 203, 304})
_PARTIAL = 206
_REDIRECTS = range(300, 400)
_ERRORS = range(400, 1000)
_SERVER_ERRORS = range(500, 1000)


class NoView(StrEnum):
    """Why a request shows nobody a page. The value is what the import reports."""

    METHOD = "method"  # neither GET nor POST: a HEAD is a link checker's, an OPTIONS a browser's own
    REDIRECT = "redirect"  # the browser asks again at once, and that request counts
    PARTIAL = "partial"  # a piece of a file (206), as players and PDF viewers fetch them by the dozen
    NO_CONTENT = "no_content"  # a beacon (204), a web socket (101)
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    NO_REQUEST = "no_request"  # a request line that is none: TLS on a plain port, a probe, nothing at all


class Request(NamedTuple):
    """A readable line. ``target`` is what stood behind the method: a path, or a whole URL where a proxy asked."""

    address: str
    at: int  # ms
    method: str | None  # None (and an empty target) where the request line is no request
    target: str
    status: int
    referrer: str | None
    user_agent: str | None

    @property
    def no_view(self) -> NoView | None:
        """None for a page view: a GET or a POST that was answered with content, or with "you have it already" (304)."""
        if self.status in _ERRORS:
            return NoView.SERVER_ERROR if self.status in _SERVER_ERRORS else NoView.CLIENT_ERROR
        if self.method is None:
            return NoView.NO_REQUEST
        if self.method not in {"GET", "POST"}:
            return NoView.METHOD
        if self.status in _SHOWN:
            return None
        if self.status == _PARTIAL:
            return NoView.PARTIAL
        return NoView.REDIRECT if self.status in _REDIRECTS else NoView.NO_CONTENT


def parse_line(line: bytes) -> Request | None:
    """Read one line, without its line feed.

    None for what is not in the combined format, or gives a time that never was, or one at which nothing can be received.
    """
    match = _COMBINED.fullmatch(line)
    if match is None:
        return None
    address, day, month, year, hour, minute, second, sign, zone_hours, zone_minutes, request, status, referrer, user_agent = match.groups()
    try:
        offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
        zone = timezone(-offset if sign == b"-" else offset)
        at = to_ms(datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=zone))
    except (ValueError, KeyError):
        return None
    if not EARLIEST <= at < LATEST:
        return None
    asked = _REQUEST.fullmatch(plain(request))
    return Request(
        address=text_of(address),
        at=at,
        method=None if asked is None else asked[1],
        target="" if asked is None else asked[2],
        status=int(status),
        referrer=field(referrer),
        user_agent=field(user_agent),
    )


def field(quoted: bytes) -> str | None:
    """A quoted field's text; None for ``-`` and for nothing, which is how servers write absence."""
    return None if quoted in {b"", b"-"} else plain(quoted)


def plain(quoted: bytes) -> str:
    """A quoted field's text without the server's escapes."""
    return text_of(_ESCAPE.sub(_unescape, quoted)) if b"\\" in quoted else text_of(quoted)


def _unescape(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    return bytes.fromhex(code[1:].decode()) if len(code) == len(b"x16") else _PLAIN_ESCAPES.get(code, code)


def text_of(text: bytes) -> str:
    """UTF-8 where it is that, else Latin-1: never an error, and never a lone surrogate, which JSON could not carry."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")
