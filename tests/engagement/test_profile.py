"""The profile of an account says what the explanation of the same account on the same day says."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.account import decode, encode
from engagement.explain.account import explain
from engagement.judging import judge_by
from engagement.profile import Profile, profile
from tests.engagement.log_world import FIRST_DAY, FITTING, Log, judge, run
from tests.engagement.test_qualify_properties import RULEBOOKS, SCRIPTS, written


@settings(max_examples=40, deadline=None)
@given(SCRIPTS, RULEBOOKS, RULEBOOKS, st.integers(0, 140))
def test_a_profile_agrees_with_the_explanation_of_its_account(script, rulebook, other, ahead):
    log = written(script, rulebook)
    rules = judge_by(other.canonical(), other.version)
    for account, state in run(log).fold.accounts():
        day = FIRST_DAY + log.day + ahead
        told, shown = explain(account, state, day, rules), profile(account, state, day, rules)
        assert shown.rungs == {standing.ladder: standing.rung for standing in told.standings}
        assert shown.since == {standing.ladder: standing.since for standing in told.standings if standing.since is not None}
        assert set(shown.pinned) == {each.ladder for each in told.standings if each.pin is not None and each.pin.active}
        assert shown.suppressed == (told.suppressed is not None)
        assert (shown.score, shown.people, shown.day) == (told.score, told.people.active, told.day)
        assert shown.rolled_up_score == (None if told.rolled_up is None else told.rolled_up.score)
        assert (shown.segments, shown.cluster, shown.rulebook) == (told.segments, told.cluster, told.rulebook)
        if told.fit is not None:
            assert (shown.fit, shown.fit_known, shown.grade) == (told.fit.score, told.fit.known, told.fit.grade)


def a_committee() -> Log:
    log = Log()
    log.update(0, name="Acme", owner="liam", region="APAC", attributes=FITTING)
    for person in ("ann", "bob", "cyd"):
        log.signal(1, "pricing", person).signal(2, "webinar", person)
    return log


def test_it_shows_what_people_sort_and_choose_by():
    log = a_committee()
    shown = profile("acme.com", run(log).state("acme.com"), FIRST_DAY + log.day, judge())
    assert (shown.name, shown.owner, shown.region, shown.industry) == ("Acme", "liam", "APAC", "fintech")
    assert shown.rungs == {"stage": "mqa", "tier": "tier_3"}
    assert (shown.people, shown.idle, shown.grade) == (3, 0, "A")


def test_it_leaves_the_state_as_it_is():
    log = a_committee()
    state = run(log).state("acme.com")
    before = msgspec.msgpack.encode(state)
    later = profile("acme.com", state, FIRST_DAY + log.day + 300, judge())
    assert (later.score, later.rungs["stage"]) == (0, "watch")
    assert msgspec.msgpack.encode(state) == before


def test_it_is_the_same_from_the_row_that_is_stored():
    log = a_committee()
    result, day = run(log), FIRST_DAY + log.day
    stored = result.changelog[b"acme.com"]
    assert stored is not None
    row = decode(stored)
    assert encode(row) == stored
    assert profile("acme.com", row.state, day, judge()) == profile("acme.com", result.state("acme.com"), day, judge())
    assert msgspec.json.decode(msgspec.json.encode(profile("acme.com", row.state, day, judge())), type=Profile).account == "acme.com"
