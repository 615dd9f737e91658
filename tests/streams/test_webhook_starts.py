"""Where a subscription begins that has no position yet, and where one that has, on a real Kafka."""

from contextlib import AsyncExitStack

import pytest
from aiokafka.admin import RecordsToDelete
from aiokafka.structs import TopicPartition

from engagement.days import midnight, parse_day
from engagement.subscriptions import Subscription
from streams.connection import Connection
from streams.genesis import create_environment
from streams.identity import partition_of
from streams.topics import TIER_CHANGES
from tests.streams.webhook_receivers import SECRET, Receiver, receiving, tier_change
from tests.streams.webhook_senders import PARTITIONS, QUICK, Places, subscribed, until

DAY = "2025-01-31"
AT = midnight(parse_day(DAY))


async def test_a_new_one_begins_where_it_says_and_later_goes_on_where_it_was(kafka: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    places = Places(kafka)
    receivers = {"end": Receiver(), "beginning": Receiver(), DAY: Receiver()}

    async def none_is_left() -> bool:
        return [await places.left(f"from-{start}") for start in receivers] == [0] * len(receivers)

    await create_environment(kafka, places.environment, partitions=PARTITIONS)
    await places.append(tier_change("acme.com", 1), at=AT - 1)
    await places.append(tier_change("acme.com", 2), at=AT)
    async with receiving(*receivers.values()):
        subscriptions = [
            Subscription.model_validate({"name": f"from-{start}", "secret": "HOOK_SECRET", "url": each.url, **QUICK, "start": start})
            for start, each in receivers.items()
        ]
        for sequence in (3, 4):  # each in a life of its own; the first begins with no position, the second with one
            async with AsyncExitStack() as life:
                for subscription in subscriptions:
                    await life.enter_async_context(subscribed(kafka, places.environment, subscription))
                await until(none_is_left, str)
                await places.append(tier_change("acme.com", sequence))
                await until(none_is_left, str)
            if sequence == 3:
                await places.append(tier_change("umbrella.com", 1))  # while nobody runs
    assert receivers["end"].sequences() == {"acme.com": [3, 4], "umbrella.com": [1]}
    assert receivers[DAY].sequences() == {"acme.com": [2, 3, 4], "umbrella.com": [1]}
    assert receivers["beginning"].sequences() == {"acme.com": [1, 2, 3, 4], "umbrella.com": [1]}


async def test_one_whose_changes_are_gone_goes_on_at_what_there_is(kafka: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    places, receiver = Places(kafka), Receiver()

    async def nothing_is_left() -> bool:
        return await places.left("crm") == 0

    await create_environment(kafka, places.environment, partitions=PARTITIONS)
    await places.append(tier_change("acme.com", 1))
    async with receiving(receiver):
        subscription = Subscription.model_validate({"name": "crm", "secret": "HOOK_SECRET", "url": receiver.url, **QUICK})
        async with subscribed(kafka, places.environment, subscription):
            await until(nothing_is_left, str)
        await places.append(tier_change("acme.com", 2))
        partition = TopicPartition(places.environment.topic(TIER_CHANGES), partition_of(b"acme.com", PARTITIONS))
        async with kafka.consumer() as consumer, kafka.admin() as admin:
            end = (await consumer.end_offsets([partition]))[partition]
            await admin.delete_records({partition: RecordsToDelete(before_offset=end)})
        await places.append(tier_change("acme.com", 3))
        async with subscribed(kafka, places.environment, subscription):
            await until(lambda: receiver.sequences() == {"acme.com": [1, 3]}, lambda: str(receiver.sequences()))
