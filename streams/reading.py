"""Reading a partition of Kafka to its end, committed records only: restores, replays and checks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from engagement.machine import Record
from streams.closing import close_client
from streams.connection import Connection

FETCH_BYTES = 8 << 20
FETCH_RECORDS = 20_000


@asynccontextmanager
async def reader(
    connection: Connection, isolation_level: str = "read_committed", fetch_bytes: int = FETCH_BYTES
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer in no group. By default aborted transactions, and all behind an open one, are invisible to it."""
    consumer = connection.consumer(
        isolation_level=isolation_level,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=fetch_bytes,
        fetch_max_wait_ms=100,
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await close_client(consumer.stop())


async def read_to_end(
    consumer: AIOKafkaConsumer, partition: TopicPartition, *, start: int | None = None, end: int | None = None
) -> AsyncIterator[list[Record]]:
    """Batches of ``start`` <= offset < ``end``, empty ones too; None: from the beginning, to the last stable offset as it is now.

    Where ``end`` lies beyond the last stable offset, this waits for the open transactions before it.
    """
    consumer.assign([partition])
    if end is None:
        end = (await consumer.end_offsets([partition]))[partition]
    if start is None:
        await consumer.seek_to_beginning(partition)
    else:
        consumer.seek(partition, start)
    while await consumer.position(partition) < end:
        fetched = await consumer.getmany(partition, timeout_ms=200, max_records=FETCH_RECORDS)
        for batch in fetched.values():
            yield [record for record in batch if record.offset < end]
        if not fetched:
            yield []  # so that a caller who waits for an open transaction to end can give up


async def read_one(connection: Connection, partition: TopicPartition, offset: int) -> Record | None:
    """Read the record at an offset below the partition's end, committed or not; None where it holds none, or a transaction's marker."""
    async with reader(connection, "read_uncommitted", fetch_bytes=1) as consumer:  # a broker sends one whole batch at least
        found = [record async for batch in read_to_end(consumer, partition, start=offset, end=offset + 1) for record in batch]
    return found[0] if found else None
