"""The last record that a unit consumed of each topic: by it a topic that was deleted and made anew is told from the one the state has read.

Offsets cannot tell: the new topic has them all again. A topic's id could, but the pinned aiokafka does not know of it, and a topic that was
restored from a backup has another one.
"""

from collections.abc import Iterable

import msgspec

from engagement.machine import Record, row_digest


class Landmark(msgspec.Struct, frozen=True, array_like=True):
    """A record, as far as it takes to know it again. Without its timestamp: in a copy of the topic the broker may have set another."""

    offset: int
    digest: int


Landmarks = dict[str, Landmark]
"""By topic (full name); written in every step's transaction, under `engagement.machine.LANDMARKS_KEY`."""

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Landmarks).decode


def landmark(record: Record) -> Landmark:
    """Remember ``record``."""
    return Landmark(record.offset, row_digest(record.key or b"", record.value or b""))


def landmarks(records: Iterable[Record]) -> Landmarks:
    """Remember the last of each topic."""
    return {topic: landmark(record) for topic, record in {record.topic: record for record in records}.items()}
