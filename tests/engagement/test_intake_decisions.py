"""What people decide about accounts, and vendors' scores: what intake makes of them, and what it cannot use."""

from typing import Any

import pytest

from engagement.days import parse_day
from engagement.events import Family
from engagement.machine import Output
from engagement.records import Update, decode
from tests.engagement.intake_world import IDENTITY, entries, fate_of, intent, record, update


def told(**said: Any) -> tuple[str, list[Output]]:
    return fate_of(record(Family.ACCOUNT_UPDATES, update(**said)))


def logged(**said: Any) -> Any:
    fate, (output,) = told(**said)
    assert fate == "counted"
    assert output.value is not None
    entry = decode(output.value)
    assert isinstance(entry, Update)
    return entry.fields


def detail(**said: Any) -> str:
    fate, (output,) = told(**said)
    assert fate == "dead:invalid"
    return dict(output.headers)["detail"].decode()


def test_a_pin_goes_into_the_log_with_its_last_day():
    said = {"ladder": "stage", "rung": "mqa", "reason": "board contact", "author": "ana", "until": "2025-06-30"}
    assert logged(pin=said)["pin"] == said | {"until": parse_day("2025-06-30")}
    assert logged(pin={"ladder": "stage", "rung": None})["pin"]["rung"] is None
    assert logged(pin=None)["pin"] is None


@pytest.mark.parametrize(
    ("pin", "words"),
    [
        ({"ladder": "tier", "rung": "tier_1"}, "pin.ladder = 'tier': Input should be a ladder of the rulebook"),
        ({"ladder": "stage", "rung": "mqaa"}, "pin.rung = 'mqaa': Input should be a rung of the ladder stage"),
        ({"ladder": "stage", "rung": "mqa", "until": "2025-02-30"}, "pin.until = '2025-02-30'"),
        ({"rung": "mqa"}, "pin.ladder absent"),
        (
            {"ladder": "stage", "rung": None, "until": "9999-12-31"},
            "pin.until = 9999-12-31: Input should be a day from 2000-01-01 to 2199-12-31",
        ),
        ({"ladder": "stage", "rung": "mqa", "until": "1969-12-31"}, "pin.until = 1969-12-31"),
    ],
)
def test_a_pin_that_pins_nothing_is_dead(pin: dict[str, Any], words: str):
    assert words in detail(pin=pin)


def test_a_retraction_carries_what_it_takes_out_and_no_clear_address():
    event = {"id": "e-17", "url": "https://acme.example/pricing/eu", "occurred_at": "2024-12-30T23:59:59Z", "email": "Bot@Acme.example"}
    said = logged(retract={"person": " BOT@acme.example", "events": [event, {**event, "id": "e-18", "kind": "webinar", "url": None}]})
    person = IDENTITY.person("bot@acme.example")
    assert said["retract"]["person"] == person
    assert [(each["id"], each["kind"], each["day"], each["person"]) for each in said["retract"]["events"]] == [
        ("e-17", "pricing", parse_day("2024-12-30"), person),
        ("e-18", "webinar", parse_day("2024-12-30"), person),
    ]


def test_a_person_may_be_retracted_by_the_hash_that_the_log_has_under_any_key():
    assert logged(retract={"person": "k0.0123456789abcdef"})["retract"]["person"] == "k0.0123456789abcdef"


@pytest.mark.parametrize("account", ["acme.test", "us.example", "mail.gmail.example"])
def test_a_person_is_retracted_by_hash_where_they_were_counted_whatever_the_account_is_by_now(account: str):
    said = update(account=account, retract={"person": "k1.0123456789abcdef"})
    _, outputs = fate_of(record(Family.ACCOUNT_UPDATES, said))
    assert [key for key, _ in entries(outputs)] == [".".join(account.split(".")[-2:])]


@pytest.mark.parametrize(
    ("retract", "words"),
    [
        ({"person": "nobody"}, "retract.person = 'nobody': Input should be an e-mail address"),
        ({"events": [{"id": "e", "occurred_at": "2025-01-01T00:00:00Z"}]}, "retract.events.0.kind = None"),
        ({"events": [{"id": "e", "occurred_at": "2025-01-01T00:00:00Z", "kind": "fax"}]}, "retract.events.0.kind = 'fax'"),
        ({"events": [{"occurred_at": "2025-01-01T00:00:00Z", "kind": "page"}]}, "retract.events.0.id absent"),
        ({"events": [{"id": "e", "occurred_at": "9999-01-01T00:00:00Z", "kind": "page"}]}, "retract.events.0.occurred_at = 9999-01-01"),
        ({"events": [{"id": "e", "occurred_at": "0001-01-01T00:00:00Z", "kind": "page"}]}, "retract.events.0.occurred_at = 0001-01-01"),
    ],
)
def test_a_retraction_that_names_nothing_that_was_counted_is_dead(retract: dict[str, Any], words: str):
    assert words in detail(retract=retract)


@pytest.mark.parametrize(("score", "fate"), [(59, "filtered:below_min_score"), (60, "counted"), (None, "counted")])
def test_a_vendors_score_below_the_least_is_filtered(score: int | None, fate: str):
    assert fate_of(record(Family.INTENT_SIGNALS, intent(kind="alert", score=score)))[0] == fate
