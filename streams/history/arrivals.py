"""A history as Kafka takes it in: day by day, each event with its partition. `play` and `replay` share it and place events alike."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from engagement.days import day_of
from engagement.events import Family
from streams.history.lines import STANDARD_STREAM, HistoryLine, open_history, read_history
from streams.identity import partition_of


class Arrival(NamedTuple):
    """One input event and where it lies."""

    family: Family
    partition: int
    received_at: int  # ms
    key: bytes | None
    value: bytes | None


@contextmanager
def reading_history(path: Path) -> Iterator[Iterator[HistoryLine]]:
    """Read the lines of a history file, ``-`` being standard input. Raises `Refused` as `open_history` and `read_history` do."""
    with open_history(path, "rb") as file:
        yield read_history(file, "standard input" if path == STANDARD_STREAM else str(path))


def arrivals_by_day(lines: Iterable[HistoryLine], partitions: int) -> Iterator[tuple[int, list[Arrival]]]:
    """Each UTC day of ``received_at`` with its events, from the first day to the last, days without any included.

    Which partition an event lies in, `placed` says.
    """
    day: int | None = None
    arrivals: list[Arrival] = []
    for number, line in enumerate(lines):
        received_at = line.received_ms
        today = day_of(received_at)
        if day is None:
            day = today
        while day < today:
            yield day, arrivals
            day, arrivals = day + 1, []
        arrivals.append(placed(line, number, partitions))
    if day is not None:
        yield day, arrivals


def placed(line: HistoryLine, number: int, partitions: int) -> Arrival:
    """Place the event of line ``number``: where it says (modulo ``partitions``), else in its key's partition; without a key, in turn."""
    key = line.key_bytes
    if line.partition is not None:
        partition = line.partition % partitions
    else:
        partition = number % partitions if key is None else partition_of(key, partitions)
    return Arrival(line.topic, partition, line.received_ms, key, line.payload)
