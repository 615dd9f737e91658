"""Which promise an environment keeps, and the two ways to commit that make it.

Exactly once: everything that a step writes is one transaction. At least once, where the broker has no transactions: the same is written in
an order in which whatever is cut off is done again, with the same ids. An environment has one of the two for good; its genesis says which.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Literal, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, KafkaError, KafkaTimeoutError, ProducerFenced, UnknownError, UnsupportedVersionError
from aiokafka.structs import TopicPartition

from engagement.errors import Refused
from engagement.machine import RESERVED_KEYS
from engagement.records import Genesis
from streams import transaction
from streams.connection import Connection, overheard_clients
from streams.topics import Environment
from streams.transaction import Ambiguous, Fenced, Row, batches_of, send

Promise = Literal["exactly_once", "at_least_once"]
Rows = Mapping[TopicPartition, Sequence[Row]]
Offsets = Mapping[TopicPartition, int]
Acknowledge = Callable[[Offsets], Awaitable[None]]

MEANINGS: Mapping[Promise, str] = {
    "exactly_once": "exactly once: no tier change is lost, none comes twice",
    "at_least_once": "at least once: no tier change is lost; one that comes twice has the id of the first (there are no transactions)",
}


REMIND_SECONDS = 2.0


class Delivery(Protocol):
    """How rows are committed."""

    promise: Promise

    def offsets_group(self, environment: Environment) -> str:
        """Name the group in which it is committed how far each input is read."""

    def make_producer(self, connection: Connection, transactional_id: str) -> AIOKafkaProducer:
        """Not started. Its start fences whoever has the same id, where there is fencing."""

    async def commit(self, producer: AIOKafkaProducer, rows: Rows, offsets: Offsets, group: str) -> int:
        """Write all of it; returns how often it had to be done again. The last partition of ``rows`` is the one that vouches for the rest.

        Raises `Fenced`, `Ambiguous`, or the error of what cannot succeed (a record too large, no authorization).
        """

    async def remind(self, offsets: Offsets) -> None:
        """Say again how far each input is read, where a worker that was replaced may have said less since. Now and then, while idle."""

    async def append_time(self, producer: AIOKafkaProducer, partition: TopicPartition, row: Row) -> int:
        """The broker's clock in ms: the time it gives to ``row``, which says what ``partition`` holds already. Raises `Fenced`."""


class ExactlyOnce:
    """All of it is one transaction, offsets included."""

    promise: Promise = "exactly_once"

    def offsets_group(self, environment: Environment) -> str:
        """See `Delivery`. The workers' own."""
        return environment.group

    def make_producer(self, connection: Connection, transactional_id: str) -> AIOKafkaProducer:
        """See `Delivery`."""
        return transaction.make_producer(connection, transactional_id)

    async def commit(self, producer: AIOKafkaProducer, rows: Rows, offsets: Offsets, group: str) -> int:
        """See `Delivery`."""
        return await transaction.commit(producer, rows, offsets, group)

    async def remind(self, offsets: Offsets) -> None:
        """See `Delivery`. Whoever was replaced is fenced."""

    async def append_time(self, producer: AIOKafkaProducer, partition: TopicPartition, row: Row) -> int:
        """See `Delivery`. The row is aborted."""
        try:
            await producer.begin_transaction()
            (metadata,) = await send(producer, {partition: [row]})
            await producer.abort_transaction()
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise Fenced from error
        return int(metadata.timestamp)


class AtLeastOnce:
    """Outputs, then state, then what vouches for it (the position), then offsets; each is waited for before the next.

    Whoever is killed in between left nothing that is not done again from the last position: outputs are repeated, rows that are ahead of
    their position say so (see `engagement.machine.Fold.loaded`). Nobody is fenced: a worker that was replaced writes on until it knows it.
    """

    promise: Promise = "at_least_once"

    def __init__(self, acknowledge: Acknowledge | None = None) -> None:
        """``acknowledge``: commits offsets (see `streams.group.Acknowledged`); None: nobody has any."""
        self._acknowledge = acknowledge

    def offsets_group(self, environment: Environment) -> str:
        """See `Delivery`. One without members: of a member that commits while its group is rebalancing, aiokafka makes another one."""
        return f"{environment.group}-read"

    def make_producer(self, connection: Connection, transactional_id: str) -> AIOKafkaProducer:  # noqa: ARG002 - nobody to fence
        """See `Delivery`."""
        return connection.producer(acks="all", **transaction.PRODUCER)

    async def commit(self, producer: AIOKafkaProducer, rows: Rows, offsets: Offsets, group: str) -> int:  # noqa: ARG002 - as acknowledged
        """See `Delivery`. Raises `Ambiguous` where it is not known what was written: all of it is to be done again."""
        try:
            if rows:
                *others, last = rows
                outcomes = await asyncio.gather(*(_append(producer, each, rows[each]) for each in others), return_exceptions=True)
                for outcome in outcomes:
                    if outcome is not None:
                        raise outcome
                await _append_vouching(producer, last, rows[last])
        except KafkaError as error:
            if error.retriable or isinstance(error, KafkaTimeoutError):
                msg = f"how much of a step was written is not known ({error!r})"
                raise Ambiguous(msg) from error
            raise
        if offsets and self._acknowledge is not None:
            await self._acknowledge(offsets)
        return 0

    async def remind(self, offsets: Offsets) -> None:
        """See `Delivery`. Whatever fails is done the next time."""
        if self._acknowledge is not None:
            with suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(self._acknowledge(offsets), REMIND_SECONDS)

    async def append_time(self, producer: AIOKafkaProducer, partition: TopicPartition, row: Row) -> int:
        """See `Delivery`. The row stays, and says nothing new."""
        (metadata,) = await send(producer, {partition: [row]})
        return int(metadata.timestamp)


EXACTLY_ONCE: Delivery = ExactlyOnce()


def delivery_of(genesis: Genesis, acknowledge: Acknowledge | None = None) -> Delivery:
    """How an environment commits. Raises `Refused` where this version does not know its way."""
    match genesis.delivery:
        case "exactly_once":
            return EXACTLY_ONCE
        case "at_least_once":
            return AtLeastOnce(acknowledge)
    raise Refused(f"genesis.delivery = {genesis.delivery!r}: this mqa knows exactly_once and at_least_once; run the one that made it")


async def ask_broker(connection: Connection, transactional_id: str) -> Delivery:
    """Find out which of the two the broker can do: whether it gives this id to a transactional producer. Fences whoever has it."""
    with overheard_clients():  # aiokafka says as an error what is an answer here
        producer = transaction.make_producer(connection, transactional_id)
        try:
            await producer.start()
        except (UnknownError, UnsupportedVersionError):
            return AtLeastOnce()
        finally:
            await producer.stop()
    return EXACTLY_ONCE


async def _append(producer: AIOKafkaProducer, partition: TopicPartition, rows: Sequence[Row]) -> None:
    """Batch after batch: were a later one written where an earlier one failed, the earlier would be taken for a repeat when it came."""
    for batch in batches_of(producer, rows):
        await (await producer.send_batch(batch, partition.topic, partition=partition.partition))


async def _append_vouching(producer: AIOKafkaProducer, partition: TopicPartition, rows: Sequence[Row]) -> None:
    """All in one batch, which a broker appends whole or not at all; where that is too small, state first, and then what vouches for it.

    What is deleted is deleted last: until the position says otherwise it may be needed.
    """
    state = [row for row in rows if row[0] not in RESERVED_KEYS and row[1] is not None]
    vouching = [row for row in rows if row[0] in RESERVED_KEYS or row[1] is None]
    if len(list(batches_of(producer, rows))) > 1:
        await _append(producer, partition, state)
        await _append(producer, partition, vouching)
    else:
        await _append(producer, partition, [*state, *vouching])
