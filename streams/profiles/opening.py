"""Sources begin where the store stands. What it holds of another environment of the same name is forgotten first.

An environment made anew is known by the instant at which Kafka got its first record (`Mark.born`); a topic that was cut off, by
ending before the store's place. Either way nothing that is kept can be trusted, and the store is to be cleared: what follows is the same
as after a flush.
"""

import logging
from collections.abc import Collection, Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from engagement.judging import Judge
from streams.connection import Connection
from streams.profiles import changelog
from streams.profiles.sources import ACCOUNTS, Accounts, Changes, ContactLists, Source
from streams.profiles.store import Batch, Mark
from streams.topics import Environment

log = logging.getLogger("mqa.projector")

Sources = dict[TopicPartition, Source]


async def open_sources(
    consumer: AIOKafkaConsumer,
    assigned: Collection[TopicPartition],
    *,
    places: Mapping[str, int],
    marks: Mapping[int, Mark],
    connection: Connection,
    environment: Environment,
    partitions: int,
) -> tuple[Sources, list[Batch]] | None:
    """Open what is assigned from where the store stands (``places``, ``marks``). None where it must be cleared first.

    The batches tell the store, before all others, as of which day and rules its accounts will be. ``consumer`` reads beside the one that
    fetches. Raises what Kafka raises, and `Refused` for what this version cannot read.
    """
    begins, ends = await consumer.beginning_offsets(assigned), await consumer.end_offsets(assigned)
    states = [partition for partition in assigned if environment.short(partition.topic) == ACCOUNTS]
    births, positions = await changelog.births(consumer, states), await changelog.positions(consumer, states)

    rulebooks: dict[str, tuple[Judge, str]] = {}  # partitions go by the same

    async def find_rulebook(version: str) -> tuple[Judge, str]:
        if version not in rulebooks:
            rulebooks[version] = await changelog.rulebook_of(connection, environment, version)
        return rulebooks[version]

    sources: Sources = {}
    for partition in sorted(assigned):
        short, number = environment.short(partition.topic), partition.partition
        place, first, end = places.get(f"{short}/{number}", 0), begins[partition], ends[partition]
        mark = marks.get(number) if short == ACCOUNTS else None
        if place > end or (mark is not None and mark.born != births.get(partition)):
            log.warning("%s/%d is not what the store has read: it is filled anew", partition.topic, number)
            return None
        if short == ACCOUNTS:
            sources[partition] = Accounts(
                partition,
                place=place,
                first=first,
                end=end,
                partitions=partitions,
                kept=mark,
                position=positions.get(partition),
                born=births.get(partition),
                find_rulebook=find_rulebook,
            )
        else:
            kind = Changes if short == Changes.short else ContactLists
            sources[partition] = kind(partition, place=place, first=first, end=end)
    return sources, [batch for source in sources.values() if isinstance(source, Accounts) for batch in await source.open()]
