"""Which accounts silence may move, by day: what lets a day record touch only those."""

from bisect import bisect_right

from engagement.counts import NEVER


class DueIndex:
    """Account key -> due day, and back."""

    def __init__(self) -> None:
        self._day_of: dict[bytes, int] = {}
        self._keys_of: dict[int, set[bytes]] = {}
        self._judged: int | None = None  # the day whose accounts stand in the next field
        self._due: list[bytes] = []

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
        """Return the first ``limit`` accounts beyond the key ``after`` that are due on ``day`` or before, in key order.

        Called slice by slice for one day, then for the next: while a day is judged only accounts before ``after`` change,
        so they are sorted once.
        """
        if self._judged != day:
            self._judged = day
            self._due = sorted(key for due, keys in self._keys_of.items() if due <= day for key in keys)
        start = bisect_right(self._due, after)
        return self._due[start : start + limit]
