"""A signal that turns out to be another account's is taken out again as it was counted."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.account import AccountState
from engagement.days import midnight
from engagement.records import Signal
from engagement.rulebook import Rulebook, load_rulebook
from tests.engagement.log_world import FIRST_DAY, Log, run
from tests.engagement.test_qualify_properties import RULEBOOKS
from tests.engagement.test_retraction_properties import told

ACTS = st.tuples(
    st.sampled_from(["page", "pricing", "webinar", "surge", "email_open", "demo_request"]),
    st.sampled_from([None, "p1", "p2", "p3"]),
    st.integers(0, 3),  # days since it occurred
    st.sampled_from([None, "aml", "Sepa"]),
    st.sampled_from([None, 30, 600]),
    st.sampled_from([None, None, "labs.acme.com"]),
)


def written(log: Log, act: Any) -> None:
    kind, person, age, topic, seconds, via = act
    log.signal(3, kind, person, occurred=3 - age, topic=topic, seconds=seconds, via=via)


def cells(state: AccountState) -> Any:
    """All that was counted, here and below, without evidence."""
    counted = [state, state.below] if state.below is not None and state.has_below else [state]
    return [({kind: (history.days, history.seconds) for kind, history in each.kinds.items()}, each.topics, each.oldest) for each in counted]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(ACTS, st.booleans()), max_size=14), st.randoms(use_true_random=False), RULEBOOKS)
def test_what_was_undone_has_never_been_whatever_came_between(acts: Any, random: Any, rulebook: Rulebook):
    never, undone = Log(rulebook).until(3).update(3, region="EU"), Log(rulebook).until(3).update(3, region="EU")
    left: list[int] = []
    for act, is_taken in acts:
        written(undone, act)
        if is_taken:
            left.append(len(undone.signals) - 1)
        else:
            written(never, act)
        while left and random.random() < 0.3:
            undone.undo(3, left.pop(random.randrange(len(left))))
    while left:
        undone.undo(3, left.pop(random.randrange(len(left))))
    once, before = run(undone).state(), run(never).state()
    assert cells(once) == cells(before)
    assert told(once, rulebook) == told(before, rulebook)
    assert run(undone).fold.position.fates.get("not_there", 0) == 0


def test_an_account_falls_by_it_and_the_change_says_why():
    log = Log().signal(0, "demo_request", "p1").undo(2)
    rise, fall = run(log.until(20)).changes
    assert (rise.to, fall.from_, fall.to) == ("mqa", "mqa", "watch")
    assert fall.effective_at > rise.effective_at
    assert fall.reason == "silence"  # the dwell of 14 days comes first


def test_without_a_dwell_it_falls_at_once_and_the_cause_is_the_signal():
    rulebook = load_rulebook("signals: {page: {points: 5}}\nstage: {keen: {enter: {score: 10}}}", "x")
    log = Log(rulebook).signal(0, "page", "p1").signal(0, "page", "p2").undo(1, 0)
    fall = run(log).changes[-1]
    assert (fall.to, fall.reason, fall.cause, fall.score) == ("watch", "reattribution", "intent-signals:e2", 5_000)
    assert fall.effective_at.startswith("2025-01-02T12")


def test_what_was_not_counted_is_not_taken_out():
    log = Log().signal(0, "page", "p1")
    before = run(log).state()
    for wrong in ({"kind": "pricing"}, {"person": "p2"}, {"occurred_at": midnight(FIRST_DAY - 2)}, {"via": "labs.acme.com"}):
        _, signal = log.signals[0]
        source = ("intent-signals", 0, len(log.records), 0)
        log.append(b"acme.com", msgspec.structs.replace(signal, undo=True, source=source, **wrong), FIRST_DAY)
    result = run(log)
    assert result.state() == before
    assert result.fold.position.fates["not_there"] == 4
    assert "undone" not in result.fold.position.fates


def event(signal: Signal) -> dict[str, Any]:
    return {"id": signal.id, "kind": signal.kind, "day": FIRST_DAY, "person": signal.person}


def test_what_was_retracted_is_not_taken_out_twice_and_counts_when_it_comes_back():
    log = Log().signal(0, "page", "p1").signal(0, "page", "p1")
    account, signal = log.signals[0]
    retract = {"events": [event(signal)]}
    log.update(0, retract=retract).undo(0, 0)
    assert run(log).state().kinds["page"].days == {FIRST_DAY: {"p1": 1}}
    log.append(account.encode(), msgspec.structs.replace(signal, source=("intent-signals", 0, len(log.records), 0)), FIRST_DAY)
    assert run(log).state().kinds["page"].days == {FIRST_DAY: {"p1": 2}}
    assert run(log.update(0, retract=retract)).state().kinds["page"].days == {FIRST_DAY: {"p1": 1}}


def test_signals_taken_out_are_counted_apart_and_so_are_their_copies_above():
    log = Log().signal(0, "page").signal(0, "page").undo(0).signal(0, "page", via="labs.acme.com").undo(0)
    fates = run(log).fold.position.fates
    assert {name: fates[name] for name in ("signals", "undone", "via", "via_undone")} == {
        "signals": 2,
        "undone": 1,
        "via": 1,
        "via_undone": 1,
    }


def test_an_account_is_known_no_longer_by_a_day_that_was_taken_out():
    text = "signals: {page: {points: 1}, newsletter: {points: 0}}\nstage: {engaged: {enter: {any: [{surge: aml}, {score: 90}]}}}"
    log = Log(load_rulebook(text, "x")).signal(60, "page", occurred=0)
    for _ in range(6):
        log.signal(60, "page", "p1", topic="aml").signal(60, "page", "p2", topic="aml")
    log.undo(60, 0)
    (change, fall) = run(log).changes
    assert (change.to, fall.reason) == ("engaged", "reattribution")
    (again,) = run(log.signal(60, "newsletter", occurred=4)).changes[2:]  # worth nothing, but from 8 weeks ago
    assert (again.to, again.reason) == ("engaged", "signal")
