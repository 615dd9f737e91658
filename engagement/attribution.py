"""What an event says of its visitor, and whose the visitor's visits are then: the row, the log and the counters follow."""

from typing import NamedTuple

from engagement.fates import COUNTED
from engagement.filtered import Ends
from engagement.identity_rules import VisitorsRule
from engagement.intake_verdict import Verdict
from engagement.log_entries import LogEntries
from engagement.records import Read, Source
from engagement.resolution import Link, Resolver
from engagement.visitor import Joined, join, unlink
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
            return verdict.fate if verdict.visit is None else COUNTED
        link = None if seen is None else seen.visitor.link
        joined = self._joined(link, verdict)
        if verdict.visit is None and joined.link == link and not self._is_due(seen):
            return verdict.fate
        visitor = self._visitors.touch(occasion.visitor_id, seen, (anew, offset), ends)
        for move in visitor.relink(joined, self._resolver):
            ends.move(move.visit, move.was, move.now)
            if move.before is not None:
                entries.visit(move.visit, move.before, occasion.read, undo=True)
            if move.after is not None:
                entries.visit(move.visit, move.after, occasion.read)
        for told in joined.told:
            entries.same(told, occasion.event_id, occasion.occurred_at, occasion.source, occasion.read)
        fate = verdict.fate
        if verdict.visit is not None:
            fate = visitor.remember(verdict.visit, self._resolver)
            if verdict.visit.credit is not None:
                entries.visit(verdict.visit, verdict.visit.credit, occasion.read)
        self._visitors.bound(visitor, ends)
        return fate

    def _joined(self, link: Link | None, verdict: Verdict) -> Joined:
        if verdict.fate == "unlink":
            return unlink(link)
        if verdict.said is None or (link is not None and link.knows(verdict.said)):
            return Joined(link, moves=False)
        return join(link, verdict.said, self._rule, self._resolver)

    def _is_due(self, seen: Seen | None) -> bool:
        """Whether it is time to note a visitor as seen, of whom nothing new was said."""
        return seen is not None and self._visitors.clock - seen.received_at >= SEEN_AGAIN
