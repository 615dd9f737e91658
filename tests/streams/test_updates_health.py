"""Whether Kafka takes account updates, as the server's health says it."""

import pytest

from streams.connection import Connection
from streams.genesis import create_environment
from streams.serve.updates import KafkaUpdates
from streams.topics import Environment
from tests.streams.histories import PARTITIONS


@pytest.fixture(params=["kafka", "embedded"])
def broker(request: pytest.FixtureRequest) -> Connection:
    found: Connection = request.getfixturevalue(request.param)
    return found


async def test_a_topic_that_is_gone_is_told_and_what_makes_it(broker: Connection, prefix: str) -> None:
    environment = Environment(prefix)
    genesis = await create_environment(broker, environment, partitions=PARTITIONS, clock="played")
    before, after = [KafkaUpdates(broker, environment, genesis) for _ in range(2)]  # each believes for a while what it saw
    try:
        assert await before.complaint() is None
        topic = environment.topic("account-updates")
        async with broker.admin() as admin:
            await admin.delete_topics([topic])
        assert await after.complaint() == f"has no topic {topic}, which `mqa topics create --prefix {prefix}` makes"
    finally:
        await before.aclose()
        await after.aclose()


async def test_a_kafka_that_is_away_does_not_answer(kafka: Connection, prefix: str) -> None:
    environment = Environment(prefix)
    genesis = await create_environment(kafka, environment, partitions=PARTITIONS, clock="played")
    updates = KafkaUpdates(Connection(bootstrap="127.0.0.1:1"), environment, genesis)
    assert await updates.complaint() == "does not answer"
