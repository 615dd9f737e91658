# ruff: noqa: INP001 - it is no part of a package
"""A subscriber of tier changes that takes each exactly once, wherever it is killed. It needs confluent-kafka and nothing of mqa.

    python examples/subscribers/exactly_once_consumer.py --bootstrap 127.0.0.1:9092 --topic abm-tier-changes --database changes.db

Whatever is done with a change, and the position behind it, are written in one transaction of the subscriber's own database. After a
restart it goes on from the position that stands there, and Kafka's own positions of the group are not used at all.
"""

import argparse
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

TYPE = b"mqa.tier-change.v1"

TABLES = """
CREATE TABLE IF NOT EXISTS positions (topic TEXT, partition INTEGER, next INTEGER, PRIMARY KEY (topic, partition));
CREATE TABLE IF NOT EXISTS changes (id TEXT PRIMARY KEY, account TEXT, sequence INTEGER, mode TEXT, body TEXT);
CREATE TABLE IF NOT EXISTS accounts (account TEXT, ladder TEXT, rung TEXT, changes INTEGER, PRIMARY KEY (account, ladder));
"""


class TakenOver(Exception):  # noqa: N818 - it reads as what happened
    """Another process has gone on with a partition, while this one was believed dead."""


class Subscriber:
    """Reads the partitions that its group gives it, from where the database is."""

    def __init__(self, database: sqlite3.Connection, consumer: Consumer, topic: str) -> None:
        self._database, self._consumer = database, consumer
        self._next: dict[int, int] = {}  # partition -> the position as this process knows it
        database.executescript(TABLES)
        consumer.subscribe([topic], on_assign=self._resume)

    def run(self, batch: int) -> None:
        """Take changes until somebody stops it."""
        while True:
            found: defaultdict[int, list[Message]] = defaultdict(list)
            for record in self._consumer.consume(batch, timeout=1.0):
                if record.error() is not None:
                    raise KafkaException(record.error())
                found[record.partition()].append(record)
            for partition, records in found.items():
                self._take(partition, records)

    def _resume(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            with _transaction(self._database) as write:
                write.execute("INSERT OR IGNORE INTO positions VALUES (?, ?, ?)", (each.topic, each.partition, OFFSET_BEGINNING))
                where = "SELECT next FROM positions WHERE topic = ? AND partition = ?"
                ((each.offset,),) = write.execute(where, (each.topic, each.partition))
            self._next[each.partition] = each.offset
        consumer.assign(partitions)

    def _take(self, partition: int, records: Sequence[Message]) -> None:
        before = self._next[partition]
        records = [each for each in records if each.offset() >= before]  # a rebalance meanwhile may have them come once more
        if not records:
            return
        after = records[-1].offset() + 1
        with _transaction(self._database) as write:
            # Only from where this process left off: one that was paused for long must not write over its successor.
            moved = "UPDATE positions SET next = ? WHERE topic = ? AND partition = ? AND next = ?"
            if write.execute(moved, (after, records[0].topic(), partition, before)).rowcount != 1:
                msg = f"{records[0].topic()}/{partition}: another process has gone on here; start this one again"
                raise TakenOver(msg)
            for record in records:
                _take_one(write, record)
        self._next[partition] = after


def _take_one(write: sqlite3.Connection, record: Message) -> None:
    headers: dict[str, Any] = dict(record.headers() or ())
    if headers.get("ce_type") != TYPE:
        msg = f"{record.topic()}/{record.partition()}/{record.offset()}: {headers.get('ce_type')!r} is not {TYPE!r}"
        raise ValueError(msg)  # a later version may mean something else
    body = (record.value() or b"").decode()
    change = json.loads(body) | {"mode": headers["mode"].decode(), "body": body}
    # On a broker without transactions a change may come twice, under one id; on Kafka this is never so.
    if write.execute("INSERT OR IGNORE INTO changes VALUES (:id, :account, :sequence, :mode, :body)", change).rowcount:
        # The work itself. Where it is outside of this database (an e-mail), write down here what is to be done, and do it from there.
        counted = "INSERT INTO accounts VALUES (:account, :ladder, :to, 1) ON CONFLICT DO UPDATE SET rung = :to, changes = changes + 1"
        write.execute(counted, change)


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description="Take every tier change exactly once.")
    parser.add_argument("--bootstrap", required=True, help="host:port")
    parser.add_argument("--topic", default="tier-changes")
    parser.add_argument("--group", default="tier-change-subscriber")
    parser.add_argument("--database", required=True)
    parser.add_argument("--batch", type=int, default=500, help="records of a transaction at most")
    parser.add_argument(
        "-X", dest="more", action="append", default=[], metavar="NAME=VALUE", help="of librdkafka, such as sasl.username=me"
    )
    options = parser.parse_args()
    consumer = Consumer(
        {
            "bootstrap.servers": options.bootstrap,
            "group.id": options.group,
            "isolation.level": "read_committed",  # nothing that a worker wrote and took back
            "enable.auto.commit": False,
            "auto.offset.reset": "error",  # what we were to read next is deleted already: a person must know
            **dict(each.split("=", 1) for each in options.more),
        }
    )
    with closing(sqlite3.connect(options.database, timeout=10, isolation_level=None)) as database, closing(consumer):
        Subscriber(database, consumer, options.topic).run(options.batch)


if __name__ == "__main__":
    main()
