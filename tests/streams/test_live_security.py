"""On a Kafka that lets nobody in without proof and allows nothing by itself, each role works with its ACLs, and with nothing more."""

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from time import monotonic, sleep, time_ns
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import Request, urlopen
from uuid import uuid4

import msgspec
import pytest
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, TopicAuthorizationFailedError
from click.testing import CliRunner, Result
from confluent_kafka import TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from engagement.days import iso_instant
from engagement.rulebook import default_rulebook_text
from streams.acls import ROLES, rights
from streams.acls_command import commands
from streams.broker.libraries import java, libraries
from streams.broker.local import LocalBroker
from streams.cli import mqa
from streams.connection import Connection, overheard_clients
from streams.demo.processes import CommandProcess, WorkerProcess
from streams.going_live import _set_topics
from streams.topics import TOPICS, Environment
from tests.needs import fetch_kafka, need
from tests.redis_servers import free_port
from tests.secured_kafka import Administrator, SecuredKafka, password_of
from tests.streams.live_runs import working

PATIENCE = 60.0
GROUP = "crm"
SECRET = "the key of this test's people"
EXISTING = {each.short for each in TOPICS}


@pytest.fixture(scope="module", autouse=True)
def hung_up() -> Iterator[None]:
    """Kafka answers the end of a TLS connection in its own time. Clients do not wait for that, and asyncio would complain of the socket."""
    close = asyncio.SelectorEventLoop.close

    def hang_up(loop: Any) -> None:
        if not loop.is_closed():
            for transport in list(loop._transports.values()):
                transport.abort()
            loop.run_until_complete(asyncio.sleep(0))
        close(loop)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.SelectorEventLoop, "close", hang_up)
        yield


class Secured(NamedTuple):
    kafka: SecuredKafka
    administrator: Administrator
    environment: Environment

    def types(self, *arguments: str, user: str = "operator", **settings: str) -> Result:
        """What a person with that login types about the environment."""
        env = login(self.kafka.login(user)) | {"MQA_PREFIX": self.environment.prefix} | settings
        return CliRunner().invoke(mqa, arguments, env=env)

    def told(self, *arguments: str) -> str:
        done = self.types(*arguments)
        assert done.exit_code == 0, (arguments, done.output, done.exception)
        return done.output


def login(connection: Connection) -> dict[str, str]:
    """The environment variables that say the same."""
    said = {
        "KAFKA_BOOTSTRAP": connection.bootstrap,
        "KAFKA_SECURITY_PROTOCOL": connection.security_protocol,
        "KAFKA_SSL_CAFILE": connection.ssl_cafile,
        "KAFKA_SASL_USERNAME": connection.sasl_username,
        "KAFKA_SASL_PASSWORD": connection.sasl_password,
    }
    return {name: value for name, value in said.items() if value is not None} | {"MQA_PERSON_SECRET": SECRET}


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Users are named after their roles and have what these need; the operator has made the environment."""
    need("Kafka", fetch_kafka)
    environment = Environment(f"test-{uuid4().hex[:12]}-")
    kafka = SecuredKafka(tmp_path_factory.mktemp("kafka"), tuple(ROLES))
    with LocalBroker(kafka) as broker:
        administrator = Administrator(broker.bootstrap)
        for role in ROLES:
            administrator.allow(f"User:{role}", rights(role, environment, GROUP if role == "subscriber" else None))
        secured = Secured(kafka, administrator, environment)
        assert "is whole: " in secured.told("topics", "create", "--partitions", "1")
        yield secured


class Worked(NamedTuple):
    """A worker that runs, and where it logs."""

    worker: WorkerProcess
    log: Path


@pytest.fixture(scope="module")
def worked(secured: Secured, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worked]:
    """It has got a producer's events."""
    folder, connection = tmp_path_factory.mktemp("worker"), secured.kafka.login("worker")
    with pytest.MonkeyPatch.context() as patch, working(connection, secured.environment, folder, names=()) as workers:
        for name, value in login(connection).items():
            patch.setenv(name, value)
        workers["one"] = WorkerProcess(connection, secured.environment, "one", folder=folder, options=("--log-level", "DEBUG"))
        asyncio.run(produce(secured))
        yield Worked(workers["one"], folder / "one.log")
        workers["one"].kill()  # to stop in order takes seconds


async def produce(secured: Secured) -> None:
    """What is no event, and one."""
    event = {"id": uuid4().hex, "occurred_at": iso_instant(time_ns() // 1_000_000), "kind": "demo_request", "email": "ann@acme.com"}
    async with secured.kafka.login("producer").producer(acks="all", enable_idempotence=True) as producer:
        for value in (b"{", msgspec.json.encode(event)):  # so that the one is dead before the other counts
            await producer.send_and_wait(secured.environment.topic("intent-signals"), value, b"acme.com")


async def read_accounts(secured: Secured, worker: WorkerProcess, account: str) -> None:
    """A subscriber reads on until it has read of that account."""
    connection, topic = secured.kafka.login("subscriber"), secured.environment.topic("tier-changes")
    options = {"auto_offset_reset": "earliest", "isolation_level": "read_committed", "enable_auto_commit": False}
    async with connection.consumer(group_id=GROUP, **options) as consumer:
        consumer.subscribe([topic])
        deadline = monotonic() + PATIENCE
        seen: set[str] = set()
        while account not in seen:
            assert worker.status is None, worker.last_words()
            assert monotonic() < deadline, (seen, worker.last_words())
            fetched = await consumer.getmany(timeout_ms=200)
            seen.update(json.loads(record.value)["account"] for records in fetched.values() for record in records)
        await consumer.commit()


def test_a_producer_s_event_becomes_a_tier_change_that_a_subscriber_reads(secured: Secured, worked: Worked):
    asyncio.run(read_accounts(secured, worked.worker, "acme.com"))


def test_the_operator_s_commands_work(secured: Secured, worked: Worked, tmp_path: Path):
    rulebook = tmp_path / "rulebook.yaml"
    rulebook.write_text(default_rulebook_text().replace("points: 30,", "points: 31,"))
    assert "every account is being judged anew" in secured.told("rulebook", "activate", str(rulebook))
    assert "1 sent again" in secured.told("dead-letters", "retry", "--yes")
    assert worked.worker.status is None, worked.worker.last_words()


async def test_the_operator_can_change_the_settings_of_topics(secured: Secured):
    async with secured.kafka.login("operator").admin() as admin:
        await _set_topics(admin, secured.environment)  # as `mqa go-live` does


@contextmanager
def service(secured: Secured, role: str, *command: str, log: Path, **settings: str) -> Iterator[None]:
    """One of the other processes, under its role's login."""
    connection = secured.kafka.login(role)
    said = login(connection) | {"MQA_LOG_LEVEL": "DEBUG"} | settings
    process = CommandProcess(connection, secured.environment, command, log, settings=said)
    try:
        yield
    finally:
        process.kill()


def until_answered(url: str, pattern: str, *, log: Path, **headers: str) -> None:
    """Ask until something in the answer matches."""
    deadline = monotonic() + PATIENCE
    found = ""
    while not re.search(pattern, found):
        assert monotonic() < deadline, f"{url}: {found}\n{log.read_text()}"
        sleep(0.1)
        try:
            with urlopen(Request(url, headers=headers), timeout=10) as answer:
                found = answer.read().decode()
        except (URLError, ConnectionError) as error:
            found = repr(error)


@pytest.mark.usefixtures("worked")
def test_the_projector_and_the_api_work(secured: Secured, redis_url: str, tmp_path: Path):
    log, port, token = tmp_path / "log", free_port(), "0123456789abcdef0123456789abcdef"
    settings = {"REDIS_URL": redis_url, "MQA_API_TOKENS": f"me read,write {token}"}
    api, headers = f"http://127.0.0.1:{port}/api/v1", {"Authorization": f"Bearer {token}"}
    with (
        service(secured, "projector", "projector", "--port", "-1", log=tmp_path / "projector", **settings),
        service(secured, "serve", "serve", "--port", str(port), log=log, **settings),
    ):
        until_answered(f"{api}/accounts", "acme.com", log=log, **headers)
        until_answered(f"{api}/dead-letters", "malformed_json", log=log, **headers)
        pin = json.dumps({"ladder": "tier", "rung": "tier_1", "reason": "they asked"}).encode()
        headers["Content-Type"] = "application/json"
        with urlopen(Request(f"{api}/accounts/acme.com/pin", data=pin, headers=headers), timeout=10) as answer:
            assert answer.status == HTTPStatus.ACCEPTED
        spoken = log.read_text() + (tmp_path / "projector").read_text()
    assert not any(secret in spoken for secret in (token, password_of("serve"), password_of("projector")))


@pytest.mark.usefixtures("worked")
def test_a_login_that_may_not_what_a_command_needs_is_told_so_in_one_line(secured: Secured, redis_url: str, tmp_path: Path):
    log = tmp_path / "projector"
    settings = login(secured.kafka.login("worker")) | {"MQA_LOG_LEVEL": "WARNING", "REDIS_URL": redis_url}
    process = CommandProcess(secured.kafka.login("worker"), secured.environment, ["projector", "--port", "-1"], log, settings=settings)
    try:
        assert process.wait(PATIENCE) == 2
    finally:
        process.kill()
    assert "Traceback" not in process.said()
    assert "mqa: Kafka does not allow this login what it needs (GroupAuthorizationFailedError" in process.said()


@pytest.mark.usefixtures("worked")
def test_webhooks_are_sent_and_parked(secured: Secured, tmp_path: Path):
    log, port, file = tmp_path / "log", free_port(), tmp_path / "webhooks.yaml"
    hook = {"name": "crm", "url": f"http://127.0.0.1:{free_port()}/", "secret": "HOOK", "allow_http": True, "allow_private": True}
    retry = {"first": "1s", "longest": "1s", "give_up_after": "1s"}
    file.write_text(json.dumps({"subscriptions": [hook | {"start": "beginning", "retry": retry}]}))
    secret = f"whsec_{base64.b64encode(bytes(24)).decode()}"
    with service(secured, "webhooks", "webhooks", "run", "--file", str(file), "--port", str(port), log=log, HOOK=secret):
        parked = r'mqa_webhook_changes_total{outcome="parked",subscription="crm"} [1-9]'
        until_answered(f"http://127.0.0.1:{port}/metrics", parked, log=log)
    assert not any(each in log.read_text() for each in (secret, password_of("webhooks")))


def test_no_secret_is_said_by_a_worker_nor_seen_where_processes_are_listed(worked: Worked):
    spoken = worked.log.read_text()
    listing = ["ps", "-ww", "-o", "args=", "-p", str(worked.worker._process.pid)]
    listed = subprocess.run(listing, capture_output=True, text=True, timeout=20, check=True).stdout
    assert "DEBUG" in spoken
    assert "streams worker" in listed
    for secret in (SECRET, password_of("worker")):
        assert secret not in spoken
        assert secret not in listed
        assert secret.encode().hex() not in spoken


def test_no_secret_is_said_by_a_worker_that_is_refused(secured: Secured, worked: Worked):
    status, spoken = refused_worker(secured, MQA_PERSON_SECRET="sesame, please")
    assert (status, worked.worker.status) == (2, None)
    assert "MQA_PERSON_SECRET" in spoken
    assert "sesame" not in spoken


def test_the_operator_cannot_throw_an_environment_away(secured: Secured):
    done = secured.types("topics", "delete", "--yes")
    assert done.exit_code != 0
    assert "is whole: " in secured.told("topics", "check")


@pytest.mark.parametrize("role", ROLES)
def test_kafka_allows_a_role_what_it_is_given_and_nothing_else(secured: Secured, role: str):
    its, environment = ROLES[role], secured.environment
    admin = AdminClient(librdkafka(secured.kafka.login(role)))
    shown = {environment.short(topic) for topic in admin.list_topics(timeout=20).topics if topic.startswith(environment.prefix)}
    assert shown == (EXISTING if its.sees_all else EXISTING & {*its.reads, *its.writes})
    asked = TopicCollection([environment.topic(short) for short in shown])
    described = admin.describe_topics(asked, include_authorized_operations=True, request_timeout=20)
    may = {environment.short(name): set(future.result().authorized_operations) for name, future in described.items()}

    def where(*operations: AclOperation) -> set[str]:
        return {short for short, allowed in may.items() if allowed & set(operations)}

    assert where(AclOperation.READ) == EXISTING & set(its.reads)
    assert where(AclOperation.WRITE) == EXISTING & set(its.writes)
    assert where(AclOperation.CREATE, AclOperation.ALTER_CONFIGS) == (EXISTING if its.configures else set())
    assert where(AclOperation.DELETE, AclOperation.ALTER) == set()


async def test_a_subscriber_can_neither_write_what_it_reads_nor_join_the_workers(secured: Secured):
    connection, topic = secured.kafka.login("subscriber"), secured.environment.topic("tier-changes")
    async with connection.producer() as producer:
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait(topic, b"{}", b"acme.com")
    async with connection.consumer(group_id=secured.environment.group) as consumer:
        consumer.subscribe([topic])
        with pytest.raises(GroupAuthorizationFailedError):
            await consumer.getmany(timeout_ms=5_000)


def refused_worker(secured: Secured, **settings: str) -> tuple[int, str]:
    """Exit status and last words."""
    env = os.environ | login(secured.kafka.login("worker")) | {"MQA_PREFIX": secured.environment.prefix} | settings
    command = [sys.executable, "-m", "streams", "worker", "--port", "-1"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


async def why_not(connection: Connection) -> str:
    """What a client says that gets no connection."""
    with overheard_clients() as said, pytest.raises(KafkaConnectionError):
        async with connection.admin():  # once: who is cut off while it connects leaves its socket open
            pass
    return "\n".join(said)


async def test_a_wrong_password_is_told_without_it(secured: Secured):
    said = await why_not(replace(secured.kafka.login("worker"), sasl_password="open sesame"))
    assert "Authentication failed" in said
    assert "sesame" not in said


@pytest.mark.parametrize("password", [None, "open sesame"])
async def test_a_certificate_says_who_somebody_is(secured: Secured, password: str | None):
    name = f"crm-{uuid4().hex[:6]}"
    connection = secured.kafka.certificate(name, password=password)
    secured.administrator.allow(f"User:CN={name}", rights("subscriber", secured.environment, GROUP))
    async with connection.admin() as admin:
        assert await admin.list_topics() == [secured.environment.topic("tier-changes")]


async def test_without_a_certificate_nobody_gets_in_where_one_is_asked_for(secured: Secured):
    known = secured.kafka.certificate("nobody")
    assert await why_not(replace(known, ssl_certfile=None, ssl_keyfile=None))


async def test_a_broker_under_another_name_than_its_certificate_s_is_not_talked_to(secured: Secured):
    known = secured.kafka.login("worker")
    said = await why_not(replace(known, bootstrap=known.bootstrap.replace("localhost", "127.0.0.1")))
    assert "IP address mismatch" in said


def test_kafka_s_own_tool_takes_the_commands(secured: Secured):
    (topics, _) = commands(rights("subscriber", Environment("other-"), GROUP), "User:CN=crm, O=Example")
    tool = [java(), "-XX:TieredStopAtLevel=1", "-cp", f"{libraries()}/*", "org.apache.kafka.tools.AclCommand"]
    command = [*tool, "--bootstrap-server", secured.administrator.bootstrap, *topics]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "ResourcePattern(resourceType=TOPIC, name=other-tier-changes, patternType=LITERAL)" in done.stdout
    assert "(principal=User:CN=crm, O=Example, host=*, operation=READ, permissionType=ALLOW)" in done.stdout


def librdkafka(connection: Connection) -> dict[str, str | int | float | bool]:
    """The same login, for another client."""
    assert connection.ssl_cafile is not None
    assert connection.sasl_username is not None
    assert connection.sasl_password is not None
    return {
        "bootstrap.servers": connection.bootstrap,
        "security.protocol": connection.security_protocol,
        "ssl.ca.location": connection.ssl_cafile,
        "sasl.mechanism": connection.sasl_mechanism,
        "sasl.username": connection.sasl_username,
        "sasl.password": connection.sasl_password,
    }
