"""Which event ids one family of one partition has lately accepted: exact, bounded, and restored by reading rows in order.

Accepted ids are numbered 0, 1, 2, ... An id is a duplicate where it was accepted within ``window`` ms of received time and is
among the last ``count`` accepted; a duplicate does not prolong that. Received time here never falls: a record that was re-appended late
counts as received when the newest before it was. So an id that is out of window or count stays out, and when exactly it is forgotten shows
nowhere: not at any border between steps.

State is rows that are written once: one per step, keyed by the number of its first id, holding 64-bit hashes of the ids and when they
were received. A row goes when every id in it is out. The newest row stays: the numbering and the received time go on from it. (That two of
200,000 ids share a hash has a probability of 1e-9.)
"""

import struct
from array import array
from collections import deque
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from itertools import chain, islice, pairwise

from engagement.events import Family

_MOST_FORGOTTEN = 1_000
"""Rows that one step deletes at most, so that none grows large after a pause: the next step goes on."""

_BYTES = 16
"""Of an id in a row: its hash, and when it was received."""

_KEY = "ids:{family}:{first:015d}"


def ids_key(family: Family, first: int) -> bytes:
    """Key of the row whose first id has number ``first``; keys of a family sort by number."""
    return _KEY.format(family=family.value, first=first).encode()


def family_and_first(key: bytes) -> tuple[Family, int]:
    """Read what `ids_key` made a key of; ValueError for any other key."""
    name, family, first = key.decode().split(":")
    if name != "ids":
        raise ValueError(key)
    return Family(family), int(first)


def vouched(rows: Mapping[bytes, Iterable[bytes]], family: Family, end: int) -> dict[bytes, bytes]:
    """Choose a family's rows that join without a gap and end where number ``end`` begins: of several chains the longest.

    For where nobody is fenced: a worker that was replaced accepted the same ids under the same numbers, but cut its rows elsewhere, so that
    a key may have had several rows (``rows`` has all of them); and rows beyond ``end`` are of a step that will be done again.
    """
    chains: dict[int, tuple[int, bytes, bytes]] = {}  # where it ends -> where it begins, and its last row
    for key in sorted(key for key in rows if family_and_first(key)[0] is family):
        first = family_and_first(key)[1]
        begin = chains[first][0] if first in chains else first
        for row in rows[key]:
            last = first + len(row) // _BYTES
            if last not in chains or begin < chains[last][0]:
                chains[last] = begin, key, row
    chosen: dict[bytes, bytes] = {}
    while end in chains:
        _, key, row = chains[end]
        chosen[key] = row
        end = family_and_first(key)[1]
    return chosen


def _hash(event_id: str) -> int:
    return int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest(), "little", signed=True)


class AcceptedIds:
    """The accepted ids of one family, and those of the step under way.

    Holds the rows with an id that is not out, some 200 bytes an id.
    """

    def __init__(self, family: Family, *, window: int, count: int) -> None:
        self._family = family
        self._window = window
        self._count = count
        self._first = 0  # number of the oldest id held
        self._hashes = array("q")
        self._received = array("q")
        self._newest: dict[int, int] = {}  # hash -> number of its newest acceptance
        self._rows: deque[int] = deque()  # first numbers of the rows, ascending
        self._step_hashes = array("q")
        self._step_received = array("q")
        self._step_newest: dict[int, int] = {}

    def remember(self, *, window: int, count: int) -> None:
        """Change, between steps, when an id is out. One that was out stays so where its row is gone, and else may come back in."""
        self._window, self._count = window, count

    @property
    def end(self) -> int:
        """Number of the id that is accepted next; the step under way is counted."""
        return self._next()

    def begin(self) -> None:
        """Start a step; what an unaccepted one added is forgotten."""
        self._step_hashes = array("q")
        self._step_received = array("q")
        self._step_newest = {}

    def add(self, event_id: str, received_at: int) -> bool:
        """Accept an id in the step under way; False where it is a duplicate."""
        hashed = _hash(event_id)
        now = max(received_at, self._clock(received_at))
        number = self._next()
        earlier = self._step_newest.get(hashed)
        if earlier is None:
            earlier = self._newest.get(hashed)
        if earlier is not None and number - earlier <= self._count and now - self._received_of(earlier) <= self._window:
            return False
        self._step_newest[hashed] = number
        self._step_hashes.append(hashed)
        self._step_received.append(now)
        return True

    def changes(self) -> dict[bytes, bytes | None]:
        """Name the rows that end the step: one for what it added, and None for each that is out."""
        rows: dict[bytes, bytes | None] = {}
        added = len(self._step_hashes)
        if added:
            rows[ids_key(self._family, self._end())] = struct.pack(f"<{2 * added}q", *self._step_hashes, *self._step_received)
        firsts = chain(self._rows, [self._end()] if added else [])
        for first, end in islice(pairwise(firsts), _MOST_FORGOTTEN):  # the newest row is no pair's first: it stays
            if not self._is_out(end - 1):
                break
            rows[ids_key(self._family, first)] = None
        return rows

    def apply(self, first: int, row: bytes | None) -> None:
        """Take an accepted or restored row. Rows come in the order of their numbers, and go in it."""
        if row is None:
            self._forget(first)
            return
        if not self._rows:
            self._first = first
        count = len(row) // _BYTES
        values = struct.unpack(f"<{2 * count}q", row)
        self._rows.append(first)
        self._hashes.extend(values[:count])
        self._received.extend(values[count:])
        self._newest.update(zip(values[:count], range(first, first + count), strict=True))

    def _forget(self, first: int) -> None:
        assert self._rows[0] == first, "rows go in the order they came"
        self._rows.popleft()
        gone = self._rows[0] - first
        for number, hashed in enumerate(self._hashes[:gone], first):
            if self._newest[hashed] == number:
                del self._newest[hashed]
        del self._hashes[:gone], self._received[:gone]
        self._first += gone

    def _end(self) -> int:
        return self._first + len(self._hashes)

    def _next(self) -> int:
        return self._end() + len(self._step_hashes)

    def _clock(self, otherwise: int) -> int:
        newest = self._step_received or self._received
        return newest[-1] if newest else otherwise

    def _received_of(self, number: int) -> int:
        held = number - self._first
        return self._received[held] if held < len(self._received) else self._step_received[held - len(self._received)]

    def _is_out(self, number: int) -> bool:
        received_at = self._received_of(number)
        return self._next() - number > self._count or self._clock(received_at) - received_at > self._window
