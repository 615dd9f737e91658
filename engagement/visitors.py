"""The visitors of one partition: bounded by age and count, forgotten in an order that a restore knows too.

A visitor's row says where the last event that touched it was read, so rows sort by who was seen last. Received time here never falls, as
with accepted ids (`engagement.duplicates`). A visitor that was not seen for ``age`` is forgotten when the next event asks for it; and every
event that concerns a visitor lets at most `_MOST_FORGOTTEN` others go, those not seen for longest, while they are too old or too many. Both
depend on the records read alone: where steps end shows nowhere, in no counter either.

What waited with a visitor who is forgotten is ``filtered:expired`` or ``filtered:beyond_bound``; what was counted stays so.
"""

import struct
from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from engagement.days import MS_PER_DAY
from engagement.errors import Refused
from engagement.fates import WAITING
from engagement.filtered import Ends
from engagement.identity_rules import VisitorsRule
from engagement.resolution import Link
from engagement.visitor import Visitor

FORMAT = 1
EXPIRED = "expired"
BEYOND_BOUND = "beyond_bound"

SEEN_AGAIN = 3_600_000
"""ms. A visitor about whom an event says nothing new is noted as seen once in that time: a row is not written for every click."""

_MOST_FORGOTTEN = 4
"""Visitors that one event lets go at most, so that no step grows large after a pause. (It brings at most one.)"""

_PREFIX = b"visitor:"
_HEADER = struct.Struct("<BIqq")

At = tuple[int, int]
"""(how often the topic had been made anew, offset): where an event was read. Grows with every one."""


def visitor_key(visitor_id: str) -> bytes:
    """Key of a visitor's row."""
    return _PREFIX + visitor_id.encode()


def visitor_id_of(key: bytes) -> str:
    """Invert `visitor_key`."""
    return key.removeprefix(_PREFIX).decode()


def is_visitor_key(key: bytes) -> bool:
    """Whether `visitor_key` made it."""
    return key.startswith(_PREFIX)


def read_at(row: bytes) -> At:
    """Where the last event that touched a row was read. Raises `Refused` for an unknown format."""
    return _header(row)[0]


class Seen(msgspec.Struct, gc=False):
    """A visitor, and when the last event that touched the row came."""

    at: At
    received_at: int  # ms, never falling
    visitor: Visitor


class Visitors:
    """The visitors as last accepted, and those of the step under way."""

    def __init__(self, rule: VisitorsRule) -> None:
        self._rows: OrderedDict[bytes, bytes] = OrderedDict()  # who was seen last is last
        self.clock = 0
        self.use(rule)
        self.begin(0)

    def use(self, rule: VisitorsRule) -> None:
        """Change the bounds, between steps."""
        self._rule = rule
        self._age = rule.age * MS_PER_DAY

    def begin(self, clock: int) -> None:
        """Start a step, the newest received time (ms) before it being ``clock``; what an unaccepted one did is forgotten."""
        self.clock = clock
        self._touched: OrderedDict[bytes, Seen] = OrderedDict()
        self._gone: dict[bytes, None] = {}
        self._count = len(self._rows)
        self._oldest = iter(self._rows)
        self._front: tuple[bytes, int] | None = None  # with the received time of the last event

    def find(self, visitor_id: str, received_at: int, ends: Ends) -> Seen | None:
        """Who that is; None for one not known, or not seen for too long. Nothing of it may be changed before `touch`."""
        self.clock = max(self.clock, received_at)
        key = visitor_key(visitor_id)
        seen = self._touched.get(key)
        if seen is None and key not in self._gone and (row := self._rows.get(key)) is not None:
            seen = _decode(row)
        if seen is not None and self.clock - seen.received_at > self._age:
            self._forget(key, seen, EXPIRED, ends)
            return None
        return seen

    def link(self, visitor_id: str) -> Link | None:
        """Who that is known to be, between steps; changes nothing."""
        row = self._rows.get(visitor_key(visitor_id))
        seen = None if row is None else _decode(row)
        return None if seen is None or self.clock - seen.received_at > self._age else seen.visitor.link

    def touch(self, visitor_id: str, seen: Seen | None, at: At, ends: Ends) -> Visitor:
        """Note that an event read at ``at`` concerns whom `find` gave; what it remembers of them is the caller's to change."""
        key = visitor_key(visitor_id)
        if seen is None:
            seen = Seen(at=at, received_at=self.clock, visitor=Visitor())
            self._gone.pop(key, None)
            self._count += 1
        seen.at, seen.received_at = at, self.clock
        self._touched[key] = seen
        self._touched.move_to_end(key)
        self._let_go(seen.visitor, ends)
        return seen.visitor

    def drop(self, visitor_id: str) -> None:
        """Forget whom `find` gave, as somebody asked."""
        self._drop(visitor_key(visitor_id))

    def bound(self, visitor: Visitor, ends: Ends) -> None:
        """Once an event is through with whom `touch` gave: let their oldest visits go that are too many."""
        while len(visitor.visits) > self._rule.visits:
            visit = visitor.visits.pop(0)
            if visitor.fate(visit) == WAITING:
                ends.move(visit, WAITING, f"filtered:{BEYOND_BOUND}")

    def forget(self, ends: Ends) -> None:
        """Once an event is through: let visitors go who were not seen for longest, while they are too old or too many."""
        for _ in range(_MOST_FORGOTTEN):
            if not self._forget_front(ends):
                break

    def changes(self) -> dict[bytes, bytes | None]:
        """Name the rows that end the step, whoever was seen last being last; None for those that go."""
        rows: dict[bytes, bytes | None] = {key: None for key in self._gone if key in self._rows}
        rows.update((key, _encode(seen)) for key, seen in self._touched.items())
        return rows

    def apply(self, key: bytes, row: bytes | None) -> None:
        """Take an accepted or restored row. Rows come in the order in which they were touched."""
        if row is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = row
            self._rows.move_to_end(key)

    def _let_go(self, visitor: Visitor, ends: Ends) -> None:
        """Forget visits that were received too long ago."""
        earliest = self.clock - self._age
        old = [visit for visit in visitor.visits if visit.received_at < earliest]
        for visit in old:
            visitor.visits.remove(visit)
            if visitor.fate(visit) == WAITING:
                ends.move(visit, WAITING, f"filtered:{EXPIRED}")

    def _forget_front(self, ends: Ends) -> bool:
        """Forget whoever was not seen for longest, where that is too long or there are too many. False where it is neither."""
        self._look_at_front()
        if self._front is not None:
            key, received_at = self._front
        elif self._touched:
            key, seen = next(iter(self._touched.items()))
            received_at = seen.received_at
        else:
            return False
        if self.clock - received_at > self._age:
            reason = EXPIRED
        elif self._count > self._rule.count:
            reason = BEYOND_BOUND
        else:
            return False
        self._forget(key, _decode(self._rows[key]) if self._front is not None else self._touched[key], reason, ends)
        return True

    def _look_at_front(self) -> None:
        """Find who was not seen for longest, of those whom the step under way has not touched."""
        while self._front is None or self._front[0] in self._touched or self._front[0] in self._gone:
            key = next(self._oldest, None)
            if key is None:
                self._front = None
                return
            self._front = key, _header(self._rows[key])[1]

    def _forget(self, key: bytes, seen: Seen, reason: str, ends: Ends) -> None:
        for visit in seen.visitor.visits:
            if seen.visitor.fate(visit) == WAITING:
                ends.move(visit, WAITING, f"filtered:{reason}")
        ends.forget_visitor(reason)
        self._drop(key)

    def _drop(self, key: bytes) -> None:
        self._touched.pop(key, None)
        self._gone[key] = None
        self._count -= 1


class Restoring:
    """Tells which rows of a changelog count while state is restored: not those of a worker that was replaced and did not know it.

    Such a worker writes whole steps, each with a position behind the newest, which comes last. So what a step deletes goes with its
    position, and so does a row that seems to be of before a deletion; one that is older than the row held is not taken at all.
    """

    def __init__(self) -> None:
        self._gone: dict[bytes, At] = {}
        self.begin()

    def begin(self) -> None:
        """A step's position was read: what follows is of another step."""
        self._doubtful: dict[bytes, bytes | None] = {}

    def takes(self, key: bytes, row: bytes | None, held: bytes | None) -> bool:
        """Whether a row takes the place of the one ``held`` at once; None: it is deleted."""
        if row is not None and held is not None and read_at(row) < read_at(held):
            return False
        if row is None or (key in self._gone and read_at(row) <= self._gone[key]):
            self._doubtful[key] = row
            return False
        self._doubtful.pop(key, None)
        return True

    def vouched(self, rows: Mapping[bytes, bytes]) -> dict[bytes, bytes | None]:
        """Give what else the step does to ``rows`` whose position is the newest so far."""
        self._gone.update((key, read_at(rows[key])) for key, row in self._doubtful.items() if row is None and key in rows)
        return self._doubtful


def waiting(row: bytes) -> int:
    """How many visits wait in a row."""
    return _decode(row).visitor.waiting


def read_visitor(row: bytes) -> Visitor:
    """Read what a row remembers. Raises `Refused` for an unknown format."""
    return _decode(row).visitor


_encode_visitor = msgspec.msgpack.Encoder().encode
_decode_visitor = msgspec.msgpack.Decoder(Visitor).decode


def _encode(seen: Seen) -> bytes:
    return _HEADER.pack(FORMAT, *seen.at, seen.received_at) + _encode_visitor(seen.visitor)


def _decode(row: bytes) -> Seen:
    at, received_at = _header(row)
    return Seen(at=at, received_at=received_at, visitor=_decode_visitor(memoryview(row)[_HEADER.size :]))


def _header(row: bytes) -> tuple[At, int]:
    if len(row) < _HEADER.size or row[0] != FORMAT:
        found = row[0] if row else "nothing"
        raise Refused(f"intake-changelog: a visitor's row has format {found}, this version reads {FORMAT}; run the version that wrote it")
    _, anew, offset, received_at = _HEADER.unpack_from(row)
    return (anew, offset), received_at
