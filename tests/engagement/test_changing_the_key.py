"""Whoever is known under the former key of people's hashes stays one person under the new one."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engagement.account import MAX_BYTES, MAX_FORMERLY, AccountState, Row
from engagement.counts import MAX_PEOPLE
from engagement.rulebook import Rulebook, load_rulebook
from tests.engagement.log_world import Log, Run, run
from tests.engagement.test_account import said, signal
from tests.engagement.test_qualify_properties import RULEBOOKS
from tests.engagement.test_retraction_properties import told

PEOPLE = st.sampled_from(["p1", "p2", "p3"])
ROLES = st.sampled_from([None, None, "vp", "cfo"])
HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(
            st.just("signal"),
            PEOPLE,
            ROLES,
            st.sampled_from(["page", "pricing", "webinar", "surge", "demo_request"]),
            st.sampled_from([None, "aml"]),
            st.sampled_from([None, 600]),
            st.sampled_from([None, None, "labs.acme.com"]),
        ),
        st.tuples(st.just("undo"), st.integers(0, 20)),
        st.tuples(st.just("contacts"), st.dictionaries(PEOPLE, ROLES, min_size=1)),
        st.tuples(st.just("same"), st.sampled_from([("p2", "p1"), ("p3", "p1"), ("p3", "p2")]), st.booleans()),
        st.tuples(st.just("retract"), PEOPLE),
    ),
    max_size=16,
)
OLD, BOTH = "under the former key alone", "under both keys"
WORKERS = st.lists(st.sampled_from([OLD, BOTH]), min_size=20, max_size=20)


def old(person: str) -> str:
    return f"k1.{person}"


def new(person: str) -> str:
    return f"k2.{person}"


def written(happenings: Any, workers: list[str], rulebook: Rulebook) -> Log:
    """What comes on one day after another, each taken in by a worker of its own."""
    log = Log(rulebook)
    for day, (happening, worker) in enumerate(zip(happenings, workers, strict=False)):
        of = old if worker == OLD else new

        def was(*people: str, worker: str = worker) -> Any:
            return {} if worker == OLD else {"was": {new(person): old(person) for person in people}}

        match happening:
            case "signal", person, role, kind, topic, seconds, via:
                former = None if worker == OLD else old(person)
                log.signal(day, kind, of(person), was=former, role=role, topic=topic, seconds=seconds, via=via)
            case "undo", which:
                if log.signals:
                    log.undo(day, which % len(log.signals))
            case "contacts", contacts:
                log.update(day, contacts={of(person): role for person, role in contacts.items()}, **was(*contacts))
            case "same", (second, first), is_same:
                said: dict[str, Any] = {"same" if is_same else "differ": {of(second): of(first)}}
                log.update(day, **said, **was(second, first))
            case "retract", person:
                log.update(day, retract={"person": of(person)}, **was(person))
    return log.update(16, region="EU")


def outcome(log: Log, rulebook: Rulebook, **options: Any) -> Any:
    """Who stands where and why, but for the names of people."""
    done = run(log, **options)
    state = done.state()
    changes = [(each.effective_at, each.ladder, each.to, each.score, each.people, each.reason, each.factors) for each in done.changes]
    return told(state, rulebook), state.standings, changes


@settings(max_examples=300, deadline=None)
@given(HAPPENINGS, WORKERS, RULEBOOKS)
def test_under_whichever_key_each_worker_hashes_it_is_as_under_one(happenings: Any, workers: list[str], rulebook: Rulebook) -> None:
    assert outcome(written(happenings, workers, rulebook), rulebook) == outcome(written(happenings, [OLD] * 20, rulebook), rulebook)


@settings(max_examples=60, deadline=None)
@given(HAPPENINGS, WORKERS, RULEBOOKS, st.integers(1, 5))
def test_where_steps_end_shows_nowhere(happenings: Any, workers: list[str], rulebook: Rulebook, chunk: int) -> None:
    log = written(happenings, workers, rulebook)
    whole, parted = run(log), Run(log.records, chunk=chunk, limit=2, restart=True)
    assert (parted.rows, parted.outputs) == (whole.rows, whole.outputs)


@pytest.mark.parametrize(
    "workers", [[OLD, BOTH], [BOTH, OLD], [OLD, BOTH, OLD, BOTH]], ids=["former first", "new first", "in turns, as in a rolling restart"]
)
def test_a_person_is_one_in_people_under_the_cap_and_in_repeats(workers: list[str]) -> None:
    text = "signals: {page: {points: 20}}\ncaps: {repeats_per_day: 2, person: 30}\nstage: {two: {enter: {people: 2}}}"
    log = Log(load_rulebook(text, "x"))
    for worker in workers:
        log.signal(0, "page", old("p") if worker == OLD else new("p"), was=None if worker == OLD else old("p"))
    done = run(log)
    assert (done.changes, set(done.state().roles)) == ([], {new("p")})
    change = run(log.signal(0, "page", new("q"), was=old("q"))).changes[-1]
    assert (change.to, change.people, change.score) == ("two", 2, 50_000)


@pytest.mark.parametrize("known", [old("p"), old("q")], ids=["under the former hash", "as whom another is the same"])
def test_headroom_hides_nobody_who_turns_out_to_be_known(known: str) -> None:
    """The account bears more pages; two people under one person's cap fall below what it needs."""
    text = "signals: {page: {points: 10}}\ncaps: {person: 10}\nstage: {two: {enter: {score: 20}}, three: {enter: {score: 900}}}"
    log = Log(load_rulebook(text, "x")).update(0, same={old("q"): old("p")})
    for person in (known, new("p"), new("p")):
        log.signal(0, "page", person)
    assert run(log).rung("stage") == "two"
    fall = run(log.signal(0, "page", new("p"), was=old("p"))).changes[-1]
    assert (fall.to, fall.people, fall.score) == ("watch", 1, 10_000)


def test_through_several_keys_a_person_stays_one() -> None:
    state = AccountState()
    for person, was in (("k1.p", None), ("k2.p", "k1.p"), ("k3.p", "k2.p"), ("k1.p", None), ("k2.p", "k1.p")):
        row = Row(state=state, applied=0, due=0)
        row.count(replace(signal(person), was=was))
    assert state.kinds["page"].days[0] == {"k3.p": 5}
    assert state.formerly == {"k1.p": "k3.p", "k2.p": "k3.p"}


def test_a_change_that_is_called_off_half_way_makes_no_circle() -> None:
    state = AccountState()
    assert not state.rename("k1.p", "k2.p")
    assert not state.rename("k2.p", "k1.p")
    assert (state.named("k1.p"), state.named("k2.p")) == ("k2.p", "k2.p")


def test_what_was_merged_under_the_former_key_is_taken_back_under_the_new_one() -> None:
    state = AccountState()
    for person in ("k1.a", "k1.b"):
        state.count(signal(person))
    state.learn(said(same={"k1.b": "k1.a"}))
    state.learn(said(contacts={"k2.b": "cfo"}, was={"k2.b": "k1.b"}))
    assert state.same == {"k2.b": "k1.a"}
    state.learn(said(differ={"k1.b": "k1.a"}))
    assert (state.same, state.roles) == ({}, {"k1.a": None, "k2.b": "cfo"})


def test_sayings_about_one_person_under_both_keys_are_told_together() -> None:
    state = AccountState()
    state.learn(said(same={"k1.b": "k1.a", "k2.b": "k1.c", "k2.d": "k1.d"}))
    for person in "abd":
        state.rename(f"k1.{person}", f"k2.{person}")
    assert state.sayings == {"k2.b": {"k2.a": 1, "k1.c": 1}}
    state.learn(said(same={"k2.b": "k2.a"}))
    assert state.same == {"k2.b": "k2.a"}


def test_the_role_is_that_of_the_new_name_else_that_of_the_former() -> None:
    state = AccountState()
    for person, role in (("k1.p", "vp"), ("k2.p", "cto"), ("k1.q", "vp"), ("k2.q", None)):
        state.count(signal(person, role=role))
    for person in "pq":
        state.rename(f"k1.{person}", f"k2.{person}")
    assert state.roles == {"k2.p": "cto", "k2.q": "vp"}


def test_what_a_further_signal_may_move_is_asked_under_the_new_name() -> None:
    state = AccountState()
    state.rename("k1.p", "k2.p")
    state.learn(said(same={"k1.p": "k1.q"}))
    assert [state.who(signal(person)) for person in ("k1.p", "k2.p", "k1.q")] == ["k1.q"] * 3


@pytest.mark.parametrize("named", ["k1.p", "k2.p"])
def test_a_person_retracted_by_either_hash_is_gone_under_both(named: str) -> None:
    state = AccountState()
    for person in ("k1.p", "k1.q"):
        state.count(signal(person))
    state.learn(said(same={"k1.q": "k1.p"}))
    state.rename("k1.p", "k2.p")
    state.learn(said(retract={"person": named}))
    assert (set(state.roles), state.same, state.formerly) == ({"k1.q"}, {}, {})


def test_an_event_that_was_counted_under_the_former_key_is_taken_out_by_the_address() -> None:
    state = AccountState()
    state.count(signal("k1.p"))
    event = {"id": signal("k1.p").id, "kind": "page", "day": 0, "person": "k2.p"}
    state.learn(said(retract={"events": [event]}, was={"k2.p": "k1.p"}))
    assert not state.kinds
    state.count(replace(signal("k2.p"), id="another"))
    state.learn(said(retract={"events": [event | {"id": "another", "person": "k1.p"}]}))
    assert not state.kinds


def test_an_update_that_is_not_learned_renames_nobody() -> None:
    state = AccountState()
    state.count(signal("k1.p"))
    assert not state.learn(said(attributes={"text": "x" * 70_000}, contacts={"k2.p": None}, was={"k2.p": "k1.p"}))
    assert (set(state.roles), state.formerly) == ({"k1.p"}, {})


def test_a_change_of_key_takes_no_more_places_among_the_people_who_are_told_apart() -> None:
    state = AccountState()
    for number in range(MAX_PEOPLE):
        state.count(signal(old(f"{number:03}")))
    for number in range(MAX_PEOPLE):
        state.rename(old(f"{number:03}"), new(f"{number:03}"))
        state.count(signal(new(f"{number:03}")))
    assert not state.coarsened
    assert state.kinds["page"].days[0] == {new(f"{number:03}"): 2 for number in range(MAX_PEOPLE)}


def test_former_names_are_bounded_and_those_learned_last_are_known() -> None:
    row = Row(state=AccountState(), applied=0, due=0)
    for number in range(MAX_FORMERLY + 10, 0, -1):
        row.count(replace(signal(new(f"{number:03}")), was=old(f"{number:03}")))
    assert len(row.state.formerly) == MAX_FORMERLY
    assert row.state.named(old("001")) == new("001")
    assert row.state.named(old(f"{MAX_FORMERLY + 10:03}")) == old(f"{MAX_FORMERLY + 10:03}")
    assert row.size <= MAX_BYTES


def test_who_is_beyond_the_bound_under_either_key_is_not_noted() -> None:
    state = AccountState(max_people=0)
    assert not state.rename("k1.p", "k2.p")
    assert not state.formerly
