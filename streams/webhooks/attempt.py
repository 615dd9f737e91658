"""One attempt to deliver: an HTTP request that goes where it may go, and what became of it."""

import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from time import time
from typing import Any, Literal, NamedTuple

import aiohttp
from aiohttp.abc import AbstractResolver

from engagement.public_addresses import is_public
from engagement.subscriptions import Subscription
from engagement.written import printable
from streams.webhooks.message import Message
from streams.webhooks.signature import Signer

Sort = Literal["2xx", "3xx", "4xx", "5xx", "gone", "timeout", "unreachable", "forbidden"]
"""``gone``: 410. ``forbidden``: all its addresses are ones that the subscription may not reach."""

SORTS: tuple[Sort, ...] = ("2xx", "3xx", "4xx", "5xx", "gone", "timeout", "unreachable", "forbidden")

_SAID_BYTES = 500
"""Of an answer's body, to tell people why."""

_LONGEST_WAIT = 86_400.0
"""Seconds that a receiver may ask for."""

_ASKS_ALL = frozenset({429, 503})
"""With Retry-After, these speak of the receiver, not of the one delivery."""


class Answer(NamedTuple):
    """What became of an attempt."""

    sort: Sort
    detail: str  # printable, short
    retry_after: float | None = None  # seconds, where the receiver says it
    asks_all: bool = False  # not to send anything until then

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has it."""
        return self.sort == "2xx"


class Target:
    """One subscription's endpoint."""

    def __init__(self, subscription: Subscription, signer: Signer, session: aiohttp.ClientSession) -> None:
        """``session``: of `open_target`, which is how one is made."""
        self._url, self._signer, self._session = subscription.url, signer, session
        self._seconds = subscription.timeout / 1_000

    async def attempt(self, message: Message) -> Answer:
        """Send it once; raises nothing, whatever is answered. Only 2xx in time is a success; redirects are not followed."""
        headers = self._signer.headers(message.id, int(time()), message.body) | {"content-type": "application/json"}
        try:
            async with self._session.post(self._url, data=message.body, headers=headers, allow_redirects=False) as response:
                return await _read(response)
        except TimeoutError:
            return Answer("timeout", f"no answer within {self._seconds:g} s")
        except aiohttp.ClientConnectorError as error:
            is_forbidden = error.os_error.errno == errno.EACCES
            return Answer("forbidden" if is_forbidden else "unreachable", _said(error))
        except Exception as error:  # noqa: BLE001 - a stranger's answer may bring forth anything: it fails this attempt, never the sender
            return Answer("unreachable", _said(error))


@asynccontextmanager
async def open_target(subscription: Subscription, signer: Signer, resolver: AbstractResolver | None = None) -> AsyncIterator[Target]:
    """Open what attempts share: connections of this subscription alone, no cookies, no proxy. ``resolver`` of names; None: the system's."""
    connector = aiohttp.TCPConnector(
        limit=subscription.at_once, resolver=resolver, socket_factory=None if subscription.allow_private else _public_socket
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=subscription.timeout / 1_000),
        headers={"user-agent": f"mqa/{version('mqa')}"},
        auto_decompress=False,  # nobody reads more of an answer than a few bytes
    ) as session:
        yield Target(subscription, signer, session)


def _public_socket(where: tuple[Any, ...]) -> socket.socket:
    """Make the socket for one address, where it may be reached.

    This is where every connection begins, whether to a name or to an address: what a name resolves to now is what is judged, so a name that
    resolved to something else a moment ago is of no use.
    """
    family, kind, protocol, _, address = where
    if not is_public(address[0]):
        raise OSError(errno.EACCES, f"{address[0]} is no public address; add allow_private: true if it is meant")
    return socket.socket(family, kind, protocol)


async def _read(response: aiohttp.ClientResponse) -> Answer:
    status = response.status
    if status // 100 == 2:  # noqa: PLR2004 - of HTTP
        return Answer("2xx", str(status))
    said = b""
    with suppress(aiohttp.ClientError, TimeoutError):
        said = await response.content.read(_SAID_BYTES)
    detail = printable(f"{status} {response.reason or ''}: {said.decode(errors='replace')}".rstrip(": "), _SAID_BYTES)
    wait = _retry_after(response.headers.get("retry-after"))
    if status == 410:  # noqa: PLR2004 - Gone
        return Answer("gone", detail)
    sorts: dict[int, Sort] = {3: "3xx", 4: "4xx", 5: "5xx"}
    return Answer(sorts.get(status // 100, "unreachable"), detail, wait, asks_all=wait is not None and status in _ASKS_ALL)


def _retry_after(text: str | None) -> float | None:
    """Seconds from now, of a number of them or a date; None for anything else."""
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return min(float(text), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for numbers beyond those of C
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), _LONGEST_WAIT)


def _said(error: BaseException) -> str:
    return printable(str(error) or type(error).__name__, _SAID_BYTES)
