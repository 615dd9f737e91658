"""Records in another format: every event in them ends in one place, under intake as everywhere."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engagement.events import Family
from engagement.fates import adds_up
from engagement.intake import Intake
from engagement.machine import Headers, Output, PlainRecord
from engagement.records import Signal
from engagement.rulebook import load_rulebook
from tests.engagement.intake_world import IDENTITY, NOON, PARTITIONS, RULEBOOK, counted, entries, run

MAPPED = load_rulebook(
    json.dumps(
        json.loads(RULEBOOK.canonical())
        | {"adapters": {"topics": {"web-visits": "segment"}, "segment": {"events": {"Attended": "webinar"}}}}
    ),
    "test",
)
AT = "2025-01-01T11:59:00Z"
_N = iter(range(10**9))


class World:
    """All units of intake, and what they append to one another's input."""

    def __init__(self) -> None:
        self.units = [
            Intake(families={f"t.{family.value}": family for family in Family}, partition=number, rulebook=MAPPED, identity=IDENTITY)
            for number in range(PARTITIONS)
        ]
        self.offsets: dict[tuple[str, int], int] = {}
        self.outputs: list[Output] = []

    def offer(self, family: Family, partition: int, value: bytes, headers: Headers = ()) -> None:
        waiting = [(partition, self.record(Output(family.value, None, value, headers=headers), partition, NOON))]
        while waiting:
            number, record = waiting.pop(0)
            for output in run(self.units[number], [record]):
                self.outputs.append(output)
                if output.partition is not None and output.topic in {each.value for each in Family}:
                    waiting.append((output.partition, self.record(output, output.partition, NOON + 1)))

    def record(self, output: Output, partition: int, at: int) -> PlainRecord:
        offset = self.offsets.get((output.topic, partition), 0)
        self.offsets[output.topic, partition] = offset + 1
        return PlainRecord(f"t.{output.topic}", partition, offset, at, output.key, output.value, output.headers)

    @property
    def fates(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for unit in self.units:
            assert adds_up(unit.position.fates)
            for fate, count in unit.position.fates.items():
                total[fate] = total.get(fate, 0) + count
        return {fate: count for fate, count in total.items() if count}


def call(kind: str, **said: Any) -> bytes:
    return json.dumps({"type": kind, "messageId": f"m{next(_N)}", "timestamp": AT, "anonymousId": "a1", **said}).encode()


PAGE = {"properties": {"url": "https://www.us.test/pricing"}}


def test_a_page_waits_with_its_visitor_and_is_credited_when_a_form_says_who_it_is() -> None:
    world = World()
    world.offer(Family.WEB_VISITS, 3, call("page", **PAGE))
    assert world.fates == {"adapted": 1, "adapted:events": 1, "in": 1, "waiting": 1}
    world.offer(Family.WEB_VISITS, 2, call("track", event="Attended", userId="u1", properties={"email": "jane@acme.example"}))
    assert world.fates == {"adapted": 2, "adapted:events": 3, "derived": 1, "in": 2, "counted": 2, "identify": 2}
    assert signals(world) == {("acme.example", "pricing", NOON), ("acme.example", "webinar", NOON)}


def test_an_act_of_nobody_known_waits_with_its_visitor_and_is_credited_when_that_one_says_who_they_are() -> None:
    world = World()
    world.offer(Family.WEB_VISITS, 3, call("track", event="Attended", properties={"title": "Pricing explained"}))
    assert world.fates == {"adapted": 1, "adapted:events": 1, "to_visitor": 1, "in": 1, "waiting": 1}
    world.offer(Family.WEB_VISITS, 1, call("identify", traits={"email": "jane@acme.example"}))
    assert world.fates == {"adapted": 2, "adapted:events": 2, "to_visitor": 1, "in": 1, "counted": 1, "identify": 1}
    assert signals(world) == {("acme.example", "webinar", NOON)}


def test_what_is_nothing_to_us_is_filtered_and_what_cannot_be_used_is_dead() -> None:
    world = World()
    world.offer(Family.WEB_VISITS, 0, call("track", event="Other"))
    world.offer(Family.WEB_VISITS, 0, b"{")
    batch = json.dumps({"batch": [json.loads(call("page", **PAGE)), json.loads(call("track", event="Other")), {}]}).encode()
    world.offer(Family.WEB_VISITS, 0, batch)
    assert world.fates == {
        "adapted": 1,
        "adapted:events": 1,
        "in": 5,
        "waiting": 1,
        "filtered:unknown_event": 2,
        "dead:malformed_json": 1,
        "dead:invalid": 1,
    }
    assert [output.value for output in world.outputs if output.topic == "dead-letters"] == [b"{", b"{}"]


def test_a_copy_is_ours_on_a_topic_of_another_format_and_came_in_with_its_original() -> None:
    world = World()
    page = call("page", context={"traits": {"email": "j@acme.example"}})
    world.offer(Family.INTENT_SIGNALS, 1, page, (("mqa-format", b"segment"),))
    assert signals(world) == {("acme.example", "page", NOON)}


def signals(world: World) -> set[tuple[str, str, int]]:
    return {(account, entry.kind, entry.received_at) for account, entry in entries(world.outputs) if isinstance(entry, Signal)}


SORTS = ("page", "form", "act", "other", "torn", "batch", "login")


@given(st.lists(st.tuples(st.integers(0, PARTITIONS - 1), st.sampled_from(SORTS), st.integers(0, 2))))
def test_every_event_has_one_end_whatever_comes_in_whatever_order(arrivals: Sequence[tuple[int, str, int]]) -> None:
    world = World()
    events = 0
    for partition, sort, who in arrivals:
        said = {"anonymousId": f"a{who}"}
        value = {
            "page": call("page", **PAGE, **said),
            "form": call("track", event="Attended", properties={"email": f"p@co{who}.example"}, **said),
            "act": call("track", event="Attended", **said),
            "other": call("track", event="Other", **said),
            "torn": b"torn",
            "batch": json.dumps({"batch": [json.loads(call("page", **PAGE, **said)), json.loads(call("track", event="Other"))]}).encode(),
            "login": call("identify", userId=f"u{who}", traits={"email": f"p@co{who}.example"}, **said),
        }[sort]
        events += {"batch": 2, "login": 0}.get(sort, 1)
        world.offer(Family.WEB_VISITS, partition, value)
    assert world.fates.get("in", 0) == events
    assert world.fates.get("counted", 0) == counted(world.outputs)
