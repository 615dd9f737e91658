"""Senders of webhooks as processes, and the topics that they read."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen
from uuid import uuid4

import yaml
from aiokafka.structs import TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from engagement.subscriptions import Subscription
from streams.connection import Connection
from streams.group import stored_positions
from streams.identity import partition_of
from streams.topics import TIER_CHANGES, Environment
from streams.transaction import Row, make_producer, send
from streams.webhooks.attempt import open_target
from streams.webhooks.courier import Courier
from streams.webhooks.lanes import Delivery
from streams.webhooks.metrics import SubscriptionMetrics, WebhookMetrics
from streams.webhooks.signature import read_signer
from streams.webhooks.subscriber import Subscriber, group_of, make_consumer
from streams.webhooks.undelivered import Undelivered
from tests.redis_servers import free_port
from tests.streams.metrics_story import Samples
from tests.streams.webhook_receivers import encoded

PARTITIONS = 2
PATIENCE = 60.0
QUICK = {"timeout": "20s", "retry": {"first": "1s", "longest": "1s"}, "allow_http": "true", "allow_private": "true", "start": "beginning"}
"""Of a subscription to a receiver of a test's."""


class Sender:
    """One ``mqa webhooks run``."""

    def __init__(self, kafka: Connection, environment: Environment, file: Path) -> None:
        self.port = free_port()
        where = ["--file", str(file), "--prefix", environment.prefix, "--bootstrap", kafka.bootstrap, "--port", str(self.port)]
        self._log = file.with_suffix(".log")
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams", "webhooks", "run", *where, "--session-timeout", "6"], stdout=log, stderr=log
            )

    def look(self) -> Samples:
        with urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        return {(sample.name, frozenset(sample.labels.items())): sample.value for family in families for sample in family.samples}

    async def until(self, holds: Callable[[Samples], bool]) -> Samples:
        samples: Samples = {}

        async def look() -> bool:
            nonlocal samples
            assert self.process.poll() is None, self.said()
            try:
                samples = await asyncio.to_thread(self.look)
            except URLError:
                return False
            return holds(samples)

        await until(look, self.said)
        return samples

    def said(self) -> str:
        return self._log.read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)


@contextmanager
def sending(kafka: Connection, environment: Environment, file: Path) -> Iterator[Sender]:
    sender = Sender(kafka, environment, file)
    try:
        yield sender
    finally:
        if sender.process.poll() is None:
            sender.kill()


async def until(holds: Callable[[], Any], said: Callable[[], str]) -> None:
    deadline = monotonic() + PATIENCE
    while True:
        found = holds()
        if await found if asyncio.iscoroutine(found) else found:
            return
        assert monotonic() < deadline, said()
        await asyncio.sleep(0.05)


class Places:
    """The topics of an environment without workers."""

    def __init__(self, kafka: Connection) -> None:
        self.kafka, self.environment = kafka, Environment(f"test-{uuid4().hex[:12]}-")

    async def append(self, *changes: Mapping[str, Any], mode: str = "live", at: int | None = None, is_aborted: bool = False) -> None:
        rows: dict[TopicPartition, list[Row]] = {}
        for change in changes:
            key = change["account"].encode()
            partition = TopicPartition(self.environment.topic(TIER_CHANGES), partition_of(key, PARTITIONS))
            rows.setdefault(partition, []).append((key, encoded(dict(change)), (("mode", mode.encode()),), at))
        async with make_producer(self.kafka, f"test-{uuid4().hex}") as producer:
            await producer.begin_transaction()
            await send(producer, rows)
            await (producer.abort_transaction() if is_aborted else producer.commit_transaction())

    async def left(self, name: str) -> int | None:
        """How many changes a restart would look at again, by what is committed; None where nothing is."""
        partitions = [TopicPartition(self.environment.topic(TIER_CHANGES), number) for number in range(PARTITIONS)]
        async with self.kafka.admin() as admin:
            found = await stored_positions(admin, f"{self.environment.group}-webhook-{name}", partitions)
        async with self.kafka.consumer() as consumer:
            ends = await consumer.end_offsets(partitions)
        if found.keys() != set(partitions):
            return None
        lives = {partition: Undelivered(found[partition].offset, found[partition].metadata) for partition in partitions}
        return sum(life.wants(offset) for each, life in lives.items() for offset in range(ends[each]))


def write_file(file: Path, *subscriptions: Mapping[str, Any]) -> None:
    """Write a webhooks file; what a subscription does not say is `QUICK`."""
    dumped = [yaml.safe_dump(QUICK | {"secret": "HOOK_SECRET"} | dict(each)) for each in subscriptions]
    file.write_text(yaml.safe_dump({"subscriptions": [yaml.safe_load(each) for each in dumped]}))  # without aliases


@asynccontextmanager
async def subscribed(
    kafka: Connection, environment: Environment, subscription: Subscription
) -> AsyncIterator[tuple[Subscriber, asyncio.Task[None]]]:
    """A sender of one subscription within this process, and what runs it. It has left its group when the block has ended."""
    metrics = SubscriptionMetrics(WebhookMetrics([subscription.name]), subscription.name)
    consumer = make_consumer(kafka, group_of(environment, subscription), session_seconds=6)
    async with open_target(subscription, read_signer(subscription.secret)) as target:
        courier = Courier(subscription, target, _never_parked, metrics)
        subscriber = Subscriber(kafka, environment, subscription, consumer, courier=courier, metrics=metrics)
        run = asyncio.create_task(subscriber.run())
        try:
            yield subscriber, run
        finally:
            run.cancel()
            with suppress(asyncio.CancelledError):
                await run


async def _never_parked(_delivery: Delivery, _attempts: int, _lasted: int, _answer: object) -> None:
    raise AssertionError
