"""What the commands share that look through a whole topic: where a record lies, and how it is shown as it was sent."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
from aiokafka.structs import TopicPartition

from engagement.days import day_of
from engagement.machine import Record
from engagement.written import printable
from streams.connection import Connection
from streams.history.progress import day_line
from streams.reading import read_to_end, reader
from streams.topics import Environment

_LARGEST_INDENTED = 100_000
"""Bytes. What is nested deep takes a thousand times as much when it is indented."""


class Place(NamedTuple):
    """Where a record lies in its topic."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}/{self.offset}"


async def scan(connection: Connection, environment: Environment, short: str, partitions: int, take: Callable[[list[Record]], None]) -> None:
    """Hand all that a topic holds now to ``take``, batch after batch and partition after partition, with a line that says how far it is."""
    async with reader(connection) as consumer:
        with day_line("reading") as advance:
            for number in range(partitions):
                async for batch in read_to_end(consumer, TopicPartition(environment.topic(short), number)):
                    take(batch)
                    if batch:
                        advance(day_of(batch[-1].timestamp), len(batch))


def original_lines(original: bytes, longest: int) -> Iterator[str]:
    """Spell what was sent for a terminal, indented, JSON as such; no line is longer than ``longest`` characters and the indent."""
    text = _as_json(original) or original.decode(errors="replace")
    yield from (f"    {printable(line, longest)}" for line in text.splitlines())


def _as_json(original: bytes) -> str | None:
    if len(original) > _LARGEST_INDENTED:
        return None
    try:
        return msgspec.json.format(original, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
