"""Accounts, changes and batches of them, as a projector would hand them to a store of profiles."""

from collections.abc import AsyncIterator, Iterable
from itertools import islice
from typing import Any

import msgspec

from engagement.days import iso_day, iso_instant, midnight
from engagement.profile import Profile
from streams.profiles.store import MOST_OF_BATCH, Account, Batch, Change, Page, ProfileStore, Query

DAY = 20_100
ACCOUNTS, CHANGES, CONTACTS = "accounts-changelog", "tier-changes", "contacts"

PLAIN = Profile(
    account="acme.com",
    day=iso_day(DAY),
    rulebook="v1",
    name=None,
    crm_id=None,
    owner=None,
    region=None,
    industry=None,
    rungs={"stage": "watch", "tier": "untiered"},
    since={},
    pinned=(),
    suppressed=False,
    score=0,
    rolled_up_score=None,
    people=0,
    idle=None,
    fit=None,
    fit_known=0,
    grade="unknown",
    value="unknown",
    strategic=None,
    surges=(),
    segments=(),
    cluster=None,
)


def an_account(name: str, /, *, applied: int = 1, partition: int = 0, row: bytes = b"\xff\x00row", **said: Any) -> Account:
    """An account as it is kept; ``said`` are fields of its profile."""
    return Account(profile=msgspec.structs.replace(PLAIN, account=name, **said), row=row, applied=applied, partition=partition)


def a_change(offset: int, *, day: int = DAY, to: str = "engaged", said: Any = None, mode: str = "live") -> Change:
    """A tier change; only what stores look at is certain to stand in its body."""
    body = {"effective_at": iso_instant(midnight(day)), "ladder": "stage", "from": "watch", "to": to, "direction": "promotion"}
    return Change(offset=offset, mode=mode, body=msgspec.json.encode({**body, "reason": "signal", "said": said}))


async def feed(store: ProfileStore, topic: str, partition: int = 0, *, stop: int | None = None, **content: Any) -> None:
    """Hand the store a batch that begins where it stands, and ends one further or before ``stop``."""
    source = f"{topic}/{partition}"
    start = (await store.places()).get(source, 0)
    await store.take([Batch(source=source, start=start, stop=start + 1 if stop is None else stop, **content)])


async def fill(store: ProfileStore, accounts: Iterable[Account], partition: int = 0) -> None:
    """Hand the store accounts, as many at once as it takes."""
    left = iter(accounts)
    while some := tuple(islice(left, MOST_OF_BATCH)):
        await feed(store, ACCOUNTS, partition, accounts=some)


async def happen(store: ProfileStore, changes: Iterable[tuple[str, Change]], partition: int = 0) -> None:
    """Hand the store tier changes (account, change), as many at once as it takes."""
    left = iter(changes)
    while some := tuple(islice(left, MOST_OF_BATCH)):
        await feed(store, CHANGES, partition, stop=some[-1][1].offset + 1, changes=some)


async def pages(store: ProfileStore, query: Query) -> AsyncIterator[Page]:
    """Turn the pages of a list to its end."""
    while True:
        page = await store.find(query)
        yield page
        if page.next is None:
            return
        query = msgspec.structs.replace(query, after=page.next)


async def listed(store: ProfileStore, **said: Any) -> list[str]:
    """Names of all accounts of a list, in its order."""
    return [each.profile.account async for page in pages(store, Query(**said)) for each in page.accounts]
