"""One transaction per step: state, outputs, position and offsets become visible together or not at all."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    IllegalOperation,
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
)
from aiokafka.structs import OffsetAndMetadata, RecordMetadata, TopicPartition

from engagement.machine import Headers, Step
from streams.connection import Connection

TIMEOUT_MS = 20_000
"""An open transaction holds back read_committed readers at most this long after its worker died."""

BATCH_BYTES = 1 << 20
ABORT_PAUSE = 0.2
ABORTS_AT_MOST = 50

Row = tuple[bytes | None, bytes | None, Headers, int | None]
"""key, value, headers, timestamp in ms (None: now)."""


class Fenced(Exception):  # noqa: N818 - it reads as what happened
    """A newer owner has taken this transactional id, or the broker has given it up: it must be opened anew."""


class Ambiguous(Exception):  # noqa: N818 - as above
    """Whether the commit happened is unknown. Only a new process that reads the log can tell."""


PRODUCER: Mapping[str, int] = {
    "linger_ms": 2,
    "max_batch_size": BATCH_BYTES,
    "max_request_size": 8 << 20,
    "request_timeout_ms": 15_000,
    "retry_backoff_ms": 20,  # short, because Kafka 4 answers the first produces of a following transaction with a retriable error
}


def make_producer(connection: Connection, transactional_id: str) -> AIOKafkaProducer:
    """Not started."""
    return connection.producer(transactional_id=transactional_id, transaction_timeout_ms=TIMEOUT_MS, **PRODUCER)


def rows_of(step: Step, changelog: TopicPartition, topic_of: Callable[[str], str]) -> dict[TopicPartition, list[Row]]:
    """Everything a step writes, by destination: the changelog comes last, and in it the position."""
    rows: dict[TopicPartition, list[Row]] = defaultdict(list)
    for output in step.outputs:
        number = changelog.partition if output.partition is None else output.partition
        destination = TopicPartition(topic_of(output.topic), number)
        rows[destination].append((output.key, output.value, output.headers, output.timestamp))
    rows[changelog] = [(key, value, (), None) for key, value in step.changelog.items()]
    return rows


async def commit(
    producer: AIOKafkaProducer, rows: Mapping[TopicPartition, Sequence[Row]], offsets: Mapping[TopicPartition, int], group: str
) -> int:
    """Write all of it in one transaction; returns how often it had to be aborted and done again.

    Raises `Fenced`, `Ambiguous`, or the error of a transaction that cannot succeed (a record too large, no authorization).
    """
    for aborts in range(ABORTS_AT_MOST):
        try:
            await producer.begin_transaction()
            try:
                await send(producer, rows)
                if offsets:
                    committed = {partition: OffsetAndMetadata(offset, "") for partition, offset in offsets.items()}
                    await producer.send_offsets_to_transaction(committed, group)
            except (ProducerFenced, InvalidProducerEpoch):
                raise
            except KafkaError as error:
                # The broker forgets an id that was idle for a week, and aiokafka goes on counting where a failed attempt left off.
                if isinstance(error.__cause__, InvalidProducerIdMapping) or isinstance(error, OutOfOrderSequenceNumber):
                    raise Fenced from error
                if not error.retriable:
                    raise
                await producer.abort_transaction()
                await asyncio.sleep(ABORT_PAUSE)
                continue
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise Fenced from error
        try:
            await producer.commit_transaction()
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise Fenced from error
        except Exception as error:
            msg = f"whether a transaction was committed is not known ({error!r})"
            raise Ambiguous(msg) from error
        return aborts
    msg = f"{ABORTS_AT_MOST} attempts at one transaction were aborted"
    raise Ambiguous(msg)


async def send(producer: AIOKafkaProducer, rows: Mapping[TopicPartition, Sequence[Row]]) -> list[RecordMetadata]:
    """Send as whole batches (a fifth of the cost of single sends) and wait; returns the batches' metadata, in order."""
    sent: list[asyncio.Future[RecordMetadata]] = []
    closed: IllegalOperation | None = None
    try:
        for (topic, partition), some in rows.items():
            for batch in batches_of(producer, some):
                sent.append(await producer.send_batch(batch, topic, partition=partition))  # noqa: PERF401 - those sent must be known
    except IllegalOperation as error:  # the transaction failed while we were filling batches; one already sent knows why
        closed = error
    outcomes = await asyncio.gather(*sent, return_exceptions=True)  # all of them: an exception nobody took would be logged
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    if closed is not None:
        raise closed
    return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]


def batches_of(producer: AIOKafkaProducer, rows: Iterable[Row]) -> Iterator[Any]:
    """As few as the producer's batch size allows, in the order of the rows."""
    batch = producer.create_batch()
    for key, value, headers, timestamp in rows:
        fields = {"key": key, "value": value, "headers": list(headers), "timestamp": timestamp}
        if batch.append(**fields) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(**fields)  # the first is taken at any size
    if batch.record_count():
        yield batch
