"""The one shape of both folds: records in, one `Step` out, nothing remembered until the step is accepted.

The Faust worker commits a step in one transaction and then accepts it; a replay accepts it at once. Whatever the borders
between steps, the outputs and the state are the same.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol
from zlib import crc32

import msgspec

from engagement.errors import Refused
from engagement.records import GENESIS_KEY

FORMAT = 1
"""Version of positions and of the rows beside them."""

POSITION_KEY = b"__position__"
RULEBOOK_KEY = b"__rulebook__"
CLOCK_KEY = b"__clock__"  # the last day record appended; beside intake's state, written by the clock
LANDMARKS_KEY = b"__landmarks__"  # the last record consumed of each topic; beside the state, written by the worker with every step
RESERVED_KEYS = frozenset({POSITION_KEY, RULEBOOK_KEY, CLOCK_KEY, LANDMARKS_KEY, GENESIS_KEY})
"""Changelog keys that are not rows of the table. They all start with ``__``, which no account or row key does."""

Headers = tuple[tuple[str, bytes], ...]


class Record(Protocol):
    """What a fold reads of a consumed record (an aiokafka ``ConsumerRecord`` is one)."""

    @property
    def topic(self) -> str:
        """Full name, as Kafka has it."""

    @property
    def partition(self) -> int:
        """Its number in the topic."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""

    @property
    def timestamp(self) -> int:
        """Milliseconds since the epoch."""

    @property
    def key(self) -> bytes | None:
        """As the producer sent it."""

    @property
    def value(self) -> bytes | None:
        """As the producer sent it."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Name and value, in order; a name may come twice."""


class PlainRecord(NamedTuple):
    """A `Record` that comes from no broker: replays and tests."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Output(NamedTuple):
    """One record to send. ``topic`` is a short name; ``partition`` is None where it is this unit's own number."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: Headers = ()
    timestamp: int | None = None


NO_TALLY: Mapping[tuple[str, ...], int] = MappingProxyType({})


class Step(NamedTuple):
    """What one transaction writes."""

    changelog: dict[bytes, bytes | None]  # rows touched (None deletes) and reserved keys
    outputs: list[Output]
    positions: dict[str, int]  # topic (full name) -> next offset
    consumed: int  # how many of the offered records are done; a day record may need several steps
    position: "Position"
    tally: Mapping[tuple[str, ...], int] = NO_TALLY  # what it did, counted for whoever watches: see each fold


NO_STOPS: Mapping[str, int] = MappingProxyType({})


class Position(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Where a partition stands. Written with every step, so position and state can never disagree."""

    format: int = FORMAT
    next: dict[str, int] = {}  # topic (full name) -> next offset to read
    rows: int = 0
    digest: int = 0  # sum of crc32(key, value) over the rows, modulo 2**64
    fates: dict[str, int] = {}  # counters that must add up: see each fold
    dead_run: int = 0  # how many records up to here were dead letters without a good one between


class Fold(Protocol):
    """A pure fold over the records of one unit (a partition number)."""

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take one changelog record, in order, while state is restored."""

    def loaded(self, *, exact: bool = True) -> None:
        """The changelog is read to its end. Raises `Refused` where what was read is not the whole state.

        ``exact``: state and position were committed together. Else the state may be ahead of the position, and rows and positions of a
        worker that did not know it was replaced may stand behind newer ones: what got furthest counts.
        """

    @property
    def position(self) -> Position:
        """As last accepted or loaded."""

    @property
    def state_bytes(self) -> int:
        """Keys and values of the rows, as last accepted or loaded."""

    def step(self, records: Sequence[Record], limit: int, stops: Mapping[str, int] = NO_STOPS) -> Step:
        """Fold ``records`` (per topic in offset order; those below the position are skipped).

        ``stops`` says from where each topic is to be read on once all of ``records`` are consumed: beyond the last record there may be
        transaction markers, and a position that stands before them would one day look like records that expired unread.
        Touches about ``limit`` rows at most, then stops early (``consumed`` says how far it came). Changes nothing that
        a following `step` would see before `accept`.
        """

    def accept(self, step: Step) -> None:
        """``step`` is committed: make it the state."""


def row_digest(key: bytes, value: bytes) -> int:
    """One row's share of `Position.digest`."""
    return crc32(value, crc32(key))


class Table:
    """State of one partition: committed rows as bytes, and the overlay of the step under way.

    Has the reading side of a mapping, as a Faust table has; it is not ``app.Table`` because that one sends a changelog
    record for every assignment, outside our transaction.
    """

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.size = 0  # bytes of keys and values in ``rows``
        self._sorted: list[bytes] | None = None  # the keys, while none comes or goes
        self.overlay: dict[bytes, bytes | None] = {}

    def __getitem__(self, key: bytes) -> bytes:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self.overlay[key] = value

    def __delitem__(self, key: bytes) -> None:
        self.overlay[key] = None

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.rows)

    def get(self, key: bytes) -> bytes | None:
        """The row as the step under way sees it."""
        return self.overlay[key] if key in self.overlay else self.rows.get(key)

    def keys_after(self, after: bytes, limit: int) -> list[bytes]:
        """Return the first ``limit`` keys of committed rows beyond ``after``, in order."""
        if self._sorted is None:
            self._sorted = sorted(self.rows)
        start = bisect_right(self._sorted, after)
        return self._sorted[start : start + limit]

    def take(self, rows: int, digest: int) -> tuple[dict[bytes, bytes | None], int, int]:
        """The overlay (which starts anew), and the row count and digest once it is accepted."""
        overlay, self.overlay = self.overlay, {}
        for key, value in overlay.items():
            before = self.rows.get(key)
            if before is not None:
                digest -= row_digest(key, before)
                rows -= 1
            if value is not None:
                digest += row_digest(key, value)
                rows += 1
        return overlay, rows, digest % 2**64

    def accept(self, changelog: Mapping[bytes, bytes | None]) -> None:
        """Make committed rows the state; reserved keys are not rows."""
        for key, value in changelog.items():
            if key in RESERVED_KEYS:
                continue
            before = self.rows.get(key)
            if (value is None) == (before is not None):
                self._sorted = None
            if before is not None:
                self.size -= len(key) + len(before)
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
                self.size += len(key) + len(value)

    def check(self, position: Position, place: str, *, exact: bool) -> None:
        """Raise `Refused` where the restored rows are not those the position record vouches for, or another version wrote them.

        Rows that are ahead of their position (not ``exact``) can only be counted, and may be more.
        """
        if position.format != FORMAT:
            msg = f"{place}: its position has format {position.format}, this version reads {FORMAT}; run the version that wrote it"
            raise Refused(msg)
        digest = sum(row_digest(key, value) for key, value in self.rows.items()) % 2**64
        if (len(self.rows), digest) != (position.rows, position.digest) if exact else len(self.rows) < position.rows:
            msg = (
                f"{place}: restored {len(self.rows)} rows with digest {digest}, but its position record vouches for "
                f"{position.rows} rows with digest {position.digest}: state was lost or cut off; "
                "restore the topic from a backup, or make a new environment with `mqa topics create --prefix NEW` and replay into it"
            )
            raise Refused(msg)

    def keep(self, position: Position, rows: Mapping[bytes, bytes]) -> None:
        """Have only these rows, and a position that vouches for them."""
        self.rows = dict(rows)
        self.size = sum(len(key) + len(value) for key, value in rows.items())
        self._sorted = None
        position.rows = len(self.rows)
        position.digest = sum(row_digest(key, value) for key, value in self.rows.items()) % 2**64
