"""An API over a store that holds a simulated history, without Kafka: for tests, and by hand.

    python -m tests.streams.served --port 8080

Tokens by hand: ``reader-token-of-tests`` reads, ``people-token-of-tests`` sees names too, ``writer-token-of-tests`` writes.
"""

import argparse
import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import uvicorn
from redis.asyncio import Redis

from engagement.account import decode
from engagement.days import iso_instant, midnight
from engagement.events import AccountUpdate
from engagement.machine import Output
from engagement.profile import profile
from streams.identity import partition_of
from streams.profiles.memory import MemoryStore
from streams.profiles.redis_store import RedisStore
from streams.profiles.store import MOST_OF_BATCH, Account, Batch, Change, Mark, ProfileStore
from streams.serve.app import create_app
from streams.serve.letters import Letter, Source
from streams.serve.server import send_at_once
from streams.serve.serving import Serving
from streams.serve.tokens import Tokens
from streams.serve.updates import Sent
from tests.streams.histories import JUDGE, PARTITIONS, RULEBOOK, new_replay, simulated_days

READER, PEOPLE, WRITER, ALL = (f"{scope}-token-of-tests" for scope in ("reader", "people", "writer", "every"))
TOKENS = f"reader read {READER}\npeople read,people {PEOPLE}\nwriter read,write {WRITER}\nevery read,people,write {ALL}"


@dataclass
class Told:
    """Takes account updates in place of Kafka."""

    updates: list[AccountUpdate] = field(default_factory=list)
    well: bool = True

    async def now(self, rule_day: int) -> int:
        return midnight(rule_day)

    async def send(self, update: AccountUpdate) -> Sent:
        self.updates.append(update)
        return Sent("account-updates", 0, len(self.updates) - 1)

    async def complaint(self) -> str | None:
        return None if self.well else "does not answer"


@dataclass
class SomeLetters:
    """Dead letters in place of Kafka's."""

    letters: Sequence[Letter]

    async def newest(self) -> Sequence[Letter]:
        return self.letters


LETTERS = SomeLetters(
    [
        Letter(
            place=f"{number % PARTITIONS}/{number}",
            reason=reason,
            source=Source(topic=topic, partition=number % PARTITIONS, offset=100 + number),
            received_at=iso_instant(midnight(20_200 - number)),
            retried=number == 3,
            no_retry=None,
            detail=detail,
            key="v-17",
            original='{"id":"e-1","visitor_id":"v-17","url":"<img src=x onerror=alert(1)>"}',
        )
        for number, (reason, topic, detail) in enumerate(
            [
                ("invalid", "account-updates", "account = 'localhost': Input should be a registrable domain"),
                ("malformed_json", "web-visits", "JSON is malformed: invalid character (byte 17)"),
                ("late", "intent-signals", "occurred_at is 40 days before receipt; intake.horizon allows 30 days"),
                ("unknown_kind", "intent-signals", "kind = 'webniar': the rulebook's signals have no such kind"),
            ]
            * 3
        )
    ]
)


async def filled_store(*, accounts: int = 60, days: int = 60) -> MemoryStore:
    """A store that holds what a projector would have put there at the end of a simulated history."""
    store = MemoryStore()
    await fill(store, accounts=accounts, days=days)
    return store


async def fill(store: ProfileStore, *, accounts: int, days: int) -> None:
    """Put a simulated history's accounts and tier changes into an empty store."""
    replay, changes = new_replay(), list[Output]()
    today = 0
    for today, arrivals in simulated_days(accounts=accounts, days=days):
        changes += [*replay.begin(today), *replay.receive(arrivals)]
    for number in range(PARTITIONS):
        rows = {key.decode(): row for key, row in replay.log.rows(number).items()}
        kept = []
        for name, stored in rows.items():
            row = decode(stored)
            kept.append(Account(profile=profile(name, row.state, today, JUDGE), row=stored, applied=row.applied, partition=number))
        as_of = (today, RULEBOOK.version)
        mark = Mark(rule_day=today, rulebook=RULEBOOK.version, refreshed=as_of, is_complete=True, partitions=PARTITIONS)
        told = [
            (output.key.decode(), Change(offset=offset, mode="live", body=output.value))
            for offset, output in enumerate(each for each in changes if _is_of(each, number))
            if output.key is not None and output.value is not None
        ]
        source = f"accounts-changelog/{number}"
        rulebooks = {RULEBOOK.version: RULEBOOK.canonical()}
        await store.take([Batch(source=source, start=0, stop=0, mark=mark, rulebooks=rulebooks)])
        for start, some in _batches(kept):
            await store.take([Batch(source=source, start=start, stop=start + len(some), accounts=some)])
        for start, few in _batches(told):
            await store.take([Batch(source=f"tier-changes/{number}", start=start, stop=start + len(few), changes=few)])


T = TypeVar("T")


def _batches(records: Sequence[T]) -> Iterator[tuple[int, Sequence[T]]]:
    for start in range(0, len(records), MOST_OF_BATCH):
        yield start, records[start : start + MOST_OF_BATCH]


def _is_of(output: Output, partition: int) -> bool:
    return output.key is not None and partition_of(output.key, PARTITIONS) == partition


@contextmanager
def served(serving: Serving, port: int = 0) -> Iterator[str]:
    """Serve until the block ends; gives the address, like ``http://127.0.0.1:41234``."""
    listening = socket.create_server(("127.0.0.1", port))
    send_at_once(listening)
    server = uvicorn.Server(uvicorn.Config(create_app(serving), log_level="warning", access_log=False, server_header=False, lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])), name="served")
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--accounts", type=int, default=300)
    parser.add_argument("--days", type=int, default=92)
    parser.add_argument("--reports", type=Path)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--redis", help="serve what a Redis holds under this address instead, of the environment measured-")
    parser.add_argument("--tokens", action="store_true", help="ask for tokens, see above")
    asked = parser.parse_args()
    store: ProfileStore
    if asked.redis:
        store = RedisStore(Redis.from_url(asked.redis), "measured-")
    else:
        store = asyncio.run(filled_store(accounts=asked.accounts, days=asked.days))
    tokens = Tokens(TOKENS if asked.tokens else "")
    serving = Serving(store=store, tokens=tokens, letters=LETTERS, updates=Told(), reports=asked.reports, rate=asked.rate)
    with served(serving, asked.port) as address:
        print(address, flush=True)  # noqa: T201 - a program
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
