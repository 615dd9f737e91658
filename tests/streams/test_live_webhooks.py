"""The sender against real receivers that misbehave, on a real Kafka: it is killed in the middle, and another takes over."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import urlopen
from uuid import uuid4

import pytest
import yaml
from aiohttp import web
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from click.testing import CliRunner, Result
from prometheus_client.parser import text_string_to_metric_families

from engagement.errors import Refused
from streams.connection import Connection
from streams.genesis import create_environment
from streams.identity import partition_of
from streams.topics import TIER_CHANGES, WEBHOOKS_PARKED, Environment
from streams.transaction import Row, make_producer, send
from streams.webhooks.command import webhooks
from streams.webhooks.undelivered import Undelivered
from tests.streams.metrics_story import Samples, total
from tests.streams.webhook_receivers import SECRET, Receiver, encoded, failing, hanging, receiving, taken, tier_change

PARTITIONS = 2
PATIENCE = 60.0
ACCOUNTS = [f"account{number}.example" for number in range(8)]
STUCK = "stuck.example"
PER_ACCOUNT = 5
LIVE_CHANGES = PER_ACCOUNT * len([*ACCOUNTS, STUCK])
QUICK = {"timeout": "1s", "retry": {"first": "1s", "longest": "1s"}, "allow_http": "true", "allow_private": "true", "start": "beginning"}


class Sender:
    """One ``mqa webhooks run``."""

    def __init__(self, kafka: Connection, environment: Environment, file: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
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

    async def append(self, *changes: Mapping[str, Any], mode: str = "live", is_aborted: bool = False) -> None:
        rows: dict[TopicPartition, list[Row]] = {}
        for change in changes:
            key = change["account"].encode()
            partition = TopicPartition(self.environment.topic(TIER_CHANGES), partition_of(key, PARTITIONS))
            rows.setdefault(partition, []).append((key, encoded(dict(change)), (("mode", mode.encode()),), None))
        async with make_producer(self.kafka, f"test-{uuid4().hex}") as producer:
            await producer.begin_transaction()
            await send(producer, rows)
            await (producer.abort_transaction() if is_aborted else producer.commit_transaction())

    async def left(self, name: str) -> int | None:
        """How many changes a restart would look at again, by what is committed; None where nothing is."""
        partitions = [TopicPartition(self.environment.topic(TIER_CHANGES), number) for number in range(PARTITIONS)]
        async with self.kafka.admin() as admin:
            found: dict[TopicPartition, OffsetAndMetadata] = await admin.list_consumer_group_offsets(
                f"{self.environment.group}-webhook-{name}", partitions=partitions
            )
        async with self.kafka.consumer() as consumer:
            ends = await consumer.end_offsets(partitions)
        if any(found[partition].offset < 0 for partition in partitions):
            return None
        lives = {partition: Undelivered(found[partition].offset, found[partition].metadata) for partition in partitions}
        return sum(life.wants(offset) for each, life in lives.items() for offset in range(ends[each]))


def run_command(*arguments: str) -> Result:
    return CliRunner().invoke(webhooks, arguments)


def misbehaving(account_number: int) -> Callable[[dict[str, Any], int], Any]:
    """Fails twice, hangs, answers too late, drops the connection: each in its turn, by sequence; and then takes it."""

    async def answer(change: dict[str, Any], before: int) -> web.StreamResponse:
        match (change["sequence"] + account_number) % 5:
            case 0 if before < 2:
                return web.Response(status=500)
            case 1 if before == 0:
                return await hanging(change, before)
            case 2 if before == 0:
                await asyncio.sleep(1.3)  # it has the change, but the sender no longer listens
            case 3 if before == 0:
                raise ConnectionResetError
        return web.Response()

    return answer


class Lived(NamedTuple):
    """What there was at the end of the story."""

    good: Receiver
    bad: Receiver
    good_before_bad: tuple[int, int]  # how many each had taken when the good one had all
    sent_before_kill: list[dict[str, Any]]  # to the bad one, taken, and known to be so
    left_before_kill: int | None
    sent_after_kill: list[dict[str, Any]]
    metrics: Samples
    status: int


@pytest.fixture(scope="module")
def lived(kafka: Connection, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Nine accounts with five changes each. The bad receiver takes nothing until the good one has all; then one account stays stuck."""
    folder = tmp_path_factory.mktemp("webhooks")
    file = folder / "webhooks.yaml"
    places = Places(kafka)
    good, bad = Receiver(), Receiver(behaviour=hanging)
    numbers = {account: number for number, account in enumerate(ACCOUNTS)}
    stuck_until_restart = True

    async def odd(change: dict[str, Any], before: int) -> web.StreamResponse:
        if change["account"] == STUCK:
            return await (failing if stuck_until_restart else taken)(change, before)
        answer: web.StreamResponse = await misbehaving(numbers[change["account"]])(change, before)
        return answer

    async def live() -> Lived:
        nonlocal stuck_until_restart
        await create_environment(kafka, places.environment, partitions=PARTITIONS, clock="wall")
        changes = [tier_change(account, sequence) for sequence in range(1, PER_ACCOUNT + 1) for account in [*ACCOUNTS, STUCK]]
        async with receiving(good, bad):
            said = [{"name": name, "url": each.url, "secret": "HOOK_SECRET", **QUICK} for name, each in (("good", good), ("bad", bad))]
            file.write_text(yaml.safe_dump({"subscriptions": [yaml.safe_load(yaml.safe_dump(each)) for each in said]}))
            await places.append(tier_change("never.example", 1), is_aborted=True)
            await places.append(tier_change("history.example", 1), mode="baseline")
            await places.append(*changes[:20])
            with sending(kafka, places.environment, file) as sender:
                await places.append(*changes[20:])
                await until(lambda: len(good.taken) >= LIVE_CHANGES, sender.said)
                good_before_bad = (len(good.taken), len(bad.taken))
                bad.behaviour = odd
                # All but the stuck account's: known to Kafka too, behind the position that the stuck one holds back
                await until(lambda: _is_left(places, "bad", PER_ACCOUNT), sender.said)
                await until(lambda: _is_left(places, "good", 0), sender.said)
                before, left = list(bad.taken), await places.left("bad")
                sender.kill()
            stuck_until_restart = False
            sent = len(bad.sent)
            with sending(kafka, places.environment, file) as sender:
                await until(lambda: len({each["id"] for each in bad.taken}) >= LIVE_CHANGES, sender.said)
                metrics = await sender.until(lambda samples: total(samples, "mqa_webhook_lag_records") == 0)
                status = sender.stop()
        return Lived(good, bad, good_before_bad, before, left, bad.sent[sent:], metrics, status)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOOK_SECRET", SECRET)
        return asyncio.run(asyncio.wait_for(live(), 120))


async def _is_left(places: Places, name: str, changes: int) -> bool:
    return await places.left(name) == changes


@pytest.mark.parametrize("name", ["good", "bad"])
def test_every_change_is_taken_at_least_once_and_in_the_order_of_its_account(lived: Lived, name: str) -> None:
    receiver: Receiver = getattr(lived, name)
    assert set(receiver.sequences()) == {*ACCOUNTS, STUCK}
    for account, sequences in receiver.sequences().items():
        firsts = list(dict.fromkeys(sequences))
        assert firsts == list(range(1, PER_ACCOUNT + 1)), account
        assert sequences == sorted(sequences), account


def test_an_endpoint_that_hangs_does_not_hold_up_another(lived: Lived) -> None:
    assert lived.good_before_bad == (LIVE_CHANGES, 0)


def test_a_receiver_that_behaves_gets_each_change_once_even_over_a_kill(lived: Lived) -> None:
    assert len(lived.good.sent) == LIVE_CHANGES


def test_after_a_kill_only_what_was_not_delivered_is_sent_though_one_account_held_back_the_position(lived: Lived) -> None:
    assert lived.left_before_kill == PER_ACCOUNT
    assert {each["account"] for each in lived.sent_before_kill} == set(ACCOUNTS)
    assert {each["account"] for each in lived.sent_after_kill} == {STUCK}


def test_what_was_aborted_or_played_is_not_sent(lived: Lived) -> None:
    assert not {"never.example", "history.example"} & {each["account"] for each in lived.good.sent}
    assert lived.good.modes == {"live"}


def test_the_metrics_say_what_became_of_each_change(lived: Lived) -> None:
    def changes(name: str, outcome: str) -> float | None:
        return total(lived.metrics, "mqa_webhook_changes_total", subscription=name, outcome=outcome)

    assert changes("bad", "delivered") == PER_ACCOUNT
    assert (changes("good", "delivered"), changes("good", "parked"), changes("good", "unreadable")) == (0, 0, 0)
    assert total(lived.metrics, "mqa_webhook_waiting") == 0
    assert total(lived.metrics, "mqa_webhook_oldest_undelivered_seconds") == 0


def test_a_sender_that_is_told_to_stop_ends_with_status_0(lived: Lived) -> None:
    assert lived.status == 0
