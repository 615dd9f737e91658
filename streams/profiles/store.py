"""What a store of profiles promises. `memory.py` and `redis_store.py` are stores; one suite of tests holds for both.

**Places.** The store holds, with what it was told, how far each source was read (``accounts-changelog/3`` -> next offset). A batch says
from where to where it leads, and is taken whole or not at all, and only by a store that stands where it begins. So a store that was
flushed, or brought back from an older copy, or written to by another projector, says so at the next batch (`Displaced`), and is read
anew from where it stands.

**Versions.** Of an account, what comes with an older (`applied`, `day`) than is kept is dropped. So a projector that does not know yet
that it was replaced does no harm.

**Sources are apart.** What is kept of one source depends on that source alone: changes of an account that is not known yet, or no more, are
kept, and its list of moves as well. So sources may be read in any order, and a store that is filled anew ends as it was.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from engagement.profile import Profile

MOST_OF_BATCH = 50
"""Accounts, changes and contacts of a batch, together: it is taken in one step, and whoever reads waits for it."""

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
    """An account's newest tier change, as lists show it: what they need of `Change.body`, under the names that it has there."""

    effective_at: str
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
    body: bytes  # the `TierChange` as it was sent, JSON; that it is one is for the projector to see


class Mark(msgspec.Struct, kw_only=True, frozen=True):
    """Where a partition of accounts stands."""

    rule_day: int | None  # days since 1970; None: no day has begun
    rulebook: str  # version by which its accounts are judged
    refreshed: tuple[int, str] | None = None  # (rule day, rulebook) as of which every profile was written anew
    born: int | None = None  # when Kafka got the first record of its changelog, in ms: that of one made anew is another
    is_complete: bool = False  # the changelog was read to the end that it had when the projector came; False while profiles are rebuilt
    partitions: int = 1  # of accounts, that the environment has


def partitions(marks: Mapping[int, Mark]) -> int:
    """How many partitions of accounts the environment has; 0 where no mark says it."""
    return max((mark.partitions for mark in marks.values()), default=0)


def is_complete(marks: Mapping[int, Mark]) -> bool:
    """Whether every account is in the store: each partition of the environment has a mark, and is complete by it."""
    return bool(marks) and all(number in marks and marks[number].is_complete for number in range(partitions(marks)))


class Batch(msgspec.Struct, kw_only=True, frozen=True):
    """What one source said from ``start`` to before ``stop``. ValueError for more than `MOST_OF_BATCH`."""

    source: str  # short topic and partition: ``accounts-changelog/3``, ``tier-changes/3``, ``contacts/3``
    start: int  # 0 where the store knows nothing of the source
    stop: int
    first: int = 0  # offset from which on the topic still has changes; those before it, if there were any, nobody can read any more
    accounts: Sequence[Account] = ()
    gone: Sequence[str] = ()  # accounts that are no more; none of them stands in `accounts` too, where none stands twice
    changes: Sequence[tuple[str, Change]] = ()  # account, change; in order of offsets
    contacts: Mapping[str, bytes | None] = {}  # person's hash -> row of `contacts`; None: forgotten
    mark: Mark | None = None  # of the source's partition, where it has changed
    rulebooks: Mapping[str, str] = {}  # version -> canonical text

    def __post_init__(self) -> None:
        records = len(self.accounts) + len(self.gone) + len(self.changes) + len(self.contacts)
        if records > MOST_OF_BATCH:
            msg = f"a batch of {records} records; at most {MOST_OF_BATCH} are taken in one step"
            raise ValueError(msg)

    @property
    def partition(self) -> int:
        """That of the source."""
        return int(self.source.rpartition("/")[2])


Order = Literal["score", "changed"]
"""Highest score first, or newest tier change first and then those without one; then by name."""


class Query(msgspec.Struct, kw_only=True, frozen=True):
    """Which accounts, all conditions together, and in which order."""

    rungs: Mapping[str, str] = {}  # ladder -> rung
    segment: str | None = None
    owner: str | None = None  # "" asks for those without one
    least_score: int | None = None  # thousandths, 0 or more; itself included
    most_score: int | None = None
    text: str | None = None  # part of domain, name or CRM id, whatever the case
    changed_since: str | None = None  # an instant as `engagement.days.iso_instant` spells it: with its newest tier change then or later
    order: Order = "score"
    limit: int = 50  # 1 to 1,000
    after: str | None = None  # `Page.next` of the page before


class Page(msgspec.Struct, kw_only=True, frozen=True):
    """Part of a list."""

    accounts: tuple[Listed, ...]  # may be fewer than the limit although more come
    next: str | None  # None: that was all; else there may be more


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
        """Take, in order, all batches that begin where the store then stands. Raises `Displaced` for the first that did not."""

    async def refresh(self, partition: int, accounts: Sequence[Account], mark: Mark | None = None) -> None:
        """Write profiles anew where the state is still the one they were made of (`applied`), and then the partition's mark.

        Rows stay as they are. Of an account that has changed or gone meanwhile nothing is written.
        """

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

    async def with_timeline(self, name: str, most: int) -> tuple[Account | None, Sequence[Change]]:
        """One account, or None, and the newest ``most`` of its timeline, as both are at one instant."""

    async def changes(self, after: Mapping[int, int], limit: int) -> Mapping[int, Sequence[Change]]:
        """Of each partition in ``after`` the tier changes from that offset on, oldest first, ``limit`` of each at most."""

    async def first_changes(self) -> Mapping[int, int]:
        """Partition of tier changes -> offset from which on none is missing; 0 where none ever was."""

    async def contacts(self, people: Sequence[str]) -> Mapping[str, bytes]:
        """Rows of `contacts` of those hashes that are on a list."""

    async def overview(self) -> Overview:
        """All accounts in numbers."""

    async def clear(self) -> None:
        """Forget everything, as a flush does: what was told is of an environment that is no more."""

    async def aclose(self) -> None:
        """Let go of connections."""
