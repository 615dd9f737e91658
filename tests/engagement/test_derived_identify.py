"""An intent signal that names a visitor tells that one's partition who it is."""

import json

import pytest

from engagement.events import Family
from engagement.machine import PlainRecord
from tests.engagement.intake_world import DAY, ELSEWHERE, IDENTITY, KEY, NOON, intent, new_intake, record, run
from tests.engagement.visitor_world import JANE, World, arriving, seen


def derived(value: bytes, *, offset: int = 4) -> tuple[PlainRecord, ...]:
    """What intake makes of an intent signal for `web-visits`, as the visitor's partition reads it a day later."""
    outputs = run(new_intake(), [record(Family.INTENT_SIGNALS, value, offset=offset)])
    return tuple(
        PlainRecord("t.web-visits", output.partition or 0, 0, NOON + DAY, output.key, output.value, output.headers)
        for output in outputs
        if output.topic == "web-visits"
    )


def test_it_says_what_the_signal_said_and_lies_where_the_visitors_events_lie() -> None:
    (identify,) = derived(intent(visitor_id=ELSEWHERE, role="vp"))
    assert (identify.key, identify.partition) == (ELSEWHERE.encode(), IDENTITY.partition_of(ELSEWHERE.encode()))
    said = json.loads(identify.value or b"")
    assert said.pop("id").startswith("intent-")
    assert said == {
        "occurred_at": "2025-01-01T11:59:00.000Z",
        "type": "identify",
        "visitor_id": ELSEWHERE,
        "email": "jane@acme.example",
        "role": "vp",
    }
    assert dict(identify.headers) == {"mqa-received-at": str(NOON).encode(), "mqa-source": b"intent-signals/0/4"}


def test_the_visitor_is_known_from_it() -> None:
    world = World().visit(seen("a", visitor_id=KEY))
    (identify,) = derived(intent(visitor_id=KEY))
    world.fold([identify._replace(offset=1)])
    world.fold(arriving([seen("b", visitor_id=KEY)], offset=2))
    assert world.counts() == {("acme.example", None, event, JANE): 1 for event in "ab"}
    assert world.fates == {"in": 2, "counted": 2, "identify": 1}


def test_it_came_in_when_the_signal_did() -> None:
    (identify,) = derived(intent(visitor_id=ELSEWHERE, occurred_at="2024-10-03T12:00:00Z"))  # a day later it would be late
    intake = new_intake(identify.partition)
    run(intake, [identify])
    assert intake.position.fates == {"identify": 1}


def test_it_is_counted_apart_and_a_repeat_of_the_signal_makes_none() -> None:
    intake = new_intake()
    signal = intent(visitor_id=ELSEWHERE)
    run(intake, [record(Family.INTENT_SIGNALS, signal), record(Family.INTENT_SIGNALS, signal, offset=1)])
    assert intake.position.fates == {"in": 2, "counted": 1, "filtered:duplicate": 1, "derived": 1}


def test_of_one_signal_it_has_the_same_id_wherever_that_lies() -> None:
    assert [each.value for each in derived(intent(visitor_id="v"))] == [each.value for each in derived(intent(visitor_id="v"), offset=9)]


@pytest.mark.parametrize("value", [intent(), intent(visitor_id="v1", email="x@gmail.example")])
def test_a_signal_that_names_no_visitor_or_has_no_account_tells_nothing(value: bytes) -> None:
    assert derived(value) == ()
