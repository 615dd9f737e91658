"""The store in Redis when Redis is away, full, new or somebody else's; what all stores promise is in test_profile_stores.py."""

import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from engagement.profile import Profile
from streams.profiles import packing
from streams.profiles.packing import FORMAT
from streams.profiles.redis_store import MOST_LOOKED_AT, RedisStore
from streams.profiles.store import Change, LastChange, Mark, Query, StoreUnavailable
from tests.redis_servers import free_port, redis_server
from tests.streams.profile_world import ACCOUNTS, CHANGES, CONTACTS, a_change, an_account, feed, fill, happen, listed, pages

DOCUMENT = Path(__file__).parents[2] / "docs" / "profiles.md"
MEMORY = 8_000_000  # bytes: enough to start, and for some accounts


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    """Of the server that tests share."""
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server that may be treated badly."""
    with redis_server(tmp_path_factory.mktemp("redis")) as port:
        yield port


Connect = Callable[..., Redis]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Makes clients of servers on this machine, which are closed when the test ends."""
    async with AsyncExitStack() as opened:

        def connect(port: int, **more: Any) -> Redis:
            client = Redis(**{"port": port, "host": "127.0.0.1", "socket_timeout": 5.0, "retry": Retry(NoBackoff(), 1), **more})
            opened.push_async_callback(client.aclose)
            return client

        yield connect


async def test_a_server_that_is_away_is_unavailable_and_found_again_by_itself(tmp_path, prefix, connect):
    port = free_port()
    store = RedisStore(connect(port), prefix)
    with pytest.raises(StoreUnavailable, match=rf"^Redis at 127.0.0.1:{port}: .*111"):
        await store.places()
    for count in range(2):  # it forgets everything in between, scripts too
        with redis_server(tmp_path, port=port):
            assert await store.places() == {}
            await fill(store, [an_account(f"a{count}.example")])
            assert await listed(store) == await listed(store, text="exa") == [f"a{count}.example"]
    with pytest.raises(StoreUnavailable):
        await feed(store, ACCOUNTS)


async def test_scripts_that_were_flushed_are_there_again(client, prefix):
    store = RedisStore(client, prefix)
    await fill(store, [an_account("acme.com")])
    assert await listed(store) == ["acme.com"]
    await client.script_flush()
    assert await listed(store) == ["acme.com"]
    await client.script_flush()
    await happen(store, [("acme.com", a_change(1))])
    assert await store.changes({0: 0}, 1) == {0: (a_change(1),)}


async def test_a_server_that_hangs_is_unavailable(prefix, connect):
    with socket.create_server(("127.0.0.1", 0)) as server:  # the system connects whoever comes, and nobody says anything
        store = RedisStore(connect(server.getsockname()[1], socket_timeout=0.05), prefix)
        with pytest.raises(StoreUnavailable, match="Timeout"):
            await store.overview()


async def test_a_full_server_refuses_a_batch_as_a_whole_and_still_answers(own, prefix, connect):
    store, other = RedisStore(connect(own), prefix), connect(own)
    await other.config_set("maxmemory", MEMORY)
    count = 0
    try:
        while count < MEMORY // 50_000:
            await feed(store, ACCOUNTS, accounts=[an_account(f"a{count}.example", row=b"x" * 50_000), an_account(f"b{count}.example")])
            count += 1
    except StoreUnavailable as unavailable:
        assert "maxmemory" in str(unavailable)  # noqa: PT017 - how far it came is what is asked
    assert 0 < count < MEMORY // 50_000
    assert await store.places() == {"accounts-changelog/0": count}
    assert len(await listed(store, limit=1_000)) == 2 * count
    await other.config_set("maxmemory", 0)
    await feed(store, ACCOUNTS, accounts=[an_account(f"a{count}.example")])
    assert (await store.overview()).accounts == 2 * count + 1


async def test_a_replica_answers_and_takes_nothing(tmp_path, prefix, connect):
    with redis_server(tmp_path) as port:
        store, other = RedisStore(connect(port), prefix), connect(port)
        await fill(store, [an_account("acme.com")])
        await other.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))
        with pytest.raises(StoreUnavailable, match="read only replica"):
            await feed(store, ACCOUNTS, accounts=[an_account("beta.com")])
        assert await listed(store) == ["acme.com"]


async def test_what_is_said_of_a_refused_login_has_no_password(tmp_path, prefix, connect):
    with redis_server(tmp_path, options=("--save", "", "--requirepass", "right-one")) as port:
        for password in ("wrong-one", None):
            store = RedisStore(connect(port, password=password), prefix)
            with pytest.raises(StoreUnavailable, match=rf"^Redis at 127.0.0.1:{port}: ") as unavailable:
                await feed(store, CONTACTS, contacts={"p1": b"ann@acme.com"})
            assert not re.search("wrong-one|ann", str(unavailable.value))


async def test_environments_are_apart_and_each_is_in_one_slot_of_a_cluster(client, prefix):
    one, two = RedisStore(client, f"{prefix}1-"), RedisStore(client, f"{prefix}2-")
    for store in (one, two):
        await fill(store, [an_account("acme.com", segments=("{evil}",), owner="}")])
        await happen(store, [("{}", a_change(1))])
        await feed(store, CONTACTS, contacts={"p1": b"row"})
    await feed(two, ACCOUNTS, gone=["acme.com"])
    assert await listed(one) == ["acme.com"]
    assert await listed(two) == []
    keys = [key async for key in client.scan_iter(match=f"*{prefix}1-*", count=10_000)]
    assert keys
    assert all(key.startswith(f"{{mqa:{prefix}1-}}:{FORMAT}:".encode()) for key in keys)


async def test_a_page_is_short_rather_than_late_where_few_meet_all_conditions(client, prefix):
    store = RedisStore(client, prefix)
    many = MOST_LOOKED_AT + 500
    both = {5, 700, many - 1}  # of Ann's accounts, which come first, those in the segment; the segment has as many others
    anns = [an_account(f"ann-{number:04}", owner="ann", segments=("some",) if number in both else ()) for number in range(many)]
    await fill(store, [*anns, *(an_account(f"bob-{number:04}", segments=("some",)) for number in range(many))])
    found = [[each.profile.account for each in page.accounts] async for page in pages(store, Query(owner="ann", segment="some"))]
    assert found == [["ann-0005", "ann-0700"], [f"ann-{many - 1}"]]


async def test_accounts_that_are_gone_leave_nothing_behind(client, prefix):
    store = RedisStore(client, prefix)
    await happen(store, [("acme.com", a_change(1))])
    names = ["acme.com", "acme", "com"]
    before = {key async for key in client.scan_iter(match=f"*{prefix}*", count=10_000)}
    await fill(store, (an_account(name, name="One", owner="ann", segments=("some",), score=5) for name in names))
    await fill(store, (an_account(name, crm_id="Two", owner="bob", segments=("other",), score=7) for name in names))
    await happen(store, [("acme", a_change(2))])
    await feed(store, ACCOUNTS, gone=names)
    left = {key async for key in client.scan_iter(match=f"*{prefix}*", count=10_000)} - before
    expected = {f"{{mqa:{prefix}}}:{FORMAT}:{key}".encode() for key in ("timeline:acme",)}
    assert {key for key in left if await client.type(key) != b"string"} == expected
    assert {await client.strlen(key) for key in left - expected} == {0}  # texts


async def test_a_change_is_kept_as_long_as_its_account_or_its_partition_lists_it(client, prefix, monkeypatch):
    monkeypatch.setattr(packing, "KEPT_CHANGES", 3)
    monkeypatch.setattr(packing, "KEPT_CHANGES_OF_PARTITION", 8)
    store, at = RedisStore(client, prefix), f"{{mqa:{prefix}}}:{FORMAT}:"
    rng, accounts = Random(5), ("often a", "b", "seldom")
    told: list[tuple[str, Change]] = []
    for _ in range(40):
        told.append((rng.choices(accounts, (20, 5, 1))[0], a_change(len(told), said=rng.random())))
        await happen(store, told[-1:])
        timelines = {account: [change for name, change in told if name == account][-3:] for account in accounts}
        listed = [change for _, change in told][-8:]
        for account, changes in timelines.items():
            assert await store.timeline(account) == tuple(changes)
        assert (await store.changes({0: 0}, 100))[0] == tuple(listed)
        kept = {change.offset for changes in (*timelines.values(), listed) for change in changes}
        assert set(await client.hkeys(at + "bodies")) == {f"0/{offset}".encode() for offset in kept}


def test_the_format_rises_with_what_is_kept():
    kept = sha256(msgspec.json.encode(msgspec.json.schema_components([Profile, LastChange, Mark])))
    assert {FORMAT: kept.hexdigest()[:16]} == {2: "a8b01104088282e2"}, (
        "what Redis holds is read as it was written: raise FORMAT and note the new digest here"
    )


async def test_the_rights_that_the_document_gives_are_enough_and_not_more(tmp_path, connect):
    rules = re.findall(r"^user (\S+) on >\S+ (.*)$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name, _ in rules] == ["mqa-projector", "mqa-serve"]
    with redis_server(tmp_path) as port:
        other = connect(port)
        for name, rights in rules:
            await other.execute_command("ACL", "SETUSER", name, "on", ">secret", *rights.split())
        writer, reader = (RedisStore(connect(port, username=name, password="secret"), "abm-") for name, _ in rules)
        stranger = RedisStore(connect(port, username="mqa-projector", password="secret"), "other-")
        await fill(writer, [an_account("acme.com"), an_account("beta.com", name="Beta")])
        await fill(writer, [an_account("beta.com", name="Bell")])
        await feed(writer, ACCOUNTS, gone=["beta.com"], mark=Mark(rule_day=None, rulebook="v1"), rulebooks={"v1": "text"})
        await happen(writer, (("acme.com", a_change(offset)) for offset in range(3)))
        await feed(writer, CONTACTS, contacts={"p1": b"row", "p2": None})
        await writer.refresh(0, await writer.accounts_of(0, "", 10))
        for store in (writer, reader):
            assert (
                await listed(store, text="acm") == await listed(store, order="changed", owner="", rungs={"stage": "watch"}) == ["acme.com"]
            )
            assert len(await store.timeline("acme.com")) == len((await store.changes({0: 0}, 10))[0]) == 3
            assert await store.account("acme.com") is not None
            assert (await store.rulebook("v1"), await store.contacts(["p1"])) == ("text", {"p1": b"row"})
            assert (await store.overview()).accounts == len(await store.marks()) == len(await store.first_changes()) == 1
            assert len(await store.places()) == 3
        for refused in (feed(reader, CHANGES), feed(stranger, CHANGES), stranger.places()):
            with pytest.raises(StoreUnavailable, match=r"(?i)NOPERM|permission|can't run|No permissions"):
                await refused
