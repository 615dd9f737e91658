"""How fast the API answers beside a worker at work, and what it costs the worker: on this machine, all processes on loopback.

    python -m tests.streams.measure_serving --accounts 100000

Starts Kafka, Redis, a worker, a projector and `mqa serve`; makes so many accounts known; then feeds events at a steady rate, half of the
time with requests to the API and half without, in turns. A worker's latency is from sending an event to reading the tier change that it
caused, as a subscriber does.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import count
from pathlib import Path
from random import Random
from statistics import quantiles
from time import monotonic

import aiohttp
import click
import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from streams.broker.kafka import Kafka
from streams.broker.local import LocalBroker
from streams.connection import Connection
from streams.demo.processes import CommandProcess
from streams.genesis import create_environment
from streams.identity import partition_of
from streams.reading import reader
from streams.topics import TIER_CHANGES, Environment
from tests.redis_servers import free_port, redis_server

PARTITIONS = 4
SIGNALS = "intent-signals"
MARKED = 100
"""Every so many events is a demo request of an account that nobody heard of: an MQA at once."""

TICK = 0.02
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Feed:
    """Events at a steady rate, and when each that makes an MQA was sent."""

    def __init__(self, connection: Connection, environment: Environment, accounts: int) -> None:
        self._connection, self._environment, self._accounts = connection, environment, accounts
        self._random, self._numbers = Random(1), count()
        self.sent: dict[str, float] = {}
        self.latencies: list[tuple[float, float]] = []  # (sent at, seconds)

    def _event(self, account: str, kind: str) -> tuple[bytes, bytes, str]:
        number = next(self._numbers)
        event = {
            "id": f"e-{number}",
            "kind": kind,
            "occurred_at": datetime.now(UTC).isoformat(),
            "email": f"person{self._random.randrange(5)}@{account}",
        }
        return account.encode(), _encode(event), event["id"]

    async def seed(self, producer: AIOKafkaProducer) -> None:
        """Make all accounts known."""
        waiting = []
        for number in range(self._accounts):
            key, value, _ = self._event(f"account-{number}.com", "download")
            waiting.append(await self._send(producer, key, value))
        await asyncio.gather(*waiting)

    async def _send(self, producer: AIOKafkaProducer, key: bytes, value: bytes) -> asyncio.Future[object]:
        topic, partition = self._environment.topic(SIGNALS), partition_of(key, PARTITIONS)
        sending: asyncio.Future[object] = await producer.send(topic, value, key=key, partition=partition)
        return sending

    async def run(self, producer: AIOKafkaProducer, rate: int, seconds: float) -> None:
        """So many events a second, for so long."""
        began, done = monotonic(), 0
        while (passed := monotonic() - began) < seconds:
            while done < passed * rate:
                done += 1
                is_marked = done % MARKED == 0
                account = f"new-{next(self._numbers)}.com" if is_marked else f"account-{self._random.randrange(self._accounts)}.com"
                key, value, event = self._event(account, "demo_request" if is_marked else "page")
                if is_marked:
                    self.sent[event] = monotonic()
                await self._send(producer, key, value)
            await asyncio.sleep(TICK)
        await producer.flush()

    async def listen(self) -> None:
        """Read tier changes as a subscriber does, until cancelled."""
        topic = self._environment.topic(TIER_CHANGES)
        async with reader(self._connection) as consumer:
            partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            consumer.assign(partitions)
            await consumer.seek_to_end()
            while True:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    now = monotonic()
                    for record in records:
                        sent = self.sent.pop(_decode(record.value)["cause"].partition(":")[2], None)
                        if sent is not None:
                            self.latencies.append((sent, now - sent))


@contextmanager
def running(connection: Connection, environment: Environment, folder: Path, settings: dict[str, str], *command: str) -> Iterator[None]:
    """One of our own commands."""
    process = CommandProcess(connection, environment, command, folder / f"{command[0]}.log", settings=settings)
    try:
        yield
    finally:
        process.end()


async def load(address: str, accounts: int, rate: int, seconds: float) -> list[tuple[str, float]]:
    """Ask at a steady rate: lists, accounts, changes; when each was due counts, not when it could be sent."""
    random, answered = Random(2), []

    async def ask(client: aiohttp.ClientSession, due: float) -> None:
        account = f"account-{random.randrange(accounts)}.com"
        what, path = random.choice(
            [
                ("list", "/api/v1/accounts?limit=50"),
                ("list by stage", "/api/v1/accounts?stage=mqa&limit=50"),
                ("account", f"/api/v1/accounts/{account}"),
                ("account", f"/api/v1/accounts/{account}"),
                ("timeline", f"/api/v1/accounts/{account}/timeline"),
                ("changes", "/api/v1/tier-changes?last=20"),
                ("overview", "/api/v1/overview"),
            ]
        )
        async with client.get(path) as response:
            body = await response.read()
        assert response.status == HTTPStatus.OK, f"{path}: {response.status} {body[:200]!r}"
        answered.append((what, monotonic() - due))

    async with aiohttp.ClientSession(address) as client, asyncio.TaskGroup() as asking:
        began = monotonic()
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - monotonic()))
            asking.create_task(ask(client, due))
    return answered


def told(name: str, seconds: list[float]) -> str:
    if len(seconds) < 100:
        return f"{name:<28}{len(seconds):>8}"
    cuts = quantiles(seconds, n=100)
    return f"{name:<28}{len(seconds):>8}{cuts[49] * 1e3:>10.1f}{cuts[94] * 1e3:>10.1f}{cuts[98] * 1e3:>10.1f}{max(seconds) * 1e3:>10.1f}"


async def wait_until_ready(address: str, accounts: int) -> None:
    async with aiohttp.ClientSession(address) as client:
        until = monotonic() + 180
        while monotonic() < until:
            with suppress(aiohttp.ClientError):
                async with client.get("/api/v1/overview") as response:
                    if response.status == HTTPStatus.OK and (await response.json())["accounts"] >= accounts:
                        return
            await asyncio.sleep(0.5)
    raise SystemExit("the profiles are not complete after 180 s")


async def measure(connection: Connection, address: str, environment: Environment, asked: argparse.Namespace) -> None:
    feed = Feed(connection, environment, asked.accounts)
    producer = connection.producer(linger_ms=5, acks="all")
    await producer.start()
    listening = asyncio.create_task(feed.listen())
    try:
        began = monotonic()
        await feed.seed(producer)
        await wait_until_ready(address, asked.accounts)
        click.echo(f"{asked.accounts} accounts known after {monotonic() - began:.1f} s")
        await feed.run(producer, asked.events, 5)  # warm
        alone: list[float] = []
        beside: list[float] = []
        answered: list[tuple[str, float]] = []
        for _ in range(asked.rounds):
            for with_load in (False, True):
                feed.latencies.clear()
                work = [asyncio.create_task(feed.run(producer, asked.events, asked.seconds))]
                if with_load:
                    program = [sys.executable, "-m", "tests.streams.measure_serving", "--only-load", address]
                    options = ["--accounts", str(asked.accounts), "--requests", str(asked.requests), "--seconds", str(asked.seconds)]
                    client = await asyncio.create_subprocess_exec(*program, *options, stdout=asyncio.subprocess.PIPE)
                    out, _ = await client.communicate()
                    assert client.returncode == 0, "the load failed, see above"
                    answered += [tuple(each) for each in _decode(out)]
                await asyncio.gather(*work)
                await asyncio.sleep(2)
                (beside if with_load else alone).extend(seconds for _, seconds in feed.latencies)
                if feed.sent:
                    click.echo(f"{len(feed.sent)} tier changes are still to come")
                    feed.sent.clear()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await producer.stop()
    click.echo(f"{'ms':<28}{'n':>8}{'p50':>10}{'p95':>10}{'p99':>10}{'max':>10}")
    click.echo(told(f"worker, {asked.events} events/s", alone))
    click.echo(told(f"  and {asked.requests} requests/s", beside))
    click.echo(told("API, all", [seconds for _, seconds in answered]))
    for name in sorted({name for name, _ in answered}):
        click.echo(told(f"  {name}", [seconds for each, seconds in answered if each == name]))
    before, after = quantiles(alone, n=100)[98], quantiles(beside, n=100)[98]
    click.echo(f"the worker's p99 is {100 * (after / before - 1):+.0f} % with requests")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--events", type=int, default=2_000, help="a second")
    parser.add_argument("--requests", type=int, default=300, help="a second")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only-load", metavar="ADDRESS")
    asked = parser.parse_args()
    if asked.only_load:
        sys.stdout.buffer.write(_encode(asyncio.run(load(asked.only_load, asked.accounts, asked.requests, asked.seconds))))
        return
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        connection = stack.enter_context(LocalBroker(Kafka())).connection
        redis = stack.enter_context(redis_server(folder))
        environment = Environment("serving-")
        asyncio.run(create_environment(connection, environment, partitions=PARTITIONS, clock="wall"))
        settings = {"REDIS_URL": f"redis://127.0.0.1:{redis}/0", "MQA_PERSON_SECRET": "measured"}
        port = free_port()
        commands = (
            ("worker", "--name", "one", "--port", "-1"),
            ("projector", "--port", "-1"),
            ("serve", "--port", str(port), "--rate", "100000"),
        )
        for command in commands:
            stack.enter_context(running(connection, environment, folder, settings, *command))
        try:
            asyncio.run(measure(connection, f"http://127.0.0.1:{port}", environment, asked))
        except BaseException:
            for log in folder.glob("*.log"):
                click.echo(f"--- {log.name}\n{log.read_text()[-1500:]}", err=True)
            raise


if __name__ == "__main__":
    main()
