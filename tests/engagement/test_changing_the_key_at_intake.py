"""While the key of people's hashes is changed, intake says of whom it names who that was; accounts then count as under one key."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.account import AccountState
from engagement.days import day_of
from engagement.events import Family
from engagement.identity import Identity, person_hasher
from engagement.machine import PlainRecord
from engagement.records import Signal, Update
from engagement.resolution import Found, Link
from engagement.rulebook import Rulebook, load_rulebook
from tests.engagement.intake_world import IDENTITY, entries, fate_of, intent, new_intake, record, run, update
from tests.engagement.log_world import FIRST_DAY, Log
from tests.engagement.log_world import run as run_log
from tests.engagement.test_retraction_properties import told
from tests.engagement.test_visitor_properties import PEOPLE, histories
from tests.engagement.visitor_world import World, arriving, known, seen, unlinked

BOTH = replace(IDENTITY, person=person_hasher(b"new", "k2"), key_id="k2", person_before=IDENTITY.person)
NEW = replace(BOTH, person_before=None)
JANE, JOE = "jane@acme.example", "joe@acme.example"
TEXT = """
signals: {{page: {{points: 10}}, pricing: {{points: 15, urls: [/pricing*]}}, webinar: {{points: 30}}}}
ignore_urls: [/login*]
roles: {{vp: 1.5}}
caps: {{person: 40, anonymous: 20, repeats_per_day: 2}}
intake: {{own_domains: [us.example], dedupe_window: 90d}}
resolve: {{parents: {{acme.example: holding.example, beta.example: holding.example}}}}
visitors: {{visits: 9, age: 9d, two_accounts: {two_accounts}}}
stage: {{some: {{enter: {{people: 1}}}}, two: {{enter: {{people: 2}}}}, more: {{enter: {{rolled_up_people: 2, score: 60}}}}}}
"""
RULEBOOKS = [load_rulebook(TEXT.format(two_accounts=which), "test") for which in ("last", "first")]


def now(email: str) -> str:
    return BOTH.person(email)


def was(email: str) -> str:
    return IDENTITY.person(email)


def names(email: str) -> dict[str, str]:
    return {now(email): was(email)}


@st.composite
def histories_with_updates(draw: st.DrawFn) -> list[PlainRecord]:
    """Visits and signals, and between them committees and retractions. The only role is one: of a circle it does not matter whose it is."""
    records = draw(histories())
    for number in range(draw(st.integers(0, 4))):
        person, place = draw(PEOPLE), draw(st.integers(0, max(0, len(records) - 1)))
        said: Any = draw(st.sampled_from([{"contacts": [{"email": person, "role": "vp"}]}, {"retract": {"person": person}}]))
        value = update(id=f"u{number}", account=draw(st.sampled_from(["acme.example", "beta.example"])), **said)
        if records:
            records.insert(place, record(Family.ACCOUNT_UPDATES, value, received_at=records[place].timestamp))
    updates = [place for place, each in enumerate(records) if each.topic == f"t.{Family.ACCOUNT_UPDATES}"]
    for offset, place in enumerate(updates):
        records[place] = records[place]._replace(offset=offset)
    return records


def accounts(records: list[PlainRecord], parts: list[tuple[int, Identity]], rulebook: Rulebook) -> Any:
    """Where all accounts stand and why, but for people's names. ``parts``: up to which record whose intake goes on from the one before."""
    world, began = World(rulebook), 0
    for end, identity in [*parts, (len(records), world.identity if not parts else parts[-1][1])]:
        if records[began:end]:
            world.restart(identity)
            world.fold(records[began:end])
            began = end
    log = Log(rulebook)
    for output in world.outputs:
        if output.topic == "account-log":
            day = day_of(output.timestamp or 0)
            log.until(day - FIRST_DAY).append(output.key, output.value, day)
    folded = run_log(log.until(log.day + 1))
    states = {account: (told(state, rulebook), state.standings) for account, state in folded.fold.accounts()}
    changes = [(each.account, each.effective_at, each.to, each.score, each.people, each.reason) for each in folded.changes]
    return states, changes, world.fates


@settings(deadline=None, max_examples=300)
@given(
    histories_with_updates(),
    st.sampled_from(RULEBOOKS),
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from([IDENTITY, BOTH])), max_size=4),
)
def test_wherever_workers_change_to_both_keys_or_back_accounts_are_as_under_one(
    records: list[PlainRecord], rulebook: Rulebook, parts: list[tuple[int, Identity]]
) -> None:
    assert accounts(records, sorted(parts, key=lambda part: part[0]), rulebook) == accounts(records, [], rulebook)


VISITOR, PERSON = st.sampled_from(["v1", "v2"]), st.sampled_from([JANE, JOE])
SAYINGS = st.one_of(
    st.tuples(st.just("identify"), VISITOR, PERSON),
    st.tuples(st.just("page_view"), VISITOR, st.sampled_from([None, None, JANE])),
    st.tuples(st.just("unlink"), VISITOR, st.none()),
)


@settings(deadline=None, max_examples=400)
@given(st.lists(st.tuples(SAYINGS, st.sampled_from([IDENTITY, BOTH])), max_size=12))
def test_two_people_on_two_machines_are_two_under_whichever_key_each_event_is_taken_in(taken_in: list[Any]) -> None:
    values = [
        seen(f"e{number}", type=act, visitor_id=visitor, **({} if email is None else {"email": email}))
        for number, ((act, visitor, email), _) in enumerate(taken_in)
    ]
    records, parts = arriving(values), [(number, identity) for number, (_, identity) in enumerate(taken_in, 1)]
    assert accounts(records, parts, RULEBOOKS[0]) == accounts(records, [], RULEBOOKS[0])


def test_a_signal_says_who_its_person_was_and_so_do_its_copies() -> None:
    world = World(RULEBOOKS[0], BOTH)
    world.fold([record(Family.INTENT_SIGNALS, intent(email=JANE))])
    said = [(account, entry.person, entry.was) for account, entry in entries(world.outputs) if isinstance(entry, Signal)]
    assert said == [("acme.example", now(JANE), was(JANE)), ("holding.example", now(JANE), was(JANE))]


def test_without_a_former_key_nothing_is_said() -> None:
    world = World(RULEBOOKS[0], NEW).visit(seen("a"), known("b"), known("c", JOE))
    world.fold([record(Family.ACCOUNT_UPDATES, update(contacts=[{"email": JANE}]))])
    for _, entry in entries(world.outputs):
        assert "was" not in entry.fields if isinstance(entry, Update) else entry.was is None


def test_a_visitor_known_under_the_former_key_is_the_same_person() -> None:
    world = World().visit(known("a"), seen("b"))
    world.restart(BOTH)
    world.visit(known("c"), seen("d"))
    assert world.same() == {}
    assert world.counts() == {("acme.example", None, "b", was(JANE)): 1, ("acme.example", None, "d", now(JANE)): 1}
    assert world.intake.link("v1") == Link("acme.example", now(JANE), was=was(JANE))
    world.restart(NEW)
    world.visit(known("e"))
    assert world.same() == {}
    world.visit(unlinked("f"))  # takes out each as it was counted
    assert world.counts() == {}


@pytest.mark.parametrize(
    "says",
    [
        [known("a")],
        [seen("a", email=JANE)],
        [known("a", None, account="acme.example"), known("b")],
        [known("a"), known("b", JOE)],
        [known("a"), known("b", role="vp")],
    ],
    ids=["an identify", "a visit with an address", "a person after the account", "a second address", "a role"],
)
def test_a_visit_that_its_visitor_is_credited_with_says_who_the_person_was(says: list[bytes]) -> None:
    world = World(identity=BOTH).visit(*says, seen("v"))
    (visit,) = (entry for _, entry in entries(world.outputs) if isinstance(entry, Signal) and entry.id == "v")
    assert (visit.person, visit.was) == (now(JANE), was(JANE))


def test_a_link_that_was_made_without_the_former_key_learns_it() -> None:
    world = World(identity=NEW).visit(known("a"))
    world.restart(BOTH)
    world.visit(known("b"))
    assert world.intake.link("v1") == Link("acme.example", now(JANE), was=was(JANE))


def test_an_address_that_was_merged_under_the_former_key_is_not_told_again() -> None:
    world = World().visit(known("a"), known("b", JOE))
    world.restart(BOTH)
    world.visit(known("c", JOE))
    assert world.same() == {("acme.example", was(JOE)): was(JANE)}


def test_a_merge_says_who_both_were() -> None:
    world = World(identity=BOTH).visit(known("a"), known("b", JOE))
    (told,) = (entry.fields for _, entry in entries(world.outputs) if isinstance(entry, Update))
    assert told == {"same": {now(JOE): now(JANE)}, "was": names(JOE) | names(JANE)}


def test_a_contact_list_that_was_made_under_the_former_key_is_asked_as_well() -> None:
    world = World(identity=BOTH)
    world.fold([record(Family.INTENT_SIGNALS, intent(email="ann@gmail.example"))])
    assert [account for account, _ in entries(world.outputs)] == ["beta.example"]


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"contacts": [{"email": JANE}, {"email": JOE}]}, names(JANE) | names(JOE)),
        ({"retract": {"person": JANE}}, names(JANE)),
        ({"retract": {"events": [{"id": "e", "kind": "page", "occurred_at": "2025-01-01T00:00:00Z", "email": JANE}]}}, names(JANE)),
    ],
    ids=["a committee", "a retraction", "a retracted event"],
)
def test_an_update_says_who_the_people_were_whom_it_names(said: dict[str, Any], named: dict[str, str]) -> None:
    ((_, entry),) = entries(run(new_intake(identity=BOTH), [record(Family.ACCOUNT_UPDATES, update(**said))]))
    assert isinstance(entry, Update)
    assert entry.fields["was"] == named


@pytest.mark.parametrize("person", [was(JANE), now(JANE), "a-key_of-2031.0123456789abcdef"])
def test_a_person_may_be_retracted_by_the_hash_as_it_stands_in_the_log(person: str) -> None:
    event = {"id": "e", "kind": "page", "occurred_at": "2025-01-01T00:00:00Z", "email": person}
    value = update(retract={"person": person, "events": [event]})
    ((_, entry),) = entries(run(new_intake(identity=BOTH), [record(Family.ACCOUNT_UPDATES, value)]))
    assert isinstance(entry, Update)
    assert "was" not in entry.fields
    retraction = entry.fields["retract"]
    assert retraction is not None
    assert [retraction["person"], *(each["person"] for each in retraction["events"])] == [person, person]


@pytest.mark.parametrize("person", ["jane", "k1.9F86D081884C7D65", "k1.9f86", "k.1.9f86d081884c7d65"])
def test_what_is_neither_an_address_nor_a_hash_retracts_nobody(person: str) -> None:
    fate, (dead,) = fate_of(record(Family.ACCOUNT_UPDATES, update(retract={"person": person})))
    assert fate == "dead:invalid"
    assert b"retract.person" in dict(dead.headers)["detail"]
    assert b"or a hash such as k1.9f86d081884c7d65" in dict(dead.headers)["detail"]


def test_a_contact_needs_an_address() -> None:
    assert fate_of(record(Family.ACCOUNT_UPDATES, update(contacts=[{"email": was(JANE)}])))[0] == "dead:invalid"


def test_rows_that_were_written_before_any_key_was_changed_are_read() -> None:
    link = Link("acme.example", "p", "vp", (("q", ("acme.example",)),))
    found = Found("acme.example", "p", None, "email", 90)
    assert msgspec.convert(["acme.example", "p", "vp", [["q", ["acme.example"]]]], Link) == link
    assert msgspec.convert(["acme.example", "p", None, "email", 90, []], Found) == found
    state = msgspec.to_builtins(AccountState(same={"a": "b"}))[:-1]
    assert msgspec.convert(state, AccountState) == AccountState(same={"a": "b"})
