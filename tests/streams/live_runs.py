"""Histories played through real workers on a real Kafka, and what came of them."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from unittest.mock import AsyncMock, patch
from uuid import uuid4

import msgspec
from aiokafka.structs import TopicPartition

from engagement.days import iso_day, iso_instant
from engagement.events import Family
from engagement.machine import Record
from engagement.records import DAY_KEY, Day, decode
from streams.connection import Connection
from streams.delivery import AtLeastOnce
from streams.demo.processes import WorkerProcess
from streams.genesis import create_environment
from streams.history.arrivals import Arrival
from streams.history.compare import Comparison
from streams.history.engine import BATCH, LogReplay
from streams.history.live import compare_log, read_intake_fates, read_state
from streams.history.play import play_days
from streams.history.player import Compression, open_player
from streams.identity import partition_of
from streams.reading import read_to_end, reader
from streams.topics import LOG, Environment
from tests.streams.histories import PARTITIONS, Days, Scores, scores_on


def new_environment(kafka: Connection) -> Environment:
    environment = Environment(f"test-{uuid4().hex[:12]}-")
    asyncio.run(create_environment(kafka, environment, partitions=PARTITIONS, clock="played"))
    return environment


@contextmanager
def no_transactions() -> Iterator[None]:
    """What is created meanwhile is created as on a broker that has none."""
    with patch("streams.genesis.ask_broker", AsyncMock(return_value=AtLeastOnce())):
        yield


@contextmanager
def working(
    kafka: Connection, environment: Environment, folder: Path, *, names: Sequence[str] = ("one",), options: Sequence[str] = ()
) -> Iterator[dict[str, WorkerProcess]]:
    """Workers by name; a test may put another in a killed one's place. All of them have ended when the block has."""
    workers: dict[str, WorkerProcess] = {}
    with ExitStack() as stack:

        @stack.callback
        def end_all() -> None:
            for worker in workers.values():
                worker.end()

        for name in names:
            workers[name] = WorkerProcess(kafka, environment, name, folder=folder, options=options)
        yield workers


def play(
    kafka: Connection,
    environment: Environment,
    days: Days,
    *,
    compression: Compression = "none",
    on_day: Callable[[int], None] | None = None,
) -> None:
    """Play days to their end; ``on_day`` is called with a day that is about to begin."""

    def told() -> Iterator[tuple[int, list[Arrival]]]:
        for day, arrivals in days:
            if on_day is not None:
                on_day(day)
            yield day, arrivals

    async def run() -> None:
        async with open_player(kafka, environment, compression=compression) as player:
            await play_days(player, told(), advance=lambda *_: None)

    asyncio.run(run())


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """An environment after its play, read by independent consumers."""

    kafka: Connection
    environment: Environment

    def compared(self, batch: int = BATCH) -> Comparison:
        _, comparison = asyncio.run(compare_log(self.kafka, self.environment, PARTITIONS, lambda _: None, batch=batch))
        return comparison

    def fates(self) -> dict[str, int]:
        return asyncio.run(read_intake_fates(self.kafka, self.environment, PARTITIONS))

    def scores_by_day(self) -> dict[str, Scores]:
        """Day -> the scores at its end, from a replay of the log."""
        by_day: dict[str, Scores] = {}

        async def run() -> None:
            async with reader(self.kafka) as consumer:
                for number in range(PARTITIONS):
                    partition = TopicPartition(self.environment.topic(LOG), number)
                    records = [record async for batch in read_to_end(consumer, partition) for record in batch]
                    self._score(number, records, by_day)

        asyncio.run(run())
        return by_day

    def _score(self, number: int, records: Sequence[Record], by_day: dict[str, Scores]) -> None:
        replay = LogReplay(partitions=PARTITIONS, topic=self.environment.topic(LOG))
        days = [at for at, record in enumerate(records) if record.key == DAY_KEY]
        replayed = 0
        for begins, ends in pairwise(days):
            replay.fold(number, records[replayed:ends])
            replayed = ends
            day = _day(records[begins])
            by_day.setdefault(iso_day(day), {}).update(scores_on(day, replay.states()))


def _day(record: Record) -> int:
    assert record.value is not None
    entry = decode(record.value)
    assert isinstance(entry, Day)
    return entry.day


def signals_of_persons(kind: str, accounts: range, at: int) -> list[Arrival]:
    """One signal of this kind, of a person and at this instant, for each of these accounts."""
    arrivals = []
    for number in accounts:
        domain = f"account-{number}.example"
        signal = {"id": f"{kind}-{number}", "kind": kind, "occurred_at": iso_instant(at), "email": f"ann@{domain}"}
        key = domain.encode()
        arrivals.append(Arrival(Family.INTENT_SIGNALS, partition_of(key, PARTITIONS), at, key, msgspec.json.encode(signal)))
    return arrivals


async def slices_under_way(kafka: Connection, environment: Environment) -> bool:
    """Whether some partition has judged a part of its accounts for a day or an activation, and not all of them."""
    async with reader(kafka) as consumer:
        states = [await read_state(consumer, environment, number) for number in range(PARTITIONS)]
    return any(state.position.cursor is not None for state in states)
