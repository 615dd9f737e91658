"""What a store of profiles promises. `memory.py` and `redis_store.py` are stores; one suite of tests holds for both.

**Places.** The store holds, with what it was told, how far each source was read (``accounts-changelog/3`` -> next offset). A batch says
from where to where it leads, and is taken whole or not at all, and only by a store that stands where it begins. So a store that was
flushed, or brought back from an older copy, or written to by another projector, says so at the next batch (`Displaced`), and is read
anew from where it stands.

**Versions.** Of an account, what comes with an older (`applied`, `day`) than is kept is dropped. So a projector that does not know yet
that it was replaced does no harm.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from engagement.profile import Profile

KEPT_CHANGES = 200
"""Tier changes kept of an account, the newest."""

KEPT_CHANGES_OF_PARTITION = 20_000
"""Tier changes of a partition that can be listed in order, the newest."""

KEPT_DAYS = 90
"""Days of which it is kept how many accounts went from where to where."""

MOST_MATCHES = 1_000
"""Accounts that a text may match; beyond, it must be said more closely."""


class StoreUnavailable(Exception):  # noqa: N818 - as `ConnectionError`'s cousin it would read as ours; callers answer 503 or wait
    """The store does not answer. Says where it is and what it said, without its password."""


class Displaced(Exception):  # noqa: N818 - not a failure: the projector goes on from `place`
    """The store stands elsewhere than the batch begins."""

    def __init__(self, source: str, place: int) -> None:
        super().__init__(f"{source}: the store stands at {place}")
        self.source, self.place = source, place


class Account(msgspec.Struct, kw_only=True, frozen=True):
    """One account as it is kept."""

    profile: Profile
    row: bytes  # its state as in `accounts-changelog`, see `engagement.account.decode`
    applied: int  # log offset of the last record in it
    partition: int


class LastChange(msgspec.Struct, kw_only=True, frozen=True):
    """An account's newest tier change, as lists show it."""

    at: str  # when it became effective
    ladder: str
    from_: str = msgspec.field(name="from")
    to: str
    direction: Literal["promotion", "demotion"]
    reason: str


class Listed(msgspec.Struct, kw_only=True, frozen=True):
    """One line of a list of accounts."""

    profile: Profile
    last_change: LastChange | None


class Change(msgspec.Struct, kw_only=True, frozen=True):
    """One tier change, of `tier-changes`."""

    offset: int
    mode: str  # ``live``, or ``baseline`` where a history is played
    body: bytes  # the `TierChange` as it was sent, JSON


class Mark(msgspec.Struct, kw_only=True, frozen=True):
    """Where a partition of accounts stands."""

    rule_day: int | None  # days since 1970; None: no day has begun
    rulebook: str  # version by which its accounts are judged
    refreshed: tuple[int, str] | None = None  # (rule day, rulebook) as of which every profile was written anew
    is_complete: bool = False  # the changelog was read to the end that it had when the projector came; False while profiles are rebuilt


class Batch(msgspec.Struct, kw_only=True, frozen=True):
    """What one source said from ``start`` to before ``stop``."""

    source: str  # short topic and partition: ``accounts-changelog/3``, ``tier-changes/3``, ``contacts/3``
    start: int
    stop: int
    accounts: Sequence[Account] = ()
    gone: Sequence[str] = ()  # accounts that are no more
    changes: Sequence[tuple[str, Change]] = ()  # account, change; in order of offsets
    contacts: Mapping[str, bytes | None] = {}  # person's hash -> row of `contacts`; None: forgotten
    mark: Mark | None = None  # of the source's partition, where it has changed
    rulebooks: Mapping[str, str] = {}  # version -> canonical text


class Query(msgspec.Struct, kw_only=True, frozen=True):
    """Which accounts, all conditions together, and in which order."""

    rungs: Mapping[str, str] = {}  # ladder -> rung
    segment: str | None = None
    owner: str | None = None  # "" asks for those without one
    least_score: int | None = None  # thousandths, itself included
    most_score: int | None = None
    text: str | None = None  # part of domain, name or CRM id, whatever the case
    changed_since: str | None = None  # an instant: with a tier change then or later
    order: Literal["score", "changed"] = "score"  # highest, or newest first; then by name
    limit: int = 50
    after: str | None = None  # `Page.next` of the page before


class Page(msgspec.Struct, kw_only=True, frozen=True):
    """Part of a list."""

    accounts: tuple[Listed, ...]  # may be fewer than the limit although more come
    next: str | None  # None: that was all


class Overview(msgspec.Struct, kw_only=True, frozen=True):
    """All accounts in numbers."""

    accounts: int
    rungs: Mapping[str, Mapping[str, int]]  # ladder -> rung -> accounts
    segments: Mapping[str, int]
    owners: Mapping[str, int]  # "" for those without one
    moves: Mapping[str, Mapping[str, int]]  # day -> ``ladder|from|to`` -> tier changes; of the newest `KEPT_DAYS` on which there were any


class ProfileStore(Protocol):
    """See above. Every method raises `StoreUnavailable` where the store does not answer."""

    async def places(self) -> Mapping[str, int]:
        """Source -> next offset. Empty where it knows nothing: it is new, or was flushed."""

    async def take(self, batches: Sequence[Batch]) -> None:
        """Take batches in order. Raises `Displaced` at the first that does not begin where the store stands; those before it are taken."""

    async def refresh(self, partition: int, accounts: Sequence[Account], mark: Mark | None = None) -> None:
        """Write profiles anew that are already kept (of accounts that are no more, nothing), and the partition's mark."""

    async def accounts_of(self, partition: int, after: str, limit: int) -> Sequence[Account]:
        """A partition's accounts beyond the name ``after`` in order of names, ``limit`` at most. To go through all of them."""

    async def marks(self) -> Mapping[int, Mark]:
        """Partition -> where it stands."""

    async def rulebook(self, version: str) -> str | None:
        """Canonical text; None for one that was never taken."""

    async def account(self, name: str) -> Account | None:
        """One account; None for one it does not know."""

    async def find(self, query: Query) -> Page:
        """List accounts. One that stays as it is while pages are turned comes exactly once.

        Raises `engagement.errors.Refused` for a cursor that is none, and for a text that matches more than `MOST_MATCHES`.
        """

    async def timeline(self, account: str) -> Sequence[Change]:
        """An account's tier changes, oldest first, the newest `KEPT_CHANGES`."""

    async def changes(self, after: Mapping[int, int], limit: int) -> Mapping[int, Sequence[Change]]:
        """Of each partition in ``after`` the tier changes from that offset on, oldest first, ``limit`` of each at most."""

    async def first_changes(self) -> Mapping[int, int]:
        """Partition -> offset of the oldest tier change that is kept."""

    async def contacts(self, people: Sequence[str]) -> Mapping[str, bytes]:
        """Rows of `contacts` of those hashes that are on a list."""

    async def overview(self) -> Overview:
        """All accounts in numbers."""

    async def aclose(self) -> None:
        """Let go of connections."""
