"""The verifier of the fault runs sees what it is there to see: a tier change lost, told twice, or told otherwise, and another state."""

from collections.abc import Callable

import pytest
from aiokafka.structs import TopicPartition

from engagement.days import midnight
from engagement.machine import Output, Step
from engagement.qualify import Qualify
from engagement.records import Signal, encode
from streams.connection import Connection
from streams.days import append_day
from streams.delivery import EXACTLY_ONCE
from streams.genesis import create_environment
from streams.reading import read_to_end, reader
from streams.topics import CHANGELOGS, LOG, TIER_CHANGES, Environment
from streams.transaction import Row, commit, make_producer, rows_of
from tests.faults.live.verifier import Verdict, Verifier, transactions_ended

DAY = 20_000
ACCOUNTS = ("one.example", "two.example", "three.example")


class World:
    """A log of one partition on which three accounts qualify, and a worker that may commit something else than it should."""

    def __init__(self, kafka: Connection, prefix: str) -> None:
        self._kafka, self._environment = kafka, Environment(prefix)
        self._log = TopicPartition(self._environment.topic(LOG), 0)
        self._state = TopicPartition(self._environment.topic(CHANGELOGS["qualify"]), 0)

    async def make(self) -> None:
        await create_environment(self._kafka, self._environment, partitions=1, clock="played")
        async with make_producer(self._kafka, f"{self._environment.prefix}log") as producer:
            await append_day(producer, self._environment, 1, DAY, EXACTLY_ONCE)
            rows: list[Row] = [(account.encode(), encode(_demo(number)), (), midnight(DAY)) for number, account in enumerate(ACCOUNTS)]
            await commit(producer, {self._log: rows}, {}, self._environment.group)

    async def fold(self, spoilt: Callable[[Step], Step]) -> None:
        await transactions_ended(self._kafka, [self._log])
        fold = Qualify(topic=self._log.topic, partition=0)
        async with reader(self._kafka) as consumer, make_producer(self._kafka, f"{self._environment.prefix}worker") as producer:
            records = [record async for batch in read_to_end(consumer, self._log) for record in batch]
            while len(records) > fold.position.next.get(self._log.topic, 0):
                step = fold.step(records, 100)
                await commit(producer, rows_of(spoilt(step), self._state, self._environment.topic), {}, self._environment.group)
                fold.accept(step)

    async def verdict(self) -> Verdict:
        return await Verifier(self._kafka, self._environment, 1).at_rest()


def _demo(number: int) -> Signal:
    at = midnight(DAY)
    source = ("intent-signals", 0, number, 0)
    return Signal(id=f"d{number}", kind="demo_request", occurred_at=at, received_at=at, person="p", source=source, rulebook="first")


def _changes(step: Step) -> list[Output]:
    return [output for output in step.outputs if output.topic == TIER_CHANGES]


def as_it_should(step: Step) -> Step:
    return step


def told_twice(step: Step) -> Step:
    return step._replace(outputs=[*step.outputs, *_changes(step)[:1]])


def not_told(step: Step) -> Step:
    return step._replace(outputs=[output for output in step.outputs if output not in _changes(step)[:1]])


def told_otherwise(step: Step) -> Step:
    first = _changes(step)[:1]
    return step._replace(
        outputs=[output._replace(value=(output.value or b"") + b" ") if output in first else output for output in step.outputs]
    )


def in_another_state(step: Step) -> Step:
    return step._replace(
        changelog={key: value + b" " if key == b"two.example" and value else value for key, value in step.changelog.items()}
    )


@pytest.fixture
async def world(kafka: Connection, prefix: str) -> World:
    made = World(kafka, prefix)
    await made.make()
    return made


async def test_a_worker_that_does_what_it_should_has_no_fault(world: World) -> None:
    await world.fold(as_it_should)
    verdict = await world.verdict()
    assert (verdict.faults, verdict.found) == (0, [])
    assert (verdict.changes, verdict.accounts) == (3, 3)


@pytest.mark.parametrize(
    ("spoilt", "found"),
    [(told_twice, "double"), (not_told, "lost"), (told_otherwise, "mismatch"), (in_another_state, "states")],
)
async def test_a_worker_that_does_otherwise_is_found_out(world: World, spoilt: Callable[[Step], Step], found: str) -> None:
    await world.fold(spoilt)
    verdict = await world.verdict()
    assert getattr(verdict, found) == 1
    assert verdict.found != []


async def test_log_records_that_nobody_folded_are_found(world: World) -> None:
    verdict = await world.verdict()
    assert (verdict.lost, verdict.unread) == (3, 5)
