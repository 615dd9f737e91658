"""``mqa explain``: from a file and from the topics, what a person reads and what a program gets."""

import asyncio
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from click import unstyle
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement import records
from engagement.days import midnight, parse_day
from engagement.errors import Refused
from engagement.explain.account import explain as explain_state
from engagement.judging import judge_by
from engagement.machine import PlainRecord
from engagement.records import Activation
from engagement.rulebook import Rulebook
from streams.connection import Connection
from streams.explain.command import explain
from streams.explain.sources import AccountLog, explain_from_log
from streams.explain.text import WIDTH, explanation_lines
from streams.genesis import create_environment
from streams.history.simulate import simulate_history
from streams.identity import partition_of
from streams.topics import LOG, Environment
from tests.engagement.log_world import DEFAULT, FIRST_DAY, TOPIC, Log, judge, run
from tests.engagement.test_qualify_properties import RICH, RULEBOOKS, SCRIPTS, written

ACCOUNTS = ("acme.com", "beta.com", "core.com")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("history") / "history.jsonl.gz"
    lines = simulate_history(accounts=3, days=60, start_day=parse_day("2025-01-01"), seed=1)
    file.write_bytes(gzip.compress(b"".join(lines), 1))
    return file


def from_file(history: Path, *arguments: str) -> Result:
    return CliRunner().invoke(explain, [*arguments, "--file", str(history)], catch_exceptions=False)


# From a file


def test_an_account_in_any_spelling_is_told_in_plain_text_of_a_terminals_width(history: Path):
    told = from_file(history, "WWW.Harbourpay.EXAMPLE.").stdout
    lines = told.splitlines()
    assert lines[0].startswith("harbourpay.example is ")
    assert max(map(len, lines)) <= WIDTH
    assert "\x1b" not in told
    headings = [
        "Score",
        "If nothing more happens",
        "Stage:",
        "Tier:",
        "People:",
        "Fit A",
        "Value low",
        "Interest by topic",
        "What happened",
    ]
    assert [heading for heading in headings if not any(line.startswith(heading) for line in lines)] == []


def test_a_program_gets_one_json_object_whose_points_are_thousandths(history: Path):
    told = json.loads(from_file(history, "harbourpay.example", "--json").stdout)
    assert (told["account"], told["day"]) == ("harbourpay.example", "2025-03-01")
    assert sum(share["points"] for share in told["shares"]) == told["score"] > 1000
    assert {"from", "to"} <= told["timeline"][0].keys()


def test_an_earlier_day_is_as_if_the_history_ended_there(history: Path, tmp_path: Path):
    shorter = tmp_path / "shorter.jsonl"
    lines = gzip.decompress(history.read_bytes()).splitlines(keepends=True)
    shorter.write_bytes(b"".join(line for line in lines if json.loads(line)["received_at"] < "2025-02-01"))
    as_then = from_file(history, "harbourpay.example", "--day", "2025-01-31", "--json").stdout
    assert as_then == from_file(shorter, "harbourpay.example", "--json").stdout


def test_a_later_day_passes_in_silence_and_comes_to_what_was_said_before(history: Path):
    now = json.loads(from_file(history, "harbourpay.example", "--json").stdout)
    later = json.loads(from_file(history, "harbourpay.example", "--json", "--day", now["ahead"][2]["day"]).stdout)
    assert (later["day"], later["score"]) == (now["ahead"][2]["day"], now["ahead"][2]["score"])


def test_another_rulebook_explains_by_its_own_rungs(history: Path, tmp_path: Path):
    rulebook = tmp_path / "single.yaml"
    rulebook.write_text("signals: {page: {points: 1}, pricing: {points: 5, urls: [/pricing*]}}\nstage: {keen: {enter: {score: 10}}}\n")
    assert "\nStage: keen since 2025-" in from_file(history, "harbourpay.example", "--rulebook", str(rulebook)).stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["habourpay.example"], r"habourpay\.example: is not in .* until 2025-03-01; did you mean harbourpay\.example"),
        (["zzzz.com"], r"zzzz\.com: is not in .* until 2025-03-01; look at its spelling"),
        (["10.0.0.1"], r"ACCOUNT = '10\.0\.0\.1' is no domain that a company can have; write it like acme\.com"),
        (["harbourpay.example", "--day", "2024-12-31"], r"--day 2024-12-31: .* begins on 2025-01-01; name that day or a later one"),
        (["harbourpay.example", "--day", "2027-01-01"], r"--day 2027-01-01: is more than 366 days after the last one, 2025-03-01"),
    ],
)
def test_what_cannot_be_explained_is_refused_with_what_to_do(history: Path, arguments: list[str], complaint: str):
    with pytest.raises(Refused, match=complaint) as refused:
        from_file(history, *arguments)
    assert "\n" not in str(refused.value)


def test_an_empty_history_is_refused(tmp_path: Path):
    file = tmp_path / "empty.jsonl"
    file.write_bytes(b"")
    with pytest.raises(Refused, match=r"empty\.jsonl: is empty"):
        from_file(file, "acme.com")


@pytest.mark.parametrize("option", ["--rulebook", "--networks"])
def test_what_only_a_file_needs_is_refused_without_one(option: str):
    ran = CliRunner().invoke(explain, ["acme.com", option, "x"])
    assert ran.exit_code == 2
    assert f"{option} needs --file" in ran.stderr


@settings(max_examples=30, deadline=None)
@given(SCRIPTS, RULEBOOKS, st.integers(0, 100))
def test_whatever_an_account_has_been_through_can_be_read_on_a_terminal(script: Any, rulebook: Rulebook, day: int):
    judge = judge_by(rulebook.canonical(), rulebook.version)
    for account, state in run(log_until(written(script, rulebook).records, 90)).fold.accounts():
        for line in explanation_lines(explain_state(account, state, FIRST_DAY + day, judge)):
            assert len(unstyle(line)) <= WIDTH
            assert unstyle(line).isprintable()


def test_signals_from_below_have_their_own_lines():
    log = Log().signal(0, "pricing", "p1").signal(0, "pricing", "p2", via="labs.acme.com").signal(0, "pricing", "p3", via="acme.de")
    lines = [unstyle(line) for line in explanation_lines(explain_state("acme.com", run(log).state(), FIRST_DAY, judge()))]
    heading = lines.index("Rolled up 45.000")
    assert lines[heading + 1] == "  3 active people, together with acme.de and labs.acme.com"
    for number in range(8):
        log.signal(0, "page", via=f"branch{number}.acme.com")
    lines = [unstyle(line) for line in explanation_lines(explain_state("acme.com", run(log).state(), FIRST_DAY, judge()))]
    assert lines[lines.index("  3 active people, together with acme.de, branch0.acme.com, branch1.acme.com, branch2.acme.com,") + 1] == (
        "      branch3.acme.com, branch4.acme.com, branch5.acme.com, branch6.acme.com and others"
    )


def test_what_people_wrote_cannot_break_a_line():
    odd = "a\n\x1b[31mb\u2028c"
    log = Log().update(0, name=odd, owner=odd, attributes={"industry": odd, "uses": [odd, "x" * 300]}, contacts={"p1": odd})
    log.update(0, pin={"ladder": "tier", "rung": "tier_1", "reason": odd, "author": odd}, relationship=odd)
    log.signal(0, "pricing", "p1", topic=odd)
    told = explain_state("acme.com", run(log).state(), FIRST_DAY, judge_by(DEFAULT.canonical(), DEFAULT.version))
    lines = [unstyle(line) for line in explanation_lines(told)]
    assert all(line.isprintable() and len(line) <= WIDTH for line in lines)
    assert "a\\n" in lines[0]


# From a log


@settings(max_examples=40, deadline=None)
@given(SCRIPTS, st.integers(1, 50), st.booleans(), st.integers(0, 60))
def test_an_accounts_own_records_give_what_the_whole_partition_gives(script: Any, chunk: int, is_activated: bool, until: int):
    log = written(script)
    if is_activated:
        first = next((at for at, record in enumerate(log.records) if record.key == b"acme.com"), 2)
        log.records = activated(log.records, first)
    whole = run(log_until(log.records, until))
    rulebook = RICH if whole.fold.position.rulebook == RICH.version else DEFAULT
    judge = judge_by(rulebook.canonical(), rulebook.version)
    for account, state in whole.fold.accounts():
        changes = [change for change in whole.changes if change.account == account]
        own = AccountLog(account, TOPIC, 0, FIRST_DAY + until)
        for start in range(0, len(log.records), chunk):
            if not own.is_over:
                own.take(log.records[start : start + chunk])
        assert own.explanation() == explain_state(account, state, FIRST_DAY + until, judge, changes)


def activated(log: Sequence[PlainRecord], at: int) -> list[PlainRecord]:
    """The log with another rulebook in the middle; its offsets are those of its records' places."""
    entry = records.encode(Activation(rulebook=RICH.canonical(), version=RICH.version, semantics=records.SEMANTICS, received_at=0))
    activation = PlainRecord(TOPIC, 0, 0, 0, records.ACTIVATION_KEY, entry)
    return [record._replace(offset=offset) for offset, record in enumerate([*log[:at], activation, *log[at:]])]


class Cut(Log):
    """A log of given records."""

    def __init__(self, own: list[PlainRecord]) -> None:
        self.records = own


def log_until(log: Sequence[PlainRecord], day: int) -> Log:
    """The part of a log before the day after ``day`` begins."""
    ends = [at for at, record in enumerate(log) if record.key == records.DAY_KEY and record.timestamp > midnight(FIRST_DAY + day)]
    return Cut(list(log[: ends[0]] if ends else log))


def fed(log: Log, account: str = "acme.com", until: int | None = None) -> AccountLog:
    own = AccountLog(account, TOPIC, 0, until)
    own.take(log.records)
    return own


def test_days_after_the_last_one_of_a_log_pass_in_silence():
    log = Log().signal(0, "demo_request", "p1").until(3)
    assert fed(log, until=FIRST_DAY + 40).explanation() == fed(log.until(40)).explanation()


def test_what_a_log_does_not_know_is_refused_with_what_to_do():
    log = Log().signal(5, "demo_request", "p1")
    with pytest.raises(Refused, match=r"beta\.com: is not in mqa\.account-log/0 until 2025-01-06; look at its spelling, at --prefix"):
        fed(log, "beta.com").explanation()
    with pytest.raises(Refused, match=r"acme\.com: is not in mqa\.account-log/0 until 2025-01-03; .* or at a later --day"):
        fed(log, until=FIRST_DAY + 2).explanation()
    with pytest.raises(Refused, match=r"acme\.com: no day has begun in mqa\.account-log/0"):
        fed(Cut([log.records[0], log.records[-1]])).explanation()


def test_the_topics_give_what_the_same_records_give_without_a_broker(kafka: Connection, prefix: str):
    environment = Environment(prefix)
    log = Log()
    for day in (0, 2, 4):
        for account in ACCOUNTS:
            log.signal(day, "pricing", "p1", account=account).signal(day, "webinar", "p2", account=account)
    log.until(10)
    number = partition_of(b"acme.com", 3)

    async def write() -> None:
        await create_environment(kafka, environment, partitions=3, clock="played")
        async with AIOKafkaProducer(**kafka.client_options()) as producer:
            for record in log.records[1:]:  # the environment has a genesis of its own
                await producer.send(environment.topic(LOG), record.value, record.key, partition=number)

    asyncio.run(write())
    expected = explain_state("acme.com", run(log).state(), FIRST_DAY + 10, judge_by(DEFAULT.canonical(), DEFAULT.version))
    where = ["--prefix", prefix, "--bootstrap", kafka.bootstrap]
    told = CliRunner().invoke(explain, ["www.acme.com", *where, "--json"], catch_exceptions=False)
    explanation = msgspec.json.decode(told.stdout, type=type(expected))
    assert msgspec.structs.replace(explanation, timeline=()) == expected
    assert [past.to for past in explanation.timeline] == ["engaged", "mqa"]
    early = CliRunner().invoke(explain, ["acme.com", *where, "--json", "--day", "2025-01-02"], catch_exceptions=False)
    assert json.loads(early.stdout)["score"] == 14_657 + 29_314  # a day old, of a half life of 30
    with pytest.raises(Refused, match=f"nobody\\.com: is not in {prefix}account-log/"):
        asyncio.run(explain_from_log(kafka, environment, "nobody.com", None))
