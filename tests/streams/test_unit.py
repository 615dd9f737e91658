"""A unit by itself: what it commits, and when it tells the group how far it has read."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.structs import TopicPartition

from engagement.events import Family
from engagement.intake import Intake
from engagement.machine import Fold, PlainRecord
from engagement.qualify import Qualify
from engagement.records import GENESIS_KEY, Day, Genesis, encode
from streams.connection import Connection
from streams.delivery import ExactlyOnce
from streams.identity import make_identity
from streams.person_key import person_key
from streams.topics import LOG, Environment
from streams.transaction import Row
from streams.worker.metrics import Metrics
from streams.worker.transport import Chunk
from streams.worker.unit import Limits, Unit
from tests.streams.histories import RULEBOOK

ENVIRONMENT = Environment("unit-")
SOURCE, SILENT = TopicPartition(ENVIRONMENT.topic(LOG), 0), TopicPartition("silent", 0)


class Commits(ExactlyOnce):
    """Remembers commits in place of making them."""

    def __init__(self) -> None:
        self.made: list[tuple[int, Mapping[TopicPartition, int]]] = []  # rows, offsets

    async def commit(
        self,
        producer: Any,  # noqa: ARG002 - nothing is sent
        rows: Mapping[TopicPartition, Sequence[Row]],
        offsets: Mapping[TopicPartition, int],
        group: str,  # noqa: ARG002 - likewise
    ) -> int:
        self.made.append((sum(map(len, rows.values())), dict(offsets)))
        return 0

    @property
    def told(self) -> list[Mapping[TopicPartition, int]]:
        return [offsets for _, offsets in self.made if offsets]


def unit_of(fold: Fold, role: str, sources: Sequence[TopicPartition], commits: Commits, tell_seconds: float) -> Unit:
    """At work, as `open` leaves it behind what it asks Kafka."""
    unit = Unit(
        (role, 0),
        fold,
        topics=[source.topic for source in sources],
        connection=Connection(bootstrap="127.0.0.1:1"),
        environment=ENVIRONMENT,
        metrics=Metrics(),
        owner=None,  # type: ignore[arg-type]  # nothing goes wrong
        turns=asyncio.Semaphore(1),
        limits=Limits(),
        delivery=commits,
        tell_seconds=tell_seconds,
    )
    unit._task = asyncio.create_task(unit._run())
    unit.admit()
    return unit


async def offer(unit: Unit, source: TopicPartition, offset: int, value: bytes, key: bytes = b"acme.com") -> None:
    """One record, a chunk and a commit by itself."""
    await unit.offer(Chunk(source, [PlainRecord(source.topic, 0, offset, 0, key, value)], offset, offset + 1))
    while unit.positions()[source] <= offset:  # noqa: ASYNC110 - a unit tells nobody
        await asyncio.sleep(0)


async def folded(commits: Commits, *, tell_seconds: float, days: int) -> Unit:
    """A unit that has folded a log of so many days."""
    unit = unit_of(Qualify(topic=SOURCE.topic, partition=0), "qualify", [SOURCE, SILENT], commits, tell_seconds)
    genesis = Genesis(partitions=1, clock="played", day=0, rulebook=RULEBOOK.canonical(), version=RULEBOOK.version)
    for offset, value in enumerate([encode(genesis), *(encode(Day(day=day)) for day in range(1, days))]):
        await offer(unit, SOURCE, offset, value, GENESIS_KEY)
    return unit


async def test_the_group_is_told_now_and_then_and_once_nothing_comes():
    commits = Commits()
    unit = await folded(commits, tell_seconds=0.3, days=50)
    at_work = len(commits.told)
    async with asyncio.timeout(10):
        while not commits.told or commits.told[-1] != {SOURCE: 50, SILENT: 0}:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.01)
    assert at_work < 50 / 2, "not with every commit"
    assert commits.made[-1] == (0, {SOURCE: 50, SILENT: 0}), "by itself, with nothing else to commit"
    made = len(commits.made)
    await asyncio.sleep(0.5)
    await unit.close()
    assert len(commits.made) == made, "nothing new, so nothing to tell"


async def test_where_days_are_played_it_is_told_with_every_commit():
    commits = Commits()
    unit = await folded(commits, tell_seconds=0.0, days=20)
    await asyncio.sleep(0.2)
    assert [offsets for _, offsets in commits.made] == [{SOURCE: offset + 1, SILENT: 0} for offset in range(20)]
    await unit.close()


async def test_an_input_where_nothing_came_stays_where_it_was():
    commits = Commits()
    inputs = [TopicPartition(ENVIRONMENT.topic(family.value), 0) for family in Family]
    families = {source.topic: family for source, family in zip(inputs, Family, strict=True)}
    key = person_key("played")
    identity = make_identity(partitions=1, secret=key.secret, key_id=key.key_id)
    intake = Intake(families=families, partition=0, rulebook=RULEBOOK, identity=identity)
    unit = unit_of(intake, "intake", inputs, commits, 0.0)
    for offset in range(3):
        for source in inputs[:2]:
            await offer(unit, source, offset, b"no event at all")
    await asyncio.sleep(0.2)
    first, second, *rest = ([offsets[source] for offsets in commits.told] for source in inputs)
    assert (first, second) == ([1, 1, 2, 2, 3, 3], [0, 1, 1, 2, 2, 3])
    assert {offset for each in rest for offset in each} == {0}
    await unit.close()


async def test_who_leaves_tells_the_group_where_it_stands():
    commits = Commits()
    unit = await folded(commits, tell_seconds=60.0, days=5)
    assert commits.told == []
    await unit.close()
    assert commits.made[-1] == (0, {SOURCE: 5, SILENT: 0})
