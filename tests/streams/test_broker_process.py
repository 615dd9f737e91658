"""Real brokers as processes: they serve, end with whoever needs them, and leave nothing behind."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGTERM

import pytest
from click.testing import CliRunner

from engagement.errors import Refused
from streams.broker.command import broker as command
from streams.broker.libraries import VERSION, java, libraries
from streams.broker.local import LocalBroker
from streams.broker.state import process_start, read_state
from streams.connection import Connection
from streams.genesis import create_environment, read_genesis
from streams.topics import Environment

HOLD_A_BROKER = """
import sys
from streams.broker.local import LocalBroker
with LocalBroker() as broker:
    print(broker.bootstrap, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def cache(kafka: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user's cache folder with Kafka's libraries and nothing else."""
    try:
        java()
        fetched = libraries()
    except Refused as refusal:
        pytest.skip(f"Kafka is at {kafka.bootstrap}, but none can be started here: {refusal}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    ours = tmp_path / "mqa" / f"kafka-{VERSION}" / "libs"
    ours.parent.mkdir(parents=True)
    ours.symlink_to(fetched)
    return tmp_path / "mqa"


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)


def answers(bootstrap: str) -> bool:
    host, port = bootstrap.split(":")
    with socket.socket() as caller:
        return caller.connect_ex((host, int(port))) == 0


def folders(cache: Path) -> list[Path]:
    return list((cache / "brokers").iterdir())


@pytest.mark.parametrize("end", ["killed", "asked"])
def test_a_broker_ends_with_its_parent_however_that_ends(cache: Path, end: str) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD_A_BROKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        bootstrap = parent.stdout.readline().strip()
        assert answers(bootstrap)
        assert len(folders(cache)) == 1
        if end == "killed":
            parent.kill()
        else:
            parent.communicate("")
    until(lambda: not answers(bootstrap) and folders(cache) == [])


def test_a_broker_that_was_interrupted_comes_back_with_its_log_on_its_port(cache: Path, prefix: str) -> None:
    with LocalBroker() as broker:
        connection = broker.connection
        asyncio.run(create_environment(connection, Environment(prefix), partitions=1, clock="played"))
        broker.interrupt(SIGTERM)
        assert not answers(connection.bootstrap)
        broker.resume()
        assert broker.connection == connection
        assert asyncio.run(read_genesis(connection, Environment(prefix))).partitions == 1
    assert folders(cache) == []


def test_a_background_broker_runs_until_it_is_stopped(cache: Path) -> None:
    run = CliRunner()
    started = run.invoke(command, ["start"])
    try:
        state = read_state()
        assert state is not None
        assert (
            started.output
            == f"Kafka runs now at {state.bootstrap} (process {state.pid}); `mqa broker stop` ends it and deletes what it stores\n"
        )
        assert Connection.find().bootstrap == state.bootstrap
        assert "was running already" in run.invoke(command, ["start"]).output
        other = run.invoke(command, ["start", "--embedded"])
        assert isinstance(other.exception, Refused)
        assert "Kafka runs already" in str(other.exception)
        assert run.invoke(command, ["status"]).exit_code == 0
    finally:
        stopped = run.invoke(command, ["stop"])
    assert stopped.output == f"stopped the broker at {state.bootstrap} and removed what it stored\n"
    assert process_start(state.pid) is None
    until(lambda: not answers(state.bootstrap))  # its threads close their sockets a moment after it is dead
    assert folders(cache) == []
    with pytest.raises(Refused, match="no Kafka broker is known"):
        Connection.find()
