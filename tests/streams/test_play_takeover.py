"""``mqa play`` beside another one, as a person meets it: who is refused, who goes on, and that it takes one line to say so."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from streams.connection import Connection
from streams.history.player import open_player
from streams.history.simulate import simulate_history
from streams.topics import Environment
from tests.streams.histories import FIRST_DAY
from tests.streams.live_runs import new_environment, working


def start_play(kafka: Connection, environment: Environment, history: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "streams", "play", str(history), "--bootstrap", kafka.bootstrap, "--prefix", environment.prefix]
    return subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.usefixtures("fenced_producers")
def test_the_same_history_again_is_refused_and_another_that_goes_on_takes_over(kafka: Connection, tmp_path: Path) -> None:
    environment, history = new_environment(kafka), tmp_path / "history.jsonl"
    history.write_bytes(b"".join(simulate_history(accounts=3, days=60, start_day=FIRST_DAY, seed=3)))

    async def reached(day: int) -> None:
        async with open_player(kafka, environment) as onlooker:
            while onlooker.last_day is None or onlooker.last_day < day:
                assert first.poll() is None
                await onlooker.look_at_clock()

    async def take_over() -> None:
        async with open_player(kafka, environment) as player:
            await player.begin(FIRST_DAY + 90)

    with working(kafka, environment, tmp_path), start_play(kafka, environment, history, "--days-per-second", "5") as first:
        try:
            asyncio.run(reached(FIRST_DAY + 1))
            with start_play(kafka, environment, history) as second:
                _, told = second.communicate(timeout=60)
            assert (second.returncode, told.count("\n")) == (2, 1)
            assert "time does not go back" in told
            asyncio.run(asyncio.wait_for(reached(FIRST_DAY + 5), 60))
            asyncio.run(take_over())
            _, told = first.communicate(timeout=60)
        finally:
            first.kill()
    assert (first.returncode, told.count("\n")) == (2, 1)
    assert told.startswith(f"mqa: environment '{environment.prefix}': another `mqa play` has taken over")
