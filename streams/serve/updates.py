"""What people say of an account through the API, as records of ``account-updates``."""

import asyncio
import logging
from time import time_ns
from typing import NamedTuple, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from engagement.days import midnight, to_ms
from engagement.events import AccountUpdate, Family
from engagement.records import Genesis
from streams.clocks import clock_of
from streams.closing import close_client
from streams.connection import Connection
from streams.serve.problems import unavailable
from streams.serve.remembered import Remembered
from streams.topics import Environment

log = logging.getLogger("mqa.serve")

ANSWER_SECONDS = 5.0
LOOK_SECONDS = 5.0
"""How long it is believed whether Kafka, and the topic, is there."""


class Sent(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int


class UpdateSink(Protocol):
    """Where account updates go."""

    async def now(self, rule_day: int) -> int:
        """When what happens now happens, in ms by the environment's clock; ``rule_day``: the last one that began.

        Raises `Refusal` (503) where Kafka does not say by which clock it runs.
        """

    async def send(self, update: AccountUpdate) -> Sent:
        """Append one; returns once all replicas have it. Raises `Refusal` (503) where that is not known: it may lie there all the same."""

    async def complaint(self) -> str | None:
        """Why Kafka takes no updates now; None where it does."""


class KafkaUpdates:
    """An environment's topic."""

    def __init__(self, connection: Connection, environment: Environment, genesis: Genesis) -> None:
        """Reaches for nothing yet."""
        self._connection, self._environment, self._genesis = connection, environment, genesis
        self._clock = genesis.clock
        self._topic = environment.topic(Family.ACCOUNT_UPDATES)
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._complaint = Remembered(self._look, LOOK_SECONDS)

    async def now(self, rule_day: int) -> int:
        """See `UpdateSink`. By a played clock it is the day that was played last."""
        if self._clock != "wall":  # it may go live, once
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    self._clock = await clock_of(self._connection, self._environment, self._genesis)
            except (KafkaError, OSError, TimeoutError) as error:
                raise unavailable(f"Kafka does not say by which clock it is ({error!r}); nothing was written, ask again") from None
        return time_ns() // 1_000_000 if self._clock == "wall" else midnight(rule_day)

    async def send(self, update: AccountUpdate) -> Sent:
        """See `UpdateSink`."""
        value = update.model_dump_json(exclude_unset=True).encode()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                producer = await self._started()
                at = to_ms(update.occurred_at)
                placed = await producer.send_and_wait(self._topic, value, key=update.account.encode(), timestamp_ms=at)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("an account update could not be sent: %r", error)
            await self.aclose()  # what it still holds must not be sent behind the sender's back
            raise unavailable(f"Kafka did not say that it has it ({error!r}), and may have it all the same") from None
        return Sent(placed.topic, placed.partition, placed.offset)

    async def complaint(self) -> str | None:
        """See `UpdateSink`."""
        return await self._complaint()

    async def _look(self) -> str | None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS / 2):
                producer = await self._started()
                seen = await producer.client.fetch_all_metadata()  # to ask for one topic might make it
        except (KafkaError, OSError, TimeoutError):
            return "does not answer"
        return None if self._topic in seen.topics() else f"has no topic {self._topic}, which `{self._environment.create_command}` makes"

    async def aclose(self) -> None:
        """Let go of the connection; the next update opens another."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await close_client(producer.stop())

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = self._connection.producer(acks="all", enable_idempotence=self._genesis.delivery == "exactly_once")
                try:
                    await producer.start()
                except BaseException:
                    await close_client(producer.stop())
                    raise
                self._producer = producer
            return self._producer
