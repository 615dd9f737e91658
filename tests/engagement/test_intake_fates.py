"""Every input record ends in exactly one place, with its reason."""

from typing import Any

import msgspec
import pytest

from engagement import records
from engagement.events import Family
from engagement.machine import Headers, Output
from tests.engagement.intake_world import (
    ELSEWHERE,
    IDENTITY,
    KEY,
    NOON,
    RULEBOOK,
    fate_of,
    intent,
    key_in,
    new_intake,
    record,
    run,
    update,
    visit,
)

VISITS, INTENT, UPDATES = Family
JANE = IDENTITY.person("jane@acme.example")
ABSENT = msgspec.UNSET


def headers_of(output: Output) -> dict[str, str]:
    return {name: value.decode() for name, value in output.headers}


def test_a_visit_counts_for_its_email_domain_and_leaves_no_address() -> None:
    fate, (output,) = fate_of(record(VISITS, visit(url="https://x.example/Pricing?plan=1", role="vp", seconds=7), offset=5))
    assert fate == "counted"
    assert (output.topic, output.key, output.partition) == ("account-log", b"acme.example", IDENTITY.partition_of(b"acme.example"))
    assert records.decode(output.value or b"") == records.Signal(
        id="e1",
        kind="pricing",
        occurred_at=NOON - 60_000,
        received_at=NOON,
        person=JANE,
        role="vp",
        seconds=7,
        source=("web-visits", 0, 5, 0),
        method="email",
        confidence=90,
        rulebook=RULEBOOK.version,
    )


def test_an_intent_signal_keeps_topic_and_score() -> None:
    fate, (output,) = fate_of(record(INTENT, intent(account="www.Acme.example", email=ABSENT, topic="crm", score=80)))
    signal = records.decode(output.value or b"")
    assert fate == "counted"
    assert output.key == b"acme.example"
    assert isinstance(signal, records.Signal)
    assert (signal.kind, signal.topic, signal.score, signal.person) == ("webinar", "crm", 80, None)


@pytest.mark.parametrize("email", [" Jane@ACME.example ", "jane@acme.example."])
def test_two_spellings_of_an_address_are_one_person(email: str) -> None:
    _, (output,) = fate_of(record(VISITS, visit(email=email)))
    signal = records.decode(output.value or b"")
    assert isinstance(signal, records.Signal)
    assert signal.person == JANE


def test_an_update_says_only_what_was_said_and_hashes_its_contacts() -> None:
    said = update(
        name="Acme",
        region=None,
        strategic=False,
        attributes={"employees": 120, "uses": ["salesforce"], "industry": None},
        opportunity={"id": "o1", "stage": "open"},
        contacts=[{"email": "Jane@acme.example", "role": "vp", "name": "Jane Doe"}, {"email": "joe@gmail.example"}],
    )
    fate, (output, *_) = fate_of(record(UPDATES, said, offset=2))
    entry = records.decode(output.value or b"")
    assert fate == "counted"
    assert isinstance(entry, records.Update)
    assert entry.source == ("account-updates", 0, 2, 0)
    assert entry.fields == {
        "name": "Acme",
        "region": None,
        "strategic": False,
        "attributes": {"employees": 120, "uses": ["salesforce"], "industry": None},
        "opportunity": {"id": "o1", "stage": "open"},
        "contacts": {JANE: "vp", IDENTITY.person("joe@gmail.example"): None},
    }


@pytest.mark.parametrize(
    ("family", "value"),
    [(VISITS, visit()), (INTENT, intent(topic="t")), (UPDATES, update(contacts=[{"email": "jane@acme.example", "name": "Jane"}]))],
)
def test_no_clear_address_reaches_the_account_log(family: Family, value: bytes) -> None:
    _, (output, *_) = fate_of(record(family, value))
    assert output.topic == "account-log"
    assert b"@" not in (output.value or b"")
    assert b"jane" not in (output.value or b"").lower()


@pytest.mark.parametrize(
    ("fate", "family", "value"),
    [
        ("filtered:robot", VISITS, visit(user_agent="Examplebot/1.0")),
        ("filtered:asset", VISITS, visit(url="https://x.example/site.CSS?v=2")),
        ("filtered:ignored_url", VISITS, visit(url="/careers/42")),
        ("identify", VISITS, visit(type="identify")),
        ("unlink", VISITS, visit(type="unlink")),
        ("waiting", VISITS, visit(email=ABSENT)),
        ("waiting", VISITS, visit(email="jane@gmail.example")),
        ("waiting", VISITS, visit(email=ABSENT, account="Mail.BETA.example.")),
        ("filtered:unresolved", INTENT, intent(email="jane@localhost")),
        ("filtered:unresolved", INTENT, intent(email=ABSENT, account="Acme Inc")),
        ("filtered:free_mail", INTENT, intent(email="jane@gmail.example")),
        ("filtered:free_mail", INTENT, intent(email="jane@freebie.example")),
        ("filtered:free_mail", INTENT, intent(email="jane@mail.beta.example")),  # only that host, not beta.example
        ("filtered:free_mail", INTENT, intent(email=ABSENT, account="Mail.BETA.example.")),
        ("filtered:free_mail", UPDATES, update(account="gmail.example")),
        ("filtered:disposable_mail", INTENT, intent(email="jane@minute.example")),  # which is on the list of free mail as well
        ("filtered:disposable_mail", INTENT, intent(email="jane@x17.minute.example")),  # they hand out domains, too
        ("filtered:disposable_mail", INTENT, intent(email="jane@throwaway.example")),
        ("filtered:disposable_mail", INTENT, intent(email="jane@minute.example", account="gmail.example")),
        ("filtered:disposable_mail", UPDATES, update(account="minute.example")),
        ("waiting", VISITS, visit(email="jane@minute.example")),
        ("filtered:own_domain", VISITS, visit(email="me@us.example")),
        ("filtered:own_domain", INTENT, intent(email="rep@eu.us.example", account="acme.example")),
    ],
)
def test_what_moves_no_account_leaves_nothing_in_the_log(fate: str, family: Family, value: bytes) -> None:
    assert fate_of(record(family, value)) == (fate, [])


def test_a_named_account_outranks_a_free_mail_address() -> None:
    fate, (output,) = fate_of(record(VISITS, visit(email="jane@gmail.example", account="acme.example")))
    assert (fate, output.key) == ("counted", b"acme.example")


def test_an_email_domain_helps_where_the_named_account_is_none() -> None:
    fate, (output,) = fate_of(record(INTENT, intent(account="Acme Inc")))
    assert (fate, output.key) == ("counted", b"acme.example")


@pytest.mark.parametrize(
    ("reason", "family", "value", "detail"),
    [
        ("empty_value", VISITS, None, "the record has no value"),
        ("empty_value", VISITS, b"", "the record has no value"),
        ("too_large", VISITS, visit(url="x" * 1_000_000), "at most 1000000"),
        ("malformed_json", VISITS, b"{", "Invalid JSON: EOF"),
        ("malformed_json", VISITS, b'{"id": "\xff"}', "Invalid JSON"),
        ("unknown_version", INTENT, intent(schema_version=2, kind=7), "schema_version = 2"),
        ("invalid", VISITS, visit(visitor_id=ABSENT), "visitor_id absent: Field required"),
        ("invalid", VISITS, visit(seconds="7"), "seconds = '7': Input should be a valid integer"),
        ("invalid", VISITS, visit(occurred_at="2025-01-01T11:59:00"), "occurred_at = '2025-01-01T11:59:00': Input should have timezone"),
        ("invalid", VISITS, visit(email="jane at acme"), "email = 'jane at acme': Input should be an e-mail address"),
        ("invalid", VISITS, b"[]", "event = []: Input should be an object"),
        ("invalid", UPDATES, update(account="Acme Inc"), "account = 'Acme Inc': Input should be a registrable domain"),
        ("invalid", UPDATES, update(contacts=[{"email": "a@b.example"}, {"email": "x"}]), "contacts.1.email = 'x'"),
        ("invalid", UPDATES, update(expected_ltv=2**60), "expected_ltv = "),
        ("invalid", UPDATES, update(attributes={"growth": float("nan")}), "attributes.growth"),
        ("unknown_kind", INTENT, intent(kind="seance"), "kind = 'seance'"),
        ("future", VISITS, visit(occurred_at="2025-01-01T12:10:00.001Z"), "600001 ms after receipt; intake.skew allows 600000 ms"),
        ("late", VISITS, visit(occurred_at="2024-10-02T23:59:59.999Z"), "91 days before receipt; intake.horizon allows 90 days"),
    ],
)
def test_what_cannot_be_used_is_dead_with_its_reason_and_original_bytes(
    reason: str, family: Family, value: bytes | None, detail: str
) -> None:
    fate, (output,) = fate_of(record(family, value, offset=9))
    headers = headers_of(output)
    assert fate == f"dead:{reason}"
    assert (output.topic, output.key, output.value, output.partition) == ("dead-letters", KEY.encode(), value, None)
    assert detail in headers.pop("detail")
    assert headers == {
        "reason": reason,
        "source-topic": family.value,
        "source-partition": "0",
        "source-offset": "9",
        "received-at": str(NOON),
    }


@pytest.mark.parametrize("occurred_at", ["2025-01-01T12:10:00.000Z", "2024-10-03T00:00:00Z"])
def test_the_edges_of_skew_and_horizon_still_count(occurred_at: str) -> None:
    assert fate_of(record(VISITS, visit(occurred_at=occurred_at)))[0] == "counted"


def test_an_oversized_key_is_dead() -> None:
    assert fate_of(record(VISITS, visit(), key="k" * 1025))[0] == "dead:too_large"


def test_an_event_without_any_key_is_dead() -> None:
    fate, (output,) = fate_of(record(INTENT, intent(email=ABSENT), key=None))
    assert (fate, output.key) == ("dead:no_key", None)


@pytest.mark.parametrize(
    ("family", "value", "key"),
    [
        (VISITS, visit(visitor_id=ELSEWHERE), ELSEWHERE),
        (INTENT, intent(email=f"{key_in(1, 'jane@acme')}.example"), f"{key_in(1, 'jane@acme')}.example"),
        (INTENT, intent(email=ABSENT, visitor_id=ELSEWHERE), ELSEWHERE),
    ],
)
def test_a_missing_key_is_taken_from_the_event(family: Family, value: bytes, key: str) -> None:
    partition = (IDENTITY.partition_of(key.encode()) + 1) % 4
    fate, (output,) = fate_of(record(family, value, key=None, partition=partition), partition=partition)
    assert fate == "rerouted"
    assert (output.key, output.value, output.partition) == (key.encode(), value, IDENTITY.partition_of(key.encode()))


def test_a_missing_key_that_would_lie_here_needs_no_copy() -> None:
    assert fate_of(record(VISITS, visit(visitor_id=KEY), key=None))[0] == "counted"


def copy_of(output: Output, *, partition: int | None = None) -> Any:
    """The re-appended record as the other partition's intake reads it, a minute later."""
    to = output.partition if partition is None else partition
    assert to is not None
    key = None if output.key is None else output.key.decode()
    return record(Family(output.topic), output.value, key=key, offset=77, partition=to, received_at=NOON + 60_000, headers=output.headers)


def test_a_record_in_a_wrong_partition_goes_once_to_the_right_one_and_counts_there_as_it_came() -> None:
    fate, (copy,) = fate_of(record(VISITS, visit(), key=ELSEWHERE, offset=3))
    assert (fate, copy.topic, copy.partition) == ("rerouted", "web-visits", 1)
    fate, (output,) = fate_of(copy_of(copy), partition=1)
    signal = records.decode(output.value or b"")
    assert fate == "counted"
    assert isinstance(signal, records.Signal)
    assert (signal.received_at, signal.source) == (NOON, ("web-visits", 0, 3, 0))


def test_a_copy_that_is_wrong_again_is_dead_with_the_originals_coordinates() -> None:
    _, (copy,) = fate_of(record(VISITS, visit(), key=ELSEWHERE, offset=3))
    fate, (output,) = fate_of(copy_of(copy, partition=2), partition=2)
    headers = headers_of(output)
    assert fate == "dead:misrouted"
    assert (headers["source-partition"], headers["source-offset"], headers["received-at"]) == ("0", "3", str(NOON))


def test_what_cannot_be_read_is_dead_where_it_lies_and_never_sent_on() -> None:
    assert fate_of(record(VISITS, b"{", key=ELSEWHERE))[0] == "dead:malformed_json"


@pytest.mark.parametrize(
    "headers",
    [
        (("mqa-source", b"web-visits/0/3"),),
        (("mqa-source", b"web-visits/zero/3"), ("mqa-received-at", b"1")),
        (("mqa-source", b"account-updates/0/3"), ("mqa-received-at", b"1")),
        (("mqa-source", b"web-visits/0/3"), ("mqa-received-at", b"soon")),
    ],
)
def test_headers_that_intake_cannot_have_written_count_as_absent(headers: Headers) -> None:
    assert fate_of(record(VISITS, visit(), key=ELSEWHERE, headers=headers))[0] == "rerouted"


def test_a_copy_was_not_received_after_it_was_appended() -> None:
    headers = (("mqa-source", b"web-visits/3/0"), ("mqa-received-at", str(NOON + 1).encode()))
    _, (output,) = fate_of(record(VISITS, visit(), headers=headers))
    signal = records.decode(output.value or b"")
    assert isinstance(signal, records.Signal)
    assert signal.received_at == NOON


def test_a_run_of_dead_records_is_counted_until_one_is_not_dead() -> None:
    intake = new_intake()
    run(intake, [record(VISITS, b"{", offset=n) for n in range(3)])
    assert intake.position.dead_run == 3
    run(intake, [record(VISITS, b"{", offset=3), record(VISITS, visit(type="identify"), offset=4), record(VISITS, b"{", offset=5)])
    assert intake.position.dead_run == 1
