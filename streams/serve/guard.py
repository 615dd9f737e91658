"""What every request passes before a route sees it, and every answer before it leaves: hosts, tokens, limits, headers, metrics.

The outermost layer, so that it holds for what the framework answers by itself too.
"""

import asyncio
import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from time import perf_counter

from fastapi.responses import Response
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engagement.written import printable
from streams.serve.paths import Path, Paths
from streams.serve.problems import Refusal, nothing_there, problem, unavailable
from streams.serve.rates import Rates
from streams.serve.serving import Serving
from streams.serve.tokens import ANYBODY, NOBODY, Caller

log = logging.getLogger("mqa.serve")

MOST_BODY = 64 * 1024
"""Bytes."""
MOST_AT_ONCE = 256
"""Requests; more wait for nothing and are told to come again."""
REQUEST_SECONDS = 20.0
"""Longer than what a request asks of Redis and Kafka may take: who gives up first says more."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "cache-control": "no-cache",  # after an upgrade, no part of the page is to meet an older one
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""On every answer, unless a route says another itself."""
_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]  # as ASGI has them

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
NO_ROUTE = "none"
_PROBED = "/health/"
"""Probes ask by whatever address they know, and must not fail because others ask too often."""


class Guard:
    """Wraps the app."""

    def __init__(self, app: ASGIApp, serving: Serving, paths: Paths) -> None:
        self.app = app  # what it guards
        self._serving, self._rates, self._paths = serving, Rates(serving.rate), paths
        self._hosts = frozenset(host.lower() for host in serving.hosts)
        self._at_once = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # a WebSocket: closed unanswered
        asked = dict(scope)  # `send` is the server's, which leaves out the body of an answer to HEAD by itself
        if asked["method"] == "HEAD":
            asked["method"] = "GET"
        path = self._paths.find(scope["path"])
        answer = _Answer(send, path)
        metrics, began = self._serving.metrics, perf_counter()
        self._at_once += 1
        metrics.in_flight.set(self._at_once)
        try:
            await self._pass(asked, receive, answer, path)
        finally:
            self._at_once -= 1
            metrics.in_flight.set(self._at_once)
            route = NO_ROUTE if path is None else path.template
            method = scope["method"] if scope["method"] in _METHODS else "other"
            metrics.requests.labels(route, method, str(answer.status)).inc()
            metrics.seconds.labels(route, method).observe(perf_counter() - began)

    async def _pass(self, scope: Scope, receive: Receive, answer: "_Answer", path: Path | None) -> None:
        try:
            self._check(scope)
            scope["state"] |= {"path": path, "query": _query(scope, path)}
            if scope["method"] == "OPTIONS":
                options = nothing_there(scope["path"]) if path is None else Response(None, HTTPStatus.NO_CONTENT, {"allow": path.allow})
                await answer.send_all(options, receive)
                return
            async with asyncio.timeout(REQUEST_SECONDS):
                await self.app(scope, _Limited(receive), answer)
        except Refusal as refusal:
            await answer.send_all(problem(refusal.status, refusal.detail, refusal.headers), receive)
        except TimeoutError:
            log.warning("%s %s took longer than %g s and was given up", scope["method"], _path(scope), REQUEST_SECONDS)
            away = unavailable(f"no answer within {REQUEST_SECONDS:g} s; ask again, or for less")
            await answer.send_all(problem(away.status, away.detail, away.headers), receive)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        caller = self._serving.caller(headers.get("authorization"))
        if not scope["path"].startswith(_PROBED):
            self._check_host(headers.get("host", ""))
            self._check_rate(caller, scope)
        if self._at_once > MOST_AT_ONCE:
            raise unavailable(f"{MOST_AT_ONCE} requests are being answered; come again")
        if caller is None:
            detail = "Authorization: is no token that is known here; `mqa serve token` makes one"
            raise Refusal(HTTPStatus.UNAUTHORIZED, detail, {"www-authenticate": 'Bearer error="invalid_token"'})
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MOST_BODY:
            raise _too_large()
        scope.setdefault("state", {})["caller"] = caller

    def _check_rate(self, caller: Caller | None, scope: Scope) -> None:
        """Raise `Refusal` for who asks too often: a token's name, or without a good token an address."""
        client = scope.get("client")
        is_known = caller is not None and caller not in (NOBODY, ANYBODY)
        wait = self._rates.wait(f"name {caller.name}" if caller is not None and is_known else f"address {client[0] if client else ''}")
        if wait:
            seconds = str(math.ceil(wait))
            detail = f"more than {self._serving.rate} requests a second; come again in {seconds} s"
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, detail, {"retry-after": seconds})

    def _check_host(self, said: str) -> None:
        """Raise `Refusal` for another name than ours: a page from elsewhere may have had its own name lead here."""
        host = said[1:].partition("]")[0] if said.startswith("[") else said.partition(":")[0]
        if host.lower() not in self._hosts and "*" not in self._hosts:
            detail = f"Host: {printable(said, 80)!r}: is none of this server's names; start `mqa serve` with --allowed-host for it"
            raise Refusal(HTTPStatus.MISDIRECTED_REQUEST, detail)


def _query(scope: Scope, path: Path | None) -> Mapping[str, str]:
    """Read the query. Raises `Refusal` for a parameter that nothing would look at: who wrote it meant something by it."""
    query = dict(QueryParams(scope["query_string"])) if scope["query_string"] else {}
    known = None if path is None else path.asks.get(scope["method"])
    if known is not None and not known.issuperset(query):
        name = next(name for name in query if name not in known)
        remedy = f"use some of {', '.join(sorted(known))}" if known else "there are none here"
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"{printable(name, 80)}: is no parameter here; {remedy}")
    return query


class _Answer:
    """Sends an answer with our headers, once."""

    def __init__(self, send: Send, path: Path | None) -> None:
        self.status = 0  # 0: none was sent
        self._send, self._path = send, path

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            said = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *(header for header in _HEADERS if header[0] not in said)]
            if self.status == HTTPStatus.METHOD_NOT_ALLOWED and self._path is not None:
                MutableHeaders(scope=message)["allow"] = self._path.allow
        await self._send(message)

    async def send_all(self, response: ASGIApp, receive: Receive) -> None:
        """Send a whole answer, unless one has begun: that one stays cut off."""
        if self.status == 0:
            await response({"type": "http", "method": "GET"}, receive, self)


class _Limited:
    """Reads a body up to the limit, whatever its head said."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._size = receive, 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > MOST_BODY:
            raise _too_large()
        return message


def _too_large() -> Refusal:
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {MOST_BODY} bytes; send less")


def _path(scope: Scope) -> str:
    return printable(scope["path"], 100)
