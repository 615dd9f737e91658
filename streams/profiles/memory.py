"""A store of profiles within this process, for a first look: it holds what `store.py` promises, and looks at every account for a list."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import msgspec

from streams.profiles.listing import cursor, fits, folded, has_text, last_change, owner_of, place, place_after, refuse_many
from streams.profiles.store import (
    KEPT_CHANGES,
    KEPT_CHANGES_OF_PARTITION,
    KEPT_DAYS,
    Account,
    Batch,
    Change,
    Displaced,
    Listed,
    Mark,
    Overview,
    Page,
    Query,
)


class MemoryStore:
    """A `streams.profiles.store.ProfileStore` that is always there, and empty when the process starts."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._marks: dict[int, Mark] = {}
        self._rulebooks: dict[str, str] = {}
        self._accounts: dict[str, Account] = {}
        self._contacts: dict[str, bytes] = {}
        self._timelines: dict[str, list[Change]] = {}
        self._changes: dict[int, list[Change]] = {}
        self._first_changes: dict[int, int] = {}
        self._moves: dict[str, Counter[str]] = {}

    async def places(self) -> Mapping[str, int]:
        return dict(self._places)

    async def take(self, batches: Sequence[Batch]) -> None:
        displaced = None
        for batch in batches:
            stands = self._places.get(batch.source, 0)
            if batch.start == stands:
                self._take(batch)
            else:
                displaced = displaced or Displaced(batch.source, stands)
        if displaced is not None:
            raise displaced

    def _take(self, batch: Batch) -> None:
        for account in batch.accounts:
            kept = self._accounts.get(account.profile.account)
            if kept is None or _version(kept) <= _version(account):
                self._accounts[account.profile.account] = account
        for name in batch.gone:
            self._accounts.pop(name, None)
        if batch.source.startswith("tier-changes/"):
            self._take_changes(batch)
        for person, row in batch.contacts.items():
            if row is None:
                self._contacts.pop(person, None)
            else:
                self._contacts[person] = row
        if batch.mark is not None:
            self._marks[batch.partition] = batch.mark
        self._rulebooks |= batch.rulebooks
        self._places[batch.source] = batch.stop

    def _take_changes(self, batch: Batch) -> None:
        for account, change in batch.changes:
            timeline = self._timelines.setdefault(account, [])
            timeline.append(change)
            del timeline[:-KEPT_CHANGES]
            shown = last_change(change)
            self._moves.setdefault(shown.effective_at[:10], Counter())[f"{shown.ladder}|{shown.from_}|{shown.to}"] += 1
        for day in sorted(self._moves)[:-KEPT_DAYS]:
            del self._moves[day]
        kept = self._changes.setdefault(batch.partition, [])
        kept += [change for _, change in batch.changes]
        dropped = kept[:-KEPT_CHANGES_OF_PARTITION]
        del kept[: len(dropped)]
        missing = dropped[-1].offset + 1 if dropped else 0
        self._first_changes[batch.partition] = max(self._first_changes.get(batch.partition, 0), batch.first, missing)

    async def refresh(self, partition: int, accounts: Sequence[Account], mark: Mark | None = None) -> None:
        for account in accounts:
            kept = self._accounts.get(account.profile.account)
            if kept is not None and kept.applied == account.applied and _version(kept) <= _version(account):
                self._accounts[account.profile.account] = msgspec.structs.replace(kept, profile=account.profile)
        if mark is not None:
            self._marks[partition] = mark

    async def accounts_of(self, partition: int, after: str, limit: int) -> Sequence[Account]:
        beyond = (name for name, account in self._accounts.items() if account.partition == partition and name > after)
        return tuple(self._accounts[name] for name in sorted(beyond)[:limit])

    async def marks(self) -> Mapping[int, Mark]:
        return dict(self._marks)

    async def rulebook(self, version: str) -> str | None:
        return self._rulebooks.get(version)

    async def account(self, name: str) -> Account | None:
        return self._accounts.get(name)

    async def find(self, query: Query) -> Page:
        after = place_after(query)
        found = {place(query.order, listed): listed for listed in self._with_text(query.text) if fits(query, listed)}
        beyond = sorted(each for each in found if after is None or each > after)
        shown = beyond[: query.limit]
        return Page(
            accounts=tuple(found[each] for each in shown),
            next=cursor(query.order, shown[-1]) if len(beyond) > len(shown) else None,
        )

    def _with_text(self, text: str | None) -> Iterable[Listed]:
        accounts = list(self._accounts.values())
        if text is not None:
            accounts = [account for account in accounts if has_text(account.profile, folded(text))]
            refuse_many(text, len(accounts))
        for account in accounts:
            timeline = self._timelines.get(account.profile.account)
            yield Listed(profile=account.profile, last_change=last_change(timeline[-1]) if timeline else None)

    async def timeline(self, account: str) -> Sequence[Change]:
        return tuple(self._timelines.get(account, ()))

    async def with_timeline(self, name: str, most: int) -> tuple[Account | None, Sequence[Change]]:
        return await self.account(name), (await self.timeline(name))[-most:]

    async def changes(self, after: Mapping[int, int], limit: int) -> Mapping[int, Sequence[Change]]:
        return {
            partition: tuple(islice((change for change in self._changes.get(partition, ()) if change.offset >= start), limit))
            for partition, start in after.items()
        }

    async def first_changes(self) -> Mapping[int, int]:
        return dict(self._first_changes)

    async def contacts(self, people: Sequence[str]) -> Mapping[str, bytes]:
        return {person: self._contacts[person] for person in people if person in self._contacts}

    async def overview(self) -> Overview:
        rungs: dict[str, Counter[str]] = {}
        segments: Counter[str] = Counter()
        owners: Counter[str] = Counter()
        for account in self._accounts.values():
            profile = account.profile
            for ladder, rung in profile.rungs.items():
                rungs.setdefault(ladder, Counter())[rung] += 1
            segments.update(profile.segments)
            owners[owner_of(profile)] += 1
        moves = {day: dict(moves) for day, moves in self._moves.items()}
        return Overview(accounts=len(self._accounts), rungs=rungs, segments=segments, owners=owners, moves=moves)

    async def clear(self) -> None:
        for kept in vars(self).values():
            kept.clear()

    async def aclose(self) -> None:
        pass


def _version(account: Account) -> tuple[int, str]:
    return account.applied, account.profile.day
