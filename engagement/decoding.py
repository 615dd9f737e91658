"""Bytes to events, fast, and always as the pydantic models have it.

The models in `engagement.events` are the one source of truth. For the two busy families a msgspec struct is derived from the model's JSON
Schema; it accepts a subset of what the model accepts and reads it to equal values (a test holds it to that). Whatever it refuses, the model
decides, and words the error. The struct takes no unknown field, because msgspec looks less closely at what it skips; and it reads instants
itself, because msgspec rounds a seventh decimal where pydantic cuts it off.
"""

import re
from datetime import datetime
from reprlib import repr as short_repr
from typing import Annotated, Any, Literal, NamedTuple, cast

import msgspec
from pydantic import ValidationError

from engagement.days import to_ms
from engagement.events import MODELS, Event, Family

_LONGEST_PATH = 200  # an attribute's name may be as long as the whole value
_HOUR, _SIXTY = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
_INSTANT = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_HOUR}:{_SIXTY}:{_SIXTY}(?:\.[0-9]{{1,6}})?(?:Z|[+-]{_HOUR}:{_SIXTY})",
)
"""The spelling in use. Dates are checked beyond it; hours and minutes are not, for `fromisoformat` takes an offset of 60 minutes."""


class Decoded(NamedTuple):
    """An event and its ``occurred_at`` in milliseconds.

    ``event`` has the model's fields, its instants for `ms_of`; read nothing else of it, for it may be the fast struct.
    """

    event: Event
    occurred_at: int


class Dead(Exception):  # noqa: N818 - it reads as what the record is
    """A record that cannot be used. ``reason`` is the dead letter's; ``detail`` names the path, its value and what is wrong."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class _Instant(int):
    """Milliseconds, read from text by `_read_instant`."""


def ms_of(instant: datetime | int) -> int:
    """Give an instant of a decoded event in milliseconds, whichever decoder read it."""
    return int(instant) if isinstance(instant, int) else to_ms(instant)


def _read_instant(_type: type, text: object) -> _Instant:
    if not isinstance(text, str) or not _INSTANT.fullmatch(text):
        msg = "the model decides"
        raise ValueError(msg)
    return _Instant(to_ms(datetime.fromisoformat(text)))


def _fast_type(schema: dict[str, Any]) -> Any:  # noqa: PLR0911 - one line a leaf
    """Translate a leaf of a JSON Schema into a msgspec type. Raises TypeError for one that a busy family has not had so far."""
    match schema:
        case {"anyOf": [inner, {"type": "null"}]}:
            return _fast_type(inner) | None
        case {"const": value}:
            return Literal[value]
        case {"enum": values}:
            return Literal[tuple(values)]
        case {"type": "string", "format": "date-time"}:
            return _Instant
        case {"type": "string"}:
            return Annotated[str, msgspec.Meta(min_length=schema.get("minLength"), max_length=schema.get("maxLength"))]
        case {"type": "boolean"}:
            return bool
        case {"type": "integer"}:
            return Annotated[int, msgspec.Meta(ge=schema.get("minimum"), le=schema.get("maximum"))]
        case _:
            raise TypeError(f"no fast type for {schema}; add one to {__name__}, or take its family out of _FAST")


def _fast_decoder(model: type[Event]) -> msgspec.json.Decoder[Any]:
    fields: list[tuple[str, Any, Any]] = [
        (name, _fast_type(schema), msgspec.NODEFAULT if (field := model.model_fields[name]).is_required() else field.default)
        for name, schema in model.model_json_schema()["properties"].items()
    ]
    struct = msgspec.defstruct(f"Fast{model.__name__}", fields, kw_only=True, frozen=True, forbid_unknown_fields=True)
    return msgspec.json.Decoder(struct, dec_hook=_read_instant)


_FAST = {family: _fast_decoder(MODELS[family]).decode for family in (Family.WEB_VISITS, Family.INTENT_SIGNALS)}


def decode(family: Family, value: bytes) -> Decoded:
    """Read the event that ``value`` holds. Raises `Dead` (``malformed_json``, ``unknown_version``, ``invalid``)."""
    fast = _FAST.get(family)
    if fast is not None:
        try:
            event = fast(value)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass  # for the model to decide
        else:
            return Decoded(cast("Event", event), int(event.occurred_at))
    return decode_by_model(family, value)


def decode_by_model(family: Family, value: bytes) -> Decoded:
    """Read it by the model alone: what `decode` must agree with."""
    try:
        event = MODELS[family].model_validate_json(value)
    except ValidationError as error:
        raise worded(error) from None
    return Decoded(event, to_ms(event.occurred_at))


def worded(error: ValidationError) -> Dead:
    """Say in a dead letter's words what a model of `engagement.events` does not take."""
    faults = error.errors(include_url=False, include_context=False)
    first = faults[0]
    if first["type"] == "json_invalid":
        return Dead("malformed_json", first["msg"])
    version = next((fault for fault in faults if fault["loc"] == ("schema_version",)), None)
    fault = version or first  # another version may have any other shape: its number is what to say
    path = ".".join(map(str, fault["loc"]))[:_LONGEST_PATH] or "event"
    said = "absent" if fault["type"] == "missing" else f"= {short_repr(fault['input'])}"
    return Dead("unknown_version" if version else "invalid", f"{path} {said}: {fault['msg']}")
