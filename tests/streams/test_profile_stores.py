"""What every store of profiles promises, one suite for all of them; see also test_profile_stores_agree.py."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from engagement.days import iso_day, iso_instant, midnight
from engagement.errors import Refused
from streams.profiles.memory import MemoryStore
from streams.profiles.redis_store import RedisStore
from streams.profiles.store import (
    KEPT_CHANGES,
    KEPT_CHANGES_OF_PARTITION,
    KEPT_DAYS,
    MOST_MATCHES,
    MOST_OF_BATCH,
    Batch,
    Change,
    Displaced,
    LastChange,
    Mark,
    Overview,
    Page,
    ProfileStore,
    Query,
)
from tests.streams.profile_world import ACCOUNTS, CHANGES, CONTACTS, DAY, a_change, an_account, feed, fill, happen, listed, pages

HOSTILE = [
    "*",
    "a[b-z]?\\",
    "a\nb",
    "a\0b",
    "\0",
    "🎈.example",
    "x" * 256,
    " ",
    "{mqa:}",
    "0000",
    "~",
    "Ünïcode",
    '"',
    "a|b:c/d",
    "stage:mqa",
]


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[ProfileStore]:
    """An empty one."""
    if request.param == "memory":
        yield MemoryStore()
        return
    store = RedisStore(Redis.from_url(request.getfixturevalue("redis_url")), request.getfixturevalue("prefix"))
    yield store
    await store.aclose()


# Places


async def test_an_empty_store_knows_nothing(store):
    assert await store.places() == {}
    assert await store.marks() == {}
    assert await store.first_changes() == {}
    assert await store.account("acme.com") is None
    assert await store.rulebook("v1") is None
    assert await store.timeline("acme.com") == ()
    assert await store.with_timeline("acme.com", 5) == (None, ())
    assert await store.changes({0: 0}, 10) == {0: ()}
    assert await store.contacts(["p1"]) == {}
    assert await store.accounts_of(0, "", 10) == ()
    assert await store.find(Query()) == Page(accounts=(), next=None)
    assert await store.overview() == Overview(accounts=0, rungs={}, segments={}, owners={}, moves={})


async def test_a_store_that_is_cleared_knows_nothing_and_can_be_filled_again(store):
    async def told() -> list[Any]:
        return [await store.overview(), await store.find(Query()), await store.places(), await store.marks(), await store.first_changes()]

    empty = await told()
    for _ in range(2):
        await fill(store, [an_account("acme.com", owner="ann"), an_account("beta.com", applied=2)])
        await happen(store, [("acme.com", a_change(3))])
        await feed(store, CONTACTS, contacts={"p1": b"row"}, mark=Mark(rule_day=DAY, rulebook="v1"), rulebooks={"v1": "text"})
        full = await told()
        assert len(await store.timeline("acme.com")) == 1
        await store.clear()
        assert await told() == empty
        assert [await store.timeline("acme.com"), await store.contacts(["p1"]), await store.rulebook("v1")] == [(), {}, None]
    assert full[0].accounts == 2


async def test_a_batch_moves_the_place_of_its_source_and_no_other(store):
    await feed(store, ACCOUNTS, 0, stop=7)
    await feed(store, ACCOUNTS, 1, stop=3)
    await feed(store, CHANGES, 0, stop=9)
    assert await store.places() == {"accounts-changelog/0": 7, "accounts-changelog/1": 3, "tier-changes/0": 9}


async def test_a_batch_that_begins_elsewhere_is_displaced_and_nothing_of_it_is_taken(store):
    await feed(store, ACCOUNTS, stop=5)
    for start in (0, 4, 6):
        with pytest.raises(Displaced) as displaced:
            await store.take(
                [
                    Batch(
                        source="accounts-changelog/0",
                        start=start,
                        stop=8,
                        accounts=[an_account("acme.com")],
                        mark=Mark(rule_day=DAY, rulebook="v1"),
                        rulebooks={"v1": "text"},
                    )
                ]
            )
        assert (displaced.value.source, displaced.value.place) == ("accounts-changelog/0", 5)
    assert await store.places() == {"accounts-changelog/0": 5}
    assert await store.account("acme.com") is None
    assert await store.marks() == {}
    assert await store.rulebook("v1") is None


async def test_a_store_that_knows_nothing_stands_at_0_of_every_source(store):
    with pytest.raises(Displaced) as displaced:
        await store.take([Batch(source="contacts/4", start=12, stop=13)])
    assert displaced.value.place == 0


async def test_all_batches_are_taken_that_begin_where_the_store_stands_whatever_came_before(store):
    names = ["first", "second", "ahead", "third", "other"]
    spans = [("accounts-changelog/0", 0, 2), ("accounts-changelog/0", 2, 3), ("accounts-changelog/0", 9, 10)]
    spans += [("accounts-changelog/0", 3, 4), ("accounts-changelog/1", 0, 1)]
    batches = [
        Batch(source=source, start=start, stop=stop, accounts=[an_account(name)])
        for name, (source, start, stop) in zip(names, spans, strict=True)
    ]
    with pytest.raises(Displaced) as displaced:
        await store.take(batches)
    assert displaced.value.place == 3
    assert await listed(store) == ["first", "other", "second", "third"]
    assert await store.places() == {"accounts-changelog/0": 4, "accounts-changelog/1": 1}


async def test_no_batches_are_taken_in_no_time(store):
    await store.take([])
    assert await store.places() == {}


def test_a_batch_of_more_than_a_step_cannot_be_made():
    accounts = [an_account(f"a{count}.example") for count in range(MOST_OF_BATCH)]
    Batch(source="accounts-changelog/0", start=0, stop=1, accounts=accounts)
    with pytest.raises(ValueError, match=f"a batch of {MOST_OF_BATCH + 1} records"):
        Batch(source="accounts-changelog/0", start=0, stop=1, accounts=accounts, gone=["acme.com"])


# Accounts and their versions


async def test_an_account_comes_back_as_it_was_given(store):
    account = an_account(
        "acme.com",
        applied=2**53 - 1,
        partition=3,
        row=bytes(range(256)),
        name="Acme",
        owner="ann",
        rungs={"stage": "mqa", "tier": "tier_1"},
        since={"stage": iso_day(DAY)},
        pinned=("tier",),
        suppressed=True,
        score=123_456,
        rolled_up_score=200_000,
        idle=0,
        fit=81,
        fit_known=600,
        strategic=False,
        surges=("payments",),
        segments=("one", "two"),
        cluster="fintech / apac",
    )
    await feed(store, ACCOUNTS, 3, accounts=[account])
    assert await store.account("acme.com") == account
    assert (await store.find(Query())).accounts[0].profile == account.profile


@pytest.mark.parametrize(
    ("applied", "day", "is_taken"),
    [(6, DAY, True), (6, DAY - 1, True), (5, DAY + 1, True), (5, DAY, True), (5, DAY - 1, False), (4, DAY, False), (4, DAY + 1, False)],
)
async def test_what_is_older_than_what_is_kept_is_dropped(store, applied, day, is_taken):
    kept, later = an_account("acme.com", applied=5, row=b"kept"), an_account("acme.com", applied=applied, row=b"later", day=iso_day(day))
    await feed(store, ACCOUNTS, accounts=[kept])
    await feed(store, ACCOUNTS, accounts=[later, an_account("beta.com")])
    assert await store.account("acme.com") == (later if is_taken else kept)
    assert await store.account("beta.com") is not None


async def test_an_account_that_is_gone_is_in_no_list_and_no_count(store):
    await feed(store, ACCOUNTS, accounts=[an_account("acme.com", applied=5, segments=("one",), owner="ann")])
    await feed(store, ACCOUNTS, gone=["acme.com", "never.example"])
    assert await store.account("acme.com") is None
    assert await listed(store) == await listed(store, text="acme") == await listed(store, segment="one") == []
    assert await store.accounts_of(0, "", 10) == ()
    assert await store.overview() == Overview(accounts=0, rungs={}, segments={}, owners={}, moves={})
    await feed(store, ACCOUNTS, accounts=[an_account("acme.com", applied=1)])
    assert await listed(store) == ["acme.com"]


async def test_an_account_that_changed_is_found_by_what_it_is_and_not_by_what_it_was(store):
    was = an_account("acme.com", name="Acme", owner="ann", segments=("one", "two"), score=5_000)
    now = an_account("acme.com", name="Bell", owner="bob", segments=("two", "three"), score=7_000, rungs={"stage": "mqa", "role": "buyer"})
    await feed(store, ACCOUNTS, accounts=[was])
    await feed(store, ACCOUNTS, accounts=[now])
    for said in (
        {"owner": "ann"},
        {"segment": "one"},
        {"rungs": {"stage": "watch"}},
        {"rungs": {"tier": "untiered"}},
        {"most_score": 6_000},
    ):
        assert await listed(store, **said) == [], said
    for said in (
        {"owner": "bob"},
        {"segment": "two"},
        {"segment": "three"},
        {"rungs": {"stage": "mqa", "role": "buyer"}},
        {"text": "BELL"},
    ):
        assert await listed(store, **said) == ["acme.com"], said
    overview = await store.overview()
    assert overview.rungs == {"stage": {"mqa": 1}, "role": {"buyer": 1}}
    assert overview.segments == {"two": 1, "three": 1}
    assert overview.owners == {"bob": 1}


# Refreshing


async def test_a_refreshed_profile_is_that_of_the_new_day_with_the_row_it_was_made_of(store):
    await feed(store, ACCOUNTS, accounts=[an_account("acme.com", row=b"kept", score=5_000)])
    mark = Mark(rule_day=DAY + 1, rulebook="v1", refreshed=(DAY + 1, "v1"), is_complete=True)
    await store.refresh(0, [an_account("acme.com", row=b"unread", day=iso_day(DAY + 1), score=4_000)], mark)
    assert await store.account("acme.com") == an_account("acme.com", row=b"kept", day=iso_day(DAY + 1), score=4_000)
    assert await listed(store, most_score=4_000) == ["acme.com"]
    assert await store.marks() == {0: mark}
    assert await store.places() == {"accounts-changelog/0": 1}


@pytest.mark.parametrize(("applied", "day"), [(4, DAY + 1), (6, DAY + 1), (5, DAY - 1)])
async def test_what_was_made_of_another_state_or_of_an_older_day_is_no_refreshment(store, applied, day):
    kept = an_account("acme.com", applied=5)
    await feed(store, ACCOUNTS, accounts=[kept])
    await store.refresh(0, [an_account("acme.com", applied=applied, day=iso_day(day), score=9_000)])
    assert await store.account("acme.com") == kept
    assert await listed(store, least_score=1) == []


async def test_an_account_that_is_gone_is_not_refreshed_back(store):
    await store.refresh(0, [an_account("acme.com")])
    assert await store.account("acme.com") is None
    assert await listed(store) == []


async def test_a_whole_partition_can_be_refreshed_at_once(store):
    names = [f"a{count:04}.example" for count in range(2 * MOST_OF_BATCH + 1)]
    await fill(store, map(an_account, names))
    await store.refresh(0, [an_account(name, score=1_000) for name in names])
    assert await listed(store, least_score=1_000, limit=100) == names


async def test_all_accounts_of_a_partition_can_be_gone_through_in_order_of_names(store):
    here = [an_account(name) for name in HOSTILE]
    await feed(store, ACCOUNTS, accounts=here)
    await feed(store, ACCOUNTS, 1, accounts=[an_account("elsewhere.example", partition=1)])
    found, after = [], ""
    while some := await store.accounts_of(0, after, 4):
        assert len(some) <= 4
        found += some
        after = some[-1].profile.account
    assert found == sorted(here, key=lambda account: account.profile.account)
    assert [account.profile.account for account in await store.accounts_of(1, "", 4)] == ["elsewhere.example"]


async def test_marks_and_rulebooks_are_those_that_came_last(store):
    await feed(store, ACCOUNTS, 2, mark=Mark(rule_day=None, rulebook="v1"), rulebooks={"v1": "one", "v2": "two: ü"})
    await feed(store, ACCOUNTS, 2)
    await feed(store, ACCOUNTS, 3, mark=Mark(rule_day=DAY, rulebook="v2"))
    assert await store.marks() == {2: Mark(rule_day=None, rulebook="v1"), 3: Mark(rule_day=DAY, rulebook="v2")}
    await feed(store, ACCOUNTS, 2, mark=Mark(rule_day=DAY, rulebook="v2", refreshed=(DAY, "v2"), is_complete=True))
    assert (await store.marks())[2] == Mark(rule_day=DAY, rulebook="v2", refreshed=(DAY, "v2"), is_complete=True)
    assert (await store.rulebook("v1"), await store.rulebook("v2"), await store.rulebook("v3")) == ("one", "two: ü", None)


# Tier changes


async def test_an_accounts_timeline_is_its_changes_oldest_first(store):
    first, second, third = (a_change(offset, to=to) for offset, to in ((3, "engaged"), (5, "mqa"), (9, "accepted")))
    await happen(store, [("acme.com", first), ("beta.com", a_change(4)), ("acme.com", second)])
    await happen(store, [("acme.com", third)])
    assert await store.timeline("acme.com") == (first, second, third)
    assert await store.with_timeline("acme.com", 2) == (None, (second, third))


async def test_of_a_timeline_the_newest_changes_are_kept(store):
    changes = [a_change(offset) for offset in range(KEPT_CHANGES + 5)]
    await happen(store, [("acme.com", change) for change in changes])
    assert await store.timeline("acme.com") == tuple(changes[5:])
    assert (await store.changes({0: 0}, 1_000))[0] == tuple(changes)  # one account's bound is none of the partition's


async def test_a_partitions_changes_are_listed_from_an_offset_on(store):
    mine, others = [a_change(offset, mode="baseline") for offset in (2, 3, 7)], [a_change(offset) for offset in (1, 4)]
    await happen(store, zip(("acme.com", "beta.com", "acme.com"), mine, strict=True))
    await happen(store, zip(("zeta.com", "zeta.com"), others, strict=True), partition=1)
    assert await store.changes({0: 0, 1: 0}, 10) == {0: tuple(mine), 1: tuple(others)}
    assert await store.changes({0: 3, 1: 2}, 1) == {0: (mine[1],), 1: (others[1],)}
    assert await store.changes({0: 8, 5: 0}, 10) == {0: (), 5: ()}


async def test_of_a_partition_the_newest_changes_are_kept_and_it_is_said_from_where_on_none_is_missing(store):
    body = a_change(0).body
    more = 30
    changes = [Change(offset=3 * count, mode="live", body=body) for count in range(KEPT_CHANGES_OF_PARTITION + more)]
    await happen(store, ((f"a{change.offset}", change) for change in changes[:-more]))
    assert await store.first_changes() == {0: 0}
    await happen(store, ((f"a{change.offset}", change) for change in changes[-more:]))
    assert await store.first_changes() == {0: changes[more - 1].offset + 1}
    assert (await store.changes({0: 0}, 1))[0] == (changes[more],)
    assert await store.timeline("a0") == (changes[0],)  # the partition's bound is none of an account's


async def test_changes_that_the_topic_no_longer_had_are_missing_too(store):
    await feed(store, CHANGES, 0, stop=500, first=480, changes=[("acme.com", a_change(490))])
    await feed(store, CHANGES, 0)
    await feed(store, CHANGES, 1, stop=3)
    assert await store.first_changes() == {0: 480, 1: 0}


async def test_lists_show_the_newest_change_whichever_came_first_the_account_or_its_changes(store):
    await happen(store, [("early.example", a_change(1)), ("early.example", a_change(2, day=DAY + 1, to="mqa"))])
    await fill(store, map(an_account, ("early.example", "late.example", "never.example")))
    await happen(store, [("late.example", a_change(3, to="mqa"))])
    shown = {each.profile.account: each.last_change for each in (await store.find(Query())).accounts}
    late = LastChange(
        effective_at=iso_instant(midnight(DAY)), ladder="stage", from_="watch", to="mqa", direction="promotion", reason="signal"
    )
    early = msgspec.structs.replace(late, effective_at=iso_instant(midnight(DAY + 1)))
    assert shown == {"early.example": early, "late.example": late, "never.example": None}


async def test_changes_outlive_an_account_that_is_gone_for_a_store_filled_anew_would_have_them_too(store):
    await fill(store, [an_account("acme.com")])
    await happen(store, [("acme.com", a_change(1))])
    await feed(store, ACCOUNTS, gone=["acme.com"])
    assert await store.timeline("acme.com") == (a_change(1),)
    await fill(store, [an_account("acme.com")])
    assert (await store.find(Query())).accounts[0].last_change is not None


# Contacts


async def test_contacts_are_those_on_a_list_until_they_are_forgotten(store):
    await feed(store, CONTACTS, contacts={"p1": b"\xffann", "p2": b"bob", "p3": None})
    assert await store.contacts(["p1", "p2", "p3", "p4"]) == {"p1": b"\xffann", "p2": b"bob"}
    await feed(store, CONTACTS, contacts={"p1": None, "p2": b"robert"})
    assert await store.contacts(["p1", "p2"]) == {"p2": b"robert"}
    assert await store.contacts([]) == {}


# Lists


async def test_the_highest_score_comes_first_and_equal_ones_in_order_of_names(store):
    scores = {"b": 0, "a": 0, "huge": 2**53 - 1, "one": 1_000, "ten": 10_000, "nine": 9_999, "ä": 1_000, "🎈": 1_000, "\uffff": 1_000}
    await fill(store, (an_account(name, score=score) for name, score in scores.items()))
    assert await listed(store) == ["huge", "ten", "nine", "one", "ä", "\uffff", "🎈", "a", "b"]


async def test_the_newest_change_comes_first_and_those_without_one_last(store):
    await fill(store, map(an_account, ("d", "c", "b", "a")))
    await happen(store, [("b", a_change(1)), ("c", a_change(2, day=DAY - 1)), ("c", a_change(3, day=DAY + 1))])
    assert await listed(store, order="changed") == ["c", "b", "a", "d"]
    await happen(store, [("d", a_change(4, day=DAY + 1))])
    assert await listed(store, order="changed", limit=1) == ["c", "d", "b", "a"]
    assert await listed(store, order="changed", changed_since=iso_instant(midnight(DAY + 1))) == ["c", "d"]
    assert await listed(store, order="changed", changed_since=iso_instant(midnight(DAY + 1) + 1)) == []


@pytest.mark.parametrize("order", ["score", "changed"])
async def test_all_conditions_hold_together(store, order):
    mqa, tier_2 = {"stage": "mqa", "tier": "tier_2"}, {"stage": "mqa", "tier": "untiered"}
    accounts = [
        an_account("a", rungs=mqa, segments=("one", "two"), owner="ann", score=100_000),
        an_account("b", rungs=mqa, segments=("one",), owner="bob", score=90_000),
        an_account("c", rungs=tier_2, segments=("two",), owner="ann", score=80_000),
        an_account("d", rungs=mqa, segments=("two",), score=70_000),
        an_account("e", segments=("two",), owner="", score=60_000),
    ]
    await fill(store, accounts)
    await happen(store, [(name, a_change(offset, day=DAY - offset)) for offset, name in enumerate("abcd")])
    since = iso_instant(midnight(DAY - 2))
    for said, expected in (
        ({}, "abcde"),
        ({"rungs": {"stage": "mqa"}}, "abcd"),
        ({"rungs": mqa}, "abd"),
        ({"segment": "two"}, "acde"),
        ({"segment": "two", "rungs": mqa}, "ad"),
        ({"owner": "ann"}, "ac"),
        ({"owner": ""}, "de"),
        ({"owner": "ann", "segment": "one", "rungs": {"stage": "mqa"}}, "a"),
        ({"least_score": 80_000}, "abc"),
        ({"most_score": 80_000}, "cde"),
        ({"least_score": 70_001, "most_score": 90_000}, "bc"),
        ({"least_score": 90_000, "most_score": 80_000}, ""),
        ({"changed_since": since}, "abc"),
        ({"changed_since": since, "segment": "two", "most_score": 90_000}, "c"),
        ({"segment": "two", "owner": "ann", "rungs": {"stage": "mqa"}, "least_score": 90_000, "text": "A"}, "a"),
        ({"segment": "three"}, ""),
        ({"rungs": {"stage": "tier_2"}}, ""),
        ({"owner": "nobody"}, ""),
    ):
        assert "".join(await listed(store, order=order, **said)) == expected, said


async def test_a_text_is_part_of_domain_name_or_crm_id_whatever_the_case(store):
    await fill(
        store,
        [
            an_account("acme.com", name="Grüße & Söhne", crm_id="001-ABC"),
            an_account("beta.com", name="ACME Holding"),
            an_account("*.example", name="50% [off]"),
            an_account("GROSS.example"),
        ],
    )
    for text, expected in (
        ("acme", ["acme.com", "beta.com"]),
        ("CME.C", ["acme.com"]),
        ("grüsse", ["acme.com"]),
        ("1-a", ["acme.com"]),
        ("*", ["*.example"]),
        ("[off", ["*.example"]),
        ("?", []),
        ("comgr", []),
        ("com\nGr", []),
        ("gross", ["GROSS.example"]),
        ("", ["*.example", "GROSS.example", "acme.com", "beta.com"]),
    ):
        assert await listed(store, text=text) == expected, text


async def test_hostile_names_are_names_like_others(store):
    await fill(store, (an_account(name, name=name, owner=name, segments=(name,), score=1_000) for name in HOSTILE))
    await happen(store, [(name, a_change(offset)) for offset, name in enumerate(HOSTILE)])
    assert await listed(store, limit=2) == await listed(store, order="changed", limit=4) == sorted(HOSTILE)
    overview = await store.overview()
    assert overview.owners == overview.segments == dict.fromkeys(HOSTILE, 1)
    for name in HOSTILE:
        account = await store.account(name)
        assert account is not None
        assert account.profile.account == name
        assert await listed(store, owner=name) == await listed(store, segment=name) == [name]
        assert name in await listed(store, text=name)
        assert len(await store.timeline(name)) == 1
        assert await store.with_timeline(name, 200) == (account, await store.timeline(name))


async def test_a_text_that_matches_too_many_must_be_said_more_closely(store):
    await fill(store, (an_account(f"a{count:05}.example") for count in range(MOST_MATCHES)))
    await fill(store, [an_account("other.test")])
    assert len(await listed(store, text=".EXAMPLE", limit=200)) == MOST_MATCHES
    await fill(store, [an_account("other.example")])
    with pytest.raises(Refused, match=r"text = '\.EXAMPLE' is part of more than 1,000 accounts; say more of it"):
        await store.find(Query(text=".EXAMPLE", owner="ann"))


# Turning pages


@pytest.mark.parametrize("order", ["score", "changed"])
async def test_pages_of_any_length_make_the_whole_list_however_many_are_equal(store, order):
    names = [f"a{count:03}" for count in range(30)]
    await fill(store, (an_account(name, score=1_000 * (count // 10)) for count, name in enumerate(names)))
    await happen(store, [(name, a_change(count, day=DAY + count // 7)) for count, name in enumerate(names[:20])])
    whole = await listed(store, order=order, limit=1_000)
    assert sorted(whole) == names
    for limit in (1, 2, 7, 10, 30):
        assert await listed(store, order=order, limit=limit) == whole, limit


async def test_an_account_that_stays_as_it_is_comes_exactly_once_while_others_move(store):
    movers = [f"mover-{count:02}" for count in range(20)]
    stayers = [f"stayer-{count:02}" for count in range(20)]
    await fill(store, (an_account(name, score=10_000) for name in movers + stayers))
    query, seen, moved = Query(limit=3), [], 0
    async for page in pages(store, query):
        seen += [each.profile.account for each in page.accounts]
        moved += 1
        for name in movers[moved % 2 :: 2]:
            await fill(store, [an_account(name, applied=1 + moved, score=moved * 7_000 % 20_000)])
        await feed(store, ACCOUNTS, gone=[movers[moved % len(movers)]])
    assert [name for name in seen if name in stayers] == stayers


async def test_a_page_goes_on_behind_an_account_that_is_gone(store):
    await fill(store, map(an_account, "abcd"))
    page = await store.find(Query(limit=2))
    await feed(store, ACCOUNTS, gone=["b"])
    assert [each.profile.account for each in (await store.find(Query(limit=2, after=page.next))).accounts] == ["c", "d"]


@pytest.mark.parametrize("after", ["", "c", "nonsense", "🎈", "====", "czAwMDA", "c1//////////////////////////", "x" * 5_000])
async def test_a_cursor_that_is_none_is_refused(store, after):
    with pytest.raises(Refused, match=r"^after = .* is no place in a list by score; take next of the page before, or leave it out$"):
        await store.find(Query(after=after))


async def test_a_cursor_of_another_order_is_refused(store):
    await fill(store, map(an_account, "abcd"))
    page = await store.find(Query(limit=2))
    with pytest.raises(Refused, match="is no place in a list by changed"):
        await store.find(Query(order="changed", after=page.next))


# In numbers


async def test_the_overview_counts_accounts_by_what_they_are(store):
    mqa = {"stage": "mqa", "tier": "untiered"}
    await fill(
        store, [an_account("a", segments=("one", "two"), owner="ann"), an_account("b", rungs=mqa, segments=("one",)), an_account("c")]
    )
    await fill(store, [an_account("d", owner="ann", partition=1)], partition=1)
    overview = await store.overview()
    assert overview.accounts == 4
    assert overview.rungs == {"stage": {"watch": 3, "mqa": 1}, "tier": {"untiered": 4}}
    assert overview.segments == {"one": 2, "two": 1}
    assert overview.owners == {"ann": 2, "": 2}


async def test_the_overview_counts_moves_by_day_whether_or_not_the_account_is_known(store):
    await happen(store, [("a", a_change(1)), ("b", a_change(2)), ("a", a_change(3, to="mqa")), ("a", a_change(4, day=DAY + 1))])
    await happen(store, [("c", a_change(0))], partition=1)
    assert (await store.overview()).moves == {
        iso_day(DAY): {"stage|watch|engaged": 3, "stage|watch|mqa": 1},
        iso_day(DAY + 1): {"stage|watch|engaged": 1},
    }


async def test_a_change_that_is_offered_twice_counts_once(store):
    batch = Batch(source="tier-changes/0", start=0, stop=2, changes=[("a", a_change(1))])
    await store.take([batch])
    with pytest.raises(Displaced):
        await store.take([batch])
    assert (await store.overview()).moves == {iso_day(DAY): {"stage|watch|engaged": 1}}
    assert len(await store.timeline("a")) == 1


async def test_moves_are_kept_of_the_newest_days(store):
    await happen(store, ((f"a{count}", a_change(count, day=DAY + count)) for count in range(KEPT_DAYS + 3)))
    await happen(store, [("late", a_change(KEPT_DAYS + 3))])  # its day is no longer kept
    moves = (await store.overview()).moves
    assert sorted(moves) == [iso_day(DAY + 3 + count) for count in range(KEPT_DAYS)]
