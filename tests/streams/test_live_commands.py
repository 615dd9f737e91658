"""``mqa play`` and ``mqa replay --log`` as a person types them."""

import asyncio
import json
from pathlib import Path
from typing import NamedTuple

import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner, Result

from streams.connection import Connection
from streams.history.play import play
from streams.history.replay import replay
from streams.history.simulate import simulate_history
from streams.topics import TIER_CHANGES, Environment
from tests.streams.histories import FIRST_DAY
from tests.streams.live_runs import new_environment, working


class Played(NamedTuple):
    kafka: Connection
    environment: Environment
    history: Path
    outcome: Result

    def replay(self, *options: str) -> Result:
        where = ["--log", "--prefix", self.environment.prefix, "--bootstrap", self.kafka.bootstrap]
        return CliRunner().invoke(replay, [*where, *options], catch_exceptions=False)


@pytest.fixture(scope="module")
def played(kafka: Connection, tmp_path_factory: pytest.TempPathFactory) -> Played:
    environment, folder = new_environment(kafka), tmp_path_factory.mktemp("played")
    history = folder / "history.jsonl"
    history.write_bytes(b"".join(simulate_history(accounts=5, days=25, start_day=FIRST_DAY, seed=3)))
    with working(kafka, environment, folder):
        where = ["--prefix", environment.prefix, "--bootstrap", kafka.bootstrap]
        outcome = CliRunner().invoke(play, [str(history), *where, "--quiet-days", "30"], catch_exceptions=False)
    return Played(kafka, environment, history, outcome)


def test_a_play_ends_with_one_line_of_counts(played: Played) -> None:
    events = len(played.history.read_bytes().splitlines())
    (line,) = played.outcome.stdout.splitlines()
    assert line.startswith(f"played {events:,} events of 25 days into environment '{played.environment.prefix}'")
    assert line.endswith("it is 2025-02-25 there")


def test_quiet_days_let_accounts_fall(played: Played) -> None:
    changes = [json.loads(line) for line in played.replay().stdout.splitlines()]
    assert any(change["reason"] == "silence" for change in changes)


def test_a_comparison_that_holds_ends_with_status_0(played: Played) -> None:
    compared = played.replay("--compare")
    assert compared.exit_code == 0
    first, second = compared.stdout.splitlines()
    assert first.endswith("tier changes; 0 lost, 0 double, 0 different")
    assert second.endswith("account states, 0 different")


def test_a_tier_change_that_no_log_record_explains_is_found_shown_and_ends_with_status_1(played: Played) -> None:
    whole = played.replay().stdout.splitlines()
    forged = json.loads(whole[0]) | {"id": "forged", "sequence": 99}

    async def forge() -> None:
        async with AIOKafkaProducer(**played.kafka.client_options()) as producer:
            await producer.send_and_wait(
                played.environment.topic(TIER_CHANGES),
                json.dumps(forged).encode(),
                key=forged["account"].encode(),
                partition=0,  # where the replay's first change is
                headers=[("mqa-log", b"0/0")],
            )

    asyncio.run(forge())
    compared = played.replay("--compare")
    assert compared.exit_code == 1
    assert f"live {len(whole) + 1} ≠ replay {len(whole)}" in compared.stdout
    assert "1 different" in compared.stdout
    assert f"of {forged['account']}:\n  live   " in compared.stdout
