"""HTTP receivers that answer as a test has them answer, and remember what they were sent."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web
from standardwebhooks import Webhook

SECRET = f"whsec_{b64encode(bytes(range(32))).decode()}"

Behaviour = Callable[[dict[str, Any], int], Awaitable[web.StreamResponse]]
"""Given the tier change and how often it was sent before, answers."""


async def taken(_change: dict[str, Any], _before: int) -> web.StreamResponse:
    return web.Response()


async def failing(_change: dict[str, Any], _before: int) -> web.StreamResponse:
    return web.Response(status=500, text="out of order")


async def hanging(_change: dict[str, Any], _before: int) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


@dataclass(slots=True, kw_only=True)
class Receiver:
    """One endpoint. ``behaviour`` may be changed while it runs."""

    url: str = ""
    behaviour: Behaviour = taken
    sent: list[dict[str, Any]] = field(default_factory=list)  # tier changes, in the order in which they came
    taken: list[dict[str, Any]] = field(default_factory=list)  # those that were answered with 2xx
    headers: dict[str, str] = field(default_factory=dict)  # of the last
    modes: set[str] = field(default_factory=set)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        said = Webhook(SECRET).verify(body, dict(request.headers))  # raises, and is answered with 500, where that fails
        change = said["data"]
        assert change["id"] == request.headers["webhook-id"]
        assert said["type"] == "mqa.tier_change.v1"
        self.headers = dict(request.headers)
        self.modes.add(said["mode"])
        before = sum(each["id"] == change["id"] for each in self.sent)
        self.sent.append(change)
        response = await self.behaviour(change, before)
        if response.status // 100 == 2:
            self.taken.append(change)
        return response

    def sequences(self) -> dict[str, list[int]]:
        """Account -> the sequences that it was sent, in order. (An answer that nobody waits for any more may come after the next one's.)"""
        found: dict[str, list[int]] = {}
        for change in self.sent:
            found.setdefault(change["account"], []).append(change["sequence"])
        return found


@asynccontextmanager
async def receiving(*receivers: Receiver) -> AsyncIterator[None]:
    """Let them be reached, each at a port of its own."""
    runners = []
    try:
        for receiver in receivers:
            application = web.Application()
            application.router.add_post("/{name}", receiver.answer)
            runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=0.1)
            await runner.setup()
            runners.append(runner)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield
    finally:
        for runner in runners:
            await runner.cleanup()


def tier_change(account: str, sequence: int, **more: Any) -> dict[str, Any]:
    """One, as far as receivers and filters look at it."""
    return {
        "id": f"{account.partition('.')[0]}-{sequence}",
        "account": account,
        "sequence": sequence,
        "ladder": "stage",
        "from": "engaged",
        "to": "mqa",
        "direction": "promotion",
        "qualified": True,
        "reason": "signal",
        "effective_at": "2025-01-29T03:04:00.000Z",
        "segments": [],
        "owner": None,
        **more,
    }


def encoded(change: dict[str, Any]) -> bytes:
    return msgspec.json.encode(change)
