"""The topic ``dead-letters``: what could not be used as it came, why, and which of it was sent again.

A letter's value and key are the original's; its headers say the rest. Where a letter is sent again, a note says so: a record with the
letter's own headers and ``retried``, and without a value, in the letter's partition. So of each reason the letters less the notes are
what is left, and a letter is not sent twice, however late somebody asks for it: intake knows the ids of 24 hours only.
"""

from collections.abc import Callable
from typing import NamedTuple

from engagement.adapters.formats import CONTENT_TYPE_HEADER, FORMAT_HEADER, OWN
from engagement.adapters.mapping import Format
from engagement.decoding import Dead
from engagement.events import Family
from engagement.intake_records import Arrival
from engagement.machine import Headers, Output, Record

DEAD_LETTERS = "dead-letters"
RETRIED_HEADER = "retried"  # offset of the letter, in the partition of the note

_WRITTEN_IN = (FORMAT_HEADER, CONTENT_TYPE_HEADER)
_FAMILIES = frozenset(family.value for family in Family)
_SOURCES = _FAMILIES | {"account-log"}
_NEVER_USABLE = frozenset({"empty_value", "too_large"})


class DeadLetter(NamedTuple):
    """Why an original could not be used, and where it lies; or, with ``retried``, that a letter was sent again."""

    reason: str
    detail: str
    source: tuple[str, int, int]  # short topic name, partition, offset
    received_at: int  # ms, as the original's record has it: any number
    written_in: Headers  # those of the original by which intake knows its format
    retried: int | None  # offset of the letter that this is a note about; None: a letter itself


def why_not(reason: str, topic: str) -> str | None:
    """Say why letters of that reason and source topic (its short name) cannot be sent again, and what to do; None where they can."""
    if topic not in _FAMILIES:
        return f"{topic} is no input, intake has taken their events already: send mended ones with ids of their own"
    if reason in _NEVER_USABLE:
        return f"what is {reason} is so under all rules: mend its producer, and have it send anew"
    return None


def dead_letter(record: Record, came: Arrival, dead: Dead, payload: bytes | None = None, written_in: Format | None = None) -> Output:
    """Keep what could not be used: its original bytes, and in headers why, where it lies and when it came in.

    ``payload``: the bytes of one event, where the record holds several. ``written_in``: its format, where the record has another one.
    """
    topic, partition, offset, _ = came.source
    headers = (
        ("reason", dead.reason.encode()),
        ("detail", dead.detail.encode()),
        ("source-topic", topic.encode()),
        ("source-partition", str(partition).encode()),
        ("source-offset", str(offset).encode()),
        ("received-at", str(came.received_at).encode()),
        *_format_headers(record, came, written_in),
    )
    return Output(DEAD_LETTERS, record.key, record.value if payload is None else payload, headers=headers)


def read_letter(record: Record, partitions: int) -> DeadLetter | None:
    """Read what `dead_letter` or `note` made in an environment of so many partitions; None for what neither of them can have made."""
    said = dict(record.headers)
    try:
        letter = DeadLetter(
            reason=said["reason"].decode(),
            detail=said["detail"].decode(errors="replace"),
            source=(said["source-topic"].decode(), int(said["source-partition"]), int(said["source-offset"])),
            received_at=int(said["received-at"]),
            written_in=tuple((name, value) for name, value in record.headers if name in _WRITTEN_IN),
            retried=int(said[RETRIED_HEADER]) if RETRIED_HEADER in said else None,
        )
    except (KeyError, ValueError, AttributeError, TypeError):  # the last two: Kafka has headers without a value
        return None
    topic, partition, offset = letter.source
    return letter if topic in _SOURCES and 0 <= partition < partitions and offset >= 0 else None


def again(record: Record, letter: DeadLetter, partition_of: Callable[[bytes], int], received_at: int | None) -> Output:
    """Send a letter's original to its topic once more, as a record that comes in only now: at ``received_at`` ms (None: by the clock).

    One without a key goes where it lay: intake sends it on.
    """
    topic, partition, _ = letter.source
    home = partition if record.key is None else partition_of(record.key)
    return Output(topic, record.key, record.value, home, letter.written_in, received_at)


def note(record: Record) -> Output:
    """Say that the letter in ``record`` was sent again."""
    headers = (*record.headers, (RETRIED_HEADER, b"%d" % record.offset))
    return Output(DEAD_LETTERS, record.key, None, record.partition, headers)


def _format_headers(record: Record, came: Arrival, written_in: Format | None) -> Headers:
    """Say what a letter's value is written in, where its topic does not."""
    if came.again:
        return ((FORMAT_HEADER, OWN.encode()),)  # intake appends none but events of ours
    if written_in is not None:
        return ((FORMAT_HEADER, written_in.value.encode()),)
    return tuple((name, value) for name, value in record.headers if name in _WRITTEN_IN)
