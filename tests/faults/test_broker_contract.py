"""What the product leans on in a broker, asked of a real Kafka and of the simulated one alike: the simulation is worth what this is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.admin import NewTopic
from aiokafka.errors import InvalidProducerEpoch, ProducerFenced
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from streams.connection import Connection
from streams.group import committed_offsets
from streams.reading import read_to_end, reader
from streams.transaction import Row, make_producer, send
from tests.faults.simulation.broker import Broker
from tests.faults.simulation.clients import SimulatedConnection
from tests.faults.simulation.loop import SimulatedLoop
from tests.faults.simulation.network import Network

FENCED = (ProducerFenced, InvalidProducerEpoch)
NOW = 1_700_000_000_000


class Tried:
    """A broker with two topics of two partitions: ``plain``, and ``stamped`` whose times are the broker's."""

    def __init__(self, connection: Connection, prefix: str) -> None:
        self.connection, self.prefix = connection, prefix
        self.group = f"{prefix}group"

    def at(self, number: int = 0, topic: str = "plain") -> TopicPartition:
        return TopicPartition(self.prefix + topic, number)

    @asynccontextmanager
    async def producer(self, name: str = "one") -> AsyncIterator[Any]:
        producer = make_producer(self.connection, self.prefix + name)
        await producer.start()
        try:
            yield producer
        finally:
            await producer.stop()

    async def begun(self, producer: Any, *values: bytes, at: TopicPartition | None = None) -> None:
        await producer.begin_transaction()
        await send(producer, {at or self.at(): [row(value) for value in values]})

    async def committed(self, producer: Any, *values: bytes) -> None:
        await self.begun(producer, *values)
        await producer.commit_transaction()

    async def settle(self, name: str = "one") -> None:
        """Return when the markers of the last transaction under that id are written: the next owner waits for them."""
        async with self.producer(name):
            pass

    async def contents(self, at: TopicPartition | None = None, isolation: str = "read_committed") -> list[bytes]:
        """Values up to the end that is there, whatever is open before it."""
        end = await self.end(at, "read_uncommitted")
        async with reader(self.connection, isolation) as consumer:
            return [record.value or b"" async for batch in read_to_end(consumer, at or self.at(), end=end) for record in batch]

    async def end(self, at: TopicPartition | None = None, isolation: str = "read_committed") -> int:
        async with reader(self.connection, isolation) as consumer:
            ends = await consumer.end_offsets([at or self.at()])
        return int(ends[at or self.at()])

    async def read_by(self, at: TopicPartition) -> int:
        async with self.connection.admin() as admin:
            return (await committed_offsets(admin, self.group, [at]))[at]


Attempt = Callable[[Tried], Awaitable[None]]
Try = Callable[[Attempt], None]


def row(value: bytes, created_at: int | None = NOW) -> Row:
    return (b"key", value, (("name", b"header"),), created_at)


@pytest.fixture(params=["kafka", "simulated"])
def tried(request: pytest.FixtureRequest) -> Iterator[Try]:
    """Run an attempt against the broker."""
    prefix = f"test-{uuid4().hex[:12]}-"
    if request.param == "kafka":
        connection: Connection = request.getfixturevalue("kafka")

        async def run(attempt: Attempt) -> None:
            async with connection.admin() as admin:
                stamped = {"message.timestamp.type": "LogAppendTime"}
                topics = [NewTopic(f"{prefix}plain", 2, 1), NewTopic(f"{prefix}stamped", 2, 1, topic_configs=stamped)]
                await admin.create_topics(topics)
            await attempt(Tried(connection, prefix))

        yield lambda attempt: asyncio.run(run(attempt))
        return
    loop = SimulatedLoop(Random(1), most_steps=100_000)
    broker = Broker(lambda: NOW + int(loop.time() * 1_000))
    broker.create(f"{prefix}plain", 2)
    broker.create(f"{prefix}stamped", 2, log_append_time=True)
    simulated = SimulatedConnection(network=Network(broker, Random(2), latency=0.002, trouble=0.05))
    yield lambda attempt: loop.run_until_complete(attempt(Tried(simulated, prefix)))
    loop.end()


def test_what_a_transaction_wrote_is_read_when_it_is_committed(tried: Try):
    async def attempt(broker: Tried) -> None:
        async with broker.producer() as producer:
            await producer.begin_transaction()
            await send(producer, {broker.at(0): [row(b"a"), row(b"b")], broker.at(1): [row(b"c")]})
            assert (await broker.end(broker.at(0)), await broker.end(broker.at(1))) == (0, 0)
            await producer.commit_transaction()
            assert (await broker.contents(broker.at(0)), await broker.contents(broker.at(1))) == ([b"a", b"b"], [b"c"])

    tried(attempt)


def test_what_was_aborted_is_read_by_those_only_who_ask_for_it(tried: Try):
    async def attempt(broker: Tried) -> None:
        async with broker.producer() as producer:
            await broker.begun(producer, b"aborted")
            await producer.abort_transaction()
            await broker.committed(producer, b"kept")
        assert await broker.contents() == [b"kept"]
        assert await broker.contents(isolation="read_uncommitted") == [b"aborted", b"kept"]

    tried(attempt)


def test_a_record_says_what_it_was_sent_with_and_its_marker_takes_an_offset(tried: Try):
    async def attempt(broker: Tried) -> None:
        async with broker.producer() as producer:
            await broker.committed(producer, b"a")
            await broker.committed(producer, b"b")
        await broker.settle()
        end = await broker.end(isolation="read_uncommitted")
        async with reader(broker.connection) as consumer:
            records = [record async for batch in read_to_end(consumer, broker.at(), end=end) for record in batch]
            assert [(each.offset, each.key, each.value, list(each.headers), each.timestamp) for each in records] == [
                (0, b"key", b"a", [("name", b"header")], NOW),
                (2, b"key", b"b", [("name", b"header")], NOW),
            ]
            assert await consumer.position(broker.at()) == 4 == end

    tried(attempt)


def test_behind_an_open_transaction_nothing_is_read_until_it_ends(tried: Try):
    async def attempt(broker: Tried) -> None:
        async with broker.producer("first") as first:
            await broker.committed(first, b"before")
        await broker.settle("first")
        async with broker.producer("slow") as slow, broker.producer("quick") as quick:
            await broker.begun(slow, b"open")
            await broker.committed(quick, b"behind")
            assert await broker.end() == 2  # the last stable offset
            async with reader(broker.connection) as consumer:
                assert [record.value async for batch in read_to_end(consumer, broker.at()) for record in batch] == [b"before"]
            await slow.commit_transaction()
            assert await broker.contents() == [b"before", b"open", b"behind"]

    tried(attempt)


@pytest.mark.usefixtures("fenced_producers")
def test_a_new_owner_of_a_transactional_id_aborts_what_the_old_one_has_open_and_fences_it(tried: Try):
    async def attempt(broker: Tried) -> None:
        async with broker.producer() as old:
            await broker.begun(old, b"old")
            async with broker.producer() as new:
                assert await broker.contents() == []
                with pytest.raises(FENCED):
                    await old.commit_transaction()
                await broker.committed(new, b"new")
                assert await broker.contents() == [b"new"]

    tried(attempt)


@pytest.mark.usefixtures("fenced_producers")
def test_an_old_owner_that_was_idle_is_fenced_when_it_writes(tried: Try):
    async def attempt(broker: Tried) -> None:
        async with broker.producer() as old:
            await broker.committed(old, b"old")
            async with broker.producer():
                with pytest.raises(FENCED):
                    await broker.begun(old, b"late")
            assert await broker.contents() == [b"old"]

    tried(attempt)


def test_once_a_new_owner_has_started_all_that_the_old_one_committed_can_be_read(tried: Try):
    async def attempt(broker: Tried) -> None:
        async with broker.producer() as old:
            await old.begin_transaction()
            await send(old, {broker.at(): [row(b"old")]})
            await old.send_offsets_to_transaction({broker.at(1): OffsetAndMetadata(7, "")}, broker.group)
            await old.commit_transaction()
            async with broker.producer():
                assert await broker.end() == 2  # its markers are written too
                assert await broker.read_by(broker.at(1)) == 7

    tried(attempt)


def test_offsets_belong_to_the_transaction(tried: Try):
    async def attempt(broker: Tried) -> None:
        assert await broker.read_by(broker.at()) == 0
        async with broker.producer() as producer:
            await producer.begin_transaction()
            await producer.send_offsets_to_transaction({broker.at(): OffsetAndMetadata(5, "")}, broker.group)
            await producer.abort_transaction()
            await producer.begin_transaction()
            await producer.send_offsets_to_transaction({broker.at(): OffsetAndMetadata(3, "")}, broker.group)
            await producer.commit_transaction()
        async with broker.producer():
            assert await broker.read_by(broker.at()) == 3

    tried(attempt)


def test_a_transaction_that_wrote_nothing_can_be_committed(tried: Try):
    async def attempt(broker: Tried) -> None:
        async with broker.producer() as producer:
            await producer.begin_transaction()
            await producer.commit_transaction()
            await broker.committed(producer, b"a")
        assert await broker.contents() == [b"a"]

    tried(attempt)


def test_batches_are_stored_in_the_order_in_which_they_were_sent(tried: Try):
    async def attempt(broker: Tried) -> None:
        async with broker.producer() as producer:
            await producer.begin_transaction()
            sent = []
            for number in range(20):
                batch = producer.create_batch()
                batch.append(key=b"k", value=b"%02d" % number, headers=[], timestamp=None)
                sent.append(await producer.send_batch(batch, broker.at().topic, partition=0))
            assert [each.offset for each in await asyncio.gather(*sent)] == list(range(20))
            await producer.commit_transaction()
        assert await broker.contents() == [b"%02d" % number for number in range(20)]

    tried(attempt)


def test_the_broker_says_the_time_where_the_topic_asks_for_it_and_finds_offsets_by_it(tried: Try):
    async def attempt(broker: Tried) -> None:
        stamped = broker.at(topic="stamped")
        async with broker.producer() as producer:
            await producer.begin_transaction()
            (first,) = await send(producer, {stamped: [row(b"a", created_at=5)]})
            await producer.commit_transaction()
            await asyncio.sleep(0.05)
            await producer.begin_transaction()
            (second,) = await send(producer, {stamped: [row(b"b", created_at=5)]})
            await producer.commit_transaction()
        assert 5 < first.timestamp < second.timestamp
        async with reader(broker.connection, "read_uncommitted") as consumer:
            found = await consumer.offsets_for_times({stamped: second.timestamp})
            assert found[stamped].offset == 2
            found = await consumer.offsets_for_times({stamped: second.timestamp + 60_000})
            assert found[stamped] is None

    tried(attempt)


def test_a_consumer_reads_on_where_it_was_told_to(tried: Try):
    async def attempt(broker: Tried) -> None:
        async with broker.producer() as producer:
            for value in (b"a", b"b", b"c"):
                await broker.committed(producer, value)
        await broker.settle()
        end = await broker.end(isolation="read_uncommitted")
        async with reader(broker.connection) as consumer:
            assert await consumer.topics() >= {broker.at().topic}
            assert (await consumer.beginning_offsets([broker.at()]))[broker.at()] == 0
            read = [record.value async for batch in read_to_end(consumer, broker.at(), start=1, end=end) for record in batch]
            assert read == [b"b", b"c"]  # offset 1 is a marker

    tried(attempt)
