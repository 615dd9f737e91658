"""An intent signal that says nothing but which visitor it is of waits with that one, as a web visit with a kind of its own."""

import json

import msgspec
import pytest

from engagement.events import Family
from engagement.machine import Output, PlainRecord
from tests.engagement.intake_world import DAY, ELSEWHERE, IDENTITY, KEY, NOON, entries, fate_of, intent, new_intake, record, run
from tests.engagement.visitor_world import JANE, World, arriving, book, known, seen

INTENT = Family.INTENT_SIGNALS
ABSENT = msgspec.UNSET
ACT = {"email": ABSENT, "visitor_id": ELSEWHERE}


def visit_of(value: bytes, *, offset: int = 4) -> tuple[PlainRecord, dict[str, object]]:
    """What intake makes of an intent signal, as the visitor's partition reads it a day later; and what it says."""
    fate, (output,) = fate_of(record(INTENT, value, offset=offset))
    assert fate == "to_visitor"
    return as_read(output), json.loads(output.value or b"")


def as_read(output: Output, offset: int = 0) -> PlainRecord:
    assert output.partition is not None
    return PlainRecord(f"t.{output.topic}", output.partition, offset, NOON + DAY, output.key, output.value, output.headers)


def test_it_says_what_the_signal_said_and_lies_where_the_visitors_events_lie() -> None:
    visit, said = visit_of(intent(**ACT, role="vp", seconds=30, topic="crm", score=80, provider="tracker"))
    assert (visit.topic, visit.key, visit.partition) == ("t.web-visits", ELSEWHERE.encode(), IDENTITY.partition_of(ELSEWHERE.encode()))
    assert said == {
        "id": "intent:e1",
        "occurred_at": "2025-01-01T11:59:00.000Z",
        "type": "page_view",
        "visitor_id": ELSEWHERE,
        "kind": "webinar",
        "role": "vp",
        "seconds": 30,
    }
    assert dict(visit.headers) == {"mqa-received-at": str(NOON).encode(), "mqa-source": b"intent-signals/0/4"}


@pytest.mark.parametrize(("length", "is_readable"), [(249, True), (250, False), (256, False)])
def test_its_id_is_the_signals_wherever_that_lies_and_a_digest_where_it_is_too_long(length: int, is_readable: bool) -> None:
    signal = intent(id="x" * length, **ACT)
    ids = {str(visit_of(signal, offset=offset)[1]["id"]) for offset in (4, 9)}
    (one,) = ids
    assert one.startswith("intent:")
    assert len(one) <= 256
    assert (one == f"intent:{'x' * length}") is is_readable


def test_it_waits_and_is_credited_when_the_visitor_says_who_it_is() -> None:
    visit, _ = visit_of(intent(email=ABSENT, visitor_id=KEY, seconds=30))
    world = World()
    world.fold([visit])
    assert world.fates == {"in": 1, "waiting": 1}
    world.fold(arriving([known("who", visitor_id=KEY)], offset=1, after=DAY))
    assert world.counts() == {("acme.example", None, "intent:e1", JANE): 1}
    ((_, signal),) = entries(world.outputs)
    assert (getattr(signal, "kind", ""), getattr(signal, "seconds", 0), signal.received_at) == ("webinar", 30, NOON)


def test_it_came_in_when_the_signal_did() -> None:
    visit, _ = visit_of(intent(**ACT, occurred_at="2024-10-03T12:00:00Z"))  # a day later it would be late
    intake = new_intake(visit.partition)
    run(intake, [visit])
    assert intake.position.fates == {"in": 1, "waiting": 1}


def test_it_says_of_nobody_who_they_are_and_a_repeat_of_the_signal_makes_none() -> None:
    intake = new_intake()
    outputs = run(intake, [record(INTENT, intent(**ACT)), record(INTENT, intent(**ACT), offset=1)])
    assert [output.topic for output in outputs].count("web-visits") == 1
    assert intake.position.fates == {"in": 1, "to_visitor": 1, "filtered:duplicate": 1}


@pytest.mark.parametrize(
    ("fate", "value"),
    [
        ("dead:unknown_kind", intent(**ACT, kind="seance")),
        ("dead:future", intent(**ACT, occurred_at="2025-01-02T12:00:00Z")),
        ("dead:late", intent(**ACT, occurred_at="2024-09-01T12:00:00Z")),
        ("filtered:below_min_score", intent(**ACT, kind="alert", score=59)),
        ("filtered:scanner", intent(**ACT, sent_at="2025-01-01T11:58:58Z")),
        ("filtered:free_mail", intent(visitor_id=ELSEWHERE, email="x@gmail.example")),
        ("filtered:unresolved", intent(visitor_id=ELSEWHERE, email=ABSENT, account="Acme Inc")),
    ],
)
def test_what_an_intent_signal_must_be_it_must_be_first(fate: str, value: bytes) -> None:
    found, outputs = fate_of(record(INTENT, value))
    assert found == fate
    assert "web-visits" not in {output.topic for output in outputs}


def test_where_nobody_is_found_by_their_visits_it_is_nobodys() -> None:
    world = World(book(resolve="{order: [account, email]}"))
    world.fold([record(INTENT, intent(email=ABSENT, visitor_id=KEY))])
    assert world.fates == {"in": 1, "filtered:unresolved": 1}
    assert "web-visits" not in {output.topic for output in world.outputs}


def kinds(*values: bytes) -> list[str | None]:
    return [getattr(entry, "kind", None) for _, entry in entries(World().visit(known("who"), *values).outputs)]


def test_the_kind_that_a_visit_says_itself_outranks_its_urls() -> None:
    assert kinds(seen("a", url="/pricing", kind="webinar"), seen("b", url="/pricing")) == ["webinar", "pricing"]


def test_a_visit_may_have_a_kind_and_no_url() -> None:
    assert kinds(seen("a", kind="webinar")) == ["webinar"]
    assert kinds(seen("a", kind="webinar", email="bob@beta.example")) == ["webinar"]


@pytest.mark.parametrize(
    ("fate", "value"),
    [
        ("filtered:ignored_url", seen("a", kind="webinar", url="/login")),
        ("filtered:asset", seen("a", kind="webinar", url="/x.js")),
        ("filtered:robot", seen("a", kind="webinar", user_agent="mail-bot")),
        ("filtered:own_network", seen("a", kind="webinar", ip="10.0.4.1")),
        ("filtered:data_centre", seen("a", kind="webinar", ip="10.0.3.1")),
        ("filtered:opted_out", seen("a", kind="webinar", dnt=True)),
        ("dead:unknown_kind", seen("a", kind="seance", url="/pricing")),
    ],
)
def test_such_a_visit_is_filtered_and_dead_as_any_other(fate: str, value: bytes) -> None:
    assert World().visit(value).fates == {"in": 1, fate: 1}


def test_acts_and_pages_of_a_minute_are_judged_together() -> None:
    world = World(book(visitors="{pages_a_minute: 2}")).visit(seen("a"), seen("b", kind="webinar"), seen("c"))
    assert world.fates == {"in": 3, "filtered:rate": 3}
