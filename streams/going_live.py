"""``mqa go-live``: an environment into which a history was played runs by the wall from here on.

The switch is one transaction, which stands at the end of all that can be done again: whatever is killed before it leaves a played
environment, and after it nothing is left to do. It writes the days that are missing up to today, which are history too, then a
`GoLive` record into every partition of the log, from where on changes are no longer ``baseline``, and into ``rulebooks``, where
workers and commands see at their start which clock rules (`clocks.clock_of`).
"""

import asyncio
from contextlib import AsyncExitStack
from time import time_ns
from typing import Any

import click
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code
from aiokafka.structs import TopicPartition

from engagement.days import day_of, iso_day
from engagement.errors import Refused
from engagement.machine import CLOCK_KEY
from engagement.records import DAY_KEY, LIVE_KEY, Day, GoLive, encode
from streams.clocks import clock_of
from streams.configuration import rulebooks_partition
from streams.connection import Connection
from streams.days import IntakeProgress, clock_partition, last_day_of
from streams.delivery import delivery_of
from streams.genesis import read_genesis
from streams.group import count_members
from streams.people import refuse_other_people
from streams.person_key import PersonKey, person_key
from streams.reading import reader
from streams.topics import INPUTS, LOG, TOPICS, Environment
from streams.transaction import Ambiguous, Fenced, Row

_SET_FOR_THE_TOPIC = 1
"""Kafka's source of a setting that the topic itself has."""


@click.command("go-live")
@click.option("--prefix", default="", metavar="PREFIX", help="The environment that holds the baseline.", envvar="MQA_PREFIX")
@click.option("--bootstrap", metavar="HOST:PORT", help="Kafka; else KAFKA_BOOTSTRAP, else the local broker.")
def go_live(prefix: str, bootstrap: str | None) -> None:
    """Switch a played environment to the wall clock, once.

    Stop its workers first, and start them again afterwards. The days between the history's end and today belong to the baseline; what
    happens from now on is live. There is no way back.
    """
    environment, connection, key = Environment(prefix), Connection.find(bootstrap), person_key("wall")

    async def run() -> int:
        await connection.wait_until_ready()
        return await switch_to_wall(connection, environment, key, time_ns() // 1_000_000)

    last_day = asyncio.run(run())
    click.echo(
        f"environment {prefix!r} runs by the wall clock from here on; its history ended on {iso_day(last_day)}, and the days up to today "
        f"are baseline too: start its workers (`mqa worker{environment.option}`)"
    )


async def switch_to_wall(connection: Connection, environment: Environment, key: PersonKey, now: int) -> int:
    """Let the environment run by the wall; returns the last day played. ``now`` in ms; ``key`` is that of its workers.

    Raises `Refused` where it does so already, where workers run or have not folded everything, where nothing was played or its days
    lie ahead, where people were hashed under another key, and where the broker has no transactions.
    """
    genesis = await read_genesis(connection, environment)
    delivery = delivery_of(genesis)
    name = f"environment {environment.prefix!r}"
    if await clock_of(connection, environment, genesis) == "wall":
        msg = f"{name} runs by the wall clock already; only one into which a history was played can go live, and once"
        raise Refused(msg)
    if delivery.promise != "exactly_once":
        msg = (
            f"{name}: its broker has no transactions, and going live takes one; load the history into an environment on Kafka, or begin "
            "one without a history (`mqa topics create --prefix NEW --clock wall`)"
        )
        raise Refused(msg)
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(connection.admin())
        committed = await stack.enter_async_context(reader(connection))
        uncommitted = await stack.enter_async_context(reader(connection, "read_uncommitted"))
        if members := await count_members(admin, environment.group):
            msg = (
                f"{name}: {members} in the group {environment.group!r}: stop its workers (a killed one stays until its session is over), "
                "then run this again"
            )
            raise Refused(msg)
        producer = delivery.make_producer(connection, environment.transactional_id("clock", 0))
        await stack.enter_async_context(producer)  # fences a player: the days that it appended until now are final
        last_day = await last_day_of(committed, environment)
        if last_day is None:
            msg = f"{name}: no day was played into it; load a history with `mqa baseline FILE{environment.option}` first"
            raise Refused(msg)
        if last_day > day_of(now):
            msg = f"{name}: its last day is {iso_day(last_day)}, and today is {iso_day(day_of(now))}: run this again on that day"
            raise Refused(msg)
        for topics in (INPUTS, (LOG,)):
            progress = IntakeProgress(
                environment, genesis.partitions, committed=committed, uncommitted=uncommitted, admin=admin, topics=topics, delivery=delivery
            )
            if not await progress.has_reached(await progress.ends()):
                read = ", ".join(map(environment.topic, topics))
                msg = f"{name}: {read} are not read to their ends; let `mqa worker{environment.option}` do it, stop it, then run this again"
                raise Refused(msg)
        await refuse_other_people(connection, environment, genesis.partitions, key)
        await _set_topics(admin, environment)
        days: list[Row] = [(DAY_KEY, encode(Day(day=day)), (), None) for day in range(last_day + 1, day_of(now) + 1)]
        live: Row = (LIVE_KEY, encode(GoLive(received_at=now)), (), None)
        rows: dict[TopicPartition, list[Row]] = {
            TopicPartition(environment.topic(LOG), number): [*days, live] for number in range(genesis.partitions)
        }
        rows[clock_partition(environment)] = [(CLOCK_KEY, b"%d" % day_of(now), (), None)]
        rows[rulebooks_partition(environment)] = [live]
        try:
            await delivery.commit(producer, rows, {}, environment.group)
        except Ambiguous as error:
            msg = f"{name}: whether it is live now is not known ({error.__cause__ or error}); `mqa topics check{environment.option}` says"
            raise Refused(msg) from None
        except Fenced:
            msg = f"{name}: another `mqa go-live` or `mqa play` came in between; see what it did, then run this again"
            raise Refused(msg) from None
    return last_day


async def _set_topics(admin: Any, environment: Environment) -> None:
    """Give every topic the settings of an environment that runs by the wall. What else somebody has set stays."""
    replicas = {each["topic"]: len(each["partitions"][0]["replicas"]) for each in await admin.describe_topics()}
    names = [environment.topic(each.short) for each in TOPICS]
    found = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    own: dict[str, dict[str, str]] = {
        name: {setting: value for setting, value, _, source, *_ in entries if source == _SET_FOR_THE_TOPIC}
        for answer in found
        for _, _, _, name, entries in answer.resources
    }
    wanted = []
    for each, name in zip(TOPICS, names, strict=True):
        played, wall = (each.configs(clock, replicas[name]) for clock in ("played", "wall"))
        kept = {setting: value for setting, value in own[name].items() if played.get(setting) == wall.get(setting)}
        changed = {setting: value for setting, value in wall.items() if value != played.get(setting)}
        wanted.append(ConfigResource(ConfigResourceType.TOPIC, name, kept | changed))
    for answer in await admin.alter_configs(wanted):
        for code, reason, _, name in answer.resources:
            if code:
                why = reason or for_code(code).__name__
                msg = f"{name}: the broker will not change its settings ({why}); look to its permissions, then run this again"
                raise Refused(msg)
