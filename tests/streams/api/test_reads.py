"""What the API says of accounts."""

import asyncio

import msgspec
import pytest

from engagement.account import decode
from engagement.changes import TierChange
from engagement.days import parse_day
from engagement.explain.account import explain
from streams.profiles.memory import MemoryStore
from streams.profiles.store import Batch, Mark, Query
from streams.serve.serving import MOMENT_SECONDS
from tests.streams.api.conftest import Client
from tests.streams.histories import JUDGE, RULEBOOK
from tests.streams.served import PEOPLE, READER, filled_store


async def test_one_account_is_explained_as_mqa_explain_explains_it(client: Client, store: MemoryStore) -> None:
    async with client(READER) as api:
        for listed in (await store.find(Query(limit=12))).accounts:
            name = listed.profile.account
            kept = await store.account(name)
            assert kept is not None
            changes = [msgspec.json.decode(change.body, type=TierChange) for change in await store.timeline(name)]
            expected = explain(name, decode(kept.row).state, parse_day(kept.profile.day), JUDGE, changes)
            said = (await api.get(f"/api/v1/accounts/{name}")).json()
            assert said == msgspec.json.decode(msgspec.json.encode(expected)) | {"contacts": None}


async def test_pages_of_a_list_hold_every_account_once_in_the_order_of_scores(client: Client, store: MemoryStore) -> None:
    async with client(READER) as api:
        names, scores, after = [], [], ""
        while True:
            page = (await api.get(f"/api/v1/accounts?limit=7{after}")).json()
            names += [each["profile"]["account"] for each in page["accounts"]]
            scores += [each["profile"]["score"] for each in page["accounts"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
    assert len(names) == len(set(names)) == (await store.overview()).accounts
    assert scores == sorted(scores, reverse=True)


async def test_conditions_hold_all_together(client: Client) -> None:
    async with client(READER) as api:
        everybody = (await api.get("/api/v1/accounts?limit=500")).json()["accounts"]
        some = next(each["profile"] for each in everybody if each["profile"]["owner"] and each["profile"]["rungs"]["stage"] == "engaged")
        low, high = some["score"] - 20_000, some["score"] + 20_000
        asked = {"stage": "engaged", "owner": some["owner"], "min_score": max(0, low), "max_score": high, "text": some["name"][1:4].upper()}
        found = (await api.get("/api/v1/accounts", params=asked)).json()["accounts"]
    assert [each["profile"]["account"] for each in found] == [
        each["profile"]["account"]
        for each in everybody
        if (profile := each["profile"])["rungs"]["stage"] == "engaged"
        and profile["owner"] == some["owner"]
        and low <= profile["score"] <= high
        and asked["text"].lower() in " ".join(filter(None, (profile["account"], profile["name"], profile["crm_id"]))).lower()
    ]
    assert some["account"] in [each["profile"]["account"] for each in found]


async def test_an_account_is_found_in_any_spelling_of_its_domain(client: Client) -> None:
    async with client(READER) as api:
        assert (await api.get("/api/v1/accounts/WWW.MeridianFlow.Example.")).json()["account"] == "meridianflow.example"


async def test_an_unknown_account_is_answered_with_names_that_are_near(client: Client) -> None:
    async with client(READER) as api:
        answer = await api.get("/api/v1/accounts/meridianflaw.example")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "did you mean meridianflow.example?" in answer.json()["detail"]


async def test_a_rung_that_is_none_is_refused_with_those_that_are(client: Client) -> None:
    async with client(READER) as api:
        answer = await api.get("/api/v1/accounts?stage=mqaa")
    assert answer.status_code == 400
    assert answer.json()["detail"] == (
        f"stage = 'mqaa': is no rung of rulebook {RULEBOOK.version}; use one of watch, engaged, mqa, accepted, opportunity, customer"
    )


async def test_the_trend_ends_with_todays_score(client: Client) -> None:
    async with client(READER) as api:
        for listed in (await api.get("/api/v1/accounts?limit=5")).json()["accounts"]:
            trend = (await api.get(f"/api/v1/accounts/{listed['profile']['account']}/trend?days=30")).json()
            assert len(trend["days"]) == 30
            assert trend["days"][-1]["score"] == listed["profile"]["score"]


async def test_the_timeline_tells_the_newest_tier_change_first(client: Client) -> None:
    async with client(READER) as api:
        changes = (await api.get("/api/v1/accounts/harbourpay.example/timeline")).json()["changes"]
        newest = (await api.get("/api/v1/accounts/harbourpay.example/timeline?limit=1")).json()["changes"]
    sequences = [change["sequence"] for change in changes]
    assert sequences == list(range(len(changes), 0, -1)) != []
    assert newest == changes[:1]


async def test_the_overview_counts_every_account_on_every_ladder_from_the_bottom_up(client: Client, store: MemoryStore) -> None:
    async with client(READER) as api:
        overview = (await api.get("/api/v1/overview")).json()
    everybody = (await store.find(Query(limit=500))).accounts
    assert overview["accounts"] == len(everybody)
    assert [(ladder["ladder"], [rung["rung"] for rung in ladder["rungs"]]) for ladder in overview["ladders"]] == [
        (ladder.name, list(ladder.names)) for ladder in RULEBOOK.ladders
    ]
    for ladder in overview["ladders"]:
        for rung in ladder["rungs"]:
            assert rung["accounts"] == sum(each.profile.rungs[ladder["ladder"]] == rung["rung"] for each in everybody)
    assert overview["is_complete"]
    assert sum(move["changes"] for move in overview["moves"]["30"]) > sum(move["changes"] for move in overview["moves"]["7"]) > 0


async def test_who_people_are_is_told_to_those_alone_who_may_know(store: MemoryStore, client: Client) -> None:
    async with client(READER) as api:
        people = (await api.get("/api/v1/accounts/meridianflow.example")).json()["people"]["known"]
    ann = people[0]["person"]
    own = MemoryStore()
    kept = await store.account("meridianflow.example")
    assert kept is not None
    rulebooks = {RULEBOOK.version: RULEBOOK.canonical()}
    mark = Mark(rule_day=parse_day(kept.profile.day), rulebook=RULEBOOK.version, is_complete=True)
    row = b'{"email":"ann@meridianflow.example","account":"meridianflow.example","name":"Ann <script>"}'
    source = f"accounts-changelog/{kept.partition}"
    await own.take(
        [
            Batch(source=source, start=0, stop=1, accounts=[kept], mark=mark, rulebooks=rulebooks),
            Batch(source="contacts/0", start=0, stop=1, contacts={ann: row}),
        ]
    )
    async with client(READER, store=own) as reader, client(PEOPLE, store=own) as knowing:
        unnamed, named = [await each.get("/api/v1/accounts/meridianflow.example") for each in (reader, knowing)]
    assert unnamed.json()["contacts"] is None
    assert "ann@" not in unnamed.text
    assert named.json()["contacts"] == {ann: {"email": "ann@meridianflow.example", "name": "Ann <script>", "role": None}}
    assert named.headers["cache-control"] == "no-store"


async def test_what_has_not_changed_is_not_sent_again(client: Client) -> None:
    async with client(READER) as api:
        first = await api.get("/api/v1/accounts/meridianflow.example")
        again = await api.get("/api/v1/accounts/meridianflow.example", headers={"if-none-match": first.headers["etag"]})
        another = await api.get("/api/v1/accounts/harbourpay.example", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert another.status_code == 200


async def test_dead_letters_name_nobody_to_those_who_may_not_know(client: Client) -> None:
    async with client(READER) as reader, client(PEOPLE) as knowing:
        unnamed, named = [(await each.get("/api/v1/dead-letters?reason=invalid&limit=2")).json() for each in (reader, knowing)]
    assert [letter["reason"] for letter in unnamed["letters"]] == ["invalid", "invalid"]
    assert {letter["detail"] for letter in unnamed["letters"]} == {None}
    assert "localhost" in named["letters"][0]["detail"]
    assert unnamed["reasons"] == {"invalid": 3, "malformed_json": 3, "late": 3, "unknown_kind": 3}


async def test_a_store_that_knows_nothing_yet_gives_no_empty_lists(client: Client) -> None:
    async with client(READER, store=MemoryStore()) as api:
        for path in ("accounts?stage=mqa", "accounts/acme.com", "accounts/acme.com/timeline", "tier-changes", "tier-changes?last=20"):
            answer = await api.get(f"/api/v1/{path}")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert "the store of profiles knows nothing yet" in answer.json()["detail"]
        overview = (await api.get("/api/v1/overview")).json()
    assert (overview["day"], overview["is_complete"], overview["accounts"]) == (None, False, 0)


async def test_while_profiles_are_rebuilt_lists_say_so_and_who_is_missing_is_not_called_unknown(client: Client) -> None:
    store = await filled_store(accounts=5, days=10)
    marks = await store.marks()
    async with client(READER, store=store) as api:
        assert (await api.get("/api/v1/accounts")).json()["is_complete"] is True
        assert (await api.get("/api/v1/accounts/acme.com")).status_code == 404
        await store.refresh(0, [], msgspec.structs.replace(marks[0], is_complete=False))
        await asyncio.sleep(MOMENT_SECONDS)
        assert (await api.get("/api/v1/accounts")).json()["is_complete"] is False
        missing = await api.get("/api/v1/accounts/acme.com")
    assert (missing.status_code, "profiles are being rebuilt" in missing.json()["detail"]) == (503, True)


@pytest.mark.parametrize(
    ("said", "status"),
    [("0001-01-01T00:00:00%2B23:59", 200), ("9999-12-31T23:59:59-23:59", 200), ("2025-01-31T00:00:00Z", 200), ("2025", 422), ("-1.5", 422)],
)
async def test_an_instant_may_be_any_and_a_number_is_none(client: Client, said: str, status: int) -> None:
    async with client(READER) as api:
        assert (await api.get(f"/api/v1/accounts?changed_since={said}")).status_code == status
