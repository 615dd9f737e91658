"""State from its changelog, and whether what the topics hold still fits it."""

from collections.abc import Callable, Collection

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from engagement.errors import Refused
from engagement.machine import CLOCK_KEY, Fold
from streams.connection import Connection
from streams.group import committed_offsets
from streams.reading import read_to_end, reader


async def restore(
    connection: Connection,
    consumer: AIOKafkaConsumer,
    changelog: TopicPartition,
    fold: Fold,
    *,
    stale: Callable[[], bool],
    clock: Callable[[bytes], None],
) -> int | None:
    """Load the whole changelog into ``fold``; returns the end it read to, None where ``stale`` said that nobody wants it any more.

    The caller has fenced the unit's last owner before: no transaction of it can still be open, so the end that is read
    here is the end of its state. ``clock`` is given the clock's row, which stands beside the state of intake's unit 0.
    """
    # Not the last stable offset: beside this unit the clock writes here, and while a transaction of its is open, what we committed
    # lies behind it and would be missed.
    async with reader(connection, "read_uncommitted") as uncommitted:
        end: int = (await uncommitted.end_offsets([changelog]))[changelog]
    async for records in read_to_end(consumer, changelog, end=end):
        for record in records:
            if record.key == CLOCK_KEY and record.value is not None:
                clock(record.value)
            elif record.key is not None:
                fold.load(record.key, record.value)
        if stale():
            return None
    fold.loaded()
    return end


async def check_sources(
    connection: Connection,
    consumer: AIOKafkaConsumer,
    partitions: Collection[TopicPartition],
    fold: Fold,
    *,
    group: str,
    changelog: TopicPartition,
    accept_loss: Collection[str],
) -> None:
    """Raise `Refused` where state and topics contradict each other: going on would lose or double events without a word.

    ``accept_loss`` names (``topic/partition``) where a person takes it that retention deleted unread records.
    """
    begin = await consumer.beginning_offsets(partitions)
    end = await consumer.end_offsets(partitions)
    committed = await _committed(connection, group, partitions)
    for partition in partitions:
        place, position = f"{partition.topic}/{partition.partition}", fold.position.next.get(partition.topic, 0)
        if committed[partition] > position:
            holds = f"has read to {position}" if position else "holds no state"
            msg = (
                f"{changelog.topic}/{changelog.partition} {holds}, but the group {group!r} has committed offset {committed[partition]} "
                f"of {place}: the state topic was lost or cut off; restore it from a backup, or begin a new environment with "
                "`mqa topics create --prefix NEW` and play its history"
            )
            raise Refused(msg)
        if position > end[partition]:
            msg = (
                f"{place} ends at offset {end[partition]}, before the state's position {position}: the topic was made anew or cut off; "
                "restore it from a backup, or begin a new environment with `mqa topics create --prefix NEW`"
            )
            raise Refused(msg)
        if position < begin[partition] and place not in accept_loss:
            raise Refused(expired(place, position, begin[partition]))


def expired(place: str, position: int, begin: int) -> str:
    """Say that retention was quicker than the fold."""
    return (
        f"{place} begins at offset {begin}, but the state has only read to {position}: retention deleted {begin - position} offsets "
        f"unread; lengthen retention.ms, and accept the loss with `mqa worker --accept-loss {place}`"
    )


async def _committed(connection: Connection, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    admin = AIOKafkaAdminClient(**connection.client_options())
    await admin.start()
    try:
        return await committed_offsets(admin, group, partitions)
    finally:
        await admin.close()
