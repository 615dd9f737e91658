"""Mail scanners open and click within seconds of a send: what occurs sooner after ``sent_at`` than the rulebook allows is filtered."""

from typing import Any

import pytest

from engagement.decoding import decode, decode_by_model
from engagement.events import Family
from engagement.intake_verdict import Judge
from engagement.rulebook import load_rulebook
from tests.engagement.intake_world import IDENTITY, NOON, fate_of, intent, record


def fate(intake: str = "{}", **said: Any) -> str:
    rulebook = load_rulebook(f"signals: {{email_click: {{points: 3}}}}\nintake: {intake}\nstage: {{mqa: {{enter: {{score: 9}}}}}}", "r")
    value = intent(kind="email_click", occurred_at="2025-01-01T11:00:00Z", **said)
    fast, slow = (read(Family.INTENT_SIGNALS, value) for read in (decode, decode_by_model))
    judge = Judge(rulebook, IDENTITY)
    (one,) = {judge.judge(Family.INTENT_SIGNALS, decoded, NOON, ("", 0, 0, 0)).fate for decoded in (fast, slow)}
    return one


@pytest.mark.parametrize(
    ("sent_at", "becomes"),
    [
        ("2025-01-01T10:59:55Z", "counted"),  # five seconds before
        ("2025-01-01T10:59:55.001Z", "filtered:scanner"),
        ("2025-01-01T12:59:56+02:00", "filtered:scanner"),
        ("2025-01-01T11:00:00Z", "filtered:scanner"),
        ("2025-01-01T11:00:02Z", "filtered:scanner"),  # the sender's clock is two seconds ahead
        ("2024-12-24T11:00:00Z", "counted"),
        (None, "counted"),
    ],
)
def test_a_click_sooner_than_five_seconds_after_the_send_is_a_scanners(sent_at: str | None, becomes: str) -> None:
    assert fate(sent_at=sent_at) == becomes


def test_the_rulebook_says_how_soon_is_too_soon() -> None:
    assert fate("{scanner_seconds: 60}", sent_at="2025-01-01T10:59:01Z") == "filtered:scanner"
    assert fate("{scanner_seconds: 60}", sent_at="2025-01-01T10:59:00Z") == "counted"


def test_with_zero_seconds_nothing_is_too_soon() -> None:
    assert fate("{scanner_seconds: 0}", sent_at="2025-01-01T11:00:02Z") == "counted"


def test_a_scanner_tells_nothing_of_a_visitor() -> None:
    click = intent(visitor_id="v1", sent_at="2025-01-01T11:58:59Z")
    fate, outputs = fate_of(record(Family.INTENT_SIGNALS, click))
    assert (fate, {output.topic for output in outputs}) == ("filtered:scanner", {"filtered-events"})


def test_an_instant_without_an_offset_is_refused() -> None:
    assert fate_of(record(Family.INTENT_SIGNALS, intent(sent_at="2025-01-01T11:58:59")))[0] == "dead:invalid"
