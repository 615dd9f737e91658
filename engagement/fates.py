"""Where intake's events ended: counters that add up after every record.

``in`` = ``counted`` + ``waiting`` + ``filtered:<reason>`` + ``dead:<reason>``. What waits with its visitor is counted or filtered one day,
and what was counted may wait again: `Fates.move`. Apart from these stand `APART`, ``derived`` (``identify`` events that intake made of
intent signals), ``adapted:events`` (events that it made of records in other formats) and ``visitors:<reason>`` (visitors that were
forgotten).

What is ``rerouted``, or an intent signal that went ``to_visitor``, ends where the record ends that intake appended for it.
"""

from collections.abc import Mapping

COUNTED = "counted"
WAITING = "waiting"

ADAPTED = "adapted"

TO_VISITOR = "to_visitor"
"""Of an intent signal that says nothing but which visitor it is of: a web visit of that one stands for it."""

APART = frozenset({"rerouted", TO_VISITOR, "identify", "unlink", "forget", ADAPTED})
"""Fates of records that are no events to be counted: another one is, or they are about a visitor."""


class Fates:
    """The counters of one step, on top of those before it."""

    def __init__(self, before: Mapping[str, int]) -> None:
        self.counts = dict(before)

    def end(self, fate: str) -> None:
        """An input record has ended."""
        self.add(fate)
        if fate not in APART:
            self.add("in")

    def add(self, fate: str, count: int = 1) -> None:
        """Count what has no other place."""
        self.counts[fate] = self.counts.get(fate, 0) + count

    def move(self, before: str, after: str, count: int = 1) -> None:
        """Give events that have ended another end."""
        if before != after and count:
            self.add(before, -count)
            self.add(after, count)


def adds_up(fates: Mapping[str, int]) -> bool:
    """Whether every event has exactly one fate."""
    ends = (count for fate, count in fates.items() if fate in {COUNTED, WAITING} or fate.startswith(("filtered:", "dead:")))
    return fates.get("in", 0) == sum(ends)
