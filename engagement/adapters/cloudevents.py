"""CloudEvents 1.0 as JSON, single and batched: what they hold is an event of ours, or another format's.

A type is what the mapping says it is, else what `TYPES` says. Of an event of ours the envelope gives ``id`` and ``occurred_at`` where the
event itself does not. In Kafka's binary mode the value is the content already, and no CloudEvent.
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import NamedTuple

from engagement.adapters.mapping import CloudEventsMapping, Format
from engagement.adapters.outcome import Nothing, Taken, under_its_key
from engagement.adapters.payload import Payload, an_object, needed_text, read_json, text, unusable, write_json
from engagement.decoding import Dead, decode_by_model
from engagement.events import Family

TYPES: Mapping[str, Family | Format] = {
    "mqa.web-visit.v1": Family.WEB_VISITS,
    "mqa.intent-signal.v1": Family.INTENT_SIGNALS,
    "mqa.account-update.v1": Family.ACCOUNT_UPDATES,
}
"""Types whose meaning needs no mapping."""

VERSION = "1.0"


class Content(NamedTuple):
    """What a CloudEvent holds, and what that is written in."""

    written_in: Family | Format
    value: bytes


def envelopes(body: object) -> list[object]:
    """The events of a body: the body itself, or those of a batch."""
    return body if isinstance(body, list) else [body]


def content(envelope: object, mapping: CloudEventsMapping) -> Content:
    """Open one CloudEvent. Raises `Dead`, and `Nothing` for a type that is nothing to us."""
    said = an_object("event", envelope)
    version = needed_text(said, "specversion")
    if version != VERSION:
        raise Dead("unknown_version", f"specversion = {version!r}: Input should be {VERSION!r}")
    event_id, source, sort = (needed_text(said, name) for name in ("id", "source", "type"))
    written_in = mapping.types.get(sort, TYPES.get(sort))
    if written_in is None:
        raise Nothing("unknown_type", sort)
    value = _data(said)
    if isinstance(written_in, Format):
        return Content(written_in, value)
    event = an_object("data", read_json(value))
    occurred_at = text(said, "time")
    envelope_says = {"id": f"{source}#{event_id}"} | ({} if occurred_at is None else {"occurred_at": occurred_at})
    return Content(written_in, write_json(envelope_says | event))


def take(family: Family, value: bytes) -> Taken:
    """Read an event of ours. Raises `Dead`."""
    return Taken.of([under_its_key(family, decode_by_model(family, value).event)], None)


def _data(envelope: Payload) -> bytes:
    """The content's bytes: of JSON as JSON, of a text in UTF-8."""
    encoded = text(envelope, "data_base64")
    if encoded is not None:
        try:
            return b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise unusable("data_base64", encoded, "Input should be Base64") from None
    if "data" not in envelope:
        raise Dead("invalid", "data absent: Field required")
    is_json = _is_json(text(envelope, "datacontenttype"))
    data = envelope["data"]
    if is_json:
        return write_json(data)
    if not isinstance(data, str):
        raise unusable("data", data, "Input should be a text, as datacontenttype is no JSON")
    return data.encode()


def _is_json(media_type: str | None) -> bool:
    """As the specification has it: ``*/json``, ``*/*+json``, and nothing at all."""
    if media_type is None:
        return True
    subtype = media_type.partition(";")[0].strip().lower().partition("/")[2]
    return subtype == "json" or subtype.endswith("+json")
