"""Which accounts silence may move, by day: what lets a day record touch only those."""

from collections.abc import Iterable
from heapq import nsmallest

from engagement.account import NEVER


class DueIndex:
    """Account key -> due day, and back."""

    def __init__(self) -> None:
        self._day_of: dict[bytes, int] = {}
        self._keys_of: dict[int, set[bytes]] = {}

    def put(self, key: bytes, day: int) -> None:
        """Note an account's due day; `NEVER` takes it out."""
        before = self._day_of.pop(key, NEVER)
        if before != NEVER:
            keys = self._keys_of[before]
            keys.remove(key)
            if not keys:
                del self._keys_of[before]
        if day != NEVER:
            self._day_of[key] = day
            self._keys_of.setdefault(day, set()).add(key)

    def upto(self, day: int, after: bytes, limit: int) -> list[bytes]:
        """Return the first ``limit`` accounts beyond the key ``after`` that are due on ``day`` or before, in key order."""
        return nsmallest(limit, (key for key in self._due(day) if key > after))

    def _due(self, day: int) -> Iterable[bytes]:
        return (key for due, keys in self._keys_of.items() if due <= day for key in keys)
