"""The topic ``contacts``: read to its end, and followed from there."""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, KafkaTimeoutError
from aiokafka.structs import TopicPartition

from engagement.contacts import CONTACTS, Contacts
from streams.connection import Connection
from streams.reading import read_to_end, reader
from streams.topics import Environment

log = logging.getLogger("mqa.worker")

POLL_SECONDS = 1.0


class ContactLists:
    """Everybody on a contact list, as committed: `read` them, then follow what changes from `start` on."""

    def __init__(self, connection: Connection, environment: Environment, partitions: int) -> None:
        """Reaches for nothing yet."""
        self.contacts = Contacts()
        self._connection = connection
        self._partitions = [TopicPartition(environment.topic(CONTACTS), number) for number in range(partitions)]
        self._read_to: dict[TopicPartition, int] = {}
        self._task: asyncio.Task[None] | None = None

    async def read(self) -> None:
        """Read all there is."""
        began = monotonic()
        async with reader(self._connection) as consumer:
            for partition in self._partitions:
                async for records in read_to_end(consumer, partition):
                    for record in records:
                        self.contacts.take(record.key, record.value)
                self._read_to[partition] = await consumer.position(partition)
        if len(self.contacts):
            log.info("%d people are on contact lists (read in %.2f s)", len(self.contacts), monotonic() - began)

    def start(self, failed: Callable[[BaseException], None]) -> None:
        """Begin to follow; ``failed`` is told why that ended: an event must not lose its account while the worker looks alive."""
        self._task = asyncio.create_task(self._run(failed), name="contacts")

    async def stop(self) -> None:
        """Returns when the reader is closed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self, failed: Callable[[BaseException], None]) -> None:
        try:
            async with reader(self._connection) as consumer:
                consumer.assign(self._partitions)
                for partition, offset in self._read_to.items():
                    consumer.seek(partition, offset)
                while True:
                    await self._follow(consumer)
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker decides
            failed(error)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        try:
            fetched = await consumer.getmany(timeout_ms=int(POLL_SECONDS * 1_000))
        except KafkaError as error:
            if not (error.retriable or isinstance(error, KafkaTimeoutError)):
                raise
            log.warning("contact lists could not be read (%r): intake stays with those it knows", error)
            await asyncio.sleep(POLL_SECONDS)
            return
        for records in fetched.values():
            for record in records:
                self.contacts.take(record.key, record.value)
