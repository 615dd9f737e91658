"""Partitions that change hands between two senders, on a real Kafka: nothing is lost, and no account's changes get out of order."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from aiohttp import web

from engagement.subscriptions import Subscription
from streams.connection import Connection
from streams.genesis import create_environment
from streams.webhooks.attempt import open_target
from streams.webhooks.courier import Courier
from streams.webhooks.lanes import Delivery
from streams.webhooks.metrics import SubscriptionMetrics, WebhookMetrics
from streams.webhooks.signature import read_signer
from streams.webhooks.subscriber import Subscriber, group_of, make_consumer
from tests.streams.webhook_receivers import SECRET, Receiver, receiving, tier_change
from tests.streams.webhook_senders import PARTITIONS, QUICK, Places, until

ACCOUNTS = [f"account{number}.example" for number in range(6)]
PER_ACCOUNT = 60
TAKES_OVER, LEAVES = 30, 45
"""Sequences that are under way when the second sender comes, and when the first goes."""


async def never_parked(_delivery: Delivery, _attempts: int, _lasted: int, _answer: object) -> None:
    raise AssertionError


async def test_a_second_sender_takes_over_in_the_middle_and_the_first_leaves(kafka: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    places, receiver = Places(kafka), Receiver()
    held_back = {sequence: asyncio.Event() for sequence in (TAKES_OVER, LEAVES)}  # so that something is under way at either moment

    async def slowly(change: dict[str, Any], _before: int) -> web.StreamResponse:
        if change["sequence"] in held_back:
            await held_back[change["sequence"]].wait()
        return web.Response()

    receiver.behaviour = slowly
    await create_environment(kafka, places.environment, partitions=PARTITIONS)
    await places.append(*(tier_change(account, number + 1) for number in range(PER_ACCOUNT) for account in ACCOUNTS))
    async with receiving(receiver), AsyncExitStack() as stack:
        subscription = Subscription.model_validate({"name": "crm", "secret": "HOOK_SECRET", "url": receiver.url, **QUICK, "timeout": "30s"})
        metrics = WebhookMetrics(["crm"])

        async def start() -> tuple[Subscriber, asyncio.Task[None]]:
            target = await stack.enter_async_context(open_target(subscription, read_signer(subscription.secret)))
            its = SubscriptionMetrics(metrics, "crm")
            consumer = make_consumer(kafka, group_of(places.environment, subscription), session_seconds=6)
            subscriber = Subscriber(
                kafka,
                places.environment,
                subscription,
                consumer,
                courier=Courier(subscription, target, never_parked, its),
                metrics=its,
            )
            return subscriber, asyncio.create_task(subscriber.run())

        async def have_passed(each: int) -> bool:
            """Whether so many of each account are delivered, and Kafka knows it: both senders turn."""
            assert not any(run is not None and run.done() and not run.cancelled() for run in (first_run, second_run))
            return await places.left("crm") == (PER_ACCOUNT - each) * len(ACCOUNTS)

        second_run: asyncio.Task[None] | None = None
        first, first_run = await start()
        await until(lambda: have_passed(TAKES_OVER - 1), str)
        second, second_run = await start()
        await until(lambda: [len(each._undelivered) for each in (first, second)] == [PARTITIONS // 2] * 2, str)
        held_back[TAKES_OVER].set()
        await until(lambda: have_passed(LEAVES - 1), str)
        first_run.cancel()
        with suppress(asyncio.CancelledError):
            await first_run
        held_back[LEAVES].set()
        await until(lambda: have_passed(PER_ACCOUNT), str)
        second_run.cancel()
        with suppress(asyncio.CancelledError):
            await second_run
    for account, sequences in receiver.sequences().items():
        assert sequences == sorted(sequences), account
    times = Counter(change["id"] for change in receiver.sent)
    twice = {change["sequence"] for change in receiver.sent if times[change["id"]] > 1}
    assert twice == {TAKES_OVER, LEAVES}, "what was under way at a handover is cut off and sent again, and nothing else"
