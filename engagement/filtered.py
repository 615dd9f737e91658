"""What is filtered, recorded in a topic of its own: which event, why, and where it lies. Nothing of what it says.

Whenever a counter ``filtered:<reason>`` rises, a record is written; when it falls again, because the visit's visitor is somebody else now,
one with ``undo``. So of each reason the records less those that undo are the counter, for as long as the topic has them all.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from engagement.events import Family
from engagement.fates import FILTERED, Fates
from engagement.intake_records import Arrival
from engagement.machine import Output
from engagement.records import Instant, Read, Source
from engagement.visitor import Visit

FILTERED_EVENTS = "filtered-events"


class FilteredEvent(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """One event that moves no account."""

    reason: Annotated[str, Meta(description="Why, such as `robot` or `duplicate`. Further values may come.")]
    undo: Annotated[bool, Meta(description="It is filtered for that reason no longer.")] = False
    id: Annotated[str | None, Meta(description="The event's; null: it is in another format, and never became an event of ours.")] = None
    source: Annotated[
        Source, Meta(description="Input topic without prefix, partition, offset, and its number among the events of a batch, from 0.")
    ]
    read: Annotated[
        Read | None,
        Meta(description="Partition, offset and generation of the input record that made it so; null: the one at its source."),
    ] = None
    received_at: Annotated[Instant, Meta(description="Milliseconds since 1970.")]


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(FilteredEvent).decode


class Ends:
    """The ends that one input record brings about: its own event's, and others for earlier visits. What is filtered is recorded.

    One of these for each input record.
    """

    def __init__(self, fates: Fates, outputs: list[Output], came: Arrival, read: Read) -> None:
        """Appends to ``outputs``. ``read``: where the record lies."""
        self._fates, self._outputs, self._came, self._read = fates, outputs, came, read

    def own(self, fate: str, event_id: str | None, number: int = 0) -> str:
        """Give ``fate``, which is that of the record's own event, or of the one with ``number`` in a batch; `Fates.end` counts it."""
        if fate.startswith(FILTERED):
            self._append(fate, event_id, (*self._came.source[:3], number), self._came.received_at)
        return fate

    def move(self, visit: Visit, before: str, after: str) -> None:
        """Give an earlier visit another end, and count it there."""
        if before == after:
            return
        self._fates.move(before, after)
        for fate, undo in ((before, True), (after, False)):
            if fate.startswith(FILTERED):
                self._append(fate, visit.id, (Family.WEB_VISITS.value, *visit.place, 0), visit.received_at, undo=undo)

    def forget_visitor(self, reason: str) -> None:
        """Count a visitor who is forgotten."""
        self._fates.add(f"visitors:{reason}")

    def _append(self, fate: str, event_id: str | None, source: Source, received_at: int, *, undo: bool = False) -> None:
        event = FilteredEvent(
            reason=fate.removeprefix(FILTERED),
            undo=undo,
            id=event_id,
            source=source,
            read=None if self._read == (*source[1:3], 0) else self._read,
            received_at=received_at,
        )
        self._outputs.append(Output(FILTERED_EVENTS, None, encode(event), timestamp=self._came.received_at))
