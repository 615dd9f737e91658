"""What the fault runs check of visitors sees what it is there to see: a visit lost, counted twice, or moved by half."""

from collections.abc import Callable

import msgspec
import pytest
from aiokafka.structs import TopicPartition

from engagement.days import iso_instant, midnight
from engagement.events import Family
from engagement.intake import Intake
from engagement.machine import Output, Record, Step
from engagement.records import Signal, decode
from engagement.visitors import is_visitor_key
from streams.connection import Connection
from streams.genesis import create_environment
from streams.identity import make_identity
from streams.person_key import person_key
from streams.reading import read_to_end, reader
from streams.topics import CHANGELOGS, LOG, Environment
from streams.transaction import Row, commit, make_producer, rows_of
from tests.faults.live.fates import Fates, check_fates
from tests.faults.live.load import RULEBOOK
from tests.faults.live.verifier import Verifier

DAY = 20_000
FIRST, SECOND = "one.example", "two.example"
STORY: tuple[dict[str, str], ...] = (
    {"id": "anonymous-0-0", "visitor_id": "v", "url": "/"},
    {"id": "anonymous-0-1", "visitor_id": "passer-by", "url": "/"},
    {"id": "identify-0-2", "visitor_id": "v", "type": "identify", "email": f"p@{FIRST}"},
    {"id": "identify-0-3", "visitor_id": "v", "type": "identify", "email": f"p@{SECOND}"},
)
"""One visit comes to its account late, and moves to another; one waits."""


class World:
    """An environment of one partition that holds the story, and an intake that may commit something else than it should."""

    def __init__(self, kafka: Connection, prefix: str) -> None:
        self._kafka, self._environment = kafka, Environment(prefix)
        self._visits = TopicPartition(self._environment.topic(Family.WEB_VISITS.value), 0)
        self._state = TopicPartition(self._environment.topic(CHANGELOGS["intake"]), 0)

    async def make(self) -> None:
        await create_environment(self._kafka, self._environment, partitions=1, clock="played", rulebook=RULEBOOK)
        at = midnight(DAY)
        async with make_producer(self._kafka, f"{self._environment.prefix}visits") as producer:
            rows: list[Row] = [
                (said["visitor_id"].encode(), msgspec.json.encode(said | {"occurred_at": iso_instant(at)}), (), at) for said in STORY
            ]
            await commit(producer, {self._visits: rows}, {}, self._environment.group)

    async def fold(self, spoilt: Callable[[Step], Step]) -> None:
        families = {self._environment.topic(family.value): family for family in Family}
        key = person_key("played")
        identity = make_identity(partitions=1, secret=key.secret, key_id=key.key_id)
        fold = Intake(families=families, partition=0, rulebook=RULEBOOK, identity=identity)
        async with reader(self._kafka) as consumer, make_producer(self._kafka, f"{self._environment.prefix}worker") as producer:
            records: list[Record] = []
            while not records:  # a commit is acknowledged a moment before it can be read
                records = [record async for batch in read_to_end(consumer, self._visits) for record in batch]
            step = spoilt(fold.step(records, 100))
            await commit(producer, rows_of(step, self._state, self._environment.topic), {}, self._environment.group)

    async def fates(self) -> Fates:
        verifier = Verifier(self._kafka, self._environment, 1)
        await verifier.at_rest()
        return await check_fates(self._kafka, self._environment, 1, verifier.oracle)


@pytest.fixture
async def world(kafka: Connection, prefix: str) -> World:
    made = World(kafka, prefix)
    await made.make()
    return made


def _signals(step: Step) -> list[tuple[Output, Signal]]:
    """What the step counts, in its order: for the first account, out of it, for the second."""
    entries = ((output, decode(output.value or b"")) for output in step.outputs if output.topic == LOG)
    return [(output, entry) for output, entry in entries if isinstance(entry, Signal)]


def _without(step: Step, gone: Output) -> Step:
    return step._replace(outputs=[output for output in step.outputs if output != gone])


def as_it_should(step: Step) -> Step:
    return step


def lost(step: Step) -> Step:
    *_, (last, _) = _signals(step)
    return _without(step, last)


def doubled(step: Step) -> Step:
    *_, (last, _) = _signals(step)
    return step._replace(outputs=[*step.outputs, last])


def half_moved(step: Step) -> Step:
    (undo,) = (output for output, signal in _signals(step) if signal.undo)
    return _without(step, undo)


def credited_to_a_stranger(step: Step) -> Step:
    *_, (last, _) = _signals(step)
    return step._replace(outputs=[output._replace(key=b"stranger.example") if output == last else output for output in step.outputs])


def not_remembered(step: Step) -> Step:
    return step._replace(changelog={key: row for key, row in step.changelog.items() if not is_visitor_key(key)})


async def test_an_intake_that_does_what_it_should_has_no_fault(world: World) -> None:
    await world.fold(as_it_should)
    fates = await world.fates()
    assert (fates.faults, fates.found) == (0, [])
    assert (fates.visits, fates.credited, fates.waiting, fates.undone, fates.identified) == (2, 1, 1, 1, 2)


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [
        (lost, "written by intake, lost: "),
        (lost, "counters, by the events' own word, "),
        (doubled, "written by intake, too many: "),
        (half_moved, "written by intake, lost: "),
        (half_moved, "anonymous-0-0 of v is counted so often: {'one.example': 1, 'two.example': 1}"),
        (credited_to_a_stranger, "anonymous-0-0 of v is counted so often: {'stranger.example': 1}"),
        (not_remembered, "intake/0, 2 visitors, "),
    ],
)
async def test_an_intake_that_does_otherwise_is_found_out(world: World, spoilt: Callable[[Step], Step], told: str) -> None:
    await world.fold(spoilt)
    fates = await world.fates()
    assert fates.faults > 0
    assert any(found.startswith(told) for found in fates.found), fates.found


async def test_visits_that_nobody_read_are_found(world: World) -> None:
    fates = await world.fates()
    assert fates.faults >= len(STORY)
