"""The whole way on a real Kafka: whatever happens to the workers, what they told is what a replay of their log tells."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGINT
from typing import NamedTuple

import pytest

from engagement.days import iso_day, midnight
from engagement.events import Family
from engagement.fates import adds_up
from streams.connection import Connection
from streams.demo.processes import WorkerProcess
from streams.history.arrivals import Arrival
from streams.history.player import Compression, open_player
from tests.streams.histories import FIRST_DAY, Days, Scores, new_replay, scores_on, simulated_days
from tests.streams.live_runs import Live, new_environment, play, working

DAYS = 30
KILLED = {FIRST_DAY + 8: ("one", 0.0), FIRST_DAY + 15: ("two", 0.05), FIRST_DAY + 22: ("one", 0.1)}
"""Day -> worker, and how many seconds after the day was to begin: somewhere between its first transaction and its last."""


@pytest.fixture(scope="module")
def days() -> Days:
    return simulated_days(accounts=60, days=DAYS)


class Raw(NamedTuple):
    """What a replay of the raw history gives."""

    fates: dict[str, int]
    scores_by_day: dict[str, Scores]  # at the end of each


@pytest.fixture(scope="module")
def raw(days: Days) -> Raw:
    engine = new_replay()
    by_day: dict[str, Scores] = {}
    for day, arrivals in days:
        engine.begin(day)
        engine.receive(arrivals)
        by_day[iso_day(day)] = scores_on(day, engine.log.states())
    return Raw(engine.fates, by_day)


@pytest.fixture(scope="module")
def killed(kafka: Connection, days: Days, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Two workers, killed (-9) in turn and started again."""
    environment, folder = new_environment(kafka), tmp_path_factory.mktemp("killed")
    with working(kafka, environment, folder, names=("one", "two")) as workers:

        def replace(name: str) -> None:
            workers[name].kill()
            workers[name] = WorkerProcess(kafka, environment, name, folder=folder)

        def kill(day: int) -> None:
            if day in KILLED:
                name, seconds_later = KILLED[day]
                asyncio.get_running_loop().call_later(seconds_later, replace, name)

        play(kafka, environment, days, on_day=kill)
        yield Live(kafka=kafka, environment=environment)


@pytest.mark.parametrize("batch", [10_000, 7])
def test_with_a_worker_killed_live_tier_changes_and_states_equal_the_replay(killed: Live, batch: int) -> None:
    comparison = killed.compared(batch)
    assert comparison.holds, "\n".join(comparison.lines())
    assert comparison.live > 50
    assert comparison.unfolded == 0


def test_with_a_worker_killed_every_event_has_the_fate_it_has_in_a_replay_of_the_raw_history(killed: Live, raw: Raw, days: Days) -> None:
    fates = killed.fates()
    assert fates == raw.fates
    assert adds_up(fates)
    assert fates["in"] + fates["identify"] - fates["derived"] == sum(len(arrivals) for _, arrivals in days)


def test_scores_people_and_fit_of_every_day_equal_those_of_the_raw_history(killed: Live, raw: Raw) -> None:
    live = killed.scores_by_day()
    assert live.keys() == raw.scores_by_day.keys()
    assert [day for day in live if live[day] != raw.scores_by_day[day]] == []


@pytest.mark.parametrize(
    ("names", "batch", "compression"),
    [
        pytest.param(("one",), 7, "none", id="one worker, small steps"),
        pytest.param(("one", "two", "three"), 10_000, "lz4", id="three workers"),
    ],
)
def test_neither_the_number_of_workers_nor_the_size_of_a_step_shows(
    kafka: Connection,
    days: Days,
    raw: Raw,
    tmp_path: Path,
    *,
    names: tuple[str, ...],
    batch: int,
    compression: Compression,
) -> None:
    environment = new_environment(kafka)
    with working(kafka, environment, tmp_path, names=names, options=("--batch", str(batch))) as workers:
        play(kafka, environment, days, compression=compression)
        assert [worker.stop() for worker in workers.values()] == [0] * len(names)
    live = Live(kafka=kafka, environment=environment)
    comparison = live.compared()
    assert comparison.holds, "\n".join(comparison.lines())
    assert comparison.unfolded == 0
    assert live.fates() == raw.fates


def test_a_history_in_parts_each_compressed_by_another_codec_is_the_same_history(
    kafka: Connection, days: Days, raw: Raw, tmp_path: Path
) -> None:
    environment = new_environment(kafka)
    codecs: tuple[Compression, ...] = ("gzip", "snappy", "lz4", "zstd")
    with working(kafka, environment, tmp_path):
        size = -(-len(days) // len(codecs))
        for part, codec in enumerate(codecs):
            play(kafka, environment, days[part * size : (part + 1) * size], compression=codec)
    live = Live(kafka=kafka, environment=environment)
    assert live.compared().holds
    assert live.fates() == raw.fates


def test_input_that_is_all_bad_stops_the_worker_with_one_line(kafka: Connection, tmp_path: Path) -> None:
    environment = new_environment(kafka)
    bad = [Arrival(Family.WEB_VISITS, 0, midnight(FIRST_DAY), b"visitor", b"{") for _ in range(60)]
    with working(kafka, environment, tmp_path, options=("--dead-letter-limit", "50")) as workers:

        async def feed() -> None:
            async with open_player(kafka, environment) as player:
                await player.begin(FIRST_DAY)
                await player.send(bad)

        asyncio.run(feed())
        assert workers["one"].wait(60) == 2
        (line,) = workers["one"].last_words().splitlines()
    assert line.startswith("mqa worker: intake/")
    assert "dead letters" in line
    assert "--dead-letter-limit 0" in line


def test_a_worker_asked_to_stop_while_it_waits_for_a_dead_one_to_leave_the_group_ends_all_the_same(
    kafka: Connection, tmp_path: Path
) -> None:
    environment = new_environment(kafka)
    with working(kafka, environment, tmp_path, names=("one", "two"), options=("--session-timeout", "20")) as workers:
        day: Days = [(FIRST_DAY, [])]
        play(kafka, environment, day)
        workers["one"].kill()
        so_far = workers["two"].last_words().count("rebalancing")  # it may have come before the first
        workers["three"] = WorkerProcess(kafka, environment, "three", folder=tmp_path)  # makes the group wait for the dead one
        while workers["two"].last_words().count("rebalancing") == so_far:
            assert workers["two"].status is None
            time.sleep(0.05)
        assert workers["three"].stop(SIGINT) == 0
