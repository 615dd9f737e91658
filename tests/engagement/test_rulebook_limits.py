"""Every number of a rulebook has a largest value, and with all of them at their largest an account is still judged."""

import pytest

from engagement.account import MAX_BYTES, AccountState, Row, Standing, decode, encode
from engagement.counts import ANONYMOUS, MERGED, KindHistory
from engagement.days import iso_instant, midnight, parse_day
from engagement.errors import Refused
from engagement.judging import Judge
from engagement.rulebook import MAX_KIND_DAYS, MAX_RUNGS, Rulebook, default_rulebook_text, load_rulebook

LADDER = "\nstage: {engaged: {enter: {score: 1}}}"
TODAY = parse_day("2025-01-01")


def with_largest(old: str, new: str) -> str:
    text = default_rulebook_text()
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "path", "largest", "beyond"),
    [
        ("dwell: 14d", "stage.mqa.dwell", "3660d", "9999999d"),
        ("idle_under: 180d", "tier.tier_2.keep.any[1].idle_under", "3660d", "3661d"),
        ("half_life: 14d", "signals.page.half_life", "3660d", "523w"),
        ("dedupe_window: 24h", "intake.dedupe_window", "3660d", "87841h"),
        ("skew: 10m", "intake.skew", "1d", "86401s"),
        ("dedupe_count: 200_000", "intake.dedupe_count", "10M", "10_000_001"),
        ("points: 15", "signals.pricing.points", "1_000_000", "1000000.001"),
        ("vp: 1.5", "roles.vp", "100", "100.001"),
        ("person: 60", "caps.person", "1M", "2M"),
        ("score: 220", "tier.tier_1.enter.any[2].score", "1M", "1000001"),
        ("weight: 30", "fit.industry.weight", "1_000_000", "1_000_001"),
    ],
)
def test_the_largest_value_is_read_and_one_beyond_is_refused(old: str, path: str, largest: str, beyond: str):
    key = old.partition(":")[0]
    load_rulebook(with_largest(old, f"{key}: {largest}"), "rules.yaml")
    with pytest.raises(Refused) as refused:
        load_rulebook(with_largest(old, f"{key}: {beyond}"), "rules.yaml")
    assert str(refused.value).startswith(f"rules.yaml: {path} = {beyond} must be ")


def test_a_refused_span_names_its_maximum_and_an_example():
    with pytest.raises(Refused) as refused:
        load_rulebook(with_largest("dwell: 14d", "dwell: 9999999d"), "rules.yaml")
    assert str(refused.value) == "rules.yaml: stage.mqa.dwell = 9999999d must be whole days from 1d to 3660d; write it as 14d"


@pytest.mark.parametrize("window", ["3661d", "9999999d"])
@pytest.mark.parametrize("place", ["window: {}", "intake: {{horizon: {}}}"])
def test_a_window_beyond_ten_years_is_refused_however_long_the_history(place: str, window: str):
    text = f"signals: {{page: {{points: 1}}}}\nhistory_days: 3660\n{place.format(window)}{LADDER}"
    with pytest.raises(Refused, match=rf"= {window} must be whole days from 1d to 3660d"):
        load_rulebook(text, "x")


@pytest.mark.parametrize("number", ["9" * 5000, "1." + "0" * 28 + "1"])
def test_a_number_of_more_digits_than_are_computed_with_is_refused(number: str):
    for path in (f"points: {number}", f"points: 1, half_life: {number}d"):
        with pytest.raises(Refused, match=r"must be (a number|whole days) from .* write it as"):
            load_rulebook(f"signals: {{page: {{{path}}}}}{LADDER}", "x")


def kinds(number: int, history_days: int) -> str:
    signals = ", ".join(f"kind_{each}: {{points: 1}}" for each in range(number))
    return f"history_days: {history_days}\nsignals: {{{signals}}}{LADDER}"


def test_more_kinds_and_days_than_an_account_can_hold_are_refused():
    load_rulebook(kinds(100, 120), "x")
    with pytest.raises(Refused) as refused:
        load_rulebook(kinds(101, 120), "x")
    expected = "x: signals x history_days = 101 kinds x 120 days must not exceed 12000; lower history_days or remove kinds"
    assert str(refused.value) == expected


def test_an_account_that_holds_every_kind_on_every_day_stays_within_its_size():
    days = MAX_KIND_DAYS // 100
    history = {TODAY - age: {ANONYMOUS: 100, MERGED: 10_000} for age in range(days)}
    state = AccountState(kinds={f"kind_{each}": KindHistory(days=history) for each in range(100)}, max_people=0, coarsened=True)
    assert len(encode(Row(state=state, applied=0, due=0))) < MAX_BYTES


def test_a_ladder_of_too_many_rungs_is_refused():
    def rungs(number: int) -> str:
        return ", ".join(f"rung_{each}: {{enter: {{people: {each}}}}}" for each in range(number))

    load_rulebook(f"signals: {{page: {{points: 1}}}}\ntier: {{{rungs(MAX_RUNGS)}}}", "x")
    with pytest.raises(Refused, match=r"^x: tier = 33 rungs must not be more than 32; remove some$"):
        load_rulebook(f"signals: {{page: {{points: 1}}}}\ntier: {{{rungs(MAX_RUNGS + 1)}}}", "x")


def largest() -> Rulebook:
    return load_rulebook(
        """
        history_days: 3660
        window: 3660d
        intake: {horizon: 3660d}
        roles: {vp: 100, anonymous: 100}
        signals:
          page: {points: 1M, half_life: 3660d}
          demo: {points: 1M, act_now: true, lifespan: 3660d}
        stage:
          engaged: {enter: {score: 1}, keep: {idle_under: 3660d}, dwell: 3660d}
          mqa: {enter: {score: 1M}, dwell: 3660d}
        """,
        "x",
    )


@pytest.mark.parametrize("day", [0, TODAY, 40_000])
def test_an_account_of_a_million_signals_of_every_kind_is_judged_on_any_day(day: int):
    judge = Judge(largest(), "v")
    million = {day: {"k1.vp": 1_000_000}}
    state = AccountState(
        kinds={kind: KindHistory(days=million, newest=[(midnight(day), "e", "k1.vp")]) for kind in ("page", "demo")},
        roles={"k1.vp": "vp"},
        standings={"stage": Standing("mqa", day)},
    )
    evaluation = judge.evaluate("acme.com", state, day)
    assert evaluation.facts.score == 2 * 10**17 == sum(factor.points for factor in evaluation.factors)
    due = judge.due("acme.com", state, day)
    assert due == day + 3660
    assert decode(encode(Row(state=state, applied=0, due=due))).due == due
    (stage,) = judge.rulebook.ladders
    expiry = judge.expiry("acme.com", state, due, stage)
    assert expiry is not None
    assert iso_instant(midnight(expiry)).endswith("T00:00:00.000Z")
