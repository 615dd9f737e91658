"""Signals of the accounts below count apart: the account's own facts do not know of them, the rolled-up ones count all as one account's."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.account import MAX_BYTES, AccountState, Row, decode, encode
from engagement.counts import ANONYMOUS, MAX_PEOPLE, MERGED, Counts, KindHistory
from engagement.days import iso_day
from engagement.explain.account import explain
from engagement.explain.explanation import RolledUp
from engagement.judging import judge_by
from engagement.records import Signal
from engagement.rulebook import Rulebook, load_rulebook
from tests.engagement.log_world import FIRST_DAY, Log, judge, run
from tests.engagement.test_account import retracting, said, signal
from tests.engagement.test_qualify_properties import RULEBOOKS

SMALL = load_rulebook(
    """
    signals: {page: {points: 10}, talk: {points: 40}}
    caps: {person: 60, anonymous: 7}
    stage: {keen: {enter: {rolled_up_score: 100}}, all_over: {enter: {rolled_up_score: 115, rolled_up_people: 3}}}
    """,
    "x",
)
SIGNALS = st.lists(
    st.tuples(
        st.sampled_from(["page", "pricing", "webinar", "surge", "demo_request"]),
        st.sampled_from([None, "p1", "p2", "p3", "p4"]),
        st.integers(0, 40),
        st.sampled_from([None, 600]),
        st.booleans(),
    ),
    max_size=20,
)


def via(entry: Signal, account: str = "labs.acme.com") -> Signal:
    return msgspec.structs.replace(entry, via=account)


def facts(state: AccountState, rulebook: Rulebook, day: int) -> dict[str, Any]:
    found = judge_by(rulebook.canonical(), rulebook.version).facts("acme.com", state, FIRST_DAY + day)._asdict()
    return {name: fact for name, fact in found.items() if name not in ("state", "signals", "people_with")}


@settings(max_examples=150, deadline=None)
@given(SIGNALS, RULEBOOKS)
def test_own_facts_do_not_know_of_those_below_and_rolled_up_ones_do_not_tell_them_apart(signals: Any, rulebook: Rulebook):
    family, own, one = (Log(rulebook).until(40).update(40, region="EU") for _ in range(3))
    for kind, person, day, seconds, is_below in signals:
        family.signal(40, kind, person, occurred=day, seconds=seconds, via="labs.acme.com" if is_below else None)
        one.signal(40, kind, person, occurred=day, seconds=seconds)
        if not is_below:
            own.signal(40, kind, person, occurred=day, seconds=seconds)
    rolled_up, alone, all_of_one = (facts(run(log).state(), rulebook, 40) for log in (family, own, one))
    assert (rolled_up["rolled_up_score"], rolled_up["rolled_up_people"]) == (all_of_one["score"], all_of_one["people"])
    assert (alone["rolled_up_score"], alone["rolled_up_people"]) == (alone["score"], alone["people"])
    segments = {"segments", "rolled_up_score", "rolled_up_people"}
    assert {name: fact for name, fact in rolled_up.items() if name not in segments} == {
        name: fact for name, fact in alone.items() if name not in segments
    }


def test_a_rung_may_ask_for_it_and_one_set_of_caps_holds_all():
    log = Log(SMALL).signal(0, "talk", "p1").signal(0, "page", "p1", via="labs.acme.com").signal(0, "talk", "p1", via="acme.de")
    assert not run(log).changes  # 40 + 10 + 40, but of one person 60
    log.signal(0, "talk", "p2", via="acme.de")
    (change,) = run(log).changes
    assert (change.to, change.reason, change.score, change.rolled_up_score, change.people) == ("keen", "signal", 40_000, 100_000, 1)
    assert sum(factor.points for factor in change.factors) == change.score
    log.signal(0, "page", via="labs.acme.com").signal(0, "page").signal(0, "page", "p3", via="labs.acme.com")
    assert [each.to for each in run(log).changes] == ["keen", "all_over"]
    assert facts(run(log).state(), SMALL, 0)["rolled_up_score"] == 60_000 + 40_000 + 7_000 + 10_000


def test_it_fades_in_silence_like_any_other():
    log = Log(SMALL).signal(0, "talk", "p1", via="acme.de").signal(0, "talk", "p2")
    log.signal(0, "page", "p3").signal(0, "page", "p4").until(95)
    rise, fall = run(log).changes
    assert (rise.to, rise.expires_at, fall.to, fall.effective_at) == ("keen", "2025-04-01T00:00:00.000Z", "watch", rise.expires_at)
    assert fall.rolled_up_score == 0
    assert (
        run(log.until(130).signal(130, "talk", "p1").signal(130, "talk", "p2").signal(130, "talk", "p4")).changes[-1].rolled_up_score
        is None
    )


@pytest.mark.parametrize("last", [None, "labs.acme.com"])
def test_the_person_who_completes_a_number_of_people_moves_the_account_at_once_from_here_or_below(last: str | None):
    rulebook = load_rulebook("signals: {page: {points: 1}}\nstage: {keen: {enter: {rolled_up_people: 4}}}", "x")
    log = Log(rulebook).signal(0, "page", "p1").signal(0, "page", "p2", via="labs.acme.com").signal(0, "page", "p3", via="acme.de")
    for _ in range(3):
        log.signal(0, "page", "p3", via="labs.acme.com")
    assert not run(log).changes
    (change,) = run(log.signal(0, "page", "p4", via=last)).changes
    assert change.cause == f"intent-signals:e{len(log.records) - 1}"


def test_people_here_are_not_so_many_that_nobody_below_is_told_apart():
    rulebook = load_rulebook(f"signals: {{page: {{points: 1}}}}\nstage: {{keen: {{enter: {{rolled_up_people: {MAX_PEOPLE + 1}}}}}}}", "x")
    log = Log(rulebook)
    for number in range(MAX_PEOPLE):
        log.signal(0, "page", f"p{number:03}")
    (change,) = run(log.signal(0, "page", "q", via="labs.acme.com")).changes
    assert change.cause == f"intent-signals:e{len(log.records) - 1}"


def test_a_cap_that_is_reached_here_may_not_be_reached_together():
    text = """
    signals: {page: {points: 20}, talk: {points: 80}}
    caps: {anonymous: 30, account: {page: 10}}
    stage: {keen: {enter: {rolled_up_score: 40}}}
    """
    log = Log(load_rulebook(text, "x")).signal(0, "talk", via="acme.de").signal(0, "page")
    assert not run(log).changes  # 10 of pages here, but together talk fills what the anonymous may have
    (change,) = run(log.signal(0, "page", "p1")).changes
    assert (change.score, change.rolled_up_score) == (10_000, 40_000)


def test_a_signal_from_below_that_is_dated_ahead_is_waited_for():
    log = Log(SMALL)
    for person in ("p1", "p2", "p3"):
        log.signal(0, "talk", person, occurred=2, via="acme.de")
    rise, fall = run(log.until(95)).changes
    assert (rise.to, rise.expires_at, fall.to, fall.effective_at) == ("all_over", fall.effective_at, "watch", "2025-04-03T00:00:00.000Z")


def test_where_no_rung_asks_for_it_nothing_is_judged():
    log = Log().signal(0, "page", "p1")
    assert not run(log).changes
    for person in ("p2", "p3", "p4"):
        log.signal(0, "demo_request", person, via="labs.acme.com")
    assert not run(log.until(40)).changes


def test_a_retraction_that_names_the_account_above_takes_out_what_came_from_below():
    state = AccountState()
    below = [signal("p", number=number) for number in range(3)]
    for each in below:
        state.count_below(each, "labs.acme.com")
    assert state.learn(retracting("e0"))
    assert state.learn(retracting("e0"))
    assert state.below is not None
    assert state.below.kinds["page"].days == {0: {"p": 2}}
    assert state.learn(said(retract={"person": "p"}))
    assert not state.has_below


def test_people_below_are_merged_before_the_accounts_own():
    row = Row(state=AccountState(), applied=-1, due=0)
    for number in range(MAX_PEOPLE):
        row.count(signal(f"k1.{number:064}"))
    own = list(row.state.roles)
    for kind in ("page", "download", "webinar"):
        for day in range(15):
            for number in range(MAX_PEOPLE):
                row.count(via(signal(f"k1.{number + 500:064}", number=day * 86_400_000, kind=kind)))
    state = row.state
    assert len(encode(row)) <= MAX_BYTES
    assert (list(state.roles), state.coarsened) == (own, False)
    assert state.below is not None
    assert state.below.coarsened
    assert sum(cells[MERGED] for history in state.below.kinds.values() for cells in history.days.values()) > 0
    assert decode(encode(row)) == row


def test_counts_from_below_that_are_too_much_even_when_merged_begin_anew_and_the_own_stay():
    def every_day_of(person: str) -> dict[str, KindHistory]:
        cells = {day: {ANONYMOUS: 100, person: 10_000} for day in range(120)}
        return {f"kind_{kind}": KindHistory(days=cells, seconds=cells) for kind in range(100)}

    state = AccountState(kinds=every_day_of("p"), roles={"p": None}, oldest=0, below=Counts(kinds=every_day_of(MERGED), oldest=0))
    row = Row(state=state, applied=-1, due=0, size=MAX_BYTES)
    row.count(via(signal("q")))
    assert len(encode(row)) <= MAX_BYTES
    assert (row.state.kinds, row.state.coarsened) == (every_day_of("p"), False)
    assert row.state.below == Counts(max_people=0, max_topics=0, coarsened=True)


def test_an_explanation_names_the_accounts_below():
    log = Log().signal(0, "pricing", "p1").signal(0, "pricing", "p2", via="labs.acme.com").signal(1, "pricing", "p3", via="acme.de")
    told = explain("acme.com", run(log).state(), FIRST_DAY + 1, judge())
    assert told.day == iso_day(FIRST_DAY + 1)
    assert told.rolled_up == RolledUp(score=14_657 + 14_657 + 15_000, people=3, accounts=("acme.de", "labs.acme.com"), coarsened=False)
    assert told.score == 14_657
    assert told.people.active == 1


@pytest.mark.parametrize("day", [119, 130])
def test_names_below_go_with_their_signals(day: int):
    state = run(Log().signal(0, "page", via="labs.acme.com").signal(5, "page", via="acme.de").signal(day, "page")).state()
    assert set(state.names_below) == ({"labs.acme.com", "acme.de"} if day == 119 else set())
    assert state.has_below == (day == 119)
