"""What an event says of its visitor, and whose the visitor's visits are then: the row, the log and the counters follow."""

from collections.abc import Iterable
from typing import NamedTuple

from engagement.fates import COUNTED
from engagement.filtered import Ends
from engagement.identity_rules import VisitorsRule
from engagement.intake_verdict import Verdict
from engagement.log_entries import LogEntries
from engagement.records import Read, Source
from engagement.resolution import Link, Resolver
from engagement.visitor import RATE, Joined, Move, Same, Visit, Visitor, join, unlink
from engagement.visitors import SEEN_AGAIN, Seen, Visitors


class Occasion(NamedTuple):
    """The event that concerns a visitor."""

    visitor_id: str
    event_id: str
    occurred_at: int  # ms, like the next
    received_at: int
    source: Source
    read: Read  # where it lies


class Attribution:
    """By one rulebook, over the visitors of one partition."""

    def __init__(self, visitors: Visitors, rule: VisitorsRule, resolver: Resolver) -> None:
        self._visitors, self._rule, self._resolver = visitors, rule, resolver

    def settle(self, occasion: Occasion, verdict: Verdict, entries: LogEntries, ends: Ends) -> str:
        """Say the event's fate; append to the log and count what changes for the visitor's earlier visits."""
        fate = self._attribute(occasion, verdict, entries, ends)
        self._visitors.forget(ends)
        return fate

    def _attribute(self, occasion: Occasion, verdict: Verdict, entries: LogEntries, ends: Ends) -> str:
        _, offset, anew = occasion.read
        seen = self._visitors.find(occasion.visitor_id, occasion.received_at, ends)
        if seen is not None and (anew, offset) <= seen.at:
            # State is ahead of its position: what this event did is in the row, in the log and, as far as can be known, in the counters.
            if verdict.visit is None:
                return verdict.fate
            return f"filtered:{RATE}" if seen.visitor.is_too_fast(verdict.visit) else COUNTED
        if verdict.fate == "forget":
            if seen is not None:
                self._forget(occasion, seen.visitor, entries, ends)
            return verdict.fate
        link = None if seen is None else seen.visitor.link
        joined = self._joined(link, verdict)
        if verdict.visit is None and joined.link == link and not self._is_due(seen):
            return verdict.fate
        visitor = self._visitors.touch(occasion.visitor_id, seen, (anew, offset), ends)
        self._move(visitor.relink(joined, self._resolver), occasion, entries, ends)
        self._tell(joined.told, occasion, entries)
        fate = verdict.fate if verdict.visit is None else self._take(verdict.visit, visitor, occasion, entries, ends)
        self._visitors.bound(visitor, ends)
        return fate

    def _take(self, visit: Visit, visitor: Visitor, occasion: Occasion, entries: LogEntries, ends: Ends) -> str:
        """Remember and credit a new visit, or find that its minute is a program's; gives its fate."""
        if visitor.outruns(visit, self._rule.most_pages):
            self._move(visitor.forget_minute(visit.minute), occasion, entries, ends)
            return f"filtered:{RATE}"
        fate = visitor.remember(visit, self._resolver)
        if visit.credit is not None:
            entries.visit(visit, visit.credit, occasion.read)
        return fate

    @staticmethod
    def _move(moves: Iterable[Move], occasion: Occasion, entries: LogEntries, ends: Ends) -> None:
        for move in moves:
            ends.move(move.visit, move.was, move.now)
            entries.move(move, occasion.read)

    @staticmethod
    def _tell(told: Iterable[Same], occasion: Occasion, entries: LogEntries) -> None:
        for each in told:
            entries.same(each, occasion.event_id, occasion.occurred_at, occasion.source, occasion.read)

    def _forget(self, occasion: Occasion, visitor: Visitor, entries: LogEntries, ends: Ends) -> None:
        """Take out all that counts by a visitor, and whom it was said to be."""
        self._move(visitor.forget(), occasion, entries, ends)
        self._tell(unlink(visitor.link).told, occasion, entries)
        self._visitors.drop(occasion.visitor_id)

    def _joined(self, link: Link | None, verdict: Verdict) -> Joined:
        if verdict.fate == "unlink":
            return unlink(link)
        if verdict.said is None or (link is not None and link.knows(verdict.said)):
            return Joined(link, moves=False)
        return join(link, verdict.said, self._rule, self._resolver)

    def _is_due(self, seen: Seen | None) -> bool:
        """Whether it is time to note a visitor as seen, of whom nothing new was said."""
        return seen is not None and self._visitors.clock - seen.received_at >= SEEN_AGAIN
