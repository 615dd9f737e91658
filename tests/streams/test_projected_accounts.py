"""A partition of accounts as the projector reads it: as of which day its profiles are, and what the store is told of that."""

from collections.abc import Sequence

import msgspec
import pytest
from aiokafka.structs import TopicPartition

from engagement.account import AccountState, Row, encode
from engagement.days import iso_day
from engagement.judging import Judge
from engagement.machine import POSITION_KEY, PlainRecord, Record
from engagement.qualify import QualifyPosition
from streams.profiles.memory import MemoryStore
from streams.profiles.sources import Accounts
from streams.profiles.store import MOST_OF_BATCH, Mark
from tests.streams.histories import FIRST_DAY, JUDGE, RULEBOOK

PLACE = TopicPartition("test-accounts-changelog", 0)
BORN = 1_700_000_000_000
LATER = Judge(RULEBOOK, "later")


def rows(*names: str, start: int = 0) -> list[PlainRecord]:
    state = AccountState()
    return [
        PlainRecord(PLACE.topic, 0, offset, 0, name.encode(), encode(Row(state=state, applied=offset, due=0)))
        for offset, name in enumerate(names, start)
    ]


def position(offset: int, day: int | None, rulebook: str = JUDGE.version) -> PlainRecord:
    said = QualifyPosition(next={"account-log": offset}, rule_day=day, rulebook=rulebook)
    return PlainRecord(PLACE.topic, 0, offset, 0, POSITION_KEY, msgspec.json.encode(said))


class Reading:
    """A source, and the store that takes what it makes."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = MemoryStore() if store is None else store
        self.asked: list[str] = []  # rulebooks

    async def open(self, end: int, newest: PlainRecord | None) -> None:
        place = (await self.store.places()).get("accounts-changelog/0", 0)
        said = None if newest is None else msgspec.json.decode(newest.value or b"", type=QualifyPosition)
        kept = (await self.store.marks()).get(0)
        self.source = Accounts(
            PLACE, place=place, first=0, end=end, partitions=6, kept=kept, position=said, born=BORN, find_rulebook=self.find_rulebook
        )
        await self.store.take(await self.source.open())

    async def find_rulebook(self, version: str) -> tuple[Judge, str]:
        self.asked.append(version)
        return {JUDGE.version: JUDGE, "later": LATER}[version], f"text of {version}"

    async def read(self, records: Sequence[Record], stop: int | None = None) -> bool:
        """False where the source wants to see them again."""
        stop = records[-1].offset + 1 if stop is None else stop
        batches = await self.source.batches(records, stop)
        await self.store.take(batches)
        if batches:
            self.source.taken(stop)
        return bool(batches)

    async def refresh(self, limit: int = 2) -> int:
        """One slice; gives how many profiles were made."""
        accounts, mark = await self.source.renewed(await self.store.accounts_of(0, self.source.cursor, limit))
        await self.store.refresh(0, accounts, mark)
        return len(accounts)

    async def mark(self) -> Mark:
        return (await self.store.marks())[0]

    async def days(self) -> dict[str, tuple[str, str]]:
        """Account -> day and rulebook of its profile."""
        found = await self.store.accounts_of(0, "", 1_000)
        return {account.profile.account: (account.profile.day, account.profile.rulebook) for account in found}


@pytest.fixture
async def three() -> Reading:
    """Three accounts of the first day."""
    reading = Reading()
    await reading.open(4, position(3, FIRST_DAY))
    await reading.read([*rows("a", "b", "c"), position(3, FIRST_DAY)])
    return reading


async def test_the_store_is_told_the_day_and_the_rules_before_the_first_account_and_that_all_is_read_with_the_last() -> None:
    reading = Reading()
    await reading.open(4, position(3, FIRST_DAY))
    as_of = (FIRST_DAY, JUDGE.version)
    begun = Mark(rule_day=FIRST_DAY, rulebook=JUDGE.version, refreshed=as_of, born=BORN, is_complete=False, partitions=6)
    assert await reading.mark() == begun
    assert await reading.store.rulebook(JUDGE.version) == f"text of {JUDGE.version}"
    await reading.read(rows("a", "b"))
    assert await reading.mark() == begun
    await reading.read([*rows("c", start=2), position(3, FIRST_DAY)])
    assert await reading.mark() == msgspec.structs.replace(begun, is_complete=True)


async def test_what_is_read_from_far_behind_is_profiled_once_as_of_the_day_at_the_end() -> None:
    reading = Reading()
    await reading.open(50, position(49, FIRST_DAY + 30))
    await reading.read([*rows("a"), position(1, FIRST_DAY + 2), *rows("b", start=2)])
    assert await reading.days() == dict.fromkeys("ab", (iso_day(FIRST_DAY + 30), JUDGE.version))
    assert not reading.source.is_stale


async def test_where_only_markers_are_left_the_store_is_told_that_all_is_read() -> None:
    reading = Reading()
    await reading.open(6, position(3, FIRST_DAY))
    await reading.read([*rows("a", "b", "c"), position(3, FIRST_DAY)])
    assert not (await reading.mark()).is_complete
    await reading.read([], 6)
    assert (await reading.mark()).is_complete
    assert await reading.store.places() == {"accounts-changelog/0": 6}


async def test_rows_that_nobody_knows_the_rules_of_yet_are_read_again() -> None:
    reading = Reading()
    await reading.open(1, None)
    assert not await reading.read(rows("a"))
    assert await reading.store.places() == {}
    assert await reading.read([*rows("a"), position(1, FIRST_DAY)])
    assert await reading.days() == {"a": (iso_day(FIRST_DAY), JUDGE.version)}


async def test_an_environment_in_which_nothing_was_folded_yet_has_no_mark() -> None:
    reading = Reading()
    await reading.open(1, None)
    assert await reading.read([], 1)
    assert await reading.store.marks() == {}


async def test_before_the_first_day_nothing_has_faded() -> None:
    reading = Reading()
    await reading.open(2, position(1, None))
    await reading.read([*rows("a"), position(1, None)])
    assert (await reading.mark()).rule_day is None
    assert await reading.days() == {"a": ("1970-01-01", JUDGE.version)}


async def test_on_a_new_day_every_profile_is_made_anew_in_slices_and_then_the_store_is_told(three: Reading) -> None:
    await three.read([*rows("b", start=4), position(5, FIRST_DAY + 1)])
    assert await three.refresh() == 1  # b is as of that day already
    assert three.source.is_stale
    assert (await three.mark()).refreshed == (FIRST_DAY, JUDGE.version)
    assert [await three.refresh(), await three.refresh()] == [1, 0]
    assert not three.source.is_stale
    assert (await three.mark()).refreshed == (FIRST_DAY + 1, JUDGE.version)
    assert set((await three.days()).values()) == {(iso_day(FIRST_DAY + 1), JUDGE.version)}


async def test_the_next_day_begins_from_the_first_account_again(three: Reading) -> None:
    await three.read([position(4, FIRST_DAY + 1)])
    assert await three.refresh() == 2
    await three.read([position(5, FIRST_DAY + 2)])
    assert [await three.refresh(), await three.refresh(), await three.refresh()] == [2, 1, 0]
    assert set((await three.days()).values()) == {(iso_day(FIRST_DAY + 2), JUDGE.version)}


async def test_a_refresh_that_another_projector_began_is_finished_without_making_twice(three: Reading) -> None:
    await three.read([position(4, FIRST_DAY + 1)])
    await three.refresh()
    other = Reading(three.store)
    await other.open(5, position(4, FIRST_DAY + 1))
    assert other.source.is_stale
    assert [await other.refresh(), await other.refresh(), await other.refresh()] == [0, 1, 0]
    assert (await other.mark()).refreshed == (FIRST_DAY + 1, JUDGE.version)


async def test_another_rulebook_makes_every_profile_anew_and_its_text_is_kept(three: Reading) -> None:
    await three.read([position(4, FIRST_DAY, "later")])
    assert [await three.refresh(), await three.refresh(), await three.refresh()] == [2, 1, 0]
    assert set((await three.days()).values()) == {(iso_day(FIRST_DAY), "later")}
    assert await three.store.rulebook("later") == "text of later"
    assert three.asked == [JUDGE.version, "later"]


async def test_a_position_that_stands_behind_a_newer_one_takes_no_day_back(three: Reading) -> None:
    await three.read([position(9, FIRST_DAY + 1)])
    stale = position(8, FIRST_DAY)
    await three.read([stale._replace(offset=10)])
    assert (await three.mark()).rule_day == FIRST_DAY + 1


async def test_one_that_comes_late_says_that_not_all_is_read_until_it_is(three: Reading) -> None:
    later = Reading(three.store)
    await later.open(6, position(5, FIRST_DAY))
    assert not (await later.mark()).is_complete
    await later.read([*rows("d", start=4), position(5, FIRST_DAY)])
    assert (await later.mark()).is_complete


async def test_one_that_comes_when_all_is_read_says_so_again_and_writes_no_account(three: Reading) -> None:
    mark, later = await three.mark(), Reading(three.store)
    await later.open(4, position(3, FIRST_DAY))
    opening = await later.source.open()
    assert [(batch.mark, batch.rulebooks) for batch in opening] == [(mark, {JUDGE.version: f"text of {JUDGE.version}"})]
    assert not any(batch.accounts for batch in opening)


async def test_of_a_store_that_was_flushed_between_the_opening_and_the_first_account_the_rulebook_is_not_lost() -> None:
    reading = Reading()
    await reading.open(4, position(3, FIRST_DAY))
    await reading.store.clear()
    await reading.read(rows("a", "b"))
    assert await reading.store.marks() == {}
    await reading.read([*rows("c", start=2), position(3, FIRST_DAY)])
    assert (await reading.mark()).is_complete
    assert await reading.store.rulebook(JUDGE.version) == f"text of {JUDGE.version}"


async def test_many_accounts_are_cut_into_batches_and_the_mark_comes_with_the_last() -> None:
    names = [f"account-{number:04}" for number in range(MOST_OF_BATCH * 2 + 1)]
    reading = Reading()
    await reading.open(len(names) + 1, position(len(names), FIRST_DAY))
    batches = await reading.source.batches([*rows(*names), position(len(names), FIRST_DAY)], len(names) + 1)
    assert [len(batch.accounts) for batch in batches] == [MOST_OF_BATCH, MOST_OF_BATCH, 1]
    assert [batch.mark is not None for batch in batches] == [False, False, True]
    assert [batch.start for batch in batches] == [0, MOST_OF_BATCH, 2 * MOST_OF_BATCH]
