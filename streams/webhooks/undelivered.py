"""How far a subscription has come in one partition: the lowest offset that is not delivered, and which ones behind it are not either.

The lowest is what the group commits. The others go with it as a note (Kafka keeps up to 4 kB beside an offset): while the deliveries of one
account fail for days, all others go on, and a restart sends again only what was not delivered. Without a note it is more, never less.
"""

from collections.abc import Iterator

LONGEST_NOTE = 4_000


class Undelivered:
    """Of one partition."""

    def __init__(self, position: int, note: str = "") -> None:
        """Go on from what was committed: `position` and `note`."""
        self._open: dict[int, None] = {}  # offsets, rising
        self._read_to = position
        self._left, self._noted_to = _read(position, note)

    def wants(self, offset: int) -> bool:
        """Whether a record is new here: not delivered before the restart, nor read before."""
        return offset >= self._read_to and (offset >= self._noted_to or offset in self._left)

    def add(self, offset: int) -> None:
        """It is to be delivered. Offsets only rise."""
        self._open[offset] = None
        self._read_to = offset + 1

    def read_to(self, offset: int) -> None:
        """All before it was looked at."""
        self._read_to = max(self._read_to, offset)

    def remove(self, offset: int) -> None:
        """It is delivered, or parked."""
        del self._open[offset]

    @property
    def position(self) -> int:
        """From where to read after a restart."""
        return next(iter(self._open), self._read_to)

    @property
    def note(self) -> str:
        """What to look at from there on; empty for all of it."""
        waiting = [*self._open, *(offset for offset in sorted(self._left) if offset >= self._read_to)]
        end = max(self._read_to, self._noted_to)
        if end <= self.position:
            return ""
        text = ",".join(map(str, _steps([*waiting, end], self.position)))
        return text if len(text) <= LONGEST_NOTE else ""


def _steps(offsets: list[int], last: int) -> Iterator[int]:
    for offset in offsets:
        yield offset - last
        last = offset


def _read(position: int, note: str) -> tuple[frozenset[int], int]:
    """The offsets that are left, and the end of what the note speaks of."""
    offsets = []
    try:
        for step in filter(None, note.split(",")):
            position += int(step)
            offsets.append(position)
    except ValueError:  # somebody else's
        return frozenset(), 0
    return (frozenset(offsets[:-1]), offsets[-1]) if offsets else (frozenset(), 0)
