"""``python -m tests.streams.measure_profiles``: what profiles of 100,000 accounts cost in Redis, as docs/profiles.md has it.

Their states and tier changes are those of the simulated quarter's 300 accounts, each under many names, with a score and an owner of its
own. Redis is a server of its own on this machine; what it answers is measured one question after another, from this process.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import click
import msgspec
from redis.asyncio import Redis

from engagement.account import decode
from engagement.days import iso_instant, midnight
from engagement.profile import profile
from streams.profiles.listing import by_score, cursor
from streams.profiles.redis_store import RedisStore
from streams.profiles.store import MOST_OF_BATCH, Account, Batch, Change, ProfileStore, Query
from tests.redis_servers import redis_server
from tests.streams.histories import JUDGE, PARTITIONS, new_replay, simulated_days
from tests.streams.profile_world import ACCOUNTS, CHANGES

MANY = 100_000
OWNERS = 200
AT_ONCE = 40  # batches of a `take`
QUESTIONS = 500


class World:
    """A quarter's accounts and tier changes, under as many names as it takes."""

    def __init__(self) -> None:
        replay, sent = new_replay(), []
        for self.day, arrivals in simulated_days(accounts=300, days=92):
            sent += replay.begin(self.day) + replay.receive(arrivals)
        rows = [(key.decode(), row) for number in range(PARTITIONS) for key, row in replay.log.rows(number).items()]
        self._models = [
            (name, row, [each.value for each in sent if each.key == name.encode() and each.value]) for name, row in rows if "." in name
        ]

    def name(self, number: int) -> str:
        """That of one of the accounts."""
        return f"{number:x}-{self.model(number)}"

    def model(self, number: int) -> str:
        """Whose state it has; some 300 others do."""
        return self._models[number % len(self._models)][0]

    def owner(self, number: int) -> str:
        """Who has it, and some 500 others."""
        return f"owner {number * 7919 % OWNERS}"

    def account(self, number: int, later: int = 0) -> Account:
        """Decoded and profiled, as a projector does it."""
        row = self._models[number % len(self._models)][1]
        made = profile(self.name(number), decode(row).state, self.day, JUDGE)
        own = msgspec.structs.replace(made, score=max(0, made.score - number % 997) + later, owner=self.owner(number))
        return Account(profile=own, row=row, applied=1 + later, partition=0)

    def changes(self) -> Iterator[tuple[str, Change]]:
        """All of them."""
        bodies = ((self.name(number), body) for number in range(MANY) for body in self._models[number % len(self._models)][2])
        return ((name, Change(offset=offset, mode="live", body=body)) for offset, (name, body) in enumerate(bodies))


async def load(store: ProfileStore, source: str, field: str, records: Iterator[Any]) -> None:
    """Hand over records as ``field`` of batches; the next are made while Redis takes those before them."""
    count, taking = 0, asyncio.create_task(store.take([]))
    began, busy = perf_counter(), process_time()
    while some := tuple(islice(records, MOST_OF_BATCH * AT_ONCE)):
        ready = []
        for begin in range(0, len(some), MOST_OF_BATCH):
            content: dict[str, Any] = {field: some[begin : begin + MOST_OF_BATCH]}
            stop = count + len(content[field])
            ready.append(Batch(source=source, start=count, stop=stop, **content))
            count = stop
        await taking
        taking = asyncio.create_task(store.take(ready))
        await asyncio.sleep(0)  # it is sent before the next are made
    await taking
    seconds, busy = perf_counter() - began, process_time() - busy
    click.echo(f"{count:,} {field} in {seconds:.1f} s, {count / seconds:,.0f} a second; this process was busy for {busy:.1f} s")


async def memory_of(client: Redis) -> int:
    """Bytes that Redis uses."""
    return int((await client.info("memory"))["used_memory"])


async def busy_of(client: Redis) -> float:
    """Seconds that Redis has been busy for."""
    cpu = await client.info("cpu")
    return float(cpu["used_cpu_user"] + cpu["used_cpu_sys"])


async def measure(client: Redis) -> None:
    world, store = World(), RedisStore(client, "measured-")

    async def loaded(topic: str, field: str, records: Iterator[Any]) -> None:
        memory, busy = await memory_of(client), await busy_of(client)
        await load(store, f"{topic}/0", field, records)
        more = (await memory_of(client) - memory) / MANY / 1e3
        click.echo(f"  Redis was busy for {await busy_of(client) - busy:.1f} s, and has {more:.2f} kB more for each of {MANY:,} accounts")

    async def ask(what: str, question: Callable[[int], Awaitable[object]]) -> None:
        rng, times = Random(11), []
        redis, own = await busy_of(client), process_time()
        for _ in range(QUESTIONS):
            number = rng.randrange(MANY)
            began = perf_counter()
            await question(number)
            times.append((perf_counter() - began) * 1e3)
        own, redis = process_time() - own, await busy_of(client) - redis
        median, late = (sorted(times)[QUESTIONS * share // 100] for share in (50, 99))
        busy = f"busy for it: Redis {redis / QUESTIONS * 1e3:.2f} ms, this process {own / QUESTIONS * 1e3:.2f} ms"
        click.echo(f"{what}: {median:.2f} ms, 99 of 100 within {late:.2f} ms; {busy}")

    began = process_time()
    accounts = [world.account(number) for number in range(MANY)]
    click.echo(f"to make the profiles alone: {process_time() - began:.1f} s")
    await loaded(ACCOUNTS, "accounts", iter(accounts))
    await loaded(CHANGES, "changes", world.changes())
    await loaded(f"{ACCOUNTS}-anew", "accounts", (world.account(number, later=1) for number in range(MANY)))

    day = iso_instant(midnight(world.day - 7))
    for what, query in (
        ("one facet", lambda number: Query(owner=world.owner(number))),
        ("one facet of 10,000s", lambda _: Query(rungs={"stage": "engaged"})),
        ("three facets", lambda number: Query(rungs={"stage": "engaged", "tier": "tier_3"}, owner=world.owner(number))),
        ("two facets and a range of scores", lambda _: Query(rungs={"stage": "engaged", "tier": "tier_3"}, least_score=20_000)),
        ("newest changes of one owner since a week", lambda number: Query(owner=world.owner(number), order="changed", changed_since=day)),
        ("a page anywhere", lambda number: Query(after=cursor("score", by_score(number) + b"a"))),
        ("text of one account", lambda number: Query(text=world.name(number))),
        ("text of 325 accounts", lambda number: Query(text=world.model(number))),
    ):
        await ask(f"find, {what}", lambda number, query=query: store.find(query(number)))  # type: ignore[misc]  # a default has no type
    await ask("account", lambda number: store.account(world.name(number)))
    await ask("timeline", lambda number: store.timeline(world.name(number)))
    await ask("changes, 100 from anywhere", lambda number: store.changes({0: number}, 100))
    await ask("overview", lambda _: store.overview())
    await store.aclose()


async def main() -> None:
    with TemporaryDirectory() as folder, redis_server(Path(folder)) as port:
        await measure(Redis(port=port))


if __name__ == "__main__":
    asyncio.run(main())
