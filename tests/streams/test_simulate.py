from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from engagement.days import day_of, parse_day
from engagement.events import MODELS, Family
from streams.history.lines import HistoryLine, open_history, read_history
from streams.history.simulate import STARTS, simulate, simulate_history
from streams.history.simulate_crowd import reveal, sales
from streams.history.simulate_moves import MINUTE, Move
from streams.history.simulate_world import domain_of, make_company, make_person, stream

START = parse_day("2025-01-01")
Value = dict[str, Any]


@cache
def market(accounts: int = 60, days: int = 92, seed: int = 1) -> tuple[bytes, ...]:
    return tuple(simulate_history(accounts=accounts, days=days, start_day=START, seed=seed))


def lines(**which: int) -> list[HistoryLine]:
    return list(read_history(market(**which), "history"))


def values(family: Family) -> list[Value]:
    """Whole events of a family, in order of arrival."""
    return [msgspec.json.decode(line.payload) for line in lines() if line.topic is family and line.raw is None and line.payload is not None]


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert list(market()) == list(simulate_history(accounts=60, days=92, start_day=START, seed=1))


def test_another_seed_gives_another_market() -> None:
    assert market(seed=1, days=5) != market(seed=2, days=5)


def test_a_larger_market_holds_the_smaller_one() -> None:
    small, large = Counter(market(accounts=20, days=40)), Counter(market(accounts=60, days=40))
    assert small < large


def test_time_never_falls_and_stays_within_the_days_asked_for() -> None:
    received = [line.received_ms for line in lines(days=40)]
    assert received == sorted(received)
    assert {day_of(at) for at in received} == set(range(START, START + 40))


def test_a_market_may_be_empty_but_for_ourselves_and_the_journeys() -> None:
    assert len(lines(accounts=0, days=1)) > 0


def test_nearly_all_events_are_accepted_by_their_models_and_some_are_not() -> None:
    refused = 0
    for line in lines():
        try:
            MODELS[line.topic].model_validate_json(line.payload if line.payload is not None else b"")
        except ValidationError:
            refused += 1
    assert 0.0005 < refused / len(lines()) < 0.01


def test_every_kind_of_the_default_rulebook_occurs() -> None:
    kinds = {value["kind"] for value in values(Family.INTENT_SIGNALS)}
    assert kinds >= {"email_open", "email_click", "download", "webinar", "review_site", "surge", "demo_request"}
    urls = " ".join(value["url"] for value in values(Family.WEB_VISITS) if "url" in value)
    assert all(path in urls for path in ("/pricing", "/blog/", "/careers", "/login", ".css", ".png"))


def test_sales_says_every_word_it_has_in_an_order_that_makes_sense() -> None:
    company = make_company(1, "prospect", stream("company"))
    endings = {" ".join(move.word for move in sales(company, START, stream("sales", draw))) for draw in range(200)}
    assert endings == {"rejected", "recycled", "accepted", "accepted open", "accepted open lost", "accepted open customer won"}


def test_relationships_that_must_not_count_are_there() -> None:
    assert {"prospect", "customer", "competitor", "partner", "own_staff"} == {
        update["relationship"] for update in values(Family.ACCOUNT_UPDATES) if "relationship" in update
    }


def test_most_accounts_are_nearly_silent_and_a_few_have_tens_of_events() -> None:
    events: Counter[str] = Counter()
    for value in (*values(Family.WEB_VISITS), *values(Family.INTENT_SIGNALS)):
        domain = value["email"].partition("@")[2] if "email" in value else value.get("account")
        if domain is not None:
            events[domain] += 1
    volumes = [events[domain_of(number)] for number in range(1, 61)]
    assert sum(volume < 20 for volume in volumes) > 30
    assert sum(40 <= volume < 500 for volume in volumes) >= 5


def test_weekends_are_quieter() -> None:
    of_accounts = [day_of(line.received_ms) for line in lines() if line.payload is not None and b'"email"' in line.payload]
    by_weekday = Counter((day + 3) % 7 for day in of_accounts)  # 1970-01-01 was a Thursday; 0 is Monday
    assert 2 * (by_weekday[5] + by_weekday[6]) < by_weekday[0] + by_weekday[1]


def test_a_stranger_is_anonymous_until_the_form_and_known_from_then_on() -> None:
    mei = make_person("Mei Tan", "harbourpay.example", "vp", network=1, host=1, rng=stream("mei"), stranger=True)
    moves = [Move(at * MINUTE, mei, word) for at, word in enumerate(("blog", "pricing", "download", "blog", "webinar"))]
    assert [(move.word, move.known) for move in reveal(moves)] == [
        ("blog", False),
        ("pricing", False),
        ("identify", True),
        ("download", True),
        ("blog", True),
        ("webinar", True),
    ]


def test_an_anonymous_visit_names_nobody_and_the_account_only_where_its_network_is_known() -> None:
    visits = [value for value in values(Family.WEB_VISITS) if value.get("type") != "identify"]
    assert {("email" in visit, "account" in visit) for visit in visits} == {(True, False), (False, True), (False, False)}


def test_duplicates_arrive_minutes_after_the_first() -> None:
    first: dict[tuple[str | None, bytes], int] = {}
    gaps = [
        line.received_ms - first.setdefault((line.key, line.payload), line.received_ms)
        for line in lines()
        if line.raw is None and line.payload is not None
    ]
    assert any(gaps)
    assert all(gap == 0 or MINUTE <= gap <= 40 * MINUTE for gap in gaps)


def test_companies_have_domains_and_visitors_of_their_own() -> None:
    companies = [make_company(number, "prospect", stream("test", number)) for number in range(4000)]
    assert len({company.domain for company in companies}) == 4000
    assert len({person.ip for company in companies for person in company.people}) == sum(len(company.people) for company in companies)
    assert {len(company.people) for company in companies} == set(range(1, 11))


@pytest.mark.parametrize("name", ["history.jsonl", "history.jsonl.gz"])
def test_the_command_writes_a_history_and_closes_with_one_line_of_counts(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    result = CliRunner().invoke(simulate, ["--accounts", "5", "--days", "3", "--start", "2024-02-28", "--seed", "7", "-o", str(path)])
    assert result.exit_code == 0, result.output
    with open_history(path, "rb") as file:
        count = len(list(read_history(file, name)))
    assert result.output.startswith(f"{path}: {count} events (")
    assert result.output.endswith(" of 5 accounts, our own staff and 7 named journeys, 2024-02-28 to 2024-03-01\n")
    assert result.output.count("\n") == 1


def test_a_start_that_is_no_day_is_refused_with_the_remedy(tmp_path: Path) -> None:
    result = CliRunner().invoke(simulate, ["--start", "1.1.2025", "-o", str(tmp_path / "h.jsonl")])
    assert result.exit_code == 2
    assert "'1.1.2025' is no day; write it as 2025-01-01" in result.output


@pytest.mark.parametrize("start", ["0999-01-01", "1999-12-31", "2189-12-25", "9999-12-30"])
def test_a_start_from_which_not_every_day_can_be_received_is_refused_with_the_range(tmp_path: Path, start: str) -> None:
    result = CliRunner().invoke(simulate, ["--start", start, "-o", str(tmp_path / "h.jsonl")])
    assert result.exit_code == 2
    assert f"'{start}' is not in the range 2000-01-01 to 2189-12-24" in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("start", STARTS[:: len(STARTS) - 1])
def test_a_history_may_start_at_either_end_of_the_range(start: int) -> None:
    assert day_of([*read_history(simulate_history(accounts=3, days=2, start_day=start, seed=1), "history")][-1].received_ms) == start + 1


def test_a_dash_is_standard_output() -> None:
    result = CliRunner().invoke(simulate, ["--accounts", "2", "--days", "1", "-o", "-"])
    count = len(list(read_history(result.stdout_bytes.splitlines(), "standard output")))
    assert result.stderr.startswith(f"-: {count} events (")
