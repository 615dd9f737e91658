"""Visitors on a real Kafka: whoever they turn out to be, and whoever is forgotten, live, history and log say the same."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from click.testing import CliRunner, Result

from engagement.days import parse_day
from engagement.rulebook import load_rulebook
from streams.connection import Connection
from streams.genesis import create_environment
from streams.history.engine import HistoryReplay
from streams.history.lines import encode_line
from streams.history.play import play
from streams.history.replay import replay
from streams.identity import make_identity
from streams.person_key import person_key
from streams.topics import Environment
from tests.streams.histories import PARTITIONS
from tests.streams.live_runs import Live, working
from tests.streams.visitor_stories import history

TEXT = """
signals: {page: {points: 2, half_life: 3d}, pricing: {points: 9, half_life: 2d, urls: [/pricing*]}}
visitors: {visits: 3, age: 2d, count: 8}
stage: {engaged: {enter: {score: 10}, keep: {score: 3}}, mqa: {enter: {score: 25}, keep: {score: 8}}}
"""
DAYS = history(seed=1)
LAST_DAY, _ = DAYS[-1]


class Played:
    """The history as a file, and the environment that it was played into by two workers that take small steps."""

    def __init__(self, kafka: Connection, folder: Path) -> None:
        self.rulebook, self.history = folder / "rulebook.yaml", folder / "history.jsonl"
        self.rulebook.write_text(TEXT)
        self.history.write_bytes(b"".join(_lines()))
        self.live = Live(kafka=kafka, environment=Environment(f"test-{uuid4().hex[:12]}-"))
        rulebook = load_rulebook(TEXT, "visitors")
        asyncio.run(create_environment(kafka, self.live.environment, partitions=PARTITIONS, clock="played", rulebook=rulebook))
        self._where = ["--prefix", self.live.environment.prefix, "--bootstrap", kafka.bootstrap]
        with working(kafka, self.live.environment, folder, names=("one", "two"), options=("--batch", "7")):
            ran = CliRunner().invoke(play, [str(self.history), *self._where], catch_exceptions=False)
        assert ran.exit_code == 0, ran.stderr

    def replay_log(self, *options: str) -> Result:
        return CliRunner().invoke(replay, ["--log", *self._where, *options], catch_exceptions=False)

    def replay_history(self) -> Result:
        return CliRunner().invoke(replay, [str(self.history), "--rulebook", str(self.rulebook)], catch_exceptions=False)


def _lines() -> Iterable[bytes]:
    for _, arrivals in DAYS:
        for each in arrivals:
            assert each.key is not None
            assert each.value is not None
            yield encode_line(each.family, each.received_at, each.key.decode(), value=msgspec.Raw(each.value))


def until(lines: list[str], day: int) -> list[str]:
    return [line for line in lines if parse_day(json.loads(line)["effective_at"][:10]) <= day]


@pytest.fixture(scope="module")
def played(kafka: Connection, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return Played(kafka, tmp_path_factory.mktemp("visitors"))


def by_account(ran: Result) -> dict[str, list[str]]:
    told: defaultdict[str, list[str]] = defaultdict(list)
    for line in ran.stdout.splitlines():
        told[json.loads(line)["account"]].append(line)
    return told


def test_what_the_workers_told_and_kept_is_what_their_log_says(played: Played) -> None:
    compared = played.replay_log("--compare")
    assert compared.exit_code == 0, compared.stdout


def test_the_log_tells_what_the_history_tells_to_the_byte(played: Played) -> None:
    """A play begins one more day in the end; a replay of the file does not."""
    told, in_log = by_account(played.replay_history()), by_account(played.replay_log())
    assert {account: lines for account in in_log if (lines := until(in_log[account], LAST_DAY))} == told
    assert any(json.loads(line)["reason"] == "reattribution" for lines in told.values() for line in lines)


def test_every_visit_has_the_fate_that_it_has_in_the_history_and_each_way_to_be_forgotten_is_met(played: Played) -> None:
    key = person_key("played")
    identity = make_identity(partitions=PARTITIONS, secret=key.secret, key_id=key.key_id)
    engine = HistoryReplay(partitions=PARTITIONS, rulebook=load_rulebook(TEXT, "visitors"), identity=identity)
    for day, arrivals in DAYS:
        engine.begin(day)
        engine.receive(arrivals)
    assert played.live.fates() == engine.fates
    met = ("waiting", "identify", "unlink", "filtered:expired", "filtered:beyond_bound", "visitors:expired", "visitors:beyond_bound")
    assert all(engine.fates[fate] > 0 for fate in met), engine.fates
    assert engine.log.fates["undone"] > 0
