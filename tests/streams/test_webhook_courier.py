"""Order, retries and parking, by a clock that a test turns: no second is waited for."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.subscriptions import Subscription
from streams.webhooks.attempt import Answer
from streams.webhooks.courier import Courier, Time, pause
from streams.webhooks.lanes import Delivery, Lanes
from streams.webhooks.message import Message
from streams.webhooks.metrics import SubscriptionMetrics, WebhookMetrics

PARTITION = TopicPartition("tier-changes", 0)
TAKEN, FAILED = Answer("2xx", "200"), Answer("5xx", "500")
HOUR = 3_600.0
TURNS = 200
"""Of the event loop: more than anybody here needs to come to a sleep."""


class Clock:
    """Moves on only while everybody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()
        self._alarms: list[tuple[float, asyncio.Event]] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        alarm = asyncio.Event()
        self._alarms.append((self.now + seconds, alarm))
        await alarm.wait()

    async def run_until(self, done: Callable[[], bool]) -> None:
        while not done():
            for _ in range(TURNS):
                await asyncio.sleep(0)
            if done():
                return
            assert self._alarms, "everybody waits for something that no time brings"
            self._alarms.sort(key=lambda each: each[0])
            self.now, alarm = self._alarms.pop(0)
            alarm.set()


@dataclass(kw_only=True)
class World:
    """One subscription, whose endpoint answers what ``answers`` says."""

    answers: Callable[[str, int], Answer]  # of a message id, and how often it was sent before
    more: Mapping[str, object] = field(default_factory=dict)
    park_fails: int = 0
    clock: Clock = field(default_factory=Clock)
    sent: list[tuple[float, str]] = field(default_factory=list)
    parked: list[tuple[str, int, int, str]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    while_sending: Callable[[], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        said = {"name": "crm", "url": "https://a.example/", "secret": "S", **self.more}
        self.metrics = WebhookMetrics(["crm"])
        time = Time(now=lambda: self.clock.now, sleep=self.clock.sleep, fraction=lambda: 1.0)
        self.courier = Courier(Subscription.model_validate(said), self, self.park, SubscriptionMetrics(self.metrics, "crm"), time)
        self.lanes = Lanes(self.courier.deliver, lambda delivery: self.done.append(delivery.message.id))

    async def attempt(self, message: Message) -> Answer:
        before = sum(identity == message.id for _, identity in self.sent)
        self.sent.append((self.clock.now, message.id))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await (asyncio.sleep(0) if self.while_sending is None else self.while_sending())
        self.under_way -= 1
        return self.answers(message.id, before)

    async def park(self, delivery: Delivery, attempts: int, lasted: int, answer: Answer) -> None:
        if self.park_fails:
            self.park_fails -= 1
            raise KafkaConnectionError
        self.parked.append((delivery.message.id, attempts, lasted, answer.detail))

    def add(self, *identities: str) -> None:
        for offset, identity in enumerate(identities):
            account = identity.partition("-")[0]
            self.lanes.add(Delivery(PARTITION, offset, 1_000 * offset, Message(identity, account, b"{}")))

    async def run(self, until: Callable[[], bool] | None = None) -> None:
        await self.clock.run_until((lambda: self.lanes.waiting == 0) if until is None else until)
        self.lanes.check()

    def total(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, {"subscription": "crm", **labels})


async def test_the_next_of_an_account_waits_and_those_of_others_do_not() -> None:
    world = World(answers=lambda identity, before: FAILED if identity == "bad-1" and before < 3 else TAKEN)
    world.add("bad-1", "good-1", "bad-2", "good-2")
    await world.run()
    assert world.done == ["good-1", "good-2", "bad-1", "bad-2"]
    assert [identity for _, identity in world.sent].count("bad-1") == 4
    assert (world.total("mqa_webhook_attempts_total", answer="5xx"), world.total("mqa_webhook_attempts_total", answer="2xx")) == (3, 4)
    assert world.total("mqa_webhook_changes_total", outcome="delivered") == 4


async def test_pauses_grow_twofold_to_a_bound() -> None:
    more = {"retry": {"first": "5s", "longest": "1m", "give_up_after": "1d"}}
    world = World(answers=lambda _, before: FAILED if before < 6 else TAKEN, more=more)
    world.add("a-1")
    await world.run()
    assert world.clock.slept == [5, 10, 20, 40, 60, 60]


@settings(deadline=None)
@given(st.integers(1, 10**6), st.floats(0, 1))
def test_a_pause_is_any_part_of_its_bound(attempts: int, fraction: float) -> None:
    retry = Subscription.model_validate({"name": "crm", "url": "https://a.example/", "secret": "S"}).retry
    assert 0 <= pause(retry, attempts, fraction) <= min(HOUR, 5 * 2 ** min(attempts, 40))
    assert pause(retry, attempts, 1.0) >= 5


async def test_a_receiver_is_not_asked_before_it_wants_to_be() -> None:
    world = World(answers=lambda _, before: TAKEN if before else Answer("4xx", "400", retry_after=77.0))
    world.add("a-1")
    await world.run()
    assert [at for at, _ in world.sent] == [0, 77]


async def test_a_receiver_that_is_overloaded_is_left_alone_by_all_accounts() -> None:
    busy = Answer("5xx", "503", retry_after=300.0, asks_all=True)
    world = World(answers=lambda identity, before: busy if (identity, before) == ("a-1", 0) else TAKEN, more={"at_once": "1"})
    world.add("a-1", "b-1", "c-1")
    await world.run()
    assert world.sent[0] == (0, "a-1")
    assert {at for at, _ in world.sent[1:]} == {300}


async def test_what_fails_for_too_long_is_parked_and_the_next_of_its_account_goes_on() -> None:
    more = {"retry": {"first": "10m", "longest": "1h", "give_up_after": "2h"}}
    world = World(answers=lambda identity, _: FAILED if identity == "a-1" else TAKEN, more=more)
    world.add("a-1", "a-2")
    await world.run()
    assert world.done == ["a-1", "a-2"]
    ((identity, attempts, lasted, detail),) = world.parked
    assert (identity, attempts, detail) == ("a-1", 5, "500")  # after 0, 10, 30, 70 and 130 minutes
    assert lasted == 130 * 60
    assert world.total("mqa_webhook_changes_total", outcome="parked") == 1


async def test_what_cannot_be_parked_is_not_passed_and_tried_on() -> None:
    more = {"retry": {"first": "1h", "longest": "1h", "give_up_after": "1s"}}
    world = World(answers=lambda _, __: FAILED, park_fails=2, more=more)
    world.add("a-1")
    await world.run()
    assert [attempts for _, attempts, _, _ in world.parked] == [4]


async def test_a_receiver_that_is_gone_is_sent_nothing_more_and_nothing_is_lost_or_parked() -> None:
    world = World(answers=lambda _, __: Answer("gone", "410"), more={"at_once": "1"})
    world.add("a-1", "b-1", "a-2")
    await world.run(lambda: bool(world.total("mqa_webhook_gone")))
    for _ in range(20):
        await asyncio.sleep(0)
    assert world.sent == [(0, "a-1")]
    assert (world.lanes.waiting, world.done, world.parked) == (3, [], [])
    await world.lanes.stop()


async def test_no_more_attempts_are_under_way_than_are_allowed() -> None:
    world = World(answers=lambda _, __: TAKEN, more={"at_once": "3"})
    world.add(*(f"{account}-1" for account in "abcdefgh"))
    await world.run()
    assert world.most_under_way == 3


async def test_whoever_pauses_takes_nobodys_turn() -> None:
    world = World(answers=lambda identity, before: FAILED if identity[0] in "ab" and not before else TAKEN, more={"at_once": "1"})
    world.add("a-1", "b-1", "c-1")
    await world.run(lambda: "c-1" in world.done)
    assert world.clock.now == 0
    await world.run()


async def test_what_waits_longest_is_told() -> None:
    world = World(answers=lambda _, __: FAILED)
    assert world.lanes.oldest() is None
    world.add("a-1", "b-1")
    assert world.lanes.oldest() == 0
    await world.lanes.stop()
    assert (world.lanes.oldest(), world.lanes.waiting) == (None, 0)


async def test_a_defect_in_a_lane_is_raised_and_not_slept_over() -> None:
    def broken(_identity: str, _before: int) -> Answer:
        raise ZeroDivisionError

    world = World(answers=broken)
    world.add("a-1")
    for _ in range(5):
        await asyncio.sleep(0)
    with pytest.raises(ZeroDivisionError):
        world.lanes.check()


FATES = st.sampled_from(
    [FAILED, Answer("timeout", ""), Answer("4xx", "", 9.0, asks_all=True), Answer("5xx", "", 3.0), Answer("unreachable", "")]
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=25),
    st.dictionaries(st.integers(0, 24), st.lists(FATES, max_size=4)),
    st.integers(1, 4),
)
async def test_whatever_fails_each_is_taken_once_and_in_the_order_of_its_account(
    accounts: list[str], fates: dict[int, list[Answer]], at_once: int
) -> None:
    identities = [f"{account}-{number}" for number, account in enumerate(accounts)]

    def answers(identity: str, before: int) -> Answer:
        fate = fates.get(int(identity.partition("-")[2]), [])
        return fate[before] if before < len(fate) else TAKEN

    world = World(answers=answers, more={"at_once": str(at_once)})
    world.add(*identities)
    await world.run()
    assert sorted(world.done) == sorted(identities)
    for account in set(accounts):
        expected = [each for each in identities if each[0] == account]
        assert [each for each in world.done if each[0] == account] == expected
        firsts = dict.fromkeys(each for _, each in world.sent if each[0] == account)
        assert list(firsts) == expected
    assert world.most_under_way <= at_once
