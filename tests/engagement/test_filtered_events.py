"""What is filtered is recorded in a topic of its own: which event, why, and where it lies."""

import json

import pytest

from engagement.events import Family
from engagement.filtered import FilteredEvent
from engagement.machine import Output
from engagement.records import Read, Source
from tests.engagement.intake_world import DAY, ELSEWHERE, KEY, NOON, fate_of, filtered_events, intent, new_intake, record, run, visit
from tests.engagement.test_intake_formats import PAGE, call
from tests.engagement.test_intake_formats import World as FormatsWorld
from tests.engagement.visitor_world import World, book, known, seen, unlinked

VISITS, INTENT, UPDATES = Family
ROBOT = visit(user_agent="Examplebot/1.0")
BOUNDED = book(visitors="{visits: 2, age: 2d, count: 2}")


def told(outputs: list[Output]) -> list[tuple[str, str | None, Source, Read | None]]:
    """Reasons, with a ``-`` before those that hold no longer, ids and places."""
    return [("-" * event.undo + event.reason, event.id, event.source, event.read) for event in filtered_events(outputs)]


def test_a_filtered_event_is_recorded_with_its_reason_id_and_place_and_nothing_of_what_it_says() -> None:
    _, (output,) = fate_of(record(VISITS, ROBOT, offset=7))
    assert (output.topic, output.key, output.partition, output.headers, output.timestamp) == ("filtered-events", None, None, (), NOON)
    assert json.loads(output.value or b"") == {"reason": "robot", "id": "e1", "source": ["web-visits", 0, 7, 0], "received_at": NOON}


@pytest.mark.parametrize("value", [visit(), visit(email="me@us.example", type="identify"), b"{", b""])
def test_what_is_counted_or_dead_or_says_who_somebody_is_is_not_recorded(value: bytes) -> None:
    assert filtered_events(fate_of(record(VISITS, value))[1]) == []


def test_each_duplicate_is_recorded_where_it_lies_itself() -> None:
    outputs = run(new_intake(), [record(INTENT, intent(), offset=offset) for offset in (3, 4, 6)])
    assert told(outputs) == [("duplicate", "e1", ("intent-signals", 0, offset, 0), None) for offset in (4, 6)]


def test_of_a_copy_the_original_is_named_and_where_the_copy_was_read() -> None:
    _, (copy,) = fate_of(record(VISITS, ROBOT, key=ELSEWHERE, offset=3))
    again = record(VISITS, copy.value, key=ELSEWHERE, offset=9, partition=1, received_at=NOON + 60_000, headers=copy.headers)
    fate, outputs = fate_of(again, partition=1)
    assert fate == "filtered:robot"
    assert filtered_events(outputs) == [
        FilteredEvent(reason="robot", id="e1", source=("web-visits", 0, 3, 0), read=(1, 9, 0), received_at=NOON)
    ]


def test_an_event_of_a_topic_that_was_made_anew_says_so() -> None:
    intake = new_intake()
    intake.accept(intake.step([], 1, {f"t.{VISITS.value}": 5}))
    intake.accept(intake.step([], 1, {f"t.{VISITS.value}": 0}))
    assert told(run(intake, [record(VISITS, ROBOT)])) == [("robot", "e1", ("web-visits", 0, 0, 0), (0, 0, 1))]


def test_what_an_adapter_leaves_out_is_recorded_with_its_number_in_the_batch() -> None:
    world = FormatsWorld()
    other = json.loads(call("track", event="Other"))
    world.offer(VISITS, 2, json.dumps({"batch": [other, json.loads(call("page", **PAGE)), other]}).encode())
    world.offer(VISITS, 2, call("track", event="Other"))
    assert told(world.outputs) == [("unknown_event", None, ("web-visits", 2, *place), None) for place in ((0, 0), (0, 2), (1, 0))]


def test_an_event_that_was_made_of_another_format_lies_where_it_was_sent_on_to() -> None:
    world = FormatsWorld()
    world.offer(VISITS, 2, call("page", messageId="m", context={"userAgent": "Examplebot/1.0"}, **PAGE))
    ((reason, event_id, (family, partition, offset, number), read),) = told(world.outputs)
    assert (reason, event_id, family, offset, number, read) == ("robot", "m", "web-visits", int(partition == 2), 0, None)


def test_visits_that_wait_too_long_or_are_too_many_are_recorded_with_what_pushed_them_out() -> None:
    world = World(BOUNDED)
    world.visit(seen("a"), seen("b"), seen("c"))
    world.visit(seen("d", visitor_id="v2"), seen("e", visitor_id="v3"), after=DAY)
    world.visit(seen("f", visitor_id="v4"), after=4 * DAY)
    assert told(world.outputs) == [
        ("beyond_bound", "a", ("web-visits", 0, 0, 0), (0, 2, 0)),
        ("beyond_bound", "b", ("web-visits", 0, 1, 0), (0, 4, 0)),
        ("beyond_bound", "c", ("web-visits", 0, 2, 0), (0, 4, 0)),
        ("expired", "d", ("web-visits", 0, 3, 0), (0, 5, 0)),
        ("expired", "e", ("web-visits", 0, 4, 0), (0, 5, 0)),
    ]
    last = filtered_events(world.outputs)[-1]
    assert (last.received_at, world.outputs[-1].timestamp) == (NOON + DAY, NOON + 4 * DAY)


def test_a_visit_that_becomes_own_staffs_is_recorded_and_so_is_that_it_is_so_no_longer() -> None:
    world = World().visit(seen("a"), known("who", "me@us.example"), seen("b"), unlinked("not"), known("again", "jane@acme.example"))
    assert told(world.outputs) == [
        ("own_domain", "a", ("web-visits", 0, 0, 0), (0, 1, 0)),
        ("own_domain", "b", ("web-visits", 0, 2, 0), None),
        ("-own_domain", "a", ("web-visits", 0, 0, 0), (0, 3, 0)),
        ("-own_domain", "b", ("web-visits", 0, 2, 0), (0, 3, 0)),
    ]


def test_a_counted_visit_that_becomes_own_staffs_is_recorded_too() -> None:
    world = World().visit(seen("a", ip="10.0.0.1"), known("who", "me@us.example"))
    assert told(world.outputs) == [("own_domain", "a", ("web-visits", 0, 0, 0), (0, 1, 0))]
    assert world.counts() == {}


def test_no_address_or_visitor_reaches_the_topic() -> None:
    world = World(BOUNDED).visit(seen("a"), known("who", "me@us.example"), seen("b"), seen("c", email="me@us.example", visitor_id=KEY))
    values = b"".join(output.value or b"" for output in world.outputs if output.topic == "filtered-events")
    assert values
    assert not any(said in values for said in (b"@", b"us.example", b"v1", KEY.encode()))
