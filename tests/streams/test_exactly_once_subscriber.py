"""The example of a subscriber, on a real Kafka: killed again and again, it has taken every tier change once."""

import asyncio
import json
import runpy
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple

import pytest
from aiokafka.structs import TopicPartition

from engagement.machine import Output
from streams.connection import Connection
from streams.identity import partition_of
from streams.topics import TIER_CHANGES, Environment
from streams.transaction import Row, commit, make_producer, send
from tests.streams.histories import PARTITIONS, new_replay, simulated_days
from tests.streams.live_runs import new_environment

PROGRAM = Path(__file__).parents[2] / "examples" / "subscribers" / "exactly_once_consumer.py"
KILLS = 3
BATCH = 5
CHUNK = 30
SECONDS = 60.0
"""How long anything may take."""


class Published(NamedTuple):
    """Tier changes in a topic, among others that were taken back; some are there twice, as a broker without transactions may have them."""

    kafka: Connection
    topic: str
    changes: list[dict[str, str]]


@pytest.fixture(scope="module")
def published(kafka: Connection) -> Published:
    environment, engine = new_environment(kafka), new_replay()
    days = simulated_days(accounts=60, days=60)
    changes = [change for day, arrivals in days for change in (*engine.begin(day), *engine.receive(arrivals))]
    asyncio.run(publish(kafka, environment, changes))
    return Published(kafka, environment.topic(TIER_CHANGES), [json.loads(change.value or b"") for change in changes])


async def publish(kafka: Connection, environment: Environment, changes: list[Output]) -> None:
    topic = environment.topic(TIER_CHANGES)
    async with make_producer(kafka, environment.transactional_id("test", 0)) as producer:
        for begin in range(0, len(changes), CHUNK):
            rows = rows_of(topic, changes[begin : begin + CHUNK])
            await producer.begin_transaction()
            await send(producer, rows_of(topic, [change._replace(value=b"taken back") for change in changes[:CHUNK]]))
            await producer.abort_transaction()
            await commit(producer, rows, {}, environment.group)
            if begin == CHUNK:
                await commit(producer, rows, {}, environment.group)  # as after a kill without transactions


def rows_of(topic: str, changes: list[Output]) -> dict[TopicPartition, list[Row]]:
    rows: dict[TopicPartition, list[Row]] = {}
    for change in changes:
        assert change.key is not None
        place = TopicPartition(topic, partition_of(change.key, PARTITIONS))
        rows.setdefault(place, []).append((change.key, change.value, change.headers, change.timestamp))
    return rows


class Subscriber:
    """The program as a process, with its database."""

    def __init__(self, published: Published, folder: Path) -> None:
        self._published, self._database = published, folder / "changes.db"
        with closing(sqlite3.connect(self._database)) as connection:
            connection.executescript(runpy.run_path(str(PROGRAM))["TABLES"])
            # Every change takes some milliseconds, so that a kill finds it amid one.
            connection.execute("CREATE TRIGGER slow AFTER INSERT ON changes BEGIN SELECT hex(randomblob(1000000)); END")

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """It ends by a kill -9, if not before. It has the name of the one before: the group gives it the partitions at once."""
        where = ["--bootstrap", self._published.kafka.bootstrap, "--topic", self._published.topic, "--group", str(self._database)]
        more = ["--database", str(self._database), "--batch", str(BATCH), "-X", "group.instance.id=one"]
        process = subprocess.Popen([sys.executable, str(PROGRAM), *where, *more], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._database, timeout=10)) as connection:
            return connection.execute(question).fetchall()

    @property
    def position(self) -> int:
        """How far it says to be, over all partitions; what was taken back and the ends of transactions count too."""
        ((count,),) = self.rows("SELECT coalesce(sum(next), 0) FROM positions WHERE next > 0")
        return int(count)

    @property
    def count(self) -> int:
        """How many it has taken."""
        return len(self.rows("SELECT id FROM changes"))

    def wait_for(self, condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
        until = monotonic() + SECONDS
        while not condition():
            assert process.poll() is None, f"ended by itself: {process.communicate()[1].decode()}"
            assert monotonic() < until, f"{self.count} changes after {SECONDS} s"
            sleep(0.002)

    def check(self) -> None:
        """Hold the database against the topic."""
        changes = self._published.changes
        bodies = {identity: json.loads(body) for identity, body in self.rows("SELECT id, body FROM changes")}
        assert bodies == {change["id"]: change for change in changes}
        rungs = {(change["account"], change["ladder"]): change["to"] for change in changes}
        counts = Counter((change["account"], change["ladder"]) for change in changes)
        found = {(account, ladder): (rung, count) for account, ladder, rung, count in self.rows("SELECT * FROM accounts")}
        assert found == {place: (rungs[place], count) for place, count in counts.items()}
        in_order: dict[str, list[int]] = {}
        for account, sequence in self.rows("SELECT account, sequence FROM changes ORDER BY rowid"):
            in_order.setdefault(account, []).append(sequence)
        assert all(sequences == sorted(sequences) for sequences in in_order.values())


def test_killed_again_and_again_it_has_taken_each_change_once(published: Published, tmp_path: Path) -> None:
    subscriber, all_of_them = Subscriber(published, tmp_path), len(published.changes)
    for _ in range(KILLS):
        before = subscriber.position
        with subscriber.running() as process:
            subscriber.wait_for(lambda before=before: subscriber.position > before, process)  # type: ignore[misc]  # it has a default
        assert 0 < subscriber.count < all_of_them, "it was killed in the middle"
    with subscriber.running() as process:
        subscriber.wait_for(lambda: subscriber.count == all_of_them, process)
    subscriber.check()


def test_one_whose_partitions_another_has_gone_on_with_ends_and_writes_nothing(published: Published, tmp_path: Path) -> None:
    """As after a pause, in which its group believed it dead. Here the database itself is the other one, at the tenth change."""
    subscriber = Subscriber(published, tmp_path)
    with closing(sqlite3.connect(tmp_path / "changes.db")) as connection:
        move = "UPDATE positions SET next = next + 1000"
        connection.execute(f"CREATE TRIGGER another AFTER INSERT ON changes WHEN (SELECT count(*) FROM changes) = 10 BEGIN {move}; END")
    with subscriber.running() as process:
        said = process.communicate(timeout=SECONDS)[1].decode()
    assert process.returncode == 1
    assert "TakenOver" in said.splitlines()[-1]
    assert 10 <= subscriber.count < 10 + BATCH
    assert subscriber.rows("SELECT count(*) FROM positions WHERE next < 900") == [(0,)]
