"""``/metrics`` for Prometheus, ``/health/live`` (the process turns its event loop) and ``/health/ready`` (it does what it is there for)."""

import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from engagement.errors import Refused
from engagement.written import shown


class Catalogue(Protocol):
    """The metrics of a process."""

    registry: CollectorRegistry


def listen(host: str, port: int) -> socket.socket:
    """Take a port (0: a free one). Raises `Refused` where it cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except UnicodeError:  # from the encoding of international names
        msg = f"--host: {shown(host)!r} cannot be a host name: an empty label, or too long a one; take an address like 127.0.0.1"
        raise Refused(msg) from None
    except OSError as error:
        msg = f"--port {port}: cannot listen on {host} ({error.strerror}); take another, or 0, or another --host"
        raise Refused(msg) from None


class HealthServer:
    """A small HTTP server in the event loop of a worker, or of what else runs for long."""

    def __init__(
        self, metrics: Catalogue, listening: socket.socket, *, complaint: Callable[[], str | None], refresh: Callable[[], Awaitable[None]]
    ) -> None:
        """``listening`` comes from `listen`; ``complaint``: why it is not ready, else None; ``refresh`` sets gauges before a scrape."""
        self._metrics, self._listening, self._complaint, self._refresh = metrics, listening, complaint, refresh
        application = web.Application()
        application.router.add_get("/metrics", self._serve_metrics)
        application.router.add_get("/health/live", self._serve_health)
        application.router.add_get("/health/ready", self._serve_readiness)
        self._runner = web.AppRunner(application, access_log=None)

    async def start(self) -> None:
        """Answer."""
        await self._runner.setup()
        await web.SockSite(self._runner, self._listening).start()

    @property
    def address(self) -> str:
        """URL of the server."""
        host, port, *_ = self._listening.getsockname()
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def stop(self) -> None:
        """Close the port."""
        await self._runner.cleanup()

    async def _serve_metrics(self, _: web.Request) -> web.Response:
        await self._refresh()
        return web.Response(body=generate_latest(self._metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _serve_health(self, _: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _serve_readiness(self, _: web.Request) -> web.Response:
        complaint = self._complaint()
        return web.Response(text="ready\n") if complaint is None else web.Response(text=f"{complaint}\n", status=503)
