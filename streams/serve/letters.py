"""The newest dead letters, for people to look at: read from the end of the topic, a bounded number, and kept for a few seconds."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import msgspec
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from engagement.days import iso_instant
from engagement.dead_letters import DEAD_LETTERS, DeadLetter, read_letter, why_not
from engagement.machine import Record
from engagement.written import printable
from streams.connection import Connection
from streams.reading import read_to_end, reader
from streams.serve.problems import unavailable
from streams.serve.remembered import Remembered
from streams.topics import Environment

READ_OF_PARTITION = 1_000
"""Records looked at in each partition, the newest."""
KEPT_SECONDS = 5.0
ANSWER_SECONDS = 5.0
_LONGEST_KEY = 256
_LONGEST_ORIGINAL = 4_096


class Source(msgspec.Struct, kw_only=True, frozen=True):
    """Where the original lies."""

    topic: str  # without the environment's prefix
    partition: int
    offset: int


class Letter(msgspec.Struct, kw_only=True, frozen=True):
    """One event that could not be used. What may name people is null to those who may not see them."""

    place: str  # ``3/17``: partition and offset, as `mqa dead-letters show` takes it
    reason: str
    source: Source
    received_at: str
    retried: bool  # it was sent again
    no_retry: str | None  # why it cannot be sent again; None: it can
    detail: str | None
    key: str | None
    original: str | None  # its beginning, as text


class LetterSource(Protocol):
    """Where the newest dead letters come from."""

    async def newest(self) -> Sequence[Letter]:
        """Give them, the newest first. Raises `Refusal` (503) where Kafka does not answer."""


class KafkaLetters:
    """From an environment's topic."""

    def __init__(self, connection: Connection, environment: Environment, partitions: int) -> None:
        """Reaches for nothing yet."""
        self._connection = connection
        self._partitions = [TopicPartition(environment.topic(DEAD_LETTERS), number) for number in range(partitions)]
        self._newest = Remembered(self._read_soon, KEPT_SECONDS)

    async def newest(self) -> Sequence[Letter]:
        """See `LetterSource`."""
        return await self._newest()

    async def _read_soon(self) -> Sequence[Letter]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._read()
        except (KafkaError, OSError, TimeoutError) as error:
            raise unavailable(f"dead letters cannot be read, Kafka does not answer ({error!r}); ask again") from None

    async def _read(self) -> Sequence[Letter]:
        found: list[tuple[Record, DeadLetter]] = []
        retried: set[tuple[int, int]] = set()
        async with reader(self._connection) as consumer:
            begins, ends = await consumer.beginning_offsets(self._partitions), await consumer.end_offsets(self._partitions)
            for partition in self._partitions:
                start = max(begins[partition], ends[partition] - READ_OF_PARTITION)
                async for batch in read_to_end(consumer, partition, start=start, end=ends[partition]):
                    for record in batch:
                        letter = read_letter(record, len(self._partitions))
                        if letter is None:  # somebody else wrote there, which `mqa dead-letters list` tells
                            continue
                        if letter.retried is None:
                            found.append((record, letter))
                        else:
                            retried.add((record.partition, letter.retried))
        found.sort(key=lambda each: each[0].timestamp, reverse=True)
        return [_shown(record, letter, is_retried=(record.partition, record.offset) in retried) for record, letter in found]


def _shown(record: Record, letter: DeadLetter, *, is_retried: bool) -> Letter:
    topic, partition, offset = letter.source
    return Letter(
        place=f"{record.partition}/{record.offset}",
        reason=letter.reason,
        source=Source(topic=topic, partition=partition, offset=offset),
        received_at=_instant(letter.received_at),
        retried=is_retried,
        no_retry=why_not(letter.reason, topic),
        detail=letter.detail,
        key=None if record.key is None else printable(record.key.decode(errors="replace"), _LONGEST_KEY),
        original=None if record.value is None else printable(record.value[:_LONGEST_ORIGINAL].decode(errors="replace"), _LONGEST_ORIGINAL),
    )


def _instant(received_at: int) -> str:
    """Spell an instant, which may be any number; one that no calendar has as it is."""
    try:
        return iso_instant(received_at)
    except (ValueError, OverflowError, OSError):
        return str(received_at)
