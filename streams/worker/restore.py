"""State from its changelog, and whether what the topics hold still fits it."""

from collections.abc import Callable, Collection, Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from engagement.errors import Refused
from engagement.machine import CLOCK_KEY, LANDMARKS_KEY, Fold
from streams.connection import Connection
from streams.group import committed_offsets
from streams.reading import read_one, read_to_end, reader
from streams.topics import LOG, Environment
from streams.worker.landmarks import Landmark, landmark


async def restore(
    connection: Connection,
    consumer: AIOKafkaConsumer,
    changelog: TopicPartition,
    fold: Fold,
    *,
    stale: Callable[[], bool],
    beside: dict[bytes, bytes],
    exact: bool = True,
    told: Callable[[float], None] = lambda _: None,
) -> int | None:
    """Load the whole changelog into ``fold``; returns the end it read to, None where ``stale`` said that nobody wants it any more.

    The caller has fenced the unit's last owner before: no transaction of it can still be open, so the end that is read
    here is the end of its state (at least once: it is not fenced, and may write on). ``exact``: see `Fold.loaded`.
    ``beside`` is given what is no part of the fold: the landmarks, and in intake's unit 0 the clock's row.
    ``told`` is told how much of the changelog is read, from 0 to 1, now and then.
    """
    # Not the last stable offset: beside this unit the clock writes here, and while a transaction of its is open, what we committed
    # lies behind it and would be missed.
    async with reader(connection, "read_uncommitted") as uncommitted:
        end: int = (await uncommitted.end_offsets([changelog]))[changelog]
    begin: int = (await consumer.beginning_offsets([changelog]))[changelog]
    told(0.0)
    async for records in read_to_end(consumer, changelog, end=end):
        for record in records:
            if record.key in (CLOCK_KEY, LANDMARKS_KEY) and record.value is not None:
                beside[record.key] = record.value
            elif record.key is not None:
                fold.load(record.key, record.value)
        if stale():
            return None
        told((await consumer.position(changelog) - begin) / (end - begin))
    told(1.0)
    fold.loaded(exact=exact)
    return end


async def check_sources(
    connection: Connection,
    consumer: AIOKafkaConsumer,
    partitions: Collection[TopicPartition],
    fold: Fold,
    *,
    environment: Environment,
    changelog: TopicPartition,
    landmarks: Mapping[str, Landmark],
    accept_loss: Collection[str],
    committed: Mapping[TopicPartition, int],
) -> dict[str, int]:
    """Raise `Refused` where state and topics contradict each other: going on would lose or double events without a word.

    ``committed`` is what the group had committed before the state was read: whoever was slow to read it may have been followed by a newer
    owner, which has moved on since.

    ``accept_loss`` names (``topic/partition``) where a person takes it that records were lost unread; returns from which offset those of
    these topics are to be read where some were, by topic.
    """
    gone = {partition.topic for partition in partitions} - await consumer.topics()
    if gone:
        msg = f"no topic {', '.join(sorted(gone))}, which was there before: restore it from a backup, or run `{environment.create_command}`"
        raise Refused(msg)
    begin = await consumer.beginning_offsets(partitions)
    end = await consumer.end_offsets(partitions)
    restarts: dict[str, int] = {}
    for partition in partitions:
        topic, first = partition.topic, begin[partition]
        place, position = f"{topic}/{partition.partition}", fold.position.next.get(topic, 0)
        if committed[partition] > position:
            holds = f"has read to {position}" if position else "holds no state"
            msg = (
                f"{changelog.topic}/{changelog.partition} {holds}, but the group {environment.group!r} has committed offset "
                f"{committed[partition]} of {place}: the state topic was lost or cut off; restore it from a backup, or begin a new "
                "environment with `mqa topics create --prefix NEW` and play its history"
            )
            raise Refused(msg)
        # An account's row says up to which offset of the log it was folded: of a new log it would skip as much.
        remedy = "" if topic == environment.topic(LOG) else f", or read it from its beginning with `mqa worker --accept-loss {place}`"
        last = landmarks.get(topic)
        if position < first:
            loss = (
                f"{place} begins at offset {first}, but the state has only read to {position}: retention deleted {first - position} "
                f"offsets unread; lengthen retention.ms, and accept the loss with `mqa worker --accept-loss {place}`"
            )
        elif position > end[partition]:
            loss = f"{place} ends at offset {end[partition]}, before the state's position {position}: {_ANEW}{remedy}"
        elif last is not None and first <= last.offset < position and not await _holds(connection, partition, last):
            loss = f"{place} holds at offset {last.offset} not the record that the state has read there: {_ANEW}{remedy}"
        else:
            continue
        if place not in accept_loss or (position >= first and not remedy):
            raise Refused(loss)
        restarts[topic] = first
    return restarts


_ANEW = (
    "the topic was deleted and made anew, or is another cluster's; restore it from a backup, begin a new environment with "
    "`mqa topics create --prefix NEW`"
)


async def _holds(connection: Connection, partition: TopicPartition, last: Landmark) -> bool:
    found = await read_one(connection, partition, last.offset)
    return found is not None and landmark(found) == last


async def committed_now(connection: Connection, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """Next offset by partition, as the group has committed it."""
    async with connection.admin() as admin:
        return await committed_offsets(admin, group, partitions)
