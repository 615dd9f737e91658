"""A store of profiles in Redis: it holds what `store.py` promises for any number of readers and projectors.

Every key begins with ``{mqa:<prefix>}:`` and so lies in one hash slot. docs/profiles.md lists them. What is written is written by one
script, `write.lua`, which keeps accounts and the lists of them in step; every list is a sorted set without scores, whose members' bytes
sort as the list does (`listing.place`), so that any page of it is found at once.
"""

from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from streams.profiles.listing import cursor, fits, folded, has_text, place, place_after, refuse_many
from streams.profiles.packing import (
    FORMAT,
    TEXT_BLOCKS,
    packed_batch,
    packed_query,
    packed_refreshment,
    read_account,
    read_change,
    read_listed,
    read_mark,
    read_overview,
)
from streams.profiles.store import (
    KEPT_CHANGES,
    MOST_MATCHES,
    MOST_OF_BATCH,
    Account,
    Batch,
    Change,
    Displaced,
    Listed,
    Mark,
    Overview,
    Page,
    Query,
    StoreUnavailable,
)

MOST_LOOKED_AT = 2_000
"""Accounts that are looked at for a page; where few of them meet all conditions it is short."""

_WRITE, _FIND, _TEXT, _ACCOUNTS_OF, _CHANGES, _WITH_TIMELINE, _CLEAR = (
    (files("streams.profiles") / f"{script}.lua").read_text()
    for script in ("write", "find", "text", "accounts_of", "changes", "with_timeline", "clear")
)
_READ = 500  # accounts that are read at once


class RedisStore:
    """A `streams.profiles.store.ProfileStore` in the Redis of ``client``, for the environment of that prefix."""

    def __init__(self, client: Redis, prefix: str) -> None:
        """``client`` answers in bytes (`streams.redis_connection.find_redis`), and is the store's from now on."""
        where = client.connection_pool.connection_kwargs
        self._where = f"Redis at {where.get('host')}:{where.get('port')}"
        self._client = client
        self._at = f"{{mqa:{prefix}}}:{FORMAT}:"
        self._find = client.register_script(_FIND)
        self._text = client.register_script(_TEXT)
        self._accounts_of = client.register_script(_ACCOUNTS_OF)
        self._with_timeline = client.register_script(_WITH_TIMELINE)

    async def places(self) -> Mapping[str, int]:
        kept = await self._answer(self._client.hgetall(self._at + "places"))
        return {source.decode(): int(offset) for source, offset in kept.items()}

    async def take(self, batches: Sequence[Batch]) -> None:
        displaced = None
        for batch in batches:
            stands = await self._write(packed_batch(batch))
            if stands is not None:
                displaced = displaced or Displaced(batch.source, stands)
        if displaced is not None:
            raise displaced

    async def refresh(self, partition: int, accounts: Sequence[Account], mark: Mark | None = None) -> None:
        for begin in range(0, len(accounts), MOST_OF_BATCH):
            await self._write(packed_refreshment(partition, accounts[begin : begin + MOST_OF_BATCH], None))
        if mark is not None:
            await self._write(packed_refreshment(partition, (), mark))

    async def _write(self, packed: bytes) -> int | None:
        """Have it written by the script, which goes with it: so it is there whatever happened to the server.

        One at a time: Redis answers nobody while it takes what one client has sent, which for fifty accounts is some milliseconds.
        """
        stands: int | None = await self._answer(self._client.eval(_WRITE, 1, self._at, packed))
        return stands

    async def accounts_of(self, partition: int, after: str, limit: int) -> Sequence[Account]:
        kept = await self._answer(self._accounts_of([self._at], [partition, after, limit]))
        return tuple(map(read_account, *kept))

    async def marks(self) -> Mapping[int, Mark]:
        kept = await self._answer(self._client.hgetall(self._at + "marks"))
        return {int(partition): read_mark(mark) for partition, mark in kept.items()}

    async def rulebook(self, version: str) -> str | None:
        text = await self._answer(self._client.hget(self._at + "rulebooks", version))
        return None if text is None else text.decode()

    async def account(self, name: str) -> Account | None:
        standing, profile, row = await self._at_once(("HGET", each, name) for each in ("standings", "profiles", "rows"))
        return None if standing is None else read_account(standing, profile, row)

    async def find(self, query: Query) -> Page:
        if query.text is not None:
            return await self._find_text(query, query.text)
        profiles, changes, last = await self._answer(self._find([self._at], [packed_query(query, MOST_LOOKED_AT)]))
        return Page(accounts=tuple(map(read_listed, profiles, changes)), next=None if last is None else cursor(query.order, last))

    async def _find_text(self, query: Query, text: str) -> Page:
        """All accounts with the text are read, for no list is in their order."""
        after = place_after(query)
        names = await self._with_text(folded(text))
        refuse_many(text, len(names))
        found: dict[bytes, Listed] = {}
        for begin in range(0, len(names), _READ):
            for listed in await self._listed(names[begin : begin + _READ]):
                stands = place(query.order, listed)
                if fits(query, listed) and has_text(listed.profile, folded(text)) and (after is None or stands > after):
                    found[stands] = listed
        shown = sorted(found)[: query.limit]
        return Page(accounts=tuple(found[each] for each in shown), next=cursor(query.order, shown[-1]) if len(found) > len(shown) else None)

    async def _with_text(self, text: str) -> Sequence[bytes]:
        """Names of accounts with that text, folded; of more than `MOST_MATCHES` not all."""
        found: list[bytes] = []
        block = 0
        while block < TEXT_BLOCKS and len(found) <= MOST_MATCHES:
            block, names = await self._answer(self._text([self._at], [block, TEXT_BLOCKS, text, MOST_MATCHES + 1 - len(found)]))
            found += names
        return found

    async def _listed(self, names: Sequence[bytes]) -> Iterator[Listed]:
        profiles, changes = await self._at_once(("HMGET", each, *names) for each in ("profiles", "last_changes"))
        return (read_listed(profile, change) for profile, change in zip(profiles, changes, strict=True) if profile is not None)

    async def timeline(self, account: str) -> Sequence[Change]:
        _, changes = await self.with_timeline(account, KEPT_CHANGES)
        return changes

    async def with_timeline(self, name: str, most: int) -> tuple[Account | None, Sequence[Change]]:
        kept, ids, bodies = await self._answer(self._with_timeline([self._at], [name, most]))
        account = None if kept[0] is None else read_account(*kept)
        return account, tuple(read_change(each, body) for each, body in zip(ids, bodies, strict=True) if body is not None)

    async def changes(self, after: Mapping[int, int], limit: int) -> Mapping[int, Sequence[Change]]:
        pipeline = self._client.pipeline(transaction=False)
        for partition, start in after.items():
            pipeline.eval(_CHANGES, 1, self._at, partition, start, limit)  # a registered script would first be asked for, each time
        answers = await self._answers(pipeline) if after else []
        return {partition: tuple(map(read_change, *answer)) for partition, answer in zip(after, answers, strict=True)}

    async def first_changes(self) -> Mapping[int, int]:
        kept = await self._answer(self._client.hgetall(self._at + "first_changes"))
        return {int(partition): int(offset) for partition, offset in kept.items()}

    async def contacts(self, people: Sequence[str]) -> Mapping[str, bytes]:
        rows = await self._answer(self._client.hmget(self._at + "contacts", people)) if people else []
        return {person: row for person, row in zip(people, rows, strict=True) if row is not None}

    async def overview(self) -> Overview:
        counts, moves = await self._at_once(("HGETALL", each) for each in ("counts", "moves"))
        return read_overview(counts, moves)

    async def clear(self) -> None:
        await self._answer(self._client.eval(_CLEAR, 1, self._at))

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _at_once(self, commands: Iterable[tuple[str, str, *tuple[Any, ...]]]) -> list[Any]:
        """Answers to read commands (command, key, what else it takes), as all of them are at one instant."""
        pipeline = self._client.pipeline(transaction=True)
        for command, key, *more in commands:
            pipeline.execute_command(command, self._at + key, *more)
        return await self._answers(pipeline)

    async def _answer(self, request: Awaitable[Any]) -> Any:
        """What Redis answers. Raises `StoreUnavailable` for whatever else it, or the way to it, says."""
        try:
            return await request
        except RedisError as error:
            raise self._unavailable(error) from error

    async def _answers(self, pipeline: Pipeline) -> list[Any]:
        answers = await self._answer(pipeline.execute(raise_on_error=False))  # else it would quote what it was told, contacts and all
        for answer in answers:
            if isinstance(answer, RedisError):
                raise self._unavailable(answer) from answer
        return list(answers)

    def _unavailable(self, error: RedisError) -> StoreUnavailable:
        return StoreUnavailable(f"{self._where}: {error}")
