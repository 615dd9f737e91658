"""What becomes of one foreign event: events of ours, or the reason why there are none."""

from datetime import datetime
from typing import Any, NamedTuple, Self

from pydantic import ValidationError

from engagement.adapters.mapping import Format
from engagement.days import EARLIEST, LATEST, iso_instant, to_ms
from engagement.decoding import Dead, worded
from engagement.events import KEY_FIELDS, MODELS, Event, Family, key_of


class Adapted(NamedTuple):
    """One event of ours and the Kafka key it belongs under."""

    family: Family
    key: str
    event: Event

    @property
    def value(self) -> bytes:
        """As a producer of ours would send it: what was said, and nothing else."""
        return self.event.model_dump_json(exclude_unset=True).encode()


class Taken(NamedTuple):
    """A foreign event that became events of ours, at least one."""

    events: list[Adapted]
    received_at: int  # ms; when its collector received it, else when it occurred

    @classmethod
    def of(cls, events: list[Adapted], received_at: datetime | None) -> Self:
        """Take ``events``, which one foreign event became. Raises `Dead` where they were received at no time that can be."""
        moment = events[0].event.occurred_at if received_at is None else received_at
        received = to_ms(moment)
        if not EARLIEST <= received < LATEST:
            first, end = iso_instant(EARLIEST), iso_instant(LATEST)
            raise Dead("invalid", f"received at {moment.isoformat()}: Input should be an instant from {first} until before {end}")
        return cls(events, received)


class LeftOut(NamedTuple):
    """A foreign event that is nothing to us. ``name`` is what it calls itself, where a mapping could say what that is."""

    reason: str
    name: str | None = None


class Unusable(NamedTuple):
    """A foreign event that cannot be used, with its bytes and what these are written in."""

    dead: Dead
    payload: bytes
    written_in: Format


Outcome = Taken | LeftOut | Unusable


class Nothing(Exception):  # noqa: N818 - it reads as what the foreign event is to us
    """Ends the reading of a foreign event that is to be left out."""

    def __init__(self, reason: str, name: str | None = None) -> None:
        super().__init__(reason, name)
        self.outcome = LeftOut(reason, name)


def adapted_event(family: Family, **said: Any) -> Adapted:
    """Make an event of what was said of it; None is not said. Raises `Dead` where the model of the family does not take it."""
    fields = {name: value for name, value in said.items() if value is not None}
    try:
        event = MODELS[family].model_validate(fields)
    except ValidationError as error:
        raise worded(error) from None
    return under_its_key(family, event)


def under_its_key(family: Family, event: Event) -> Adapted:
    """Find the Kafka key of an event. Raises `Dead` (``no_key``)."""
    key = key_of(family, event)
    if key is None:
        raise Dead("no_key", f"the event has none of {', '.join(KEY_FIELDS[family])}")
    return Adapted(family, key, event)
