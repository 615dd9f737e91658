"""``mqa filtered``: which events moved no account, and why; with the original, where its input topic still has it.

The topic ``filtered-events`` says where each lies (`engagement.filtered`). What it said stays where its producer sent it.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from heapq import nlargest
from itertools import chain
from typing import NamedTuple

import click
import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from engagement.days import EARLIEST, LATEST, iso_instant
from engagement.filtered import FilteredEvent, decode
from engagement.machine import Record
from engagement.written import printable
from streams.connection import Connection
from streams.genesis import read_genesis
from streams.reading import read_to_end, reader
from streams.scanning import original_lines, scan
from streams.topics import FILTERED_EVENTS, INPUTS, Environment

_LONGEST_ID = 40  # characters on a terminal; JSON has the whole
_LONGEST_REASON = 40  # likewise
_LONGEST_LINE = 2_000  # likewise, of an original

FOREIGN = ("", False)
"""Under which records are counted that somebody else wrote: intake's have a reason."""


class Found(NamedTuple):
    """One record of the topic. In the order of when it was filtered."""

    at: int  # ms
    partition: int
    offset: int
    event: FilteredEvent


class _Named(msgspec.Struct):
    id: str


@click.command()
@click.option("--reason", metavar="REASON", help="List those only.")
@click.option("--last", type=click.IntRange(0), default=20, show_default=True, help="How many to list, the newest last.")
@click.option("--original", "has_original", is_flag=True, help="Show each as it was sent, with all that it says of people.")
@click.option("--prefix", default="", metavar="PREFIX", help="The environment.", envvar="MQA_PREFIX")
@click.option("--bootstrap", metavar="HOST:PORT", help="Kafka; else KAFKA_BOOTSTRAP, else the local broker.")
@click.option("--json", "is_json", is_flag=True, help="For programs: one JSON object a line; the counts go to standard error.")
def filtered(*, reason: str | None, last: int, has_original: bool, prefix: str, bootstrap: str | None, is_json: bool) -> None:
    """List the events that were filtered last: when, why, which, and where it lies.

    Below, how many the topic filtered-events holds by reason: those of 30 days. "no longer" is said of a visit whose visitor was own staff
    and is somebody else now.
    """
    connection, environment = Connection.find(bootstrap), Environment(prefix)

    async def run() -> None:
        await connection.wait_until_ready()
        found, records = await read_filtered(connection, environment, reason=reason, last=last)
        lines = [""] * len(found) if is_json else list(listed(found, environment))
        async with reader(connection, fetch_bytes=1) as consumer:  # a broker sends one whole batch at least
            for each, line in zip(found, lines, strict=True):
                original = await read_original(consumer, environment, each.event) if has_original else None
                if is_json:
                    click.echo(_as_json(each, original, has_original=has_original))
                else:
                    click.echo("\n".join([line, *(_indented(original) if has_original else ())]))
        click.echo(records_line(records), err=is_json)

    asyncio.run(run())


async def read_filtered(
    connection: Connection, environment: Environment, *, reason: str | None = None, last: int
) -> tuple[list[Found], Counter[tuple[str, bool]]]:
    """Read the whole topic: the ``last`` records (of ``reason`` only), the newest last, and how many it holds by reason and ``undo``.

    What is no record of intake's is counted under `FOREIGN`. Raises `Refused` where there is no such environment.
    """
    genesis = await read_genesis(connection, environment)
    newest: list[Found] = []
    records: Counter[tuple[str, bool]] = Counter()

    def take(batch: list[Record]) -> None:
        nonlocal newest
        found = [each for record in batch if (each := _found(record, genesis.partitions)) is not None]
        records.update((each.event.reason, each.event.undo) for each in found)
        records[FOREIGN] += len(batch) - len(found)
        newest = nlargest(last, chain(newest, (each for each in found if reason in {None, each.event.reason})))

    await scan(connection, environment, FILTERED_EVENTS, genesis.partitions, take)
    return newest[::-1], records


async def read_original(consumer: AIOKafkaConsumer, environment: Environment, event: FilteredEvent) -> bytes | None:
    """Give the value of an event as it was sent; None where its topic keeps it no more, or was made anew since."""
    family, number, offset, _ = event.source
    place = TopicPartition(environment.topic(family), number)
    begin, end = (await consumer.beginning_offsets([place]))[place], (await consumer.end_offsets([place]))[place]
    if not begin <= offset < end:
        return None
    read = [record.value async for batch in read_to_end(consumer, place, start=offset, end=offset + 1) for record in batch]
    original = read[0] if read else None
    return original if original is not None and (event.id is None or _id_of(original) == event.id) else None


def listed(found: Iterable[Found], environment: Environment) -> Iterator[str]:
    """One line for each: when, why, which, where."""
    rows = [(_reason(each.event), printable(each.event.id or "-", _LONGEST_ID), each) for each in found]
    reasons, ids = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
    for reason, event_id, each in rows:
        family, partition, offset, number = each.event.source
        in_batch = f", event {number} in it" if number else ""
        place = f"{environment.topic(family)}/{partition}/{offset}{in_batch}"
        yield f"{iso_instant(each.at)}  {reason:<{reasons}}  {event_id:<{ids}}  {place}"


def records_line(records: Counter[tuple[str, bool]]) -> str:
    """How many events the topic says are filtered, by reason."""
    counts: Counter[str] = Counter()
    for (reason, undo), count in records.items():
        if (reason, undo) != FOREIGN:
            counts[reason] += -count if undo else count
    reasons = ", ".join(f"{printable(reason, _LONGEST_REASON)} {count:,}" for reason, count in counts.most_common())
    foreign = f"; {records[FOREIGN]:,} records that are none of intake's are left out" if records[FOREIGN] else ""
    return f"{counts.total():,} filtered{f': {reasons}' if reasons else ''}{foreign}"


def _found(record: Record, partitions: int) -> Found | None:
    """Read a record; None for what intake cannot have written."""
    try:
        event = decode(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    family, number, offset, _ = event.source
    is_place = family in INPUTS and 0 <= number < partitions and offset >= 0
    return Found(record.timestamp, record.partition, record.offset, event) if is_place and EARLIEST <= record.timestamp < LATEST else None


def _reason(event: FilteredEvent) -> str:
    reason = printable(event.reason, _LONGEST_REASON)
    return f"no longer {reason}" if event.undo else reason


def _id_of(original: bytes) -> str | None:
    try:
        return msgspec.json.decode(original, type=_Named).id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _as_json(each: Found, original: bytes | None, *, has_original: bool) -> str:
    said = {"at": iso_instant(each.at), **msgspec.to_builtins(each.event)}
    if has_original:
        said["original"] = None if original is None else original.decode(errors="replace")
    return msgspec.json.encode(said).decode()


def _indented(original: bytes | None) -> Iterator[str]:
    if original is None:
        yield "    (its topic keeps it no more)"
    else:
        yield from original_lines(original, _LONGEST_LINE)
