"""Dead letters, read back and sent again: what intake wrote is known again, and what is sent again is read as what it was."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from engagement.dead_letters import DEAD_LETTERS, DeadLetter, again, dead_letter, note, read_letter, why_not
from engagement.decoding import Dead
from engagement.events import Family
from engagement.intake import Intake
from engagement.intake_records import Arrival
from engagement.machine import Headers, Output, PlainRecord
from engagement.rulebook import Rulebook, load_rulebook
from tests.engagement.intake_world import IDENTITY, KEY, NOON, PARTITIONS, RULEBOOK, record, run

CALL = {"type": "track", "event": "Attended", "messageId": "m1", "anonymousId": "a1", "timestamp": "2025-01-01T11:59:00Z"}
VISIT = {"id": "e1", "occurred_at": "2025-01-01T11:59:00Z", "visitor_id": KEY, "kind": "seance", "email": "jane@acme.example"}


def by(**said: Any) -> Rulebook:
    return load_rulebook(json.dumps(json.loads(RULEBOOK.canonical()) | said), "test")


SEGMENT = by(adapters={"topics": {"web-visits": "segment"}, "segment": {"events": {"Attended": "webinar"}}})
INSIDE = by(adapters={"cloudevents": {"types": {"com.segment": "segment"}}})
CLOUDEVENT = (("content-type", b"application/cloudevents+json"),)


def envelope(content: object) -> bytes:
    return json.dumps({"specversion": "1.0", "id": "1", "source": "s", "type": "com.segment", "data": content}).encode()


def left_by(rulebook: Rulebook, original: PlainRecord) -> list[Output]:
    """All that one record leaves behind in the end, wherever intake sends it on to."""
    left: list[Output] = []
    waiting = [original]
    while waiting:
        each = waiting.pop()
        families = {f"t.{family.value}": family for family in Family}
        for output in run(Intake(families=families, partition=each.partition, rulebook=rulebook, identity=IDENTITY), [each]):
            if output.topic in {family.value for family in Family}:
                waiting.append(as_read(output))
            else:
                left.append(output)
    return left


def as_read(output: Output) -> PlainRecord:
    return PlainRecord(f"t.{output.topic}", output.partition or 0, 0, NOON + 1, output.key, output.value, output.headers)


def letter_of(rulebook: Rulebook, value: bytes, headers: Headers = (), partition: int = 0) -> PlainRecord:
    outputs = left_by(rulebook, record(Family.WEB_VISITS, value, headers=headers, partition=partition))
    (letter,) = [as_read(output) for output in outputs if output.topic == DEAD_LETTERS]
    return letter


def read(letter: PlainRecord) -> DeadLetter:
    found = read_letter(letter, PARTITIONS)
    assert found is not None
    return found


def sent_again(letter: PlainRecord) -> PlainRecord:
    return as_read(again(letter, read(letter), IDENTITY.partition_of, None))


def test_a_letter_is_read_as_it_was_written() -> None:
    original = record(Family.WEB_VISITS, b"\xff", offset=9)
    letter = as_read(dead_letter(original, Arrival(NOON, ("web-visits", 3, 9, 0), again=False), Dead("invalid", "id = 'ü'")))
    assert read(letter) == DeadLetter("invalid", "id = 'ü'", ("web-visits", 3, 9), NOON, (), None)
    assert (letter.key, letter.value) == (KEY.encode(), b"\xff")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        *((name, "absent") for name in ("reason", "detail", "source-topic", "source-partition", "source-offset", "received-at")),
        *((name, None) for name in ("reason", "source-offset")),
        ("source-topic", b"nonsense"),
        ("source-partition", b"-1"),
        ("source-partition", b"%d" % PARTITIONS),
        ("source-offset", b"-1"),
        ("source-offset", b"many"),
        ("received-at", b"noon"),
        ("retried", b"yes"),
    ],
)
def test_what_nobody_of_ours_can_have_written_is_no_letter(header: str, said: bytes | str | None) -> None:
    letter = letter_of(RULEBOOK, b"{")
    headers = {name: value for name, value in letter.headers if name != header} | ({} if said == "absent" else {header: said})
    assert read_letter(letter._replace(headers=tuple(headers.items())), PARTITIONS) is None  # type: ignore[arg-type]  # Kafka has headers without a value


def test_a_note_says_which_letter_of_its_partition_was_sent_again() -> None:
    letter = letter_of(RULEBOOK, b"{")._replace(partition=2, offset=17)
    said = note(letter)
    assert (said.topic, said.partition, said.key, said.value) == (DEAD_LETTERS, 2, letter.key, None)
    assert read(as_read(said)) == read(letter)._replace(retried=17)


def test_what_is_sent_again_has_its_bytes_and_key_and_lies_in_the_partition_of_the_key() -> None:
    for partition in range(PARTITIONS):
        found = sent_again(letter_of(RULEBOOK, json.dumps(VISIT).encode(), partition=partition))
        assert found[:4] == ("t.web-visits", IDENTITY.partition_of(KEY.encode()), 0, NOON + 1)
        assert (found.key, found.value) == (KEY.encode(), json.dumps(VISIT).encode())


def test_what_has_no_key_is_sent_to_where_it_lay() -> None:
    original = record(Family.WEB_VISITS, b"{", key=None, partition=3)
    (output,) = left_by(RULEBOOK, original)
    output = again(as_read(output), read(as_read(output)), IDENTITY.partition_of, None)
    assert (output.key, output.partition) == (None, 3)


def test_nothing_of_when_it_came_in_first_goes_along_so_that_its_time_is_judged_anew() -> None:
    """A copy that intake sent on says in headers when its original came in; it dies of an hour that is over by now."""
    ahead = json.dumps(VISIT | {"kind": "webinar", "occurred_at": "2025-01-01T13:00:00Z"}).encode()
    letter = letter_of(RULEBOOK, ahead, partition=1)
    assert read(letter).reason == "future"
    later = sent_again(letter)._replace(timestamp=NOON + 3_600_000)
    assert [output.topic for output in left_by(RULEBOOK, later)] == ["account-log"]


@pytest.mark.parametrize(
    ("rulebook", "value", "headers"),
    [
        (SEGMENT, b"{", ()),
        (RULEBOOK, json.dumps(CALL | {"type": "page", "timestamp": "never"}).encode(), (("mqa-format", b"segment"),)),
        (SEGMENT, b'{"id": 1}', (("mqa-format", b"mqa"),)),
        (SEGMENT, json.dumps(VISIT).encode(), (("mqa-format", b"mqa"),)),
        (INSIDE, envelope({"batch": [{}]}), CLOUDEVENT),
        (INSIDE, envelope(7), CLOUDEVENT),
        (RULEBOOK, b'{"specversion": "0.3"}', CLOUDEVENT),
    ],
)
def test_what_is_sent_again_is_read_in_the_format_that_it_was_in(rulebook: Rulebook, value: bytes, headers: Headers) -> None:
    letter = letter_of(rulebook, value, headers)
    (once_more,) = left_by(rulebook, sent_again(letter))
    assert deaths([as_read(once_more)]) == deaths([letter])


def test_an_event_that_intake_made_of_a_call_is_ours_when_it_is_sent_again_to_a_topic_of_calls() -> None:
    letter = letter_of(SEGMENT, json.dumps(CALL | {"type": "page", "timestamp": "2020-01-01T00:00:00Z"}).encode())
    assert read(letter).reason == "late"
    assert (read(letter).source[0], json.loads(letter.value or b"")["id"]) == ("web-visits", "m1")
    (once_more,) = left_by(SEGMENT, sent_again(letter))
    assert deaths([as_read(once_more)]) == deaths([letter])


def test_where_only_the_mapping_said_the_format_a_mended_mapping_says_it_anew() -> None:
    """Calls that came before anybody said that they are calls."""
    call = json.dumps(CALL | {"userId": "u1", "properties": {"email": "jane@acme.example"}}).encode()
    letter = letter_of(RULEBOOK, call)
    assert read(letter).reason == "invalid"
    assert "account-log" in {output.topic for output in left_by(SEGMENT, sent_again(letter))}


@pytest.mark.parametrize(
    ("reason", "topic", "told"),
    [
        ("account_full", "account-log", "account-log is no input"),
        ("not_a_log_record", "account-log", "account-log is no input"),
        ("empty_value", "web-visits", "what is empty_value is so under all rules"),
        ("too_large", "intent-signals", "what is too_large is so under all rules"),
    ],
)
def test_what_can_never_be_used_is_not_sent_again(reason: str, topic: str, told: str) -> None:
    assert (why_not(reason, topic) or "").startswith(told)


@pytest.mark.parametrize(
    "reason", ["late", "future", "invalid", "malformed_json", "unknown_version", "unknown_kind", "no_key", "misrouted"]
)
@pytest.mark.parametrize("family", Family)
def test_what_another_rulebook_time_or_version_may_use_is(reason: str, family: Family) -> None:
    assert why_not(reason, family.value) is None


def deaths(letters: Sequence[PlainRecord]) -> list[tuple[str, str, bytes | None]]:
    found = [(read(each), each.value) for each in letters]
    return [(letter.reason, letter.detail, value) for letter, value in found]
