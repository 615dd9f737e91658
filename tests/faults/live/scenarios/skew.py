"""Clocks that are an hour off: the leader's must append no day, and a producer's must move no account."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic, time_ns

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from engagement.days import day_of, iso_instant
from engagement.events import Family
from engagement.records import DAY_KEY
from streams.connection import Connection
from streams.going_live import switch_to_wall
from streams.history.player import open_player
from streams.person_key import person_key
from streams.reading import read_to_end, reader
from streams.topics import DEAD_LETTERS, LOG, Environment
from tests.faults.live.scenarios.stage import PARTITIONS, Outcome, Stage, Tell, open_stage

HOUR = 3_600_000
DAY = 24 * HOUR
WATCHED_SECONDS = 4.0
SECONDS = 30.0


async def skew(connection: Connection, folder: Path, *, tell: Tell) -> Outcome:
    """A day is due. Leaders whose clocks are an hour off append none; then one whose clock is right does."""
    async with open_stage(connection, folder, "skew", tell=tell) as stage:
        await _go_live_yesterday(stage)
        for shift in (HOUR, -HOUR):
            await _wrong_leader(stage, shift)
        stage.crew.hire("right")
        await _until("a leader whose clock is right appended no day", stage, lambda: _days(connection, stage.environment), PARTITIONS)
        await _wrong_producer(stage)
        await stage.crew.dismiss("right")
        stage.outcome.complaints += stage.crew.complaints
    return stage.outcome


async def _go_live_yesterday(stage: Stage) -> None:
    yesterday = time_ns() // 1_000_000 - DAY
    stage.crew.hire("first")
    async with open_player(stage.connection, stage.environment) as player:
        await player.begin(day_of(yesterday))
        await player.settle()
    await stage.crew.dismiss("first")
    await switch_to_wall(stage.connection, stage.environment, person_key("wall"), yesterday)


async def _days(connection: Connection, environment: Environment) -> int:
    """Day records behind the first of every partition, which was played."""
    days = 0
    async with reader(connection) as consumer:
        for number in range(PARTITIONS):
            async for records in read_to_end(consumer, TopicPartition(environment.topic(LOG), number)):
                days += sum(record.key == DAY_KEY for record in records)
    return days - PARTITIONS


async def _wrong_leader(stage: Stage, shift: int) -> None:
    name = f"shifted{shift}"
    stage.tell(f"the leader's clock is {shift // 60_000} minutes ahead")
    stage.crew.hire(name, faults=("--clock-shift", str(shift)))
    deadline = monotonic() + SECONDS
    while "no day is appended" not in stage.crew.said(name):
        if monotonic() > deadline:
            stage.outcome.complaints.append(f"{name} did not say that its clock is off")
            break
        await asyncio.sleep(0.1)
    await asyncio.sleep(WATCHED_SECONDS)
    days = await _days(stage.connection, stage.environment)
    stage.outcome.figures[f"days appended, clock {shift // 60_000:+} min"] = days
    if days:
        stage.outcome.complaints.append(f"{name} appended {days} day records")
    await stage.crew.dismiss(name)


async def _wrong_producer(stage: Stage) -> None:
    """One event from an hour ahead, one from an hour ago; both with the producer's idea of the time as Kafka's timestamp."""
    stage.tell("a producer's clock is an hour off, and another's the other way")
    now = time_ns() // 1_000_000
    async with AIOKafkaProducer(**stage.connection.client_options()) as producer:
        for name, shift in (("ahead", HOUR), ("behind", -HOUR)):
            account = f"{name}.example"
            event = {"id": name, "kind": "demo_request", "occurred_at": iso_instant(now + shift), "email": f"ann@{account}"}
            topic = stage.environment.topic(Family.INTENT_SIGNALS.value)
            await producer.send_and_wait(topic, msgspec.json.encode(event), account.encode(), timestamp_ms=now + shift)
    await _until("the event from the future is no dead letter", stage, lambda: _count(stage, DEAD_LETTERS, b"ahead.example"), 1)
    await _until("the event of an hour ago is not counted", stage, lambda: _count(stage, LOG, b"behind.example"), 1)
    moved = await _count(stage, LOG, b"ahead.example")
    stage.outcome.figures["accounts moved from the future"] = moved
    if moved:
        stage.outcome.complaints.append("an event from the future came into the log")


async def _count(stage: Stage, short: str, key: bytes) -> int:
    found = 0
    async with reader(stage.connection) as consumer:
        for number in range(PARTITIONS):
            async for records in read_to_end(consumer, TopicPartition(stage.environment.topic(short), number)):
                found += sum(record.key == key for record in records)
    return found


async def _until(complaint: str, stage: Stage, count: Callable[[], Awaitable[int]], wanted: int) -> None:
    deadline = monotonic() + SECONDS
    while (found := await count()) != wanted:
        if monotonic() > deadline:
            stage.outcome.complaints.append(f"{complaint} within {SECONDS:g} s: {found}, {wanted} expected")
            return
        await asyncio.sleep(0.2)
