"""``mqa projector``."""

import asyncio
import logging
import signal
import socket

import click

from streams.connection import Connection
from streams.genesis import read_genesis
from streams.health import HealthServer, listen
from streams.logs import log_level_option, start_log
from streams.long_running import prepare
from streams.profiles.metrics import ProjectorMetrics
from streams.profiles.projector import Projector
from streams.profiles.redis_store import RedisStore
from streams.redis_connection import find_redis
from streams.topics import Environment

log = logging.getLogger("mqa.projector")


@click.command()
@click.option("--prefix", default="", metavar="PREFIX", help="Names the environment, like demo-; empty by default.", envvar="MQA_PREFIX")
@click.option("--bootstrap", metavar="HOST:PORT", help="Kafka; else KAFKA_BOOTSTRAP, else the local broker.")
@click.option(
    "--port",
    default=9465,
    show_default=True,
    type=click.IntRange(-1, 65535),
    help="Port of /metrics, /health/live and /health/ready; 0 takes a free one, -1 none.",
    envvar="MQA_PORT",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.", envvar="MQA_HOST")
@click.option(
    "--session-timeout", default=10, show_default=True, type=click.IntRange(6, 40), help="Seconds until a silent projector is replaced."
)
@log_level_option
def projector(*, prefix: str, bootstrap: str | None, port: int, host: str, session_timeout: int, log_level: str) -> None:
    """Keep the profiles in Redis (REDIS_URL) as the accounts of an environment are.

    Any number of projectors share the work. What is lost in Redis is filled in again; the workers do not notice. Exit status 2: a person
    must decide.
    """
    start_log(log_level)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what is away is told once, by ourselves
    environment, connection, redis = Environment(prefix), Connection.find(bootstrap), find_redis()
    listening = None if port < 0 else listen(host, port)
    prepare()
    asyncio.run(_run(connection, environment, RedisStore(redis, environment.prefix), listening, session_timeout))


async def _run(
    connection: Connection, environment: Environment, store: RedisStore, listening: socket.socket | None, session_timeout: int
) -> None:
    await connection.wait_until_ready(15)
    genesis = await read_genesis(connection, environment)
    metrics = ProjectorMetrics()
    projecting = Projector(
        connection, environment, store, metrics, partitions=genesis.partitions, shares=True, session_timeout=session_timeout
    )
    try:
        work = asyncio.create_task(projecting.run(), name="projector")
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each, work.cancel)
        if listening is None:
            await _until_cancelled(work)
        else:
            health = HealthServer(metrics, listening, complaint=lambda: projecting.complaint, refresh=projecting.observe)
            await health.start()
            log.info("metrics at %s/metrics", health.address)
            try:
                await _until_cancelled(work)
            finally:
                await health.stop()
    finally:
        await store.aclose()


async def _until_cancelled(work: asyncio.Task[None]) -> None:
    await asyncio.wait([work])
    if not work.cancelled():
        work.result()
