"""What the changelog of accounts says of its partitions as a whole: where each stands, and when it was made.

Read before its rows are: a profile is as of a rule day, and the row that names the day stands behind all others.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from engagement.errors import Refused
from engagement.judging import Judge, judge_by
from engagement.machine import FORMAT, POSITION_KEY, Record
from engagement.qualify import QualifyPosition
from streams.configuration import rulebooks_partition
from streams.connection import Connection
from streams.reading import FETCH_RECORDS, read_to_end, reader
from streams.topics import Environment

FETCH_BYTES = 256 << 10
"""Enough for an end, or a beginning: they are looked at before anything else can be read."""

_NEAR = 64
_WIDER = 16

_decode_position = msgspec.json.Decoder(QualifyPosition).decode

Spans = Mapping[TopicPartition, tuple[int, int]]
"""From which offset to before which."""


def newest_position(records: Iterable[Record], known: QualifyPosition | None = None) -> QualifyPosition | None:
    """Return the position that got furthest, ``known`` or among ``records``; None where there is none.

    Without transactions that of a worker which did not know that it was replaced may stand behind a newer one. Raises `Refused` for one of
    an unknown format.
    """
    newest = known
    for record in records:
        if record.key == POSITION_KEY and record.value is not None:
            position = _read_position(record)
            if newest is None or _reached(position) >= _reached(newest):
                newest = position
    return newest


async def positions(consumer: AIOKafkaConsumer, changelogs: Collection[TopicPartition]) -> dict[TopicPartition, QualifyPosition]:
    """Find where partitions stand, from their ends; no entry for one in which nothing was folded yet."""
    begins, ends = await consumer.beginning_offsets(changelogs), await consumer.end_offsets(changelogs)
    found: dict[TopicPartition, QualifyPosition] = {}
    left, near = {place for place in changelogs if begins[place] < ends[place]}, _NEAR
    while left:
        spans = {place: (max(begins[place], ends[place] - near), ends[place]) for place in left}
        for place, records in (await _read(consumer, spans)).items():
            position = newest_position(records)
            if position is not None:
                found[place] = position
        left = {place for place, (start, _) in spans.items() if place not in found and start > begins[place]}
        near *= _WIDER
    return found


async def births(consumer: AIOKafkaConsumer, changelogs: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """Say when Kafka got the first record of each, in ms: that of one made anew is another. No entry for an empty one."""
    begins, ends = await consumer.beginning_offsets(changelogs), await consumer.end_offsets(changelogs)
    spans = {place: (begins[place], min(ends[place], begins[place] + _NEAR)) for place in changelogs if begins[place] < ends[place]}
    return {place: records[0].timestamp for place, records in (await _read(consumer, spans)).items() if records}


async def rulebook_of(connection: Connection, environment: Environment, version: str) -> tuple[Judge, str]:
    """Find the rulebook of that version: its judge, and its text. Raises `Refused` where the environment has it no more."""
    partition = rulebooks_partition(environment)
    text: bytes | None = None
    async with reader(connection, "read_uncommitted") as uncommitted:  # accounts may show it before its own commit is seen here
        end = (await uncommitted.end_offsets([partition]))[partition]
    async with reader(connection) as consumer:
        async for records in read_to_end(consumer, partition, end=end):
            for record in records:
                if record.key == version.encode():
                    text = record.value
    if text is None:
        remedy = f"run `{environment.create_command}`, which writes the active one again, and wait until the workers have folded all"
        raise Refused(f"{partition.topic}: holds no rulebook {version}, by which accounts are judged; {remedy}")
    return judge_by(text.decode(), version), text.decode()


async def _read(consumer: AIOKafkaConsumer, spans: Spans) -> Mapping[TopicPartition, list[Record]]:
    """Read all of them side by side: one after the other each would cost a round to the broker."""
    found: defaultdict[TopicPartition, list[Record]] = defaultdict(list)
    if not spans:
        return found
    left = dict(spans)
    consumer.assign(list(left))
    for place, (start, _) in left.items():
        consumer.seek(place, start)
    while left:
        fetched = await consumer.getmany(*left, timeout_ms=200, max_records=FETCH_RECORDS)
        for place, records in fetched.items():
            found[place] += [record for record in records if record.offset < left[place][1]]
        left = {place: span for place, span in left.items() if await consumer.position(place) < span[1]}
    consumer.unsubscribe()  # or its fetcher would ask the broker without pause
    return found


def _read_position(record: Record) -> QualifyPosition:
    place = f"{record.topic}/{record.partition}"
    try:
        position = _decode_position(record.value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused(f"{place}: the position at offset {record.offset} cannot be read ({error}); {_OTHER_VERSION}") from None
    if position.format != FORMAT:
        raise Refused(f"{place}: its position has format {position.format}, this version reads {FORMAT}; {_OTHER_VERSION}")
    return position


_OTHER_VERSION = "run the version that wrote it"


def _reached(position: QualifyPosition) -> tuple[int, tuple[int, bytes]]:
    """Order positions of one partition."""
    return max(position.next.values(), default=0), (-1, b"") if position.cursor is None else position.cursor
