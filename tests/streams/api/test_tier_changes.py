"""Tier changes since a position."""

from collections import defaultdict
from typing import Any

import pytest

from streams.profiles.memory import MemoryStore
from streams.serve.changes import read_cursor, write_cursor
from streams.serve.problems import Refusal
from tests.streams.api.conftest import Client
from tests.streams.histories import PARTITIONS
from tests.streams.served import READER, filled_store

PATH = "/api/v1/tier-changes"


async def _follow(client: Client, query: str, after: str | None = None) -> tuple[list[dict[str, Any]], str]:
    """Everything from a position on, until an answer is empty and the position stays."""
    found: list[dict[str, Any]] = []
    async with client(READER) as api:
        while True:
            answer = (await api.get(f"{PATH}?{query}" + ("" if after is None else f"&after={after}"))).json()
            found += answer["changes"]
            if answer["next"] == after:
                return found, answer["next"]
            after = answer["next"]


async def test_who_follows_the_cursor_gets_every_change_once_and_each_accounts_in_order(client: Client, store: MemoryStore) -> None:
    found, _ = await _follow(client, "limit=7")
    kept = await store.changes(dict.fromkeys(range(PARTITIONS), 0), 20_000)
    assert len({change["id"] for change in found}) == len(found) == sum(map(len, kept.values()))
    sequences = defaultdict(list)
    for change in found:
        sequences[change["account"]].append(change["sequence"])
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in sequences.values())


async def test_a_filter_leaves_out_and_never_loses_its_place(client: Client) -> None:
    everything, _ = await _follow(client, "limit=500")
    for query, takes in {
        "ladder=tier&direction=promotion": lambda change: change["ladder"] == "tier" and change["direction"] == "promotion",
        "to=mqa&qualified=true": lambda change: change["to"] == "mqa" and change["qualified"],
        "account=WWW.harbourpay.example": lambda change: change["account"] == "harbourpay.example",
    }.items():
        found, _ = await _follow(client, f"limit=3&{query}")
        assert {change["id"] for change in found} == {change["id"] for change in everything if takes(change)} != set()


async def test_a_cursor_means_the_same_after_the_store_was_filled_anew(client: Client) -> None:
    everything, _ = await _follow(client, "limit=500")
    async with client(READER) as api:
        first = (await api.get(f"{PATH}?limit=11")).json()
    again = await filled_store(accounts=40, days=45)
    async with client(READER, store=again) as api:
        rest = (await api.get(f"{PATH}?limit=500&after={first['next']}")).json()["changes"]
    assert {change["id"] for change in first["changes"]} | {change["id"] for change in rest} == {change["id"] for change in everything}
    assert len(first["changes"]) + len(rest) == len(everything)


async def test_the_last_ones_end_where_following_begins(client: Client) -> None:
    everything, end = await _follow(client, "limit=500")
    async with client(READER) as api:
        last = (await api.get(f"{PATH}?last=5")).json()
        qualified = (await api.get(f"{PATH}?last=2&qualified=true")).json()["changes"]
    assert [change["effective_at"] for change in last["changes"]] == sorted(change["effective_at"] for change in everything)[-5:]
    assert last["next"] == end
    assert [change["qualified"] for change in qualified] == [True, True]


async def test_a_position_before_what_is_kept_is_gone_and_says_what_to_do(client: Client, store: MemoryStore) -> None:
    class Trimmed(MemoryStore):
        async def first_changes(self) -> dict[int, int]:
            return dict.fromkeys(range(PARTITIONS), 3)

        places, changes, marks = store.places, store.changes, store.marks

    async with client(READER, store=Trimmed()) as api:
        gone = await api.get(f"{PATH}?after={write_cursor(dict.fromkeys(range(PARTITIONS), 2))}")
        there = await api.get(f"{PATH}?after={write_cursor(dict.fromkeys(range(PARTITIONS), 3))}")
    assert gone.status_code == 410
    assert "begin anew without it, and read the topic tier-changes" in gone.json()["detail"]
    assert there.status_code == 200


@pytest.mark.parametrize("text", ["x", "!!", "k5Q", "gQAB/w", "gf8A", "gQD_", "AAAA" * 10, "ü"])
def test_what_is_no_cursor_is_refused_by_name(text: str) -> None:
    with pytest.raises(Refusal) as refusal:
        read_cursor(text)
    assert refusal.value.status == 400
    assert refusal.value.detail.startswith("after = ")


async def test_where_to_begin_is_said_once(client: Client) -> None:
    async with client(READER) as api:
        answer = await api.get(f"{PATH}?last=3&after={write_cursor({0: 1})}")
    assert answer.status_code == 400


async def test_a_cursor_of_more_partitions_than_there_are_does_no_harm(client: Client) -> None:
    async with client(READER) as api:
        answer = await api.get(f"{PATH}?limit=500&after={write_cursor(dict.fromkeys(range(100), 0))}")
    assert (answer.status_code, len(answer.json()["changes"]) > 0) == (200, True)
