"""What is remembered of an account, and how it is stored."""

from typing import Any, cast

import msgspec
import pytest

from engagement.account import MAX_BYTES, MAX_RETRACTED, AccountState, Row, decode, encode, header
from engagement.counts import ANONYMOUS, MAX_PEOPLE, MERGED, MERGED_TOPIC, NEVER
from engagement.errors import Refused
from engagement.records import Said, Signal, Update


def signal(person: str | None, *, number: int = 0, kind: str = "page", role: str | None = None) -> Signal:
    return Signal(
        id=f"e{number}",
        kind=kind,
        occurred_at=number,
        received_at=0,
        person=person,
        role=role,
        source=("web-visits", 0, 0, 0),
        rulebook="r",
    )


def said(**fields: Any) -> Update:
    return Update(
        id="u", occurred_at=86_400_000, received_at=0, fields=cast("Said", fields), source=("account-updates", 0, 0, 0), rulebook="r"
    )


def test_a_row_comes_back_as_it_was():
    state = AccountState(attributes={"uses": ["x"], "employees": 3, "share": 0.5})
    state.count(signal("p", role="vp"))
    state.learn(said(name="Acme", disposition={"status": "accepted"}, opportunity={"id": "o", "stage": "open"}, strategic=True))
    row = Row(state=state, applied=2**40, due=20_000)
    assert decode(encode(row)) == row
    assert header(encode(row)) == (2**40, 20_000)
    assert state.disposition_day == 1


def test_an_unknown_format_is_refused():
    stored = encode(Row(state=AccountState(), applied=1, due=NEVER))
    with pytest.raises(Refused, match="a row has format 9, this version reads 3"):
        decode(b"\x09" + stored[1:])


def test_the_newest_three_events_stay_whatever_the_order():
    state = AccountState()
    for number in (3, 1, 5, 2, 4):
        state.count(signal(None, number=number))
    assert state.kinds["page"].newest == [(5, "e5", ""), (4, "e4", ""), (3, "e3", "")]


def test_what_is_not_said_stays_and_null_clears():
    state = AccountState()
    state.learn(said(region="EU", attributes={"a": 1, "b": 2}, crm_id="c"))
    state.learn(said(region=None, attributes={"b": None, "c": 3}))
    assert (state.region, state.crm_id, state.attributes) == (None, "c", {"a": 1, "c": 3})


def test_people_beyond_the_bound_are_merged_by_the_smallest_hash_whatever_the_order():
    people = [f"p{number:03}" for number in range(MAX_PEOPLE + 5)]
    states = []
    for order in (people, people[::-1]):
        state = AccountState()
        for person in order:
            state.count(signal(person))
        states.append(state.kinds["page"].days[0])
        assert state.coarsened
    assert states[0] == states[1]
    assert states[0][MERGED] == 5
    assert set(states[0]) == {*people[:MAX_PEOPLE], MERGED}


def test_a_state_that_grows_too_large_halves_its_people():
    row = Row(state=AccountState(), applied=-1, due=NEVER)
    state = row.state
    for kind in ("page", "download", "webinar"):
        for day in range(15):
            for number in range(MAX_PEOPLE):
                row.count(signal(f"k1.{number:064}", number=day * 86_400_000, kind=kind))
    assert len(msgspec.msgpack.encode(state)) <= MAX_BYTES
    assert state.max_people == MAX_PEOPLE // 4
    assert state.coarsened
    assert (
        sum(count for history in state.kinds.values() for cells in history.days.values() for count in cells.values()) == 3 * 15 * MAX_PEOPLE
    )


def test_long_roles_count_towards_the_size():
    row = Row(state=AccountState(), applied=-1, due=NEVER)
    state = row.state
    for number in range(MAX_PEOPLE):
        row.count(signal(f"k1.{number:016}", number=number * 86_400_000, role="\U0001f600" * 256))
    for day in range(20):
        for number in range(MAX_PEOPLE):
            row.count(signal(f"k1.{number:016}", number=day * 86_400_000))
    assert len(msgspec.msgpack.encode(state)) <= MAX_BYTES
    assert state.coarsened


def test_what_updates_say_is_bounded_and_can_be_cleared_again():
    state = AccountState()
    deals = [said(opportunity={"id": f"o{number}", "stage": "open", "amount": 1}) for number in range(4000)]
    learned = sum(map(state.learn, deals))
    assert 1000 < learned < 4000
    assert len(state.opportunities) == learned
    assert not state.learn(said(domains=["x" * 256] * 30))
    assert state.domains is None
    assert state.learn(said(opportunity=None, domains=["x" * 256] * 30))


def retracting(*ids: str, kind: str = "page", person: str | None = "p", day: int = 0) -> Update:
    return said(retract={"events": [{"id": each, "kind": kind, "day": day, "person": person} for each in ids]})


def test_a_wrong_retraction_does_not_stand_in_the_way_of_the_right_one():
    state = AccountState()
    state.learn(retracting("e0"))  # before it came
    state.count(signal("p"))
    for wrong in (retracting("e0", kind="download"), retracting("e0", person=None), retracting("e0", day=3)):
        assert state.learn(wrong)
        assert state.kinds["page"].days == {0: {"p": 1}}
    state.learn(retracting("e0"))
    assert state.kinds == {}
    state.count(signal("p", number=1))
    state.learn(retracting("e0"))
    assert state.kinds["page"].days == {0: {"p": 1}}


def test_only_so_many_single_events_can_be_taken_out_and_other_updates_still_go_in():
    state = AccountState()
    for number in range(MAX_RETRACTED):
        state.count(signal("p", number=number))
    assert state.learn(retracting(*(f"e{number}" for number in range(MAX_RETRACTED))))
    state.count(signal("p"))
    assert not state.learn(retracting("another"))
    assert state.learn(said(pin={"ladder": "tier", "rung": "tier_1", "reason": "x" * 4000}))
    assert state.kinds["page"].days == {0: {"p": 1}}


def test_a_topic_of_any_name_is_not_taken_for_the_merged_ones():
    state = AccountState(max_topics=1)
    for topic in ("*", "a", "b"):
        state.count(msgspec.structs.replace(signal("p"), topic=topic))
    assert state.topics == {"*": {0: {"p": 1}}, MERGED_TOPIC: {0: {"p": 2}}}


def test_a_change_of_role_and_a_merger_are_more_than_a_count():
    state = AccountState()
    assert not state.count(signal(None))
    assert not state.count(signal("p"))
    assert state.count(signal("p", role="vp"))
    assert not state.count(signal("p", role="vp"))
    assert state.count(signal("p", role="cto"))
    assert state.count(signal("q", role="cto"))  # somebody new may complete a committee, or block it


def test_old_days_are_forgotten_and_the_evidence_stays():
    state = AccountState()
    state.count(signal(None, number=1))
    state.forget_before(1)
    assert state.kinds["page"].days == {}
    assert state.kinds["page"].newest == [(1, "e1", "")]
    assert ANONYMOUS == ""
