"""Who folds, and since when: the time from a fault until every unit has committed something again."""

import asyncio
from collections.abc import Mapping
from time import monotonic

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from streams.connection import Connection
from streams.group import committed_offsets
from streams.topics import INPUTS, LOG, Environment

LOOK_AGAIN = 0.1
ANSWER_SECONDS = 5.0
Unit = tuple[str, int]


class Progress:
    """Looks at what the workers' group commits. `watch` must run meanwhile; the load has work for every unit on every day."""

    def __init__(self, connection: Connection, environment: Environment, partitions: int, *, group: str | None = None) -> None:
        """``group``: whose commits tell it; None for the workers' own."""
        self._connection = connection
        self._group = environment.group if group is None else group
        self._unit_of: dict[TopicPartition, Unit] = {
            TopicPartition(environment.topic(short), number): (role, number)
            for role, shorts in (("intake", INPUTS), ("qualify", (LOG,)))
            for short in shorts
            for number in range(partitions)
        }
        self._offsets: dict[TopicPartition, int] = dict.fromkeys(self._unit_of, 0)
        self._looks = 0

    async def watch(self) -> None:
        """Until it is cancelled, through absences of the broker."""
        while True:
            try:
                async with self._connection.admin() as admin:
                    while True:
                        look = committed_offsets(admin, self._group, self._unit_of)
                        self._offsets = await asyncio.wait_for(look, ANSWER_SECONDS)
                        self._looks += 1
                        await asyncio.sleep(LOOK_AGAIN)
            except (KafkaError, OSError, TimeoutError):
                await asyncio.sleep(LOOK_AGAIN)

    async def resumed(self, since: float, seconds: float) -> float | None:
        """Return how long after ``since`` every unit had gone on; None where one did not within ``seconds``.

        What is seen first counts as committed before.
        """
        seen = self._looks + 2  # the look under way may have begun before
        while self._looks < seen:
            if monotonic() > since + seconds:
                return None
            await asyncio.sleep(LOOK_AGAIN / 2)
        before = dict(self._offsets)
        while self.waiting(before):
            if monotonic() > since + seconds:
                return None
            await asyncio.sleep(LOOK_AGAIN / 2)
        return monotonic() - since

    def waiting(self, before: Mapping[TopicPartition, int]) -> list[Unit]:
        """Units that have not committed anything beyond ``before``."""
        moved = {self._unit_of[partition] for partition, offset in self._offsets.items() if offset > before[partition]}
        return sorted(set(self._unit_of.values()) - moved)
