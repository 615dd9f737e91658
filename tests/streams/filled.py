"""Environments that hold accounts without a worker having folded anything: their state written as a worker would, row by row."""

from collections.abc import Mapping

import msgspec
from aiokafka.structs import TopicPartition

from engagement.machine import POSITION_KEY, RULEBOOK_KEY
from engagement.qualify import QualifyPosition
from engagement.rulebook import Rulebook
from streams.connection import Connection
from streams.genesis import create_environment
from streams.topics import CHANGELOGS, LOG, Environment
from streams.transaction import send
from tests.streams.histories import PARTITIONS, RULEBOOK, new_replay, simulated_days

Rows = Mapping[int, Mapping[bytes, bytes]]
"""Partition -> account -> row."""

AT_ONCE = 1_000


def simulated_rows(*, accounts: int, days: int) -> tuple[Rows, int]:
    """What workers would have made of a simulated history, and the last day of it."""
    engine, today = new_replay(), 0
    for day, arrivals in simulated_days(accounts=accounts, days=days):
        engine.begin(day)
        engine.receive(arrivals)
        today = day
    return {number: engine.log.rows(number) for number in range(PARTITIONS)}, today


async def new_filled(kafka: Connection, environment: Environment, rows: Rows, day: int) -> None:
    """Make the environment with these accounts in it."""
    await create_environment(kafka, environment, partitions=PARTITIONS, clock="played")
    await fill(kafka, environment, rows, day)


async def fill(kafka: Connection, environment: Environment, rows: Rows, day: int, *, rulebook: Rulebook = RULEBOOK) -> None:
    """Write rows, and behind them that they were judged on ``day``."""
    async with kafka.producer() as producer:
        for number, partition_rows in rows.items():
            place = TopicPartition(environment.topic(CHANGELOGS["qualify"]), number)
            position = QualifyPosition(
                next={environment.topic(LOG): day}, rows=len(partition_rows), rule_day=day, rulebook=rulebook.version
            )
            text = rulebook.canonical().encode()
            records = [*partition_rows.items(), (RULEBOOK_KEY, text), (POSITION_KEY, msgspec.json.encode(position))]
            for at in range(0, len(records), AT_ONCE):
                await send(producer, {place: [(key, value, (), None) for key, value in records[at : at + AT_ONCE]]})
