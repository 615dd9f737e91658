"""What one input record appends to the account log.

A record may append many entries: copies for the accounts above, and what is counted elsewhere because it said who a visitor is. They are
numbered in their order (the last part of `Source`), so that each can be told from one that was appended before. What is about an *earlier*
visit keeps that one's source, and says by ``read`` which record moved it.
"""

from collections.abc import Set as AbstractSet

import msgspec

from engagement.events import Family
from engagement.identity import Identity
from engagement.machine import Output
from engagement.records import Read, Said, Signal, Source, Update, encode
from engagement.resolution import Found, accounts_of
from engagement.visitor import Move, Same, Visit

ACCOUNT_LOG = "account-log"


class LogEntries:
    """Appends to ``outputs``. One of these for each input record that does."""

    def __init__(self, outputs: list[Output], *, identity: Identity, received_at: int, version: str) -> None:
        """``received_at`` (ms) and the rulebook's ``version`` are the record's: those of every entry in Kafka and in the log."""
        self._outputs, self._partition_of = outputs, identity.partition_of
        self._received_at, self._version = received_at, version
        self._number = 0

    def own(self, account: str, above: tuple[str, ...], entry: Signal | Update) -> None:
        """Append what the record itself says of an account, first of all; a signal for those ``above`` as well."""
        self._append(account, entry)
        for each in above:
            source = (*entry.source[:3], self._number)
            self._append(each, msgspec.structs.replace(entry, source=source, via=account))

    def move(self, move: Move, read: Read) -> None:
        """Append what takes a visit out of where it was counted, and what counts it elsewhere."""
        both = accounts_of(move.before) & accounts_of(move.after)
        if move.before is not None:
            self.visit(move.visit, move.before, read, undo=True, both=both)
        if move.after is not None:
            self.visit(move.visit, move.after, read, both=both)

    def visit(self, visit: Visit, found: Found, read: Read | None, *, undo: bool = False, both: AbstractSet[str] = frozenset()) -> None:
        """Append a visitor's visit as it is credited (``undo``: was) to an account and those above it. ``read``: None at its source.

        ``both``: accounts that have it before and after a move.
        """
        for account in (found.account, *found.above):
            entry = Signal(
                id=visit.id,
                kind=visit.kind,
                occurred_at=visit.occurred_at,
                received_at=visit.received_at,
                person=found.person,
                was=found.was,
                role=found.role if visit.role is None else visit.role,
                seconds=visit.seconds,
                source=(Family.WEB_VISITS.value, *visit.place, self._number),
                read=read,
                method=found.method,
                confidence=found.confidence,
                via=None if account == found.account else found.account,
                undo=undo,
                moved=account in both,
                rulebook=self._version,
            )
            self._append(account, entry)

    def same(self, told: Same, event_id: str, occurred_at: int, source: Source, read: Read | None) -> None:
        """Append which of an account's people are another one, or are so no longer."""
        people = {**told.people}
        fields: Said = {"same": people} if told.key == "same" else {"differ": people}
        if told.was:
            fields["was"] = {**told.was}
        entry = Update(
            id=event_id,
            occurred_at=occurred_at,
            received_at=self._received_at,
            fields=fields,
            source=(*source[:3], self._number),
            read=read,
            rulebook=self._version,
        )
        self._append(told.account, entry)

    def _append(self, account: str, entry: Signal | Update) -> None:
        key = account.encode()
        self._outputs.append(Output(ACCOUNT_LOG, key, encode(entry), self._partition_of(key), timestamp=self._received_at))
        self._number += 1
