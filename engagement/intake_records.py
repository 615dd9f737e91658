"""The records that intake reads and writes beside the account log: re-appended copies with their headers, and events derived."""

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from engagement.adapters.outcome import Adapted
from engagement.days import iso_instant
from engagement.events import LONGEST_NAME, Family, IntentSignal
from engagement.machine import Output, Record
from engagement.records import Source

RECEIVED_AT_HEADER = "mqa-received-at"  # ms
SOURCE_HEADER = "mqa-source"  # short name/partition/offset
ADAPTED_FROM_HEADER = "mqa-adapted-from"  # likewise: of the record in another format that this is an event of
_RECEIVED_AT = re.compile(rb"-?[0-9]{1,18}")
_SOURCE = re.compile(rb"([a-z-]+)/([0-9]{1,9})/([0-9]{1,18})")


class Arrival(NamedTuple):
    """When and where an event first came in: for a re-appended copy, the original's."""

    received_at: int  # ms
    source: Source
    again: bool  # whether intake appended this record: it is a copy, or derived


def arrival(record: Record, family: Family) -> Arrival:
    """Read when and where a record came in. Headers that intake cannot have written count as absent.

    What was derived from an event of another family came in when that did, where it lies itself.
    """
    here = (family.value, record.partition, record.offset, 0)
    if record.headers:
        headers = dict(record.headers)
        received = _RECEIVED_AT.fullmatch(headers.get(RECEIVED_AT_HEADER) or b"")
        source = _SOURCE.fullmatch(headers.get(SOURCE_HEADER) or b"")
        if received and _SOURCE.fullmatch(headers.get(ADAPTED_FROM_HEADER) or b""):
            return Arrival(min(int(received[0]), record.timestamp), here, again=True)
        if received and source:
            # A copy is never older than its original: where it seems so, the broker's clock went back.
            received_at = min(int(received[0]), record.timestamp)
            origin = source[1].decode()
            if origin == family.value:
                return Arrival(received_at, (origin, int(source[2]), int(source[3]), 0), again=True)
            if (origin, family) == (Family.INTENT_SIGNALS.value, Family.WEB_VISITS):
                return Arrival(received_at, here, again=True)
    return Arrival(record.timestamp, here, again=False)


def copy_for(record: Record, came: Arrival, key: bytes, partition: int) -> Output:
    """Re-append an original under its key to the partition that is the key's."""
    return Output(came.source[0], key, record.value, partition, _headers(came), came.received_at)


def derived_identify(signal: IntentSignal, occurred_at: int, came: Arrival, partition: int) -> Output:
    """Say to the visitor's partition who that is, as an intent signal told us. ``occurred_at`` in milliseconds.

    Its id is drawn from the signal's: where the signal is read again, it is the same, and a duplicate.
    """
    said = {"id": f"intent-{_digest(signal.id)}", "occurred_at": iso_instant(occurred_at), "type": "identify"}
    return _of_visitor(said, signal, ("account", "email", "role"), came, partition)


def derived_visit(signal: IntentSignal, occurred_at: int, came: Arrival, partition: int) -> Output:
    """Let an intent signal that says nothing of its account depend on its visitor, as a web visit. ``occurred_at`` in milliseconds.

    A visit has no topic, score or provider: these do not go along. Its id is the signal's, and a repeat's is the same.
    """
    event_id = f"intent:{signal.id}"
    if len(event_id) > LONGEST_NAME:
        event_id = f"intent:{_digest(signal.id)}"
    said = {"id": event_id, "occurred_at": iso_instant(occurred_at), "type": "page_view"}
    return _of_visitor(said, signal, ("kind", "role", "seconds"), came, partition)


def _of_visitor(said: dict[str, Any], signal: IntentSignal, more: Sequence[str], came: Arrival, partition: int) -> Output:
    """Append what an intent signal says of its visitor: ``said``, and ``more`` fields as the signal has them."""
    assert signal.visitor_id is not None
    said |= {name: value for name in ("visitor_id", *more) if (value := getattr(signal, name)) is not None}
    key = signal.visitor_id.encode()
    return Output(Family.WEB_VISITS.value, key, msgspec.json.encode(said), partition, _headers(came), came.received_at)


def _digest(event_id: str) -> str:
    return blake2b(event_id.encode(), digest_size=16).hexdigest()


def adapted_copy(each: Adapted, came: Arrival, partition: int) -> Output:
    """Append an event that was written in another format, as one of ours that came in when that did."""
    received, (_, origin) = _headers(came)
    return Output(each.family.value, each.key.encode(), each.value, partition, (received, (ADAPTED_FROM_HEADER, origin)), came.received_at)


def _headers(came: Arrival) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    topic, partition, offset, _ = came.source
    return ((RECEIVED_AT_HEADER, str(came.received_at).encode()), (SOURCE_HEADER, f"{topic}/{partition}/{offset}".encode()))
