"""On a broker without transactions nothing is lost, and what comes twice is the same to the byte."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka.structs import TopicPartition

from engagement.days import midnight
from engagement.errors import Refused
from engagement.events import Family
from engagement.fates import adds_up
from engagement.intake import Intake
from engagement.machine import Fold, Step
from engagement.qualify import Qualify
from engagement.rulebook import load_rulebook
from streams.activation import activate_rulebook
from streams.connection import Connection
from streams.delivery import AtLeastOnce
from streams.demo.processes import WorkerProcess
from streams.genesis import read_genesis
from streams.going_live import switch_to_wall
from streams.group import Acknowledged, committed_offsets
from streams.history.player import open_player
from streams.identity import make_identity
from streams.person_key import person_key
from streams.reading import read_to_end, reader
from streams.topics import CHANGELOGS, LOG
from streams.transaction import rows_of
from streams.worker.restore import restore
from tests.streams.histories import FIRST_DAY, PARTITIONS, RULEBOOK, new_replay, simulated_days
from tests.streams.live_runs import Live, new_environment, no_transactions, play, signals_of_persons, working


def test_with_a_worker_killed_nothing_is_lost_and_a_repeat_is_the_same_to_the_byte(embedded: Connection, tmp_path: Path) -> None:
    days = simulated_days(accounts=60, days=14)
    environment, raw = new_environment(embedded), new_replay()
    for day, arrivals in days:
        raw.begin(day)
        raw.receive(arrivals)
    with working(embedded, environment, tmp_path) as workers:

        def replace() -> None:
            workers["one"].kill()
            workers["one"] = WorkerProcess(embedded, environment, "one", folder=tmp_path)

        def kill(day: int) -> None:
            if day == FIRST_DAY + 7:
                asyncio.get_running_loop().call_later(0.03, replace)

        play(embedded, environment, days, on_day=kill)
        assert workers["one"].stop() == 0
    live = Live(kafka=embedded, environment=environment)
    comparison = live.compared()
    assert comparison.keeps("at_least_once"), "\n".join(comparison.lines())
    assert comparison.unfolded == 0
    assert comparison.live - comparison.double > 20
    fates = live.fates()
    assert adds_up(fates)
    assert fates["counted"] == raw.fates["counted"]


def test_where_a_worker_that_was_replaced_says_that_less_is_read_the_owner_says_it_again(kafka: Connection, tmp_path: Path) -> None:
    with no_transactions():
        environment = new_environment(kafka)
    group = AtLeastOnce().offsets_group(environment)
    read = {TopicPartition(environment.topic(family.value), number): 0 for family in Family for number in range(PARTITIONS)}

    async def offsets() -> dict[TopicPartition, int]:
        async with kafka.admin() as admin:
            return await committed_offsets(admin, group, read)

    async def say_less() -> None:
        replaced = Acknowledged(kafka, group)
        await replaced.commit(read)
        await replaced.stop()
        assert await offsets() == read

    async def until(due: dict[TopicPartition, int]) -> None:
        async with asyncio.timeout(30):
            while await offsets() != due:  # noqa: ASYNC110 - a broker tells nobody
                await asyncio.sleep(0.1)

    with working(kafka, environment, tmp_path):
        play(kafka, environment, simulated_days(accounts=20, days=2))
        before = asyncio.run(offsets())
        assert before != read
        asyncio.run(say_less())
        asyncio.run(until(before))


class Unit:
    """A unit folded by hand, so that it can die anywhere."""

    def __init__(self, live: Live, role: str, number: int) -> None:
        self._live, self._role, self._number = live, role, number
        self.changelog = TopicPartition(live.environment.topic(CHANGELOGS[role]), number)
        self._topics = [LOG] if role == "qualify" else [family.value for family in Family]

    async def work(self, *, dies: bool = False) -> Step:
        """Restore, fold everything, write it; ``dies``: when its outputs are written and its state is not."""
        fold, environment = self._fold(), self._live.environment
        async with reader(self._live.kafka) as consumer:
            await restore(self._live.kafka, consumer, self.changelog, fold, stale=lambda: False, beside={}, exact=False)
            records = []
            for topic in self._topics:
                source = TopicPartition(environment.topic(topic), self._number)
                records += [record async for batch in read_to_end(consumer, source) for record in batch]
        step = fold.step(records, 10_000)
        assert step.consumed == len(records)
        rows = rows_of(step, self.changelog, environment.topic)
        delivery = AtLeastOnce()
        async with delivery.make_producer(self._live.kafka, "") as producer:
            await delivery.commit(producer, dict(list(rows.items())[:-1]) if dies else rows, {}, environment.group)
        return step

    def _fold(self) -> Fold:
        environment = self._live.environment
        if self._role == "qualify":
            return Qualify(topic=environment.topic(LOG), partition=self._number)
        key = person_key("played")
        return Intake(
            families={environment.topic(family.value): family for family in Family},
            partition=self._number,
            rulebook=RULEBOOK,
            identity=make_identity(partitions=PARTITIONS, secret=key.secret, key_id=key.key_id),
        )


@pytest.fixture
def live(embedded: Connection) -> Live:
    """A day of demo requests, of which nothing is read yet."""
    made = Live(kafka=embedded, environment=new_environment(embedded))

    async def send() -> None:
        async with open_player(embedded, made.environment) as player:
            await player.begin(FIRST_DAY)
            await player.send(signals_of_persons("demo_request", range(20), midnight(FIRST_DAY)))

    asyncio.run(send())
    return made


def units(live: Live, role: str) -> Sequence[Unit]:
    return [Unit(live, role, number) for number in range(PARTITIONS)]


async def everything(live: Live, role: str, *, after_a_death: bool) -> list[Step]:
    if after_a_death:
        for unit in units(live, role):
            await unit.work(dies=True)
    return [await unit.work() for unit in units(live, role)]


def test_what_intake_had_appended_when_it_died_is_appended_again_and_counts_once(live: Live) -> None:
    asyncio.run(everything(live, "intake", after_a_death=True))
    steps = asyncio.run(everything(live, "qualify", after_a_death=False))
    fates = [step.position.fates for step in steps]
    assert sum(fate.get("signals", 0) for fate in fates) == 20
    assert sum(fate.get("repeated", 0) for fate in fates) == 20
    assert live.fates()["counted"] == 20
    assert live.compared().holds


def test_a_tier_change_that_was_told_when_its_teller_died_is_told_again_with_the_same_id(live: Live) -> None:
    asyncio.run(everything(live, "intake", after_a_death=False))
    asyncio.run(everything(live, "qualify", after_a_death=True))
    comparison = live.compared()
    assert (comparison.lost, comparison.different, comparison.gaps, comparison.other_states) == (0, 0, 0, 0)
    assert comparison.double == comparison.live // 2 >= 20
    assert comparison.keeps("at_least_once")
    assert not comparison.holds
    assert f"{comparison.double} came twice" in comparison.lines("at_least_once")[-1]


def test_the_broker_decides_the_promise_and_the_genesis_says_it(embedded: Connection) -> None:
    environment = new_environment(embedded)
    assert asyncio.run(read_genesis(embedded, environment)).delivery == "at_least_once"


def test_an_activation_that_was_killed_can_be_taken_back(live: Live) -> None:
    """It had reached some partitions of the log, and not yet the topic of rulebooks."""
    kafka, environment = live.kafka, live.environment
    genesis = asyncio.run(read_genesis(kafka, environment))
    first = load_rulebook(genesis.rulebook, "the first")
    assert asyncio.run(activate_rulebook(kafka, environment, genesis, first, place="again"))
    asyncio.run(everything(live, "intake", after_a_death=False))
    steps = asyncio.run(everything(live, "qualify", after_a_death=False))
    assert [step.position.fates["activations"] for step in steps] == [1] * PARTITIONS


def test_going_live_is_refused(live: Live) -> None:
    with pytest.raises(Refused, match="has no transactions"):
        asyncio.run(switch_to_wall(live.kafka, live.environment, person_key("played"), midnight(FIRST_DAY + 1)))


def test_a_player_comes_back_to_where_it_was(live: Live) -> None:
    async def again() -> int | None:
        async with open_player(live.kafka, live.environment) as player:
            return player.last_day

    assert asyncio.run(again()) == FIRST_DAY
