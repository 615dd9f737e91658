"""An environment's own log, replayed beside what its workers made of it.

Everything is read by independent read_committed consumers, partition by partition, so that memory holds one at a time. A running
environment can be read as well: what its workers have not folded yet is told apart by the position in their state.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from engagement.intake import IntakePosition
from engagement.machine import POSITION_KEY, RESERVED_KEYS, Output, Record, Table
from engagement.qualify import QualifyPosition
from streams.connection import Connection
from streams.history.compare import Comparison, Told, compare_changes, compare_states
from streams.history.engine import BATCH, LogReplay
from streams.reading import read_to_end, reader
from streams.topics import CHANGELOGS, LOG, TIER_CHANGES, Environment

_decode_intake_position = msgspec.json.Decoder(IntakePosition).decode
_decode_position = msgspec.json.Decoder(QualifyPosition).decode


class LiveState(NamedTuple):
    """What the workers' state of one log partition says."""

    rows: dict[bytes, bytes]
    position: QualifyPosition


Tell = Callable[[Output], None]
"""Takes the replay's tier changes, one by one, partition after partition."""


async def replay_log(connection: Connection, environment: Environment, partitions: int, tell: Tell, *, batch: int = BATCH) -> LogReplay:
    """Replay the environment's whole log."""
    replay = LogReplay(partitions=partitions, topic=environment.topic(LOG), batch=batch)
    async with reader(connection) as consumer:
        for number in range(partitions):
            async for change in replay_partition(consumer, environment, replay, number):
                tell(change)
    return replay


async def compare_log(
    connection: Connection, environment: Environment, partitions: int, tell: Tell, *, batch: int = BATCH
) -> tuple[LogReplay, Comparison]:
    """Replay what the workers have folded of the log, and compare it with their tier changes and their state."""
    replay = LogReplay(partitions=partitions, topic=environment.topic(LOG), batch=batch)
    total = Comparison()
    async with reader(connection) as consumer:
        for number in range(partitions):
            changes, comparison = await compare_partition(consumer, environment, replay, number)
            total += comparison
            for change in changes:
                tell(change)
    return replay, total


async def replay_partition(
    consumer: AIOKafkaConsumer, environment: Environment, replay: LogReplay, number: int, *, end: int | None = None
) -> AsyncIterator[Output]:
    """Fold one log partition below the offset ``end`` (None: all of it); yields its tier changes."""
    async for records in read_to_end(consumer, TopicPartition(environment.topic(LOG), number), end=end):
        for change in replay.fold(number, records):
            yield change


async def compare_partition(
    consumer: AIOKafkaConsumer, environment: Environment, replay: LogReplay, number: int
) -> tuple[list[Output], Comparison]:
    """Replay what the workers have folded of one partition, and compare; also gives the replay's tier changes."""
    state = await read_state(consumer, environment, number)
    reached = state.position.next.get(environment.topic(LOG), 0)
    changes = [change async for change in replay_partition(consumer, environment, replay, number, end=reached)]
    told = await read_changes(consumer, environment, number, below=reached)
    comparison = compare_changes(told, _by_account(changes))
    if state.position.cursor is None:  # else a day or an activation is half judged, and only half of the rows are ahead
        comparison += compare_states(state.rows, replay.rows(number))
    return changes, comparison + Comparison(unfolded=await _count(consumer, TopicPartition(environment.topic(LOG), number), reached))


async def read_state(consumer: AIOKafkaConsumer, environment: Environment, number: int) -> LiveState:
    """Read what a worker would restore of qualify's partition ``number``."""
    table, position = Table(), QualifyPosition()
    async for records in read_to_end(consumer, TopicPartition(environment.topic(CHANGELOGS["qualify"]), number)):
        for record in records:
            if record.key == POSITION_KEY and record.value is not None:
                position = _decode_position(record.value)
            elif record.key is not None and record.key not in RESERVED_KEYS:
                table.accept({record.key: record.value})
    return LiveState(table.rows, position)


async def read_intake_fates(connection: Connection, environment: Environment, partitions: int) -> Counter[str]:
    """Add up intake's counters over all partitions, as its state has them."""
    total: Counter[str] = Counter()
    for position in await read_intake_positions(connection, environment, partitions):
        total.update(position.fates)
    return total


async def read_intake_positions(connection: Connection, environment: Environment, partitions: int) -> list[IntakePosition]:
    """Read where the workers' intake stands in each partition; as one begins, where it committed nothing yet."""
    positions = []
    async with reader(connection) as consumer:
        for number in range(partitions):
            position = IntakePosition()
            async for records in read_to_end(consumer, TopicPartition(environment.topic(CHANGELOGS["intake"]), number)):
                for record in records:
                    if record.key == POSITION_KEY and record.value is not None:
                        position = _decode_intake_position(record.value)
            positions.append(position)
    return positions


async def read_changes(consumer: AIOKafkaConsumer, environment: Environment, number: int, *, below: int) -> Told:
    """Read the tier changes of one partition that log records before the offset ``below`` caused."""
    told: defaultdict[bytes, list[bytes]] = defaultdict(list)
    async for records in read_to_end(consumer, TopicPartition(environment.topic(TIER_CHANGES), number)):
        for record in records:
            if _cause(record) < below:
                assert record.key is not None
                assert record.value is not None
                told[record.key].append(record.value)
    return told


def _cause(record: Record) -> int:
    """Offset of the log record that a tier change comes from."""
    return int(dict(record.headers)["mqa-log"].partition(b"/")[2])


def _by_account(changes: Iterable[Output]) -> Told:
    told: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for change in changes:
        assert change.key is not None
        assert change.value is not None
        told[change.key].append(change.value)
    return told


async def _count(consumer: AIOKafkaConsumer, partition: TopicPartition, start: int) -> int:
    return sum([len(records) async for records in read_to_end(consumer, partition, start=start)])
