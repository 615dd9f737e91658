"""``/metrics`` for Prometheus, ``/healthz`` (the process turns its event loop) and ``/readyz`` (it folds what it was assigned)."""

import os
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from engagement.errors import Refused
from streams.worker.metrics import Metrics


class HealthServer:
    """A small HTTP server in the worker's event loop."""

    def __init__(
        self, metrics: Metrics, *, port: int, host: str, ready: Callable[[], bool], refresh: Callable[[], Awaitable[None]]
    ) -> None:
        """``port`` 0 takes a free one; ``refresh`` updates the gauges before each scrape."""
        self._metrics, self._ready, self._refresh = metrics, ready, refresh
        self.host, self.port = host, port
        application = web.Application()
        application.router.add_get("/metrics", self._serve_metrics)
        application.router.add_get("/healthz", self._serve_health)
        application.router.add_get("/readyz", self._serve_readiness)
        self._runner = web.AppRunner(application, access_log=None)

    async def start(self) -> None:
        """Listen. Raises `Refused` where the port is taken."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        try:
            await site.start()
        except OSError as error:
            msg = f"--port {self.port}: cannot listen on {self.host} ({os.strerror(error.errno or 0)}); take another, or 0"
            raise Refused(msg) from None
        (self.port, *_) = (address[1] for address in self._runner.addresses)

    async def stop(self) -> None:
        """Close the port."""
        await self._runner.cleanup()

    async def _serve_metrics(self, _: web.Request) -> web.Response:
        await self._refresh()
        return web.Response(body=generate_latest(self._metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _serve_health(self, _: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _serve_readiness(self, _: web.Request) -> web.Response:
        return web.Response(text="ready\n") if self._ready() else web.Response(text="rebalancing or restoring\n", status=503)
