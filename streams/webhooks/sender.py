"""`mqa webhooks run`: every subscription of a file, and their metrics."""

import asyncio
import logging
import signal
import socket
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from functools import partial

from engagement.subscriptions import Subscription
from streams.connection import Connection
from streams.health import HealthServer
from streams.topics import Environment
from streams.transaction import PRODUCER
from streams.webhooks.attempt import open_target
from streams.webhooks.courier import Courier
from streams.webhooks.metrics import SubscriptionMetrics, WebhookMetrics
from streams.webhooks.parked import park
from streams.webhooks.signature import Signer
from streams.webhooks.subscriber import Subscriber, group_of, make_consumer

log = logging.getLogger("mqa.webhooks")


async def run_sender(
    connection: Connection,
    environment: Environment,
    subscriptions: Sequence[tuple[Subscription, Signer]],
    listening: socket.socket | None,
    *,
    session_seconds: int,
) -> None:
    """Deliver until SIGTERM or SIGINT; ``listening``: where health and metrics are told. Raises what ends one of the subscriptions.

    ``session_seconds``: after so long a sender that is silent has lost its partitions to others.
    """
    metrics = WebhookMetrics(each.name for each, _ in subscriptions)
    stopped = asyncio.Event()
    for each_signal in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each_signal, stopped.set)
    async with AsyncExitStack() as stack:
        producer = await stack.enter_async_context(connection.producer(acks="all", **PRODUCER))
        subscribers = []
        for subscription, signer in subscriptions:
            target = await stack.enter_async_context(open_target(subscription, signer))
            its = SubscriptionMetrics(metrics, subscription.name)
            courier = Courier(subscription, target, partial(park, producer, environment, subscription.name), its)
            consumer = make_consumer(connection, group_of(environment, subscription), session_seconds)
            subscribers.append(Subscriber(connection, environment, subscription, consumer, courier=courier, metrics=its))

        def complaint() -> str | None:
            waiting = [subscription.name for (subscription, _), each in zip(subscriptions, subscribers, strict=True) if not each.is_ready]
            return f"partitions are being dealt out: {', '.join(waiting)}" if waiting else None

        async def observe() -> None:
            await asyncio.gather(*(subscriber.observe() for subscriber in subscribers))

        if listening is not None:
            health = HealthServer(metrics, listening, complaint=complaint, refresh=observe)
            await health.start()
            stack.push_async_callback(health.stop)
            log.info("metrics at %s/metrics", health.address)
        await _until(stopped, [subscriber.run() for subscriber in subscribers])


async def _until(stopped: asyncio.Event, runs: Sequence[Coroutine[None, None, None]]) -> None:
    """Let them run until it is said to stop, or one of them ends: that raises what ended it, once all have."""
    tasks = [asyncio.create_task(run) for run in runs]
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in (stopping, *tasks):
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome
