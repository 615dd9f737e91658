"""Topics that are deleted, cut off, made anew or given more partitions: no worker goes on, and the one that stops says why."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from aiokafka.admin import NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import TopicPartition

from streams.connection import Connection
from streams.days import append_day
from streams.delivery import EXACTLY_ONCE
from streams.history.player import open_player
from streams.reading import reader
from streams.topics import CHANGELOGS, LOG, TIER_CHANGES, TOPICS
from streams.transaction import make_producer
from tests.faults.live.load import Load
from tests.faults.live.run import FIRST_DAY
from tests.faults.live.scenarios.stage import PARTITIONS, Outcome, Stage, Tell, open_stage

ENDS_SECONDS = 60.0
DAYS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What is done to the topics, and what the worker must name."""

    name: str
    topic: str  # short
    do: Callable[[Stage, str], Awaitable[None]]
    while_running: bool = False


async def _delete(stage: Stage, topic: str) -> None:
    async with stage.connection.admin() as admin:
        await admin.delete_topics([topic])
    await _until_gone(stage, topic)


async def _truncate(stage: Stage, topic: str) -> None:
    """Half of every partition."""
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    async with reader(stage.connection, "read_uncommitted") as consumer:
        ends = await consumer.end_offsets(partitions)
    async with stage.connection.admin() as admin:
        # Kafka deletes no records of a compacted topic
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"cleanup.policy": "delete"})])
        await admin.delete_records({partition: RecordsToDelete(before_offset=end // 2) for partition, end in ends.items()})


async def _make_anew(stage: Stage, topic: str) -> None:
    """With the settings that it had, and nothing in it."""
    await _delete(stage, topic)
    (settings,) = (each for each in TOPICS if stage.environment.topic(each.short) == topic)
    async with stage.connection.admin() as admin:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs=settings.configs("played", 1))])


async def _add_partitions(stage: Stage, topic: str) -> None:
    async with stage.connection.admin() as admin:
        await admin.create_partitions({topic: NewPartitions(PARTITIONS + 1)})


async def _until_gone(stage: Stage, topic: str) -> None:
    async with stage.connection.admin() as admin:
        while topic in await admin.list_topics():  # noqa: ASYNC110 - a broker tells nobody
            await asyncio.sleep(0.05)


ACCOUNTS, INPUT = CHANGELOGS["qualify"], "intent-signals"
LOSSES = (
    Loss(name="state deleted", topic=ACCOUNTS, do=_delete),
    Loss(name="state made anew", topic=ACCOUNTS, do=_make_anew),
    Loss(name="state of intake made anew", topic=CHANGELOGS["intake"], do=_make_anew),
    Loss(name="state cut off", topic=ACCOUNTS, do=_truncate),
    Loss(name="log made anew", topic=LOG, do=_make_anew),
    Loss(name="input made anew", topic=INPUT, do=_make_anew),
    Loss(name="partitions added", topic=INPUT, do=_add_partitions),
    Loss(name="state deleted under a worker", topic=ACCOUNTS, do=_delete, while_running=True),
    Loss(name="input made anew under a worker", topic=INPUT, do=_make_anew, while_running=True),
)


async def losses(connection: Connection, folder: Path, *, which: tuple[Loss, ...] = LOSSES, tell: Tell) -> Outcome:
    """One environment each."""
    total = Outcome(name="losses")
    for loss in which:
        async with open_stage(connection, folder, loss.name, tell=tell, workers=("one",)) as stage:
            await _lose(stage, loss)
        total.seconds += stage.outcome.seconds
        total.figures |= {f"{loss.name}, s to stop": stage.outcome.figures["seconds"]}
        total.complaints += [f"{loss.name}: {complaint}" for complaint in stage.outcome.complaints]
    return total


async def _lose(stage: Stage, loss: Loss) -> None:
    load = Load(seed=1, accounts=40, events=80, partitions=PARTITIONS)
    async with open_player(stage.connection, stage.environment) as player:
        for day in range(FIRST_DAY, FIRST_DAY + DAYS):
            await player.begin(day)
            await player.receive(load.day(day))
        await player.settle()
    told = await _told(stage)
    if not loss.while_running:
        await stage.crew.dismiss("one")
    topic = stage.environment.topic(loss.topic)
    await loss.do(stage, topic)
    stage.tell(f"{topic} is lost")
    began = monotonic()
    if loss.while_running:
        async with make_producer(stage.connection, stage.environment.transactional_id("clock", 0)) as clock:
            await append_day(clock, stage.environment, PARTITIONS, FIRST_DAY + DAYS, EXACTLY_ONCE)  # work, by which it must notice
    else:
        stage.crew.hire("one")
    ending = await stage.crew.refused(ENDS_SECONDS)
    stage.outcome.figures["seconds"] = round(monotonic() - began, 1)
    if ending is None:
        stage.outcome.complaints.append(f"no worker stopped for a person to decide within {ENDS_SECONDS:g} s")
    else:
        stage.tell(f"status {ending.status}: {ending.said}")
        if topic not in ending.said and loss.topic not in ending.said:
            stage.outcome.complaints.append(f"the message does not name {topic}: {ending.said}")
    stage.outcome.complaints += stage.crew.complaints
    if not loss.while_running and await _told(stage) != told:
        stage.outcome.complaints.append("tier changes were told after the loss")


async def _told(stage: Stage) -> int:
    """Offsets of the tier changes."""
    partitions = [TopicPartition(stage.environment.topic(TIER_CHANGES), number) for number in range(PARTITIONS)]
    async with reader(stage.connection) as consumer:
        return sum((await consumer.end_offsets(partitions)).values())
