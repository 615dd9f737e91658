"""Records of ``account-log``: everything that can move an account, time and configuration included.

The log is permanent and the one truth, so these shapes only ever grow. Each record is JSON with a ``type``; the Kafka
key is the account (``__genesis__``, ``__day__``, ``__activation__`` and ``__live__`` for records that concern a whole partition).
"""

from typing import Annotated, NotRequired, TypedDict

import msgspec

GENESIS_KEY = b"__genesis__"
DAY_KEY = b"__day__"
ACTIVATION_KEY = b"__activation__"
LIVE_KEY = b"__live__"

FORMAT = 1
"""Version of these shapes. A reader accepts its own and the one before."""

SEMANTICS = 1
"""Version of the fold's meaning: a worker that does not know a log's semantics stops."""

Instant = Annotated[int, msgspec.Meta(ge=0, le=2**43)]
"""Milliseconds since the epoch; the bound (year 2248) is beyond all that intake takes."""

RuleDay = Annotated[int, msgspec.Meta(ge=0, le=2**17)]
"""Days since the epoch; the bound is beyond every `Instant`."""

Source = tuple[str, int, int, int]
"""(input family, partition, offset, n): where it came in, and which of several records intake made of it."""

Read = tuple[int, int, int]
"""(partition, offset, how often the input topic had been made anew): where intake read it."""


class Signal(msgspec.Struct, tag="signal", kw_only=True, frozen=True, omit_defaults=True):
    """One countable act of an account: a visit or an intent signal whose account is known."""

    id: str
    kind: str
    occurred_at: Instant
    received_at: Instant  # the Kafka time of the input
    person: str | None = None  # keyed hash, never an address; None is an anonymous visitor
    was: str | None = None  # the same person under the key that is being replaced; None where none is
    role: str | None = None
    topic: str | None = None
    seconds: int | None = None
    score: int | None = None  # a vendor's own 0-100, kept as evidence
    source: Source
    read: Read | None = None  # None: at its source, in the input topic as it was made first
    method: str | None = None  # how the account was found: account, contact, email, visitor or network
    confidence: int | None = None  # 0-100, as the rulebook rates the method
    via: str | None = None  # the account below this one whose signal it is; None: its own
    undo: bool = False  # takes out again what was counted as this record says otherwise: another account has it now, or nobody
    moved: bool = False  # the account has it before and after: the record that takes it out and the one that counts it are judged as one
    rulebook: str  # version that intake used


class Disposition(TypedDict):
    """What sales said; as in `events.Disposition`."""

    status: str


class Opportunity(TypedDict):
    """A deal; as in `events.Opportunity`."""

    id: str
    stage: str
    amount: NotRequired[int | None]


class Pin(TypedDict):
    """A person's decision; as in `events.Pin`."""

    ladder: str
    rung: str | None
    reason: NotRequired[str | None]
    author: NotRequired[str | None]
    until: NotRequired[RuleDay | None]


class RetractedEvent(TypedDict):
    """What one event was counted as."""

    id: str
    kind: str
    day: RuleDay
    person: NotRequired[str | None]
    topic: NotRequired[str | None]
    seconds: NotRequired[int | None]


class Retraction(TypedDict, total=False):
    """What is taken out; as in `events.Retraction`."""

    person: str | None
    events: list[RetractedEvent]
    reason: str | None
    author: str | None


class Said(TypedDict, total=False):
    """What an update says.

    The keys are those of `events.AccountUpdate`, but for its envelope; ``same``, ``differ`` and ``was`` intake finds out.
    """

    crm_id: str | None
    name: str | None
    domains: list[str] | None
    owner: str | None
    region: str | None
    strategic: bool | None
    listed_tier: int | None
    expected_ltv: int | None
    attributes: dict[str, bool | int | float | str | list[str] | None] | None
    relationship: str | None
    disposition: Disposition | None
    opportunity: Opportunity | None
    contacts: dict[str, str | None] | None  # person hash -> role
    pin: Pin | None
    retract: Retraction | None
    same: dict[str, str]  # person hash -> the person that it is, as one more visitor says
    differ: dict[str, str]  # likewise, as one visitor says no longer
    was: dict[str, str]  # person hash -> the same person under the key that is being replaced, for people whom the update names


class Update(msgspec.Struct, tag="update", kw_only=True, frozen=True, omit_defaults=True):
    """What is known about an account changed. ``fields`` holds only what was said; ``None`` clears."""

    id: str
    occurred_at: Instant
    received_at: Instant
    fields: Said
    source: Source
    read: Read | None = None  # as in `Signal`
    rulebook: str


class Day(msgspec.Struct, tag="day", kw_only=True, frozen=True):
    """``day`` begins. Stands in every partition; the only thing that steps rule time."""

    day: RuleDay


class Genesis(msgspec.Struct, tag="genesis", kw_only=True, frozen=True):
    """First record of every partition of ``account-log`` and of the changelogs: how this environment was made."""

    partitions: int
    partitioner: str = "murmur2"
    format: int = FORMAT
    semantics: int = SEMANTICS
    clock: str  # "wall" or "played"
    day: RuleDay | None  # rule day the environment begins with; None where a player's first day record says it
    rulebook: str  # canonical JSON of the first rulebook
    version: str  # of that rulebook
    delivery: str = "exactly_once"  # or "at_least_once": what the broker it was made on can do


class Activation(msgspec.Struct, tag="activation", kw_only=True, frozen=True):
    """From here on this partition is judged by another rulebook."""

    rulebook: str
    version: str
    semantics: int
    received_at: Instant


class GoLive(msgspec.Struct, tag="live", kw_only=True, frozen=True):
    """The history is played: from here on the environment runs by the wall. Stands once in every partition."""

    received_at: Instant


LogRecord = Signal | Update | Day | Genesis | Activation | GoLive

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(LogRecord).decode
"""Raises `msgspec.DecodeError` for what is not JSON and `msgspec.ValidationError` for an unknown type or a wrong shape."""
