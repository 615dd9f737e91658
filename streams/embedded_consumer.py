"""aiokafka's consumer, for a broker that answers wrongly where a partition ends.

The embedded broker names the offset behind the *first* record of the last batch. What it says with a fetch is right, so that is asked too:
only of a broker with its node id, and on any other the outcome would be the same.
"""

from collections import defaultdict
from collections.abc import Collection

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition

NODE = 111
"""The embedded broker's node id: it has no other."""

FETCH_WAIT_MS = 20  # asked not to wait, it answers nothing
FETCH_BYTES = 1  # a broker sends one whole batch at least


class Consumer(AIOKafkaConsumer):
    """See above."""

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """As aiokafka promises it."""
        ends: dict[TopicPartition, int] = await super().end_offsets(partitions)
        filled = {partition: end for partition, end in ends.items() if end}
        if filled and {broker.nodeId for broker in self._client.cluster.brokers()} == {NODE}:
            ends |= await self._high_watermarks(filled)
        return ends

    async def _high_watermarks(self, ends: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
        found: dict[TopicPartition, int] = {}
        while left := ends.keys() - found.keys():  # it may answer for some only
            topics: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)
            for topic, partition in left:
                topics[topic].append((partition, ends[TopicPartition(topic, partition)] - 1, FETCH_BYTES))
            response = await self._client.send(NODE, FetchRequest(FETCH_WAIT_MS, 1, FETCH_BYTES, 0, list(topics.items())))
            for topic, answers in response.topics:
                for partition, code, high_watermark, *_ in answers:
                    if code:
                        raise for_code(code)
                    found[TopicPartition(topic, partition)] = high_watermark
        return found
