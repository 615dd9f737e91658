"""The trend of an account says of each past day what the explanation would have said, had nothing happened since."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.account import AccountState
from engagement.days import iso_day
from engagement.explain.account import explain
from engagement.explain.trend import trend
from engagement.judging import judge_by
from engagement.rulebook import load_rulebook
from tests.engagement.log_world import FIRST_DAY, Log, judge, run
from tests.engagement.test_qualify_properties import RULEBOOKS, SCRIPTS, written


def only_until(state: AccountState, day: int) -> AccountState:
    """The state without what is dated later."""
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=AccountState)
    for history in kept.kinds.values():
        history.days = {each: cells for each, cells in history.days.items() if each <= day}
        history.seconds = {each: cells for each, cells in history.seconds.items() if each <= day}
    return kept


@settings(max_examples=40, deadline=None)
@given(SCRIPTS, RULEBOOKS, RULEBOOKS, st.integers(0, 60))
def test_each_day_is_as_the_explanation_of_what_had_happened_until_then(script, rulebook, other, ahead):
    log = written(script, rulebook)
    rules = judge_by(other.canonical(), other.version)
    for account, state in run(log).fold.accounts():
        today = FIRST_DAY + log.day + ahead
        traced = trend(account, state, today, rules, 25)
        assert [each.day for each in traced.days] == [iso_day(today - back) for back in range(24, -1, -1)]
        for back, each in zip(range(24, -1, -1), traced.days, strict=True):
            told = explain(account, state if back == 0 else only_until(state, today - back), today - back, rules)
            assert each.score == told.score
            assert each.points == {share.kind: share.points for share in told.shares if share.points}


def test_it_leaves_the_state_as_it_is():
    log = Log().signal(0, "pricing", "ann").signal(5, "webinar", "bob", seconds=60)
    state = run(log).state("acme.com")
    before = msgspec.msgpack.encode(state)
    trend("acme.com", state, FIRST_DAY + 9, judge(), 30)
    assert msgspec.msgpack.encode(state) == before


def test_signals_stand_on_the_day_on_which_they_occurred():
    log = Log().signal(0, "webinar", "ann").signal(3, "page", "ann").signal(3, "page", "bob", occurred=2).signal(3, "page", occurred=2)
    days = trend("acme.com", run(log).state("acme.com"), FIRST_DAY + 3, judge(), 4).days
    assert [each.signals for each in days] == [{"webinar": 1}, {}, {"page": 2}, {"page": 1}]


def test_what_is_dated_ahead_counts_today_and_not_before():
    log = Log().signal(3, "webinar", "ann", occurred=4)
    days = trend("acme.com", run(log).state("acme.com"), FIRST_DAY + 3, judge(), 2).days
    assert [each.score for each in days] == [0, 30_000]


def test_people_whose_role_is_worth_nothing_never_were_there():
    rulebook = load_rulebook("signals: {webinar: {points: 30}}\nroles: {student: 0}\nstage: {mqa: {enter: {score: 10}}}\n", "test")
    log = Log(rulebook).signal(0, "webinar", "ann").signal(1, "webinar", "ann", role="student")
    days = trend("acme.com", run(log).state("acme.com"), FIRST_DAY + 1, judge_by(rulebook.canonical(), "1"), 2).days
    assert [(each.score, each.signals) for each in days] == [(0, {}), (0, {})]


def test_it_says_from_which_day_on_nothing_is_missing_that_counted_then():
    rules = judge()
    last = rules.rulebook.history_days + 10
    today = FIRST_DAY + last
    untouched = run(Log().signal(0, "webinar", "ann")).state("acme.com")
    touched = run(Log().signal(0, "webinar", "ann").until(last).signal(last, "email_open", "ann")).state("acme.com")
    whole, kept = (trend("acme.com", state, today, rules, 120) for state in (untouched, touched))
    differ = [each.day for each, other in zip(whole.days, kept.days, strict=True) if each.score != other.score]
    assert differ
    assert max(differ) < kept.exact_from == iso_day(today - rules.rulebook.history_days + rules.scoring.horizon)
