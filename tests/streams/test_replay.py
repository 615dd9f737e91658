"""A history through the worker's folds, without a broker."""

import gzip
import json
from collections import defaultdict
from pathlib import Path

import pytest
from click.testing import CliRunner

from engagement.days import parse_day
from engagement.events import Family
from engagement.fates import adds_up
from engagement.machine import Output
from streams.history.arrivals import Arrival
from streams.history.engine import HistoryReplay
from streams.history.lines import encode_line
from streams.history.replay import replay
from streams.history.simulate import simulate_history
from tests.streams.histories import FIRST_DAY, Days, new_replay, simulated_days


@pytest.fixture(scope="module")
def days() -> Days:
    return simulated_days(accounts=25, days=40)


def replayed(days: Days, batch: int) -> tuple[HistoryReplay, list[Output]]:
    engine = new_replay(batch)
    changes: list[Output] = []
    for day, arrivals in days:
        changes += engine.begin(day)
        changes += engine.receive(arrivals)
    return engine, changes


def test_borders_between_steps_show_in_nothing(days: Days) -> None:
    whole, changes = replayed(days, 10_000)
    for batch in (1, 7):
        engine, same = replayed(days, batch)
        assert same == changes
        assert engine.fates == whole.fates
        assert [engine.log.rows(number) for number in range(4)] == [whole.log.rows(number) for number in range(4)]


def test_every_event_ends_in_exactly_one_place(days: Days) -> None:
    engine, _ = replayed(days, 10_000)
    assert engine.fates["in"] + engine.fates["identify"] - engine.fates["derived"] == sum(len(arrivals) for _, arrivals in days)
    assert adds_up(engine.fates)


def test_the_steps_of_an_account_are_numbered_without_a_gap(days: Days) -> None:
    _, changes = replayed(days, 10_000)
    sequences = defaultdict(list)
    for change in changes:
        sequences[change.key].append(json.loads(change.value or b"")["sequence"])
    assert len(sequences) > 10
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in sequences.values())


def test_an_event_in_a_wrong_partition_is_counted_once_where_it_belongs() -> None:
    event = b'{"id": "1", "occurred_at": "2025-01-01T08:00:00Z", "kind": "demo_request", "account": "acme.com", "email": "ann@acme.com"}'
    received_at = (FIRST_DAY * 24 + 9) * 3_600_000
    outcomes = []
    for partition in range(4):
        engine = new_replay()
        engine.begin(FIRST_DAY)
        engine.receive([Arrival(Family.INTENT_SIGNALS, partition, received_at, b"acme.com", event)])
        assert engine.fates["in"] == engine.fates["counted"] == 1
        outcomes.append(engine.fates["rerouted"])
    assert sorted(outcomes) == [0, 1, 1, 1]


def write_history(path: Path) -> Path:
    lines = b"".join(simulate_history(accounts=5, days=25, start_day=FIRST_DAY, seed=3))
    path.write_bytes(gzip.compress(lines) if path.suffix == ".gz" else lines)
    return path


def test_a_file_gives_its_tier_changes_as_json_lines_and_a_summary_beside_them(tmp_path: Path) -> None:
    ran = CliRunner().invoke(replay, [str(write_history(tmp_path / "history.jsonl"))])
    assert ran.exit_code == 0
    changes = [json.loads(line) for line in ran.stdout.splitlines()]
    assert {"harbourpay.example", "quietbay.example"} <= {change["account"] for change in changes}
    assert f"{len(changes)} tier changes" in ran.stderr
    assert "25 days, 2025-01-01 to 2025-01-25" in ran.stderr


def test_a_compressed_file_and_standard_input_give_the_same(tmp_path: Path) -> None:
    plain = write_history(tmp_path / "history.jsonl")
    zipped = write_history(tmp_path / "history.jsonl.gz")
    expected = CliRunner().invoke(replay, [str(plain)]).stdout
    assert CliRunner().invoke(replay, [str(zipped)]).stdout == expected
    assert CliRunner().invoke(replay, ["-"], input=plain.read_bytes()).stdout == expected


def test_tier_changes_go_to_the_file_that_is_named(tmp_path: Path) -> None:
    history, output = write_history(tmp_path / "history.jsonl"), tmp_path / "changes.jsonl"
    ran = CliRunner().invoke(replay, [str(history), "-o", str(output)])
    assert ran.stdout == ""
    assert output.read_text() == CliRunner().invoke(replay, [str(history)]).stdout


def test_another_rulebook_tells_another_story(tmp_path: Path) -> None:
    rulebook = tmp_path / "single.yaml"
    rulebook.write_text("signals: {page: {points: 1}, pricing: {points: 5, urls: [/pricing*]}}\nstage: {keen: {enter: {score: 10}}}\n")
    ran = CliRunner().invoke(replay, [str(write_history(tmp_path / "history.jsonl")), "--rulebook", str(rulebook)])
    assert {json.loads(line)["to"] for line in ran.stdout.splitlines()} == {"keen"}


def test_an_empty_history_is_no_error(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    history.write_bytes(b"")
    ran = CliRunner().invoke(replay, [str(history)])
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert "0 events in" in ran.stderr


def test_days_without_events_pass_too(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    first, last = parse_day("2025-01-01"), parse_day("2025-03-31")
    lines = [encode_line(Family.WEB_VISITS, day * 86_400_000, "v", raw="") for day in (first, last)]
    history.write_bytes(b"".join(lines))
    assert "90 days, 2025-01-01 to 2025-03-31" in CliRunner().invoke(replay, [str(history)]).stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "name a history FILE"),
        (["x.jsonl", "--log"], "one of the two"),
        (["x.jsonl", "--compare"], "--compare needs --log"),
        (["--log", "--networks", "x.csv"], "--networks needs a history FILE"),
    ],
)
def test_options_that_contradict_each_other_are_refused(arguments: list[str], complaint: str) -> None:
    ran = CliRunner().invoke(replay, arguments)
    assert ran.exit_code == 2
    assert complaint in ran.stderr
