"""What the workers' consumer group has committed, and who is in it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from streams.closing import close_client
from streams.connection import Connection

COORDINATOR_TIMEOUT = 30.0
PAUSE = 0.1
T = TypeVar("T")


async def committed_offsets(admin: AIOKafkaAdminClient, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """Next offset by partition, 0 where none is committed."""
    stored = await stored_positions(admin, group, partitions)
    return {partition: stored[partition].offset if partition in stored else 0 for partition in partitions}


async def stored_positions(
    admin: AIOKafkaAdminClient, group: str, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, OffsetAndMetadata]:
    """What is committed, with what was noted beside it; without those of which nothing is, or nothing known while a coordinator moves."""
    found = await _coordinated(lambda: admin.list_consumer_group_offsets(group, partitions=list(partitions)))
    return {partition: position for partition, position in found.items() if position.offset >= 0}


async def count_members(admin: AIOKafkaAdminClient, group: str) -> int:
    """How many are in the group; one that was killed is counted until its session is over."""

    async def ask() -> int:
        (response,) = await admin.describe_consumer_groups([group])
        ((code, _, _, _, _, members, *_),) = response.groups
        if code:
            raise for_code(code)
        return len(members)

    return await _coordinated(ask)


async def _coordinated(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again while the group has no coordinator: a new broker makes it on first use."""
    async with asyncio.timeout(COORDINATOR_TIMEOUT):
        while True:
            try:
                return await ask()
            except KafkaError as error:
                if not error.retriable:
                    raise
                await asyncio.sleep(PAUSE)


class Acknowledged:
    """Commits offsets where no transaction can, for a group that has no members.

    They say to others how far a state has read; its position is the truth.
    """

    def __init__(self, connection: Connection, group: str) -> None:
        """Reaches for nothing yet."""
        self._connection, self._group = connection, group
        self._consumer: AIOKafkaConsumer | None = None
        self._lock = asyncio.Lock()

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Raises the `KafkaError` of what cannot succeed."""
        async with self._lock:
            if self._consumer is None:
                self._consumer = self._connection.consumer(group_id=self._group, enable_auto_commit=False)
                await self._consumer.start()
            if not offsets.keys() <= self._consumer.assignment():  # it must have them to commit, but never reads
                self._consumer.assign([*self._consumer.assignment() | offsets.keys()])
                self._consumer.pause(*self._consumer.assignment())
            await self._consumer.commit({partition: OffsetAndMetadata(offset, "") for partition, offset in offsets.items()})

    async def stop(self) -> None:
        """Let go of the broker."""
        if self._consumer is not None:
            await close_client(self._consumer.stop())
