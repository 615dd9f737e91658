"""People who turn out to be the same count as one, and taking it back restores what was."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.account import AccountState
from engagement.rulebook import Rulebook, load_rulebook
from engagement.sayings import whoever
from engagement.together import as_one
from tests.engagement.log_world import Log, run
from tests.engagement.test_account import said, signal
from tests.engagement.test_qualify_properties import RULEBOOKS
from tests.engagement.test_retraction_properties import told

PEOPLE = ["p1", "p2", "p3", "p4"]
SIGNALS = st.lists(
    st.tuples(
        st.sampled_from(["page", "pricing", "webinar", "surge", "demo_request"]),
        st.sampled_from([None, *PEOPLE]),
        st.integers(0, 3),
        st.sampled_from([None, "aml", "Sepa"]),
        st.sampled_from([None, 600]),
        st.sampled_from([None, None, "labs.acme.com"]),
    ),
    max_size=14,
)
SAMENESS = st.dictionaries(st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), max_size=4)


def written(signals: Any, rulebook: Rulebook, same: dict[str, str]) -> Log:
    """Everybody signals as whom ``same`` says; no roles, since of those the last said counts."""
    log = Log(rulebook).until(3).update(3, region="EU")
    for kind, person, age, topic, seconds, via in signals:
        one = None if person is None else whoever(person, same)
        log.signal(3, kind, one, occurred=3 - age, topic=topic, seconds=seconds, via=via)
    return log


@settings(max_examples=150, deadline=None)
@given(SIGNALS, SAMENESS, RULEBOOKS)
def test_it_is_as_if_they_had_come_as_one_and_taken_back_as_if_nothing_had_been_said(signals: Any, same: Any, rulebook: Rulebook):
    plain = written(signals, rulebook, {})
    before = run(plain).state()
    joined = run(plain.update(3, same=same)).state()
    assert told(joined, rulebook) == told(run(written(signals, rulebook, same)).state(), rulebook)
    after = run(plain.update(3, differ=same)).state()
    assert told(after, rulebook) == told(before, rulebook)
    unmoved = {"standings": {}, "falls": {}, "sequence": 0}  # history stays
    assert msgspec.structs.replace(after, **unmoved) == msgspec.structs.replace(before, **unmoved)


@pytest.mark.parametrize(
    ("same", "ones"),
    [
        ({"b": "a"}, {"a": "a", "b": "a"}),
        ({"c": "b", "b": "a"}, {"c": "a", "b": "a"}),  # a chain
        ({"b": "c", "c": "b"}, {"b": "b", "c": "b"}),  # a circle
        ({"a": "b", "b": "c", "c": "b"}, {"a": "b", "b": "b", "c": "b"}),  # a chain into one
        ({"a": "a"}, {"a": "a"}),
        ({"b": "never seen"}, {"b": "never seen"}),
    ],
)
def test_chains_end_somewhere_and_circles_are_one_person(same: dict[str, str], ones: dict[str, str]):
    assert {person: whoever(person, same) for person in ones} == ones


def test_two_addresses_of_one_person_are_one_in_people_under_the_cap_and_in_repeats():
    text = "signals: {page: {points: 20}}\ncaps: {repeats_per_day: 2, person: 50}\nstage: {two: {enter: {people: 2}}}"
    log = Log(load_rulebook(text, "x"))
    for person in ("p1", "p1", "p2", "p2"):
        log.signal(0, "page", person)
    fall = run(log.update(0, same={"p2": "p1"})).changes[-1]
    assert (fall.to, fall.reason, fall.people, fall.score) == ("watch", "update", 1, 40_000)
    back = run(log.update(0, differ={"p2": "p1"})).changes[-1]
    assert (back.to, back.people, back.score) == ("two", 2, 80_000)


def test_the_role_is_that_of_the_one_they_are_else_what_was_said_of_another():
    state = AccountState()
    for person, role in (("a", None), ("b", "vp"), ("c", "cto")):
        state.count(signal(person, role=role))
    state.learn(said(same={"b": "a", "c": "b"}))
    assert as_one(state).roles == {"a": "vp"}
    state.count(signal("a", role="director"))
    assert as_one(state).roles == {"a": "director"}
    assert state.roles == {"a": "director", "b": "vp", "c": "cto"}


def test_what_a_further_signal_may_move_is_asked_for_whom_it_counts_as():
    state = AccountState()
    state.learn(said(same={"b": "a", "c": "b"}))
    assert [state.who(signal(person)) for person in ("a", "b", "c", "d", None)] == ["a", "a", "a", "d", ""]


def test_nobody_being_the_same_costs_nothing():
    state = AccountState()
    state.count(signal("a"))
    assert as_one(state) is state


def test_a_signal_of_a_second_address_brings_nobody_new():
    text = "signals: {page: {points: 1}}\nstage: {two: {enter: {people: 2}}}"
    log = Log(load_rulebook(text, "x")).signal(0, "page", "p1").update(0, same={"p2": "p1"}).signal(0, "page", "p2")
    assert not run(log).changes
    assert [change.to for change in run(log.signal(0, "page", "p3")).changes] == ["two"]


def test_a_person_who_is_retracted_is_nobody_any_more():
    state = AccountState()
    for person in ("a", "b", "c"):
        state.count(signal(person))
    state.learn(said(same={"b": "a", "c": "b"}))
    state.learn(said(retract={"person": "b"}))
    assert (state.same, set(state.roles)) == ({}, {"a", "c"})


def test_what_two_visitors_say_stands_until_both_have_taken_it_back():
    state = AccountState()
    for _ in range(2):
        state.learn(said(same={"b": "a"}))
    state.learn(said(differ={"b": "a"}))
    assert state.same == {"b": "a"}
    state.learn(said(differ={"b": "a"}))
    assert (state.same, state.sayings) == ({}, {})
    state.learn(said(differ={"b": "a"}))  # one too many: nobody says it
    state.learn(said(same={"b": "a"}))
    assert state.same == {"b": "a"}


def test_of_two_whom_somebody_is_said_to_be_it_is_whom_most_say_then_the_smallest_hash():
    state = AccountState()
    for one in ("c", "a", "c"):
        state.learn(said(same={"b": one}))
    assert state.same == {"b": "c"}
    state.learn(said(differ={"b": "c"}))
    assert state.same == {"b": "a"}
