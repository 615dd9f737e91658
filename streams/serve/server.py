"""The server as a process: what it is made of, how it starts and how it stops."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from redis.asyncio import Redis

from streams.connection import Connection
from streams.genesis import read_genesis
from streams.profiles.memory import MemoryStore
from streams.profiles.metrics import ProjectorMetrics
from streams.profiles.projector import Projector
from streams.profiles.redis_store import RedisStore
from streams.profiles.store import ProfileStore
from streams.serve.app import create_app
from streams.serve.letters import KafkaLetters
from streams.serve.metrics import ServeMetrics
from streams.serve.serving import LOOPBACK, Serving
from streams.serve.tokens import Tokens
from streams.serve.updates import KafkaUpdates
from streams.topics import Environment

log = logging.getLogger("mqa.serve")

LONGEST_HEAD = 16 * 1024
"""Bytes of a request's line and headers."""
MOST_CONNECTIONS = 1_000
IDLE_SECONDS = 30
STOP_SECONDS = 10
"""How long requests under way may take once the server is to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person asked for."""

    connection: Connection
    environment: Environment
    redis: Redis | None  # None: profiles are kept in this process
    tokens: Tokens
    listening: socket.socket
    hosts: Sequence[str]
    reports: Path | None
    rate: int


async def run(asked: Asked) -> None:
    """Serve until a signal asks to stop; then what is under way is answered. Raises `Refused` where a person must decide."""
    await asked.connection.wait_until_ready(15)
    genesis = await read_genesis(asked.connection, asked.environment)
    updates = KafkaUpdates(asked.connection, asked.environment, genesis)
    metrics, is_local = ServeMetrics(), is_loopback(asked.listening)
    try:
        async with _store(asked, genesis.partitions, metrics) as (store, projector):
            serving = Serving(
                store=store,
                tokens=asked.tokens,
                is_local=is_local,
                hosts=(*LOOPBACK, *asked.hosts),
                letters=KafkaLetters(asked.connection, asked.environment, genesis.partitions),
                updates=updates,
                reports=asked.reports,
                rate=asked.rate,
                metrics=metrics,
                observe=None if projector is None else projector.observe,
            )
            if not len(asked.tokens):
                log.warning("no tokens: %s", "this machine may read, and nobody may write" if is_local else "nobody may read or write")
            await _serve(serving, asked.listening, projector)
    finally:
        await updates.aclose()


@asynccontextmanager
async def _store(asked: Asked, partitions: int, metrics: ServeMetrics) -> AsyncIterator[tuple[ProfileStore, Projector | None]]:
    """Where profiles come from, and who is to fill it where that is this process."""
    if asked.redis is not None:
        store = RedisStore(asked.redis, asked.environment.prefix)
        try:
            yield store, None
        finally:
            await store.aclose()
        return
    kept = MemoryStore()
    yield (
        kept,
        Projector(asked.connection, asked.environment, kept, ProjectorMetrics(metrics.registry), partitions=partitions, shares=False),
    )


async def _serve(serving: Serving, listening: socket.socket, projector: Projector | None) -> None:
    server = _Server(
        uvicorn.Config(
            create_app(serving),
            access_log=False,
            h11_max_incomplete_event_size=LONGEST_HEAD,
            http="h11",
            lifespan="off",
            limit_concurrency=MOST_CONNECTIONS,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
            timeout_keep_alive=IDLE_SECONDS,
        )
    )
    send_at_once(listening)
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, server.stop)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # what others send that is no HTTP is no news
    host, port, *_ = listening.getsockname()
    log.info("serving on http://%s:%d", f"[{host}]" if ":" in host else host, port)
    answering = asyncio.create_task(server.serve([listening]), name="server")
    projecting = None if projector is None else asyncio.create_task(projector.run(), name="projector")
    tasks = {answering} if projecting is None else {answering, projecting}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    has_ended = projecting is not None and projecting.done()
    server.stop()
    await answering
    if projecting is not None:
        projecting.cancel()
        await asyncio.wait([projecting])
        if has_ended:
            projecting.result()  # raises why


class _Server(uvicorn.Server):
    def stop(self) -> None:
        """Answer what is under way, and end."""
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: they are ours."""
        yield


def send_at_once(listening: socket.socket) -> None:
    """Have the body of an answer sent before its head is acknowledged, which takes clients 40 ms.

    Connections inherit it. asyncio sees to it by itself, but not for a socket that somebody else made.
    """
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def is_loopback(listening: socket.socket) -> bool:
    """Whether nobody but this machine can reach it."""
    return ip_address(listening.getsockname()[0]).is_loopback
