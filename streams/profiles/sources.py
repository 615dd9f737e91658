"""What is read from Kafka, one partition of one topic a source: where each stands, and what becomes of its records.

Sources know the place where the store stands and nothing of how records are fetched: that is the projector's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

import msgspec
from aiokafka.structs import TopicPartition

from engagement.contacts import CONTACTS
from engagement.days import iso_day
from engagement.judging import Judge
from engagement.machine import Record
from engagement.qualify import QualifyPosition
from streams.profiles.changelog import newest_position
from streams.profiles.rows import Breath, contact_rows, cut, make_account, newest_rows, tier_changes
from streams.profiles.store import Account, Batch, Mark
from streams.topics import CHANGELOGS, TIER_CHANGES

ACCOUNTS = CHANGELOGS["qualify"]
SOURCES = (ACCOUNTS, TIER_CHANGES, CONTACTS)
"""Topics that are projected, by their short names."""

BEFORE_ALL_DAYS = 0
"""As of which day accounts are shown before their first has begun: nothing has faded yet."""

FindRulebook = Callable[[str], Awaitable[tuple[Judge, str]]]
"""Judge and text of a rulebook's version."""


class Source:
    """One partition of one topic. ``place`` is where the store stands in it."""

    short: ClassVar[str]

    def __init__(self, partition: TopicPartition, *, place: int, first: int, end: int) -> None:
        """``first`` and ``end``: where the topic begins and ended as the source was opened."""
        self.partition, self.place = partition, place
        self.name = f"{self.short}/{partition.partition}"
        self.foreign = 0  # records that are none of ours, since it was looked at
        self._began, self._first, self._end = place, first, end

    @property
    def begins(self) -> int:
        """From which offset it is to be fetched: what lies before the topic's first record nobody can read any more."""
        return max(self.place, self._first)

    async def batches(self, records: Sequence[Record], stop: int) -> list[Batch]:
        """Make of records that lead to ``stop`` what the store is to take. Each source's batches must be taken before the next are made."""
        raise NotImplementedError

    def taken(self, stop: int) -> None:
        """The store has taken what led there."""
        self.place = stop

    @property
    def progress(self) -> float:
        """How much of what was to be read at the opening is, 0 to 1."""
        whole = self._end - self._began
        return min(1.0, (self.place - self._began) / whole) if whole > 0 else 1.0


class Changes(Source):
    """Tier changes."""

    short = TIER_CHANGES

    async def batches(self, records: Sequence[Record], stop: int) -> list[Batch]:
        """See `Source`."""
        made, start = [], self.place
        for part, end in cut(records, stop):
            changes, foreign = tier_changes(part)
            self.foreign += foreign
            made.append(Batch(source=self.name, start=start, stop=end, first=self._first, changes=changes))
            start = end
        return made


class ContactLists(Source):
    """Rows of contact lists."""

    short = CONTACTS

    async def batches(self, records: Sequence[Record], stop: int) -> list[Batch]:
        """See `Source`."""
        made, start = [], self.place
        for part, end in cut(records, stop):
            contacts, foreign = contact_rows(part)
            self.foreign += foreign
            made.append(Batch(source=self.name, start=start, stop=end, contacts=contacts))
            start = end
        return made


class Accounts(Source):
    """Accounts of one partition, and as of which rule day and by which rulebook their profiles are made."""

    short = ACCOUNTS

    def __init__(
        self,
        partition: TopicPartition,
        *,
        place: int,
        first: int,
        end: int,
        partitions: int,
        kept: Mark | None,
        position: QualifyPosition | None,
        born: int | None,
        find_rulebook: FindRulebook,
    ) -> None:
        """``partitions``: how many the environment has. ``kept``: the store's mark. ``position``: the newest in the topic.

        ``born``: when its first record came, in ms.
        """
        super().__init__(partition, place=place, first=first, end=end)
        self._find_rulebook = find_rulebook
        self._position = position
        self._judge: Judge | None = None
        self._rulebooks: dict[str, str] = {}  # the text of the one by which is judged: it goes with every mark, for a store may be flushed
        self._cursor = ""  # the last account that was written anew
        self._kept = kept  # what the store has
        self.mark = Mark(
            rule_day=None,
            rulebook="",
            refreshed=None if kept is None else kept.refreshed,
            born=born,
            is_complete=place >= end,
            partitions=partitions,
        )

    async def open(self) -> list[Batch]:
        """Learn the day and the rules; what the store must know before anything is read."""
        if self._position is None:
            return []
        await self._go_by(self._position)
        if self._judge is None:
            return []
        if self.place == 0:
            self.mark = msgspec.structs.replace(self.mark, refreshed=self._as_of)  # there is no profile that is not
        self._kept = self.mark
        return [Batch(source=self.name, start=self.place, stop=self.place, mark=self.mark, rulebooks=self._rulebooks)]

    async def batches(self, records: Sequence[Record], stop: int) -> list[Batch]:
        """See `Source`. None where it is not known yet by which rules accounts are judged: the records are to be read again then."""
        position = newest_position(records, self._position)
        if position is not None and position is not self._position:
            await self._go_by(position)
        self._position = position
        newest, foreign = newest_rows(records)
        if self._judge is None and newest:
            return []
        self.foreign += foreign
        if stop >= self._end:
            self.mark = msgspec.structs.replace(self.mark, is_complete=True)
        made, start, breath = [], self.place, Breath()
        for part, end in cut(newest, stop):
            rows = {(record.key or b"").decode(): record.value for record in part}
            accounts = []
            for name, row in rows.items():
                if row is not None:
                    accounts.append(self._made(name, row))
                    if breath.is_due:
                        await asyncio.sleep(0)
            gone = [name for name, row in rows.items() if row is None]
            made.append(Batch(source=self.name, start=start, stop=end, accounts=accounts, gone=gone))
            start = end
        if self._judge is not None and self.mark != self._kept:
            made[-1] = msgspec.structs.replace(made[-1], mark=self.mark, rulebooks=self._rulebooks)
        return made

    def taken(self, stop: int) -> None:
        """See `Source`."""
        super().taken(stop)
        if self._judge is not None:
            self._kept = self.mark

    @property
    def is_stale(self) -> bool:
        """Whether there may be profiles in the store that are not as of the day and the rules that hold."""
        return self._judge is not None and self.mark.refreshed != self._as_of

    @property
    def cursor(self) -> str:
        """Behind which account the next are to be written anew."""
        return self._cursor

    async def renewed(self, accounts: Sequence[Account]) -> tuple[list[Account], Mark | None]:
        """Make profiles anew where they are not as of now: ``accounts`` are the next behind `cursor`, none where that was all.

        With them, once that was all, the mark that says so.
        """
        if not accounts:
            self._cursor = ""
            self.mark = self._kept = msgspec.structs.replace(self.mark, refreshed=self._as_of)
            return [], self.mark
        made, breath = [], Breath()
        for account in accounts:
            if (account.profile.day, account.profile.rulebook) != (iso_day(self._as_of[0]), self._as_of[1]):
                made.append(self._made(account.profile.account, account.row))
                if breath.is_due:
                    await asyncio.sleep(0)
        self._cursor = accounts[-1].profile.account
        return made, None

    @property
    def _as_of(self) -> tuple[int, str]:
        return BEFORE_ALL_DAYS if self.mark.rule_day is None else self.mark.rule_day, self.mark.rulebook

    def _made(self, name: str, row: bytes) -> Account:
        assert self._judge is not None, "rows come after a position"
        return make_account(name, row, self.partition.partition, self._as_of[0], self._judge)

    async def _go_by(self, position: QualifyPosition) -> None:
        """Judge as of ``position`` from now on."""
        version = position.rulebook
        if version is None or (position.rule_day, version) == (self.mark.rule_day, self.mark.rulebook):
            return
        if version != self.mark.rulebook:
            self._judge, text = await self._find_rulebook(version)
            self._rulebooks = {version: text}
        self.mark = msgspec.structs.replace(self.mark, rule_day=position.rule_day, rulebook=version)
        self._cursor = ""  # those that were written anew are not as of this
