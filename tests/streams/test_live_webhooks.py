"""The sender against real receivers that misbehave, on a real Kafka: it is killed in the middle, and another takes over."""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from aiohttp import web

from streams.connection import Connection
from streams.genesis import create_environment
from tests.streams.metrics_story import Samples, total
from tests.streams.webhook_receivers import SECRET, Receiver, failing, hanging, receiving, taken, tier_change
from tests.streams.webhook_senders import PARTITIONS, Places, sending, until, write_file

ACCOUNTS = [f"account{number}.example" for number in range(8)]
STUCK = "stuck.example"
PER_ACCOUNT = 5
LIVE_CHANGES = PER_ACCOUNT * len([*ACCOUNTS, STUCK])


def misbehaving(account_number: int) -> Callable[[dict[str, Any], int], Any]:
    """Fails twice, hangs, answers too late, drops the connection: each in its turn, by sequence; and then takes it."""

    async def answer(change: dict[str, Any], before: int) -> web.StreamResponse:
        match (change["sequence"] + account_number) % 5:
            case 0 if before < 2:
                return web.Response(status=500)
            case 1 if before == 0:
                return await hanging(change, before)
            case 2 if before == 0:
                await asyncio.sleep(1.3)  # it has the change, but the sender no longer listens
            case 3 if before == 0:
                raise ConnectionResetError
        return web.Response()

    return answer


class Lived(NamedTuple):
    """What there was at the end of the story."""

    good: Receiver
    bad: Receiver
    good_before_bad: tuple[int, int]  # how many each had taken when the good one had all
    sent_before_kill: list[dict[str, Any]]  # to the bad one, taken, and known to be so
    left_before_kill: int | None
    sent_after_kill: list[dict[str, Any]]
    metrics: Samples
    status: int


@pytest.fixture(scope="module")
def lived(kafka: Connection, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Nine accounts with five changes each. The bad receiver takes nothing until the good one has all; then one account stays stuck."""
    folder = tmp_path_factory.mktemp("webhooks")
    file = folder / "webhooks.yaml"
    places = Places(kafka)
    good, bad = Receiver(), Receiver(behaviour=hanging)
    numbers = {account: number for number, account in enumerate(ACCOUNTS)}
    stuck_until_restart = True

    async def odd(change: dict[str, Any], before: int) -> web.StreamResponse:
        if change["account"] == STUCK:
            return await (failing if stuck_until_restart else taken)(change, before)
        answer: web.StreamResponse = await misbehaving(numbers[change["account"]])(change, before)
        return answer

    async def live() -> Lived:
        nonlocal stuck_until_restart
        await create_environment(kafka, places.environment, partitions=PARTITIONS, clock="wall")
        changes = [tier_change(account, sequence) for sequence in range(1, PER_ACCOUNT + 1) for account in [*ACCOUNTS, STUCK]]
        async with receiving(good, bad):
            write_file(file, {"name": "good", "url": good.url}, {"name": "bad", "url": bad.url, "timeout": "1s"})
            await places.append(tier_change("never.example", 1), is_aborted=True)
            await places.append(tier_change("history.example", 1), mode="baseline")
            await places.append(*changes[:20])
            with sending(kafka, places.environment, file) as sender:
                await places.append(*changes[20:])
                await until(lambda: len(good.taken) >= LIVE_CHANGES, sender.said)
                good_before_bad = (len(good.taken), len(bad.taken))
                bad.behaviour = odd
                # All but the stuck account's: known to Kafka too, behind the position that the stuck one holds back
                await until(lambda: _is_left(places, "bad", PER_ACCOUNT), sender.said)
                await until(lambda: _is_left(places, "good", 0), sender.said)
                before, left = list(bad.taken), await places.left("bad")
                sender.kill()
            stuck_until_restart = False
            sent = len(bad.sent)
            with sending(kafka, places.environment, file) as sender:
                await until(lambda: len({each["id"] for each in bad.taken}) >= LIVE_CHANGES, sender.said)
                metrics = await sender.until(lambda samples: total(samples, "mqa_webhook_lag_records") == 0)
                status = sender.stop()
        return Lived(good, bad, good_before_bad, before, left, bad.sent[sent:], metrics, status)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOOK_SECRET", SECRET)
        return asyncio.run(asyncio.wait_for(live(), 120))


async def _is_left(places: Places, name: str, changes: int) -> bool:
    return await places.left(name) == changes


@pytest.mark.parametrize("name", ["good", "bad"])
def test_every_change_is_taken_at_least_once_and_in_the_order_of_its_account(lived: Lived, name: str) -> None:
    receiver: Receiver = getattr(lived, name)
    assert len({change["id"] for change in receiver.taken}) == LIVE_CHANGES
    assert set(receiver.sequences()) == {*ACCOUNTS, STUCK}
    for account, sequences in receiver.sequences().items():
        firsts = list(dict.fromkeys(sequences))
        assert firsts == list(range(1, PER_ACCOUNT + 1)), account
        assert sequences == sorted(sequences), account


def test_an_endpoint_that_hangs_does_not_hold_up_another(lived: Lived) -> None:
    assert lived.good_before_bad == (LIVE_CHANGES, 0)


def test_a_receiver_that_behaves_gets_each_change_once_even_over_a_kill(lived: Lived) -> None:
    assert len(lived.good.sent) == LIVE_CHANGES


def test_after_a_kill_only_what_was_not_delivered_is_sent_though_one_account_held_back_the_position(lived: Lived) -> None:
    assert lived.left_before_kill == PER_ACCOUNT
    assert {each["account"] for each in lived.sent_before_kill} == set(ACCOUNTS)
    assert {each["account"] for each in lived.sent_after_kill} == {STUCK}


def test_what_was_aborted_or_played_is_not_sent(lived: Lived) -> None:
    assert not {"never.example", "history.example"} & {each["account"] for each in lived.good.sent}
    assert lived.good.modes == {"live"}


def test_the_metrics_say_what_became_of_each_change(lived: Lived) -> None:
    def changes(name: str, outcome: str) -> float | None:
        return total(lived.metrics, "mqa_webhook_changes_total", subscription=name, outcome=outcome)

    assert changes("bad", "delivered") == PER_ACCOUNT
    assert (changes("good", "delivered"), changes("good", "parked"), changes("good", "unreadable")) == (0, 0, 0)
    assert total(lived.metrics, "mqa_webhook_waiting") == 0
    assert total(lived.metrics, "mqa_webhook_oldest_undelivered_seconds") == 0


def test_a_sender_that_is_told_to_stop_ends_with_status_0(lived: Lived) -> None:
    assert lived.status == 0
