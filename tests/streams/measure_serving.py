"""How fast the API answers beside a worker at work, and what it costs the worker: on this machine, all processes on loopback.

    python -m tests.streams.measure_serving --rounds 5

Starts Kafka, Redis, a worker, a projector and `mqa serve`; makes so many accounts known; then feeds events at a steady rate, half of the
time with requests to the API and half without, in turns: a machine that is shared with others is quick for some seconds and slow for some,
so that one half is compared with its neighbour, and the median counts. A worker's latency is from sending an event to reading the tier
change that it caused, as a subscriber does.
"""

import argparse
import asyncio
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import chain, count
from pathlib import Path
from random import Random
from statistics import median, quantiles
from time import monotonic

import aiohttp
import click
import confluent_kafka
import msgspec
import uvloop
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
        self._producer = confluent_kafka.Producer({"bootstrap.servers": connection.bootstrap, "linger.ms": 5, "acks": "all"})
        self._topic = environment.topic(SIGNALS)
        self._random, self._numbers = Random(1), count()
        self.sent: dict[str, float] = {}
        self.latencies: list[tuple[float, float]] = []  # (sent at, seconds)

    def _send(self, account: str, kind: str) -> str:
        event = f"e-{next(self._numbers)}"
        person = f"person{self._random.randrange(5)}@{account}"
        value = _encode({"id": event, "kind": kind, "occurred_at": datetime.now(UTC).isoformat(), "email": person})
        key = account.encode()
        while True:
            try:
                self._producer.produce(self._topic, value, key, partition_of(key, PARTITIONS))
            except BufferError:
                self._producer.poll(TICK)
            else:
                return event

    def seed(self) -> None:
        """Make all accounts known."""
        for number in range(self._accounts):
            self._send(f"account-{number}.com", "download")
        self._producer.flush()

    async def run(self, rate: int, seconds: float) -> None:
        """So many events a second, for so long."""
        began, done = monotonic(), 0
        while (passed := monotonic() - began) < seconds:
            while done < passed * rate:
                done += 1
                if done % MARKED == 0:
                    self.sent[self._send(f"new-{next(self._numbers)}.com", "demo_request")] = monotonic()
                else:
                    self._send(f"account-{self._random.randrange(self._accounts)}.com", "page")
            self._producer.poll(0)
            await asyncio.sleep(TICK)
        self._producer.flush()

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


ASKED = {  # kind of request -> its share, and its paths
    "list": (1, "/api/v1/accounts?limit=50"),
    "list by stage": (1, "/api/v1/accounts?stage=mqa&limit=50"),
    "account": (2, "/api/v1/accounts/{account}"),
    "timeline": (1, "/api/v1/accounts/{account}/timeline"),
    "changes": (1, "/api/v1/tier-changes?last=20"),
    "overview": (1, "/api/v1/overview"),
}
PERIOD = 0.2
"""Seconds from one request of a connection to its next: an answer that takes longer holds that one up, and is rare."""


class Load:
    """Requests at a steady rate, of h2load: it takes next to no processor, as if whoever asks were on a machine of their own."""

    def __init__(self, address: str, folder: Path, asked: argparse.Namespace) -> None:
        self._address, self._folder, self._asked, self._random = address, folder, asked, Random(2)
        self._running: dict[str, asyncio.subprocess.Process] = {}

    async def start(self) -> None:
        """One process for each kind of request; its connections begin one after another, spread over a period."""
        shares = sum(share for share, _ in ASKED.values())
        for kind, (share, path) in ASKED.items():
            rate = self._asked.requests * share / shares
            connections = max(1, round(rate * PERIOD))
            addresses = (
                self._address + path.format(account=f"account-{self._random.randrange(self._asked.accounts)}.com") for _ in range(2_000)
            )
            self._file(kind, "asked").write_text("\n".join(addresses) + "\n")
            self._file(kind, "told").unlink(missing_ok=True)
            arguments = {
                "-i": self._file(kind, "asked"),
                "-n": int(rate * self._asked.seconds),
                "-c": connections,
                "-r": 1,  # connections in each
                "--rate-period": f"{1_000 * PERIOD / connections:.0f}ms",
                "--rps": rate / connections,
                "--log-file": self._file(kind, "told"),
            }
            said = [str(part) for argument in arguments.items() for part in argument]
            self._running[kind] = await asyncio.create_subprocess_exec("h2load", "--h1", *said, stdout=asyncio.subprocess.DEVNULL)

    async def finish(self) -> list[tuple[str, float]]:
        """Wait until all is asked; gives what was asked and the seconds that each took."""
        answered: list[tuple[str, float]] = []
        for kind, process in self._running.items():
            assert await process.wait() == 0, f"h2load ({kind}) ended with {process.returncode}"
            lines = [line.split() for line in self._file(kind, "told").read_text().splitlines()]  # began, status, microseconds
            failed = [status for _, status, _ in lines if status != "200"]
            assert not failed, f"{kind}: {len(failed)} of {len(lines)} were answered with {failed[0]}"
            answered += [(kind, int(took) / 1e6) for _, _, took in lines]
        return answered

    def _file(self, kind: str, what: str) -> Path:
        return self._folder / f"{kind.replace(' ', '-')}.{what}"


def told(name: str, seconds: list[float]) -> str:
    if len(seconds) < 100:
        return f"{name:<28}{len(seconds):>8}"
    cuts = quantiles(seconds, n=100)
    return f"{name:<28}{len(seconds):>8}{cuts[49] * 1e3:>10.1f}{cuts[94] * 1e3:>10.1f}{cuts[98] * 1e3:>10.1f}{max(seconds) * 1e3:>10.1f}"


async def wait_until_ready(address: str, accounts: int) -> None:
    async with aiohttp.ClientSession(address) as client:
        until = monotonic() + 240
        while monotonic() < until:
            with suppress(aiohttp.ClientError):
                async with client.get("/api/v1/overview") as response:
                    if response.status == HTTPStatus.OK and (await response.json())["accounts"] >= accounts:
                        return
            await asyncio.sleep(0.5)
    raise SystemExit("the profiles are not complete after 180 s")


async def measure(connection: Connection, load: Load, address: str, environment: Environment, asked: argparse.Namespace) -> None:
    feed = Feed(connection, environment, asked.accounts)
    listening = asyncio.create_task(feed.listen())
    try:
        began = monotonic()
        feed.seed()
        await wait_until_ready(address, asked.accounts)
        click.echo(f"{asked.accounts} accounts known after {monotonic() - began:.1f} s")
        await feed.run(asked.events, 30)  # Java and accounts of which nothing is known yet: warm
        alone: list[list[float]] = []  # of each round
        beside: list[list[float]] = []
        answered: list[tuple[str, float]] = []
        for number in range(asked.rounds):
            for with_load in (False, True) if number % 2 else (True, False):
                feed.latencies.clear()
                if with_load:
                    await load.start()
                work = asyncio.create_task(feed.run(asked.events, asked.seconds))
                if with_load:
                    answered += await load.finish()
                await work
                await asyncio.sleep(2)
                (beside if with_load else alone).append([seconds for _, seconds in feed.latencies])
                if feed.sent:
                    click.echo(f"{len(feed.sent)} tier changes are still to come")
                    feed.sent.clear()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    click.echo(f"{'ms':<28}{'n':>8}{'p50':>10}{'p95':>10}{'p99':>10}{'max':>10}")
    click.echo(told(f"worker, {asked.events} events/s", [*chain(*alone)]))
    click.echo(told(f"  and {asked.requests} requests/s", [*chain(*beside)]))
    click.echo(told("API, all", [seconds for _, seconds in answered]))
    for name in sorted({name for name, _ in answered}):
        click.echo(told(f"  {name}", [seconds for each, seconds in answered if each == name]))
    pairs = [(p99(before), p99(after)) for before, after in zip(alone, beside, strict=True)]
    rises = sorted(100 * (after / before - 1) for before, after in pairs)
    click.echo(f"the worker's p99 by round, without and with requests: {', '.join(f'{a * 1e3:.0f} {b * 1e3:.0f}' for a, b in pairs)}")
    click.echo(f"it rises by {median(rises):+.0f} % (median; from {rises[0]:+.0f} to {rises[-1]:+.0f})")


def p99(seconds: list[float]) -> float:
    return quantiles(seconds, n=100)[98]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=2_000, help="a second")
    parser.add_argument("--requests", type=int, default=300, help="a second")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    if shutil.which("h2load") is None:
        raise SystemExit("`h2load` is not on the path; install it with `sudo apt-get install nghttp2-client` (macOS: brew install nghttp2)")
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
            address = f"http://127.0.0.1:{port}"
            uvloop.run(measure(connection, Load(address, folder, asked), address, environment, asked))
        except BaseException:
            for log in folder.glob("*.log"):
                click.echo(f"--- {log.name}\n{log.read_text()[-1500:]}", err=True)
            raise


if __name__ == "__main__":
    main()
