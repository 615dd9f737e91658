"""The store in this process and the one in Redis answer alike, whatever they are told in whatever order."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from redis.asyncio import Redis

from engagement.days import iso_day, iso_instant, midnight
from streams.profiles.memory import MemoryStore
from streams.profiles.redis_store import RedisStore
from streams.profiles.store import Account, Batch, Displaced, Mark, Page, ProfileStore, Query
from tests.streams.profile_world import ACCOUNTS, CHANGES, CONTACTS, DAY, a_change, an_account

NAMES = ["acme.com", "acme", "*", "a\n[b]", "a\0b", "🎈.example", "Ünï", "x" * 256, "a:b|c d", "\\", "~"]
RUNGS = {"stage": ["watch", "engaged", "mqa"], "tier": ["untiered", "tier_1"]}
PARTITIONS = 2

names = st.sampled_from(NAMES)
scores = st.sampled_from([0, 1, 999, 1_000, 10_000, 2**53 - 1])
days = st.integers(DAY - 2, DAY + 2)
versions = st.integers(1, 4)
marks = st.builds(
    Mark,
    rule_day=st.none() | days,
    rulebook=st.sampled_from(["v1", "v2"]),
    refreshed=st.none() | st.tuples(days, st.just("v1")),
    is_complete=st.booleans(),
    partitions=st.just(PARTITIONS),
)
rungs = st.fixed_dictionaries({}, optional={ladder: st.sampled_from(of) for ladder, of in RUNGS.items()})


def home(name: str) -> int:
    """An account's changes and states are in one partition."""
    return len(name) % PARTITIONS


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    name = draw(names)
    return an_account(
        name,
        applied=draw(versions),
        partition=home(name),
        row=draw(st.binary(max_size=4)),
        day=iso_day(draw(days)),
        name=draw(st.none() | names),
        crm_id=draw(st.none() | names),
        owner=draw(st.none() | st.just("") | names),
        rungs=draw(rungs),
        score=draw(scores),
        segments=tuple(draw(st.lists(names, unique=True, max_size=2))),
    )


queries = st.builds(
    Query,
    rungs=rungs,
    segment=st.none() | names,
    owner=st.none() | st.just("") | names,
    least_score=st.none() | scores,
    most_score=st.none() | scores,
    text=st.none() | st.just("") | names | st.sampled_from(["AC", "ü", ".", "X" * 200]),
    changed_since=st.none() | days.map(lambda day: iso_instant(midnight(day))),
    order=st.sampled_from(["score", "changed"]),
    limit=st.integers(1, 4),
)
few_of_all = queries | st.builds(Query, order=st.sampled_from(["score", "changed"]), limit=st.integers(1, 4))


class Stores(RuleBasedStateMachine):
    """Two stores that are told and asked the same."""

    url: str  # of a Redis

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.Runner()
        redis = RedisStore(Redis.from_url(self.url), f"agree-{uuid4().hex[:12]}-")
        self.stores: tuple[ProfileStore, ProfileStore] = (MemoryStore(), redis)

    def both(self, ask: Callable[[ProfileStore], Awaitable[Any]]) -> Any:
        """What both answer, which is the same."""
        memory, redis = (self.loop.run(self.answer(ask(store))) for store in self.stores)
        assert memory == redis
        return memory

    @staticmethod
    async def answer(asked: Awaitable[Any]) -> Any:
        try:
            return await asked
        except Displaced as displaced:
            return displaced.source, displaced.place

    def take(self, *batches: Batch) -> None:
        self.both(lambda store: store.take(batches))

    def find(self, query: Query) -> Page:
        page: Page = self.both(lambda store: store.find(query))
        return page

    def batch(self, topic: str, partition: int, displaced: int, **content: Any) -> Batch:
        source = f"{topic}/{partition}"
        start = self.both(lambda store: store.places()).get(source, 0) + displaced
        return Batch(source=source, start=start, stop=start + 1 + len(content), **content)

    @rule(
        told=st.lists(accounts(), max_size=4, unique_by=lambda account: account.profile.account),
        gone=st.lists(names, max_size=1),
        mark=st.none() | marks,
        rulebooks=st.just({}) | st.dictionaries(st.sampled_from(["v1", "v2"]), names),
        displaced=st.sampled_from([0, 0, 0, 0, -1, 1]),
    )
    def take_accounts(self, told, gone, mark, rulebooks, displaced):
        batches = []
        for number in range(PARTITIONS):
            mine = [account for account in told if account.partition == number and account.profile.account not in gone]
            lost = [name for name in gone if home(name) == number]
            batches.append(self.batch(ACCOUNTS, number, displaced, accounts=mine, gone=lost, mark=mark, rulebooks=rulebooks))
        self.take(*batches)

    @rule(changed=st.lists(st.tuples(names, days, st.sampled_from(RUNGS["stage"])), max_size=4), skipped=st.integers(0, 2))
    def take_changes(self, changed, skipped):
        for number in range(PARTITIONS):
            first = self.both(lambda store: store.places()).get(f"{CHANGES}/{number}", 0) + skipped
            mine = [(name, day, to) for name, day, to in changed if home(name) == number]
            changes = [(name, a_change(first + count, day=day, to=to)) for count, (name, day, to) in enumerate(mine)]
            start, stop = first - skipped, first + len(changes) + 1
            batch = Batch(source=f"{CHANGES}/{number}", start=start, stop=stop, first=skipped, changes=changes)
            self.take(batch, batch)  # the second is displaced

    @rule(contacts=st.dictionaries(names, st.none() | st.binary(max_size=3), max_size=3))
    def take_contacts(self, contacts):
        self.take(self.batch(CONTACTS, 0, 0, contacts=contacts))

    @rule(partition=st.integers(0, PARTITIONS - 1), score=scores, day=days, older=st.sampled_from([0, 0, 1]), mark=st.none() | marks)
    def refresh(self, partition, score, day, older, mark):
        kept = self.both(lambda store: store.accounts_of(partition, "", 100))
        fresh = [
            an_account(each.profile.account, applied=each.applied - older, partition=partition, day=iso_day(day), score=score)
            for each in kept
        ]
        self.both(lambda store: store.refresh(partition, [*fresh, an_account("never.example")], mark))

    @rule()
    def clear(self):
        self.both(lambda store: store.clear())

    @rule(query=few_of_all, turns=st.integers(1, 4))
    def list(self, query, turns):
        for _ in range(turns):
            page = self.find(query)
            if page.next is None:
                return
            query = msgspec.structs.replace(query, after=page.next)

    @rule(name=names, partition=st.integers(0, PARTITIONS - 1), limit=st.integers(1, 3), start=st.integers(0, 5))
    def look_up(self, name, partition, limit, start):
        self.both(lambda store: store.account(name))
        self.both(lambda store: store.timeline(name))
        self.both(lambda store: store.with_timeline(name, limit))
        self.both(lambda store: store.rulebook("v1"))
        self.both(lambda store: store.contacts(NAMES))
        self.both(lambda store: store.accounts_of(partition, name, limit))
        self.both(lambda store: store.changes(dict.fromkeys(range(PARTITIONS), start), limit))

    @invariant()
    def agree(self) -> None:
        self.both(lambda store: store.places())
        self.both(lambda store: store.marks())
        self.both(lambda store: store.first_changes())
        self.both(lambda store: store.overview())

    def teardown(self) -> None:
        self.clear()
        self.both(lambda store: store.aclose())
        self.loop.close()


def test_both_stores_answer_alike_whatever_they_are_told(redis_url):
    machine = type("Stores", (Stores,), {"url": redis_url})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
    )
