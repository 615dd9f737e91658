"""What one would write first: a Faust agent with a table, which knows nothing of transactions.

``python -m tests.faults.live.plain_faust worker --prefix PREFIX --name NAME --folder FOLDER``, started and killed as `mqa worker` is.

It folds the account log with the same pure fold and means well: Faust keeps the offsets, the table and its changelog, and is asked to
send every tier change. The table holds the position too, and a change is sent before the state that knows of it.
"""

import argparse
import asyncio
from pathlib import Path
from typing import Any

import faust

from engagement.machine import POSITION_KEY, PlainRecord, Step
from engagement.qualify import Qualify
from streams.connection import Connection
from streams.genesis import read_genesis
from streams.topics import DEAD_LETTERS, LOG, TIER_CHANGES, Environment

SLICE = 10_000
SESSION_SECONDS = 6.0


def create_app(connection: Connection, environment: Environment, partitions: int, *, name: str, folder: Path) -> Any:
    """Settings are Faust's own but for what lets a killed worker come back at once, as ours does."""
    app = faust.App(
        f"{environment.prefix}plain-faust",
        broker=connection.faust_broker("aiokafka"),
        datadir=folder,
        store="memory://",
        topic_partitions=partitions,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=SESSION_SECONDS / 5,
        consumer_group_instance_id=name,
        table_standby_replicas=0,
        web_enabled=False,
    )
    log = app.topic(environment.topic(LOG), key_serializer="raw", value_serializer="raw")
    destinations = {
        short: app.topic(environment.topic(short), key_serializer="raw", value_serializer="raw") for short in (TIER_CHANGES, DEAD_LETTERS)
    }
    rows = app.Table("accounts", key_type=bytes, value_type=bytes, partitions=partitions)
    folds: dict[int, Qualify] = {}  # of the partitions that are ours

    def fold_of(number: int) -> Qualify:
        if number not in folds:
            folds[number] = restored(number)
        return folds[number]

    def restored(number: int) -> Qualify:
        fold = Qualify(topic=environment.topic(LOG), partition=number)
        prefix = _row_key(number, b"")
        state = {key.removeprefix(prefix): value for key, value in rows.items() if key.startswith(prefix)}
        for key in sorted(state, key=lambda key: key == POSITION_KEY):  # what the position vouches for comes before it
            fold.load(key, state[key])
        fold.loaded(exact=False)
        return fold

    def keep(number: int, step: Step) -> None:
        for key, value in step.changelog.items():
            if value is None:
                rows.pop(_row_key(number, key), None)
            else:
                rows[_row_key(number, key)] = value

    @app.on_partitions_revoked.connect
    async def forget(*_: Any, **__: Any) -> None:
        folds.clear()

    @app.agent(log)
    async def qualify(stream: Any) -> None:
        async for event in stream.events():
            record = _record(event.message)
            fold = fold_of(record.partition)
            is_folded = False
            while not is_folded:  # a day record may need several steps
                step = fold.step([record], SLICE)
                for output in step.outputs:
                    await destinations[output.topic].send(
                        key=output.key, value=output.value, partition=record.partition, headers=dict(output.headers)
                    )
                keep(record.partition, step)
                fold.accept(step)
                is_folded = step.consumed == 1

    return app


def _row_key(number: int, key: bytes) -> bytes:
    """A table has one name space for all partitions of a worker."""
    return b"%d/%b" % (number, key)


def _record(message: Any) -> PlainRecord:
    at = round(message.timestamp * 1_000)  # Faust has seconds
    return PlainRecord(message.topic, message.partition, message.offset, at, message.key, message.value)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["worker"])
    parser.add_argument("--prefix", type=Environment, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, help="none is opened")
    parser.add_argument("--folder", type=Path, required=True, help="where Faust may put what it likes")
    chosen = parser.parse_args()
    connection = Connection.find()
    genesis = asyncio.run(read_genesis(connection, chosen.prefix))
    app = create_app(connection, chosen.prefix, genesis.partitions, name=chosen.name, folder=chosen.folder)
    faust.Worker(app, loglevel="WARN", quiet=True).execute_from_commandline()


if __name__ == "__main__":
    main()
