"""A worker that cannot begin says why in one line, with the remedy, and exits with status 2."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from streams.connection import Connection
from streams.delivery import EXACTLY_ONCE
from streams.genesis import create_environment
from streams.people import agree_on_people
from streams.person_key import PersonKey
from streams.topics import Environment
from streams.worker.command import worker


def run_worker(bootstrap: str, prefix: str, *options: str, **settings: str) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MQA_", "KAFKA_"))} | settings
    command = [sys.executable, "-m", "streams", "worker", "--bootstrap", bootstrap, "--prefix", prefix, "--port", "0", *options]
    worker = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return worker.returncode, worker.stderr


def assert_refused(outcome: tuple[int, str], *expected: str) -> None:
    status, message = outcome
    assert status == 2, message
    last = message.strip().splitlines()[-1]
    assert last.startswith("mqa")
    for text in expected:
        assert text in last
    assert "Traceback" not in message


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield int(taken.getsockname()[1])


async def create(kafka: Connection, prefix: str, **options: object) -> None:
    await create_environment(kafka, Environment(prefix), **{"partitions": 2, "clock": "played", **options})  # type: ignore[arg-type]  # the test's own words


def test_without_a_broker_it_names_the_address(closed_port: int, prefix: str):
    assert_refused(run_worker(f"127.0.0.1:{closed_port}", prefix), f"127.0.0.1:{closed_port}", "mqa broker start")


def test_without_topics_it_names_the_command_that_creates_them(kafka: Connection, prefix: str):
    assert_refused(run_worker(kafka.bootstrap, prefix), f"no environment '{prefix}'", f"mqa topics create --prefix {prefix}")


async def test_with_another_partition_count_it_names_both(kafka: Connection, prefix: str):
    await create(kafka, prefix)
    admin = AIOKafkaAdminClient(**kafka.client_options())
    await admin.start()
    await admin.create_partitions({f"{prefix}web-visits": NewPartitions(3)})
    await admin.close()
    assert_refused(await asyncio.to_thread(run_worker, kafka.bootstrap, prefix), f"{prefix}web-visits", "3", "2")


def test_a_taken_port_is_named_before_anything_else_is_tried(closed_port: int, prefix: str, taken_port: int):
    outcome = run_worker(f"127.0.0.1:{closed_port}", prefix, "--port", str(taken_port))
    assert_refused(outcome, f"--port {taken_port}", "take another")


@pytest.mark.parametrize(("host", "port"), [("no-such-host.invalid", "0"), ("192.0.2.1", "0")])
def test_an_address_that_is_not_this_machine_s_is_named(closed_port: int, prefix: str, host: str, port: str):
    assert_refused(run_worker(f"127.0.0.1:{closed_port}", prefix, "--host", host, "--port", port), host, "--host")


@pytest.mark.parametrize(
    ("option", "value", "range_"),
    [("--port", value, "-1<=x<=65535") for value in ("99999", "-2")]
    + [("--session-timeout", value, "6<=x<=40") for value in ("0", "-10", "5", "1000000000")]
    + [("--session-timeout", value, "not a valid integer") for value in ("nan", "inf")],
)
def test_a_number_that_cannot_be_is_named_with_its_option(closed_port: int, prefix: str, option: str, value: str, range_: str):
    status, message = run_worker(f"127.0.0.1:{closed_port}", prefix, option, value)
    assert status == 2
    last = message.strip().splitlines()[-1]
    assert option in last
    assert value in last
    assert range_ in last


@pytest.mark.parametrize("host", ["a..b", "a" * 300], ids=["an empty label", "too long"])
def test_a_host_that_cannot_be_is_told_in_one_line(closed_port: int, prefix: str, host: str):
    assert_refused(run_worker(f"127.0.0.1:{closed_port}", prefix, "--host", host), "--host", host[:20], "take an address")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\n", "a b", "\N{LATIN SMALL LETTER E WITH ACUTE}", "a" * 101, "a" * 40_000])
def test_a_name_that_kafka_would_choke_on_is_told_in_one_line(closed_port: int, prefix: str, name: str):
    outcome = run_worker(f"127.0.0.1:{closed_port}", prefix, "--name", name)
    assert_refused(outcome, "--name: ", "must be 1 to 100 letters, digits, '.', '_' and '-'; try worker-1")
    assert len(outcome[1]) < 300


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("web-1.example.com", "web-1.example.com"),
        ("b\xfcro 1", "b-ro-1"),
        ("h" * 200, "h" * 100),
        ("", "worker"),
    ],
)
def test_a_host_s_name_becomes_a_worker_s(host: str, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    with worker.make_context("worker", []) as context:
        assert context.params["name"] == name


@pytest.mark.parametrize("place", ["nonsense", "{prefix}web-visits", "{prefix}web-visits/2", "{prefix}tier-changes/0", "web-visits/0"])
async def test_a_loss_that_no_worker_can_meet_is_not_accepted(kafka: Connection, prefix: str, place: str):
    await create(kafka, prefix)
    named = place.format(prefix=prefix)
    outcome = await asyncio.to_thread(run_worker, kafka.bootstrap, prefix, "--accept-loss", named)
    assert_refused(outcome, f"--accept-loss {named}:", f"{prefix}web-visits", f"{prefix}account-log", "/0 to /1")


def test_a_table_of_networks_is_read_before_a_broker_is_asked(closed_port: int, prefix: str, tmp_path: Path):
    table = tmp_path / "networks.csv"
    table.write_text("192.0.2.0/24,acme\n")
    outcome = run_worker(f"127.0.0.1:{closed_port}", prefix, "--networks", str(table))
    assert_refused(outcome, f"{table}:1: 'acme' is no registrable domain; write lines such as 203.0.113.0/24,acme.com")


async def test_real_people_need_a_secret_of_their_own(kafka: Connection, prefix: str):
    await create(kafka, prefix, clock="wall")
    assert_refused(await asyncio.to_thread(run_worker, kafka.bootstrap, prefix), "MQA_PERSON_SECRET", "set it")


@pytest.mark.parametrize("clock", ["wall", "played"])
async def test_another_secret_than_that_of_the_first_worker_is_refused(kafka: Connection, prefix: str, clock: str):
    await create(kafka, prefix, clock=clock)
    await agree_on_people(kafka, Environment(prefix), 2, PersonKey(b"the first worker's", "k1"), EXACTLY_ONCE)
    outcome = await asyncio.to_thread(run_worker, kafka.bootstrap, prefix, MQA_PERSON_SECRET="another")
    assert_refused(outcome, "MQA_PERSON_SECRET", "'k1'", "MQA_PERSON_KEY_ID")
