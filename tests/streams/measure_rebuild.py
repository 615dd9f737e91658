"""``python -m tests.streams.measure_rebuild [--accounts N] [--projectors N]``: how long profiles take to come back after Redis was flushed.

As docs/profiles.md has it. The accounts are those of a simulated quarter, repeated under other names, with their tier changes. Their rows
are written into an environment's topics directly: no worker has folded them there, but the bytes are what one would have written.
"""

import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import click
import msgspec
from aiokafka.structs import TopicPartition
from redis.asyncio import Redis

from engagement.changes import TierChange
from engagement.machine import Output
from streams.broker.kafka import Kafka
from streams.broker.local import LocalBroker
from streams.connection import Connection
from streams.identity import partition_of
from streams.profiles.redis_store import RedisStore
from streams.topics import TIER_CHANGES, Environment
from streams.transaction import Row, send
from tests.redis_servers import redis_server
from tests.streams.filled import AT_ONCE, new_filled
from tests.streams.histories import PARTITIONS, new_replay, simulated_days
from tests.streams.projections import until_complete
from tests.streams.projectors import ProjectorProcess

SIMULATED = 1_000
DAYS = 90

_decode_change = msgspec.json.Decoder(TierChange).decode


def simulated() -> tuple[dict[bytes, bytes], list[Output], int]:
    """Rows and tier changes of the accounts that are repeated, and the last day."""
    engine, told, today = new_replay(), [], 0
    for day, arrivals in simulated_days(accounts=SIMULATED, days=DAYS):
        told += [*engine.begin(day), *engine.receive(arrivals)]
        today = day
    rows = {key: row for number in range(PARTITIONS) for key, row in engine.log.rows(number).items()}
    return rows, [output for output in told if output.topic == TIER_CHANGES], today


def repeated(rows: dict[bytes, bytes], changes: list[Output], accounts: int) -> Iterator[tuple[bytes, bytes, list[Output]]]:
    """So many accounts: name, row, and tier changes under that name."""
    by_account: dict[bytes | None, list[Output]] = {}
    for output in changes:
        by_account.setdefault(output.key, []).append(output)
    originals = list(rows.items())
    for count in range(accounts):
        key, row = originals[count % len(originals)]
        name = b"%d-%s" % (count // len(originals), key)
        yield name, row, [renamed(output, name) for output in by_account.get(key, ())]


def renamed(output: Output, name: bytes) -> Output:
    change = msgspec.structs.replace(_decode_change(output.value or b""), account=name.decode())
    return output._replace(key=name, value=msgspec.json.encode(change))


async def make(kafka: Connection, environment: Environment, accounts: int) -> tuple[int, int]:
    """Fill the environment; gives bytes of rows, and how many tier changes there are."""
    rows, changes, today = simulated()
    found: dict[int, dict[bytes, bytes]] = {number: {} for number in range(PARTITIONS)}
    told: list[tuple[int, Output]] = []
    for name, row, its in repeated(rows, changes, accounts):
        number = partition_of(name, PARTITIONS)
        found[number][name] = row
        told += [(number, output) for output in its]
    await new_filled(kafka, environment, found, today)
    topic = environment.topic(TIER_CHANGES)
    async with kafka.producer() as producer:
        for at in range(0, len(told), AT_ONCE):
            sent: defaultdict[TopicPartition, list[Row]] = defaultdict(list)
            for number, output in told[at : at + AT_ONCE]:
                sent[TopicPartition(topic, number)].append((output.key, output.value, output.headers, None))
            await send(producer, sent)
    return sum(len(row) for part in found.values() for row in part.values()), len(told)


async def processor_seconds(projectors: Sequence[ProjectorProcess], redis: Redis) -> dict[str, float]:
    """What each has used since it began."""
    said = await redis.info("cpu")
    return {
        "projectors": sum(map(seconds_of, projectors)),
        "Redis": float(said["used_cpu_user"]) + float(said["used_cpu_sys"]),
    }


def seconds_of(projector: ProjectorProcess) -> float:
    """On Linux."""
    user, system = Path(f"/proc/{projector._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@click.command()
@click.option("--accounts", default=100_000, show_default=True)
@click.option("--projectors", default=1, show_default=True)
def measure(accounts: int, projectors: int) -> None:
    """Fill, project, flush, and wait."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with TemporaryDirectory() as name, LocalBroker(Kafka()) as broker, redis_server(Path(name)) as port, ExitStack() as running:
        folder, kafka, environment, redis_url = Path(name), broker.connection, Environment("measured-"), f"redis://127.0.0.1:{port}/0"
        size, changes = asyncio.run(make(kafka, environment, accounts))
        click.echo(f"{accounts:,} accounts, {size / accounts:,.0f} bytes of state each; {changes:,} tier changes")
        processes = [ProjectorProcess(kafka, environment, redis_url, folder / f"{number}.log") for number in range(projectors)]
        for process in processes:
            running.callback(process.end)

        async def run() -> None:
            redis = Redis.from_url(redis_url)
            store = RedisStore(redis, environment.prefix)
            for what in ("first start", "after FLUSHALL"):
                began, before = monotonic(), await processor_seconds(processes, redis)
                await until_complete(kafka, environment, store)
                took, after = monotonic() - began, await processor_seconds(processes, redis)
                used = "".join(f", {who} {after[who] - before[who]:.1f} s of a processor" for who in after)
                click.echo(f"{what}: complete after {took:.1f} s{used}")
                memory = int((await redis.info("memory"))["used_memory"])
                click.echo(f"Redis: {memory / 2**20:,.0f} MB, {memory / accounts:,.0f} bytes an account")
                await redis.flushall()
            await store.aclose()

        asyncio.run(run())


if __name__ == "__main__":
    measure()
