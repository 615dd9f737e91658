"""What the workers' consumer group has committed."""

import asyncio
from collections.abc import Collection

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

COORDINATOR_TIMEOUT = 30.0
PAUSE = 0.1


async def committed_offsets(admin: AIOKafkaAdminClient, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """Next offset by partition, 0 where none is committed. Waits for the group's coordinator, which a new broker makes on first use."""
    async with asyncio.timeout(COORDINATOR_TIMEOUT):
        while True:
            try:
                offsets = await admin.list_consumer_group_offsets(group, partitions=list(partitions))
            except KafkaError as error:
                if not error.retriable:
                    raise
                await asyncio.sleep(PAUSE)
            else:
                known = {partition: found.offset for partition, found in offsets.items()}  # empty while the coordinator moves
                return {partition: max(0, known.get(partition, 0)) for partition in partitions}
