"""A day record that lets thousands of accounts fall at once, judged in slices, survives kills between the slices."""

import asyncio
from pathlib import Path

from engagement.days import midnight
from streams.connection import Connection
from streams.demo.processes import WorkerProcess
from streams.history.player import open_player
from tests.streams.histories import FIRST_DAY
from tests.streams.live_runs import Live, new_environment, signals_of_persons, slices_under_way, working

ACCOUNTS = 3_000
FALL = FIRST_DAY + 30
"""A demo request alone (100 points, half life 30 days, keep from 60) holds an account in mqa for the 30 days of ``act_now``."""


def test_a_day_on_which_thousands_fall_is_told_once_although_workers_are_killed_in_the_middle_of_it(kafka: Connection, tmp_path: Path):
    environment = new_environment(kafka)
    kills = 0
    with working(kafka, environment, tmp_path, names=("one", "two"), options=("--batch", "25")) as workers:

        async def run() -> None:
            nonlocal kills
            async with open_player(kafka, environment) as player:
                await player.begin(FIRST_DAY)
                await player.receive(signals_of_persons("demo_request", range(ACCOUNTS), midnight(FIRST_DAY) + 9 * 3_600_000))
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
