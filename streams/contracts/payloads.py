"""JSON Schemas (2020-12) of what crosses the border, taken from the types that read and write it.

Producers' events are pydantic models, what mqa writes are msgspec structs; headers, which are neither, are described here.
"""

from typing import Any

import msgspec
from pydantic.json_schema import GenerateJsonSchema

from engagement.adapters.formats import OWN
from engagement.adapters.mapping import Format
from engagement.changes import TierChange
from engagement.contacts import ContactRow
from engagement.events import MODELS, Family
from engagement.filtered import FilteredEvent
from engagement.schema import DIALECT

Schema = dict[str, Any]

OPEN_VALUES = "x-extensible-enum"
"""Stands in place of ``enum`` where further values may come: subscribers must live with one that they do not know."""

_WHOLE = {"type": "string", "pattern": "^[0-9]+$"}


def event(family: Family) -> Schema:
    """Schema of the events of an input family."""
    return {"$schema": DIALECT} | MODELS[family].model_json_schema(schema_generator=_Untitled)


def tier_change() -> Schema:
    """Schema of the body of a tier change."""
    schema = _of_struct(TierChange)
    reason = schema["properties"]["reason"]
    reason |= {"type": "string", OPEN_VALUES: reason.pop("enum")}
    return schema


def filtered_event() -> Schema:
    """Schema of a record of what was filtered."""
    return _of_struct(FilteredEvent)


def contact() -> Schema:
    """Schema of a contact, which has no value where the person was forgotten."""
    return _of_struct(ContactRow)


def input_headers() -> Schema:
    """Schema of the headers of an input record, which are texts in UTF-8; all others are ignored."""
    formats = [OWN, *(each.value for each in Format)]
    return _headers(
        "InputHeaders",
        "By which intake knows what a record is written in; a record needs none of them.",
        {
            "mqa-format": {"enum": formats, "description": "What it is written in; else `adapters.topics` of the rulebook says it."},
            "content-type": {"type": "string", "description": "That of CloudEvents in structured mode is known."},
        },
        required=(),
    )


def no_headers() -> Schema:
    """Schema of the headers of records that have none; further ones may come."""
    return _headers("NoHeaders", "None.", {})


def tier_change_headers() -> Schema:
    """Schema of the headers of a tier change: those of CloudEvents' binary mode, and where it comes from."""
    return _headers(
        "TierChangeHeaders",
        "CloudEvents 1.0 in binary mode, and outside of it how and from where the change came.",
        {
            "content-type": {"const": "application/json"},
            "ce_specversion": {"const": "1.0"},
            "ce_id": {"type": "string", "description": "As in the body."},
            "ce_source": {"const": "/mqa"},
            "ce_type": {"const": "mqa.tier-change.v1", "description": "The number rises with a change that is not compatible."},
            "ce_subject": {"type": "string", "description": "The account."},
            "ce_time": {"type": "string", "format": "date-time", "description": "`effective_at` of the body."},
            "mode": {
                "type": "string",
                OPEN_VALUES: ["live", "baseline"],
                "description": "`baseline`: a history is being played, and nobody is to be alerted. Further values may come.",
            },
            "mqa-log": {"type": "string", "pattern": "^[0-9]+/[0-9]+$", "description": "Partition and offset of the cause in the log."},
        },
    )


def dead_letter_headers() -> Schema:
    """Schema of the headers of a dead letter: its key and value are the original's."""
    return {"$schema": DIALECT} | _headers(
        "DeadLetterHeaders",
        "Why an original could not be used, and where it lies. A record with `retried` has no value: it says that a letter was sent again.",
        {
            "reason": {"type": "string", "description": "Such as `late` or `unknown_kind`. Further values may come."},
            "detail": {"type": "string", "description": "For people: the field, its value and what is wrong."},
            "source-topic": {"type": "string", "description": "Where the original lies, without the environment's prefix."},
            "source-partition": _WHOLE,
            "source-offset": _WHOLE,
            "received-at": {"type": "string", "pattern": "^-?[0-9]+$", "description": "Milliseconds since 1970."},
            "mqa-format": {"type": "string", "description": "Of the original, as input records have it."},
            "content-type": {"type": "string", "description": "Of the original."},
            "retried": _WHOLE | {"description": "Offset of the letter in the same partition that was sent again."},
        },
        required=("reason", "detail", "source-topic", "source-partition", "source-offset", "received-at"),
    )


def _headers(title: str, description: str, properties: Schema, required: tuple[str, ...] | None = None) -> Schema:
    """By default all are required."""
    wanted = list(properties if required is None else required)
    return {"title": title, "description": description, "type": "object", "properties": properties} | (
        {"required": wanted} if wanted else {}
    )


def _of_struct(struct: type[msgspec.Struct]) -> Schema:
    definitions = msgspec.json.schema(struct)["$defs"]
    root = definitions.pop(struct.__name__)
    schema: Schema = _exact_in_draft_07({"$schema": DIALECT, **root} | ({"$defs": definitions} if definitions else {}))
    return schema


def _exact_in_draft_07(schema: Any) -> Any:
    """Leave out what a tuple's ``maxItems`` says already: AsyncAPI's tools read ``items`` as draft 07 does, where it is for every item."""
    if isinstance(schema, list):
        return [_exact_in_draft_07(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _exact_in_draft_07(said) for name, said in schema.items() if not (name == "items" and said is False)}


class _Untitled(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        """The name says it."""
        return False
