"""``/metrics`` for Prometheus, ``/health/live`` (the process turns its event loop) and ``/health/ready`` (it keeps the store up to date)."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.profiles.metrics import ProjectorMetrics
from streams.profiles.projector import Projector


@asynccontextmanager
async def answering(projector: Projector, metrics: ProjectorMetrics, listening: socket.socket) -> AsyncIterator[None]:
    """Answer meanwhile on ``listening``, which comes from `streams.worker.health.listen`."""

    async def serve_metrics(_: web.Request) -> web.Response:
        await projector.observe()
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def serve_life(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def serve_readiness(_: web.Request) -> web.Response:
        complaint = projector.complaint
        return web.Response(text="ready\n") if complaint is None else web.Response(text=f"{complaint}\n", status=503)

    application = web.Application()
    application.router.add_get("/metrics", serve_metrics)
    application.router.add_get("/health/live", serve_life)
    application.router.add_get("/health/ready", serve_readiness)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        yield
    finally:
        await runner.cleanup()
