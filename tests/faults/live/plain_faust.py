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


class States:
    """The folds of the partitions that are ours, and their rows in the table."""

    def __init__(self, table: Any, log: str) -> None:
        self._table, self._log = table, log
        self._folds: dict[int, Qualify] = {}

    def forget(self) -> None:
        """Whoever has the partitions next, and be it we, reads the table."""
        self._folds.clear()

    def of(self, number: int) -> Qualify:
        if number not in self._folds:
            self._folds[number] = self._restored(number)
        return self._folds[number]

    def accept(self, number: int, step: Step) -> None:
        for key, value in step.changelog.items():
            if value is None:
                self._table.pop(_row_key(number, key), None)
            else:
                self._table[_row_key(number, key)] = value
        self._folds[number].accept(step)

    def _restored(self, number: int) -> Qualify:
        prefix = _row_key(number, b"")
        rows = {key.removeprefix(prefix): value for key, value in self._table.items() if key.startswith(prefix)}
        fold = Qualify(topic=self._log, partition=number)
        for key in sorted(rows, key=POSITION_KEY.__eq__):  # what the position vouches for comes before it
            fold.load(key, rows[key])
        fold.loaded(exact=False)
        return fold


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
    topics = {
        short: app.topic(environment.topic(short), key_serializer="raw", value_serializer="raw")
        for short in (LOG, TIER_CHANGES, DEAD_LETTERS)
    }
    states = States(app.Table("accounts", key_type=bytes, value_type=bytes, partitions=partitions), environment.topic(LOG))

    @app.on_partitions_revoked.connect
    async def forget(*_: Any, **__: Any) -> None:
        states.forget()

    @app.agent(topics[LOG])
    async def qualify(stream: Any) -> None:
        async for event in stream.events():
            record = _record(event.message)
            is_folded = False
            while not is_folded:  # a day record may need several steps
                step = states.of(record.partition).step([record], SLICE)
                for output in step.outputs:
                    destination, headers = topics[output.topic], dict(output.headers)
                    await destination.send(key=output.key, value=output.value, partition=record.partition, headers=headers)
                states.accept(record.partition, step)
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
