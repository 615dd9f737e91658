"""What a webhook says: the tier change, in the shape that Standard Webhooks recommends."""

from typing import NamedTuple

import msgspec

from engagement.machine import Record
from engagement.subscriptions import Told

TYPE = "mqa.tier_change.v1"
"""The CloudEvents type of ``tier-changes``, spelled in the letters that the convention has for types."""


class Message(NamedTuple):
    """One change on its way to one subscription, the same bytes at every attempt."""

    id: str
    account: str
    body: bytes


class _Body(msgspec.Struct):
    type: str
    timestamp: str
    mode: str
    data: msgspec.Raw


def mode_of(record: Record) -> str:
    """``live`` or ``baseline``, as the record of a change says it."""
    return dict(record.headers).get("mode", b"live").decode(errors="replace")


_encode = msgspec.json.Encoder().encode


def message_of(told: Told, value: bytes, mode: str) -> Message:
    """Word a change. ``value``: what ``told`` was read from, which becomes ``data`` byte for byte; ``mode``: its record's."""
    body = _encode(_Body(type=TYPE, timestamp=told.effective_at, mode=mode, data=msgspec.Raw(value)))
    return Message(told.id, told.account, body)
