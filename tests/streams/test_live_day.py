"""A day record that lets thousands of accounts fall at once, judged in slices, survives kills between the slices."""

import asyncio
from pathlib import Path

import msgspec

from engagement.days import iso_instant, midnight
from engagement.events import Family
from streams.connection import Connection
from streams.demo.workers import WorkerProcess
from streams.history.arrivals import Arrival
from streams.history.live import read_state
from streams.history.player import open_player
from streams.identity import partition_of
from streams.reading import reader
from streams.topics import Environment
from tests.streams.histories import FIRST_DAY, PARTITIONS
from tests.streams.live_runs import Live, new_environment, working

ACCOUNTS = 3_000
FALL = FIRST_DAY + 30
"""A demo request alone (100 points, half life 30 days, keep from 60) holds an account in mqa for the 30 days of ``act_now``."""


def demo_requests() -> list[Arrival]:
    at = midnight(FIRST_DAY) + 9 * 3_600_000
    arrivals = []
    for number in range(ACCOUNTS):
        domain = f"account-{number}.example"
        signal = {"id": f"demo-{number}", "kind": "demo_request", "occurred_at": iso_instant(at), "email": f"ann@{domain}"}
        key = domain.encode()
        arrivals.append(Arrival(Family.INTENT_SIGNALS, partition_of(key, PARTITIONS), at, key, msgspec.json.encode(signal)))
    return arrivals


async def slices_under_way(kafka: Connection, environment: Environment) -> bool:
    """Whether some partition has judged a part of the day, and not all of it."""
    async with reader(kafka) as consumer:
        states = [await read_state(consumer, environment, number) for number in range(PARTITIONS)]
    return any(state.position.cursor is not None for state in states)


def test_a_day_on_which_thousands_fall_is_told_once_although_workers_are_killed_in_the_middle_of_it(kafka: Connection, tmp_path: Path):
    environment = new_environment(kafka)
    kills = 0
    with working(kafka, environment, tmp_path, names=("one", "two"), options=("--batch", "25")) as workers:

        async def run() -> None:
            nonlocal kills
            async with open_player(kafka, environment) as player:
                await player.begin(FIRST_DAY)
                await player.receive(demo_requests())
                await player.begin(FALL - 1)
                await player.settle()
                await player.begin(FALL)
                for name in ("one", "two"):
                    while not await slices_under_way(kafka, environment):
                        assert all(worker.status is None for worker in workers.values())
                    workers[name].kill()
                    kills += 1
                    workers[name] = WorkerProcess(kafka, environment, name, folder=tmp_path, options=("--batch", "40"))
                await player.settle()

        asyncio.run(asyncio.wait_for(run(), 120))
    comparison = Live(kafka=kafka, environment=environment).compared()
    assert comparison.holds, "\n".join(comparison.lines())
    assert (kills, comparison.unfolded) == (2, 0)
    assert comparison.live == 2 * ACCOUNTS  # up to mqa at once, and down
