"""``python -m tests.streams.measure_api``: how quickly the API answers over 100,000 accounts in Redis, and at what cost.

Accounts have the states and tier changes of a simulated quarter's, each under many names. Redis, the server and this client are processes
of their own on this machine. Requests leave at fixed instants, however late the answers to those before are (no coordinated omission).
"""

import asyncio
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter

import aiohttp
import click
import msgspec
from redis.asyncio import Redis

from engagement.account import decode
from engagement.profile import profile
from streams.profiles.redis_store import RedisStore
from streams.profiles.store import MOST_OF_BATCH, Account, Batch, Change, Mark
from tests.redis_servers import redis_server
from tests.streams.histories import JUDGE, PARTITIONS, RULEBOOK, new_replay, simulated_days

OWNERS = 200
STAGES = ("watch", "engaged", "mqa", "accepted")
CONNECTIONS = 64
TICKS = os.sysconf("SC_CLK_TCK")


class World:
    """Accounts under as many names as it takes."""

    def __init__(self, many: int) -> None:
        replay, sent = new_replay(), []
        for self.day, arrivals in simulated_days(accounts=300, days=92):
            sent += [*replay.begin(self.day), *replay.receive(arrivals)]
        bodies: dict[bytes | None, list[bytes]] = defaultdict(list)
        for output in sent:
            bodies[output.key].append(output.value or b"")
        rows = [(key, row) for number in range(PARTITIONS) for key, row in replay.log.rows(number).items()]
        self._models = [(profile(key.decode(), decode(row).state, self.day, JUDGE), row, bodies[key]) for key, row in rows]
        self.many = many

    def name(self, number: int) -> str:
        return f"n{number:x}-{self._models[number % len(self._models)][0].account}"

    async def put_into(self, store: RedisStore) -> None:
        mark = Mark(rule_day=self.day, rulebook=RULEBOOK.version, refreshed=(self.day, RULEBOOK.version), is_complete=True)
        books = {RULEBOOK.version: RULEBOOK.canonical()}
        await store.take([Batch(source="accounts-changelog/0", start=0, stop=0, mark=mark, rulebooks=books)])
        numbers, count, told = iter(range(self.many)), 0, 0
        while some := list(islice(numbers, MOST_OF_BATCH)):
            accounts = [self._account(number) for number in some]
            changes: list[tuple[str, Change]] = []
            for number in some:
                for body in self._models[number % len(self._models)][2][-2:]:
                    changes.append((self.name(number), Change(offset=told + len(changes), mode="live", body=body)))
            batches = [Batch(source="accounts-changelog/0", start=count, stop=count + len(accounts), accounts=accounts)]
            for begin in range(0, len(changes), MOST_OF_BATCH):
                few = changes[begin : begin + MOST_OF_BATCH]
                batches.append(Batch(source="tier-changes/0", start=told, stop=told + len(few), changes=few))
                told += len(few)
            await store.take(batches)
            count += len(accounts)

    def _account(self, number: int) -> Account:
        model, row, _ = self._models[number % len(self._models)]
        own = msgspec.structs.replace(
            model, account=self.name(number), score=max(0, model.score - number % 997), owner=f"owner {number % OWNERS}"
        )
        return Account(profile=own, row=row, applied=1, partition=0)


def _request(world: World, random: Random) -> tuple[str, str]:
    """What to call it, and its path."""
    name = world.name(random.randrange(world.many))
    return random.choices(
        (
            ("list by stage", f"/accounts?stage={random.choice(STAGES)}"),
            ("list by owner and stage", f"/accounts?owner=owner+{random.randrange(OWNERS)}&stage=engaged"),
            ("list, newest changes", "/accounts?sort=changed&limit=20"),
            ("one account", f"/accounts/{name}"),
            ("its trend", f"/accounts/{name}/trend"),
            ("its timeline", f"/accounts/{name}/timeline"),
            ("tier changes", "/tier-changes?last=20"),
            ("overview", "/overview"),
        ),
        (20, 15, 5, 25, 10, 10, 10, 5),
    )[0]


async def _ask(address: str, world: World, rate: int, seconds: float) -> dict[str, list[float]]:
    """Milliseconds of each kind of request, from when it was to leave."""
    times: dict[str, list[float]] = defaultdict(list)
    random, tasks = Random(5), []
    async with aiohttp.ClientSession(address, connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:

        async def one(what: str, path: str, due: float) -> None:
            async with session.get(f"/api/v1{path}") as answer:
                await answer.read()
                assert answer.status == 200, (path, answer.status)
            times[what].append((perf_counter() - due) * 1e3)

        began = perf_counter()
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - perf_counter()))
            tasks.append(asyncio.create_task(one(*_request(world, random), due)))
        await asyncio.gather(*tasks)
    return times


@contextmanager
def _server(redis_url: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "tests.streams.served", "--port", "0", "--rate", "1000000", "--redis", redis_url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process
    finally:
        process.terminate()
        process.wait(20)


def _busy(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _line(what: str, times: list[float]) -> str:
    times.sort()
    return f"{what:24} {len(times):6}  p50 {times[len(times) // 2]:6.1f} ms  p99 {times[len(times) * 99 // 100]:6.1f} ms"


@click.command()
@click.option("--accounts", default=100_000, show_default=True)
@click.option("--rate", default=300, show_default=True, help="Requests a second.")
@click.option("--seconds", default=20.0, show_default=True)
def main(accounts: int, rate: int, seconds: float) -> None:
    """Fill a Redis, start a server, ask."""
    world = World(accounts)
    with TemporaryDirectory() as folder, redis_server(Path(folder)) as port:
        url, began = f"redis://127.0.0.1:{port}/0", perf_counter()

        async def fill() -> None:
            store = RedisStore(Redis.from_url(url), "measured-")
            await world.put_into(store)
            await store.aclose()

        asyncio.run(fill())
        click.echo(f"{accounts:,} accounts in Redis after {perf_counter() - began:.0f} s; load of this machine {os.getloadavg()[0]:.1f}")
        with _server(url) as (address, process):
            asyncio.run(_ask(address, world, rate, 2))  # rulebooks are compiled, connections are open
            busy = _busy(process.pid)
            times = asyncio.run(_ask(address, world, rate, seconds))
            busy = _busy(process.pid) - busy
    for what, each in sorted(times.items()):
        click.echo(_line(what, each))
    everything = [time for each in times.values() for time in each]
    click.echo(_line(f"all, {rate} a second", everything))
    click.echo(f"the server was busy for {busy / len(everything) * 1e3:.2f} ms a request; load now {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
