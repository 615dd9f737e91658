"""Partitions that change hands between two senders, on a real Kafka: nothing is lost, and no account's changes get out of order."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web

from engagement.subscriptions import Subscription
from streams.connection import Connection
from streams.genesis import create_environment
from tests.streams.webhook_receivers import SECRET, Receiver, receiving, tier_change
from tests.streams.webhook_senders import PARTITIONS, QUICK, Places, subscribed, until

ACCOUNTS = [f"account{number}.example" for number in range(6)]
PER_ACCOUNT = 60
TAKES_OVER, LEAVES = 30, 45
"""Sequences that are under way when the second sender comes, and when the first goes."""


async def test_a_second_sender_takes_over_in_the_middle_and_the_first_leaves(kafka: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    places, receiver = Places(kafka), Receiver()
    held_back = {sequence: asyncio.Event() for sequence in (TAKES_OVER, LEAVES)}
    runs: list[asyncio.Task[None]] = []

    async def slowly(change: dict[str, Any], _before: int) -> web.StreamResponse:
        if change["sequence"] in held_back:
            await held_back[change["sequence"]].wait()
        return web.Response()

    async def have_passed(each: int) -> bool:
        """Whether so many of each account are delivered, and Kafka knows it: both senders turn."""
        assert not any(run.done() and not run.cancelled() for run in runs)
        return await places.left("crm") == (PER_ACCOUNT - each) * len(ACCOUNTS)

    receiver.behaviour = slowly
    await create_environment(kafka, places.environment, partitions=PARTITIONS)
    await places.append(*(tier_change(account, number + 1) for number in range(PER_ACCOUNT) for account in ACCOUNTS))
    async with receiving(receiver), AsyncExitStack() as staying, AsyncExitStack() as leaving:
        said = {"name": "crm", "secret": "HOOK_SECRET", "url": receiver.url, **QUICK, "timeout": "1m"}
        subscription = Subscription.model_validate(said)
        first, run = await leaving.enter_async_context(subscribed(kafka, places.environment, subscription))
        runs.append(run)
        await until(lambda: have_passed(TAKES_OVER - 1), str)
        second, run = await staying.enter_async_context(subscribed(kafka, places.environment, subscription))
        runs.append(run)
        await until(lambda: [len(each._undelivered) for each in (first, second)] == [PARTITIONS // 2] * 2, str)
        held_back[TAKES_OVER].set()
        await until(lambda: have_passed(LEAVES - 1), str)
        await leaving.aclose()
        held_back[LEAVES].set()
        await until(lambda: have_passed(PER_ACCOUNT), str)
    for account, sequences in receiver.sequences().items():
        assert sequences == sorted(sequences), account
    times = Counter(change["id"] for change in receiver.sent)
    twice = {change["sequence"] for change in receiver.sent if times[change["id"]] > 1}
    assert twice == {TAKES_OVER, LEAVES}, "what was under way at a handover is cut off and sent again, and nothing else"
