"""The records that intake reads and writes beside the account log: re-appended copies with their headers, and dead letters."""

import re
from typing import NamedTuple

from engagement.decoding import Dead
from engagement.events import Family
from engagement.machine import Output, Record
from engagement.records import Source

DEAD_LETTERS = "dead-letters"
RECEIVED_AT_HEADER = "mqa-received-at"  # ms
SOURCE_HEADER = "mqa-source"  # short name/partition/offset
_RECEIVED_AT = re.compile(rb"-?[0-9]{1,18}")
_SOURCE = re.compile(rb"([a-z-]+)/([0-9]{1,9})/([0-9]{1,18})")


class Arrival(NamedTuple):
    """When and where an event first came in: for a re-appended copy, the original's."""

    received_at: int  # ms
    source: Source
    again: bool  # whether this record is a re-appended copy


def arrival(record: Record, family: Family) -> Arrival:
    """Read when and where a record came in. Headers that intake cannot have written count as absent."""
    if record.headers:
        headers = dict(record.headers)
        received = _RECEIVED_AT.fullmatch(headers.get(RECEIVED_AT_HEADER) or b"")
        source = _SOURCE.fullmatch(headers.get(SOURCE_HEADER) or b"")
        if received and source and source[1].decode() == family.value:
            # A copy is never older than its original: where it seems so, the broker's clock went back.
            received_at = min(int(received[0]), record.timestamp)
            return Arrival(received_at, (family.value, int(source[2]), int(source[3]), 0), again=True)
    return Arrival(record.timestamp, (family.value, record.partition, record.offset, 0), again=False)


def copy_for(record: Record, came: Arrival, key: bytes, partition: int) -> Output:
    """Re-append an original under its key to the partition that is the key's."""
    topic, source_partition, offset, _ = came.source
    headers = (
        (RECEIVED_AT_HEADER, str(came.received_at).encode()),
        (SOURCE_HEADER, f"{topic}/{source_partition}/{offset}".encode()),
    )
    return Output(topic, key, record.value, partition, headers, came.received_at)


def dead_letter(record: Record, came: Arrival, dead: Dead) -> Output:
    """Keep what could not be used: its original bytes, and in headers why, where it lies and when it came in."""
    topic, partition, offset, _ = came.source
    headers = (
        ("reason", dead.reason.encode()),
        ("detail", dead.detail.encode()),
        ("source-topic", topic.encode()),
        ("source-partition", str(partition).encode()),
        ("source-offset", str(offset).encode()),
        ("received-at", str(came.received_at).encode()),
    )
    return Output(DEAD_LETTERS, record.key, record.value, headers=headers)
