"""How Kafka is found and reached."""

import os
import socket
from pathlib import Path

import pytest

from engagement.errors import Refused
from streams.broker.state import BrokerState, process_start, write_state
from streams.connection import Connection
from tests.certificates import make_authority, make_certificate

BEYOND_ANY_CLIENT = ("one:0", "one:65536", "127.0.0.1:99999", "one:٣", "a..b:1", ".:1", f"{'a' * 64}:1", "[zz]:1", "[:::]:1", "\udcff:1")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("KAFKA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def sasl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")
    monkeypatch.setenv("KAFKA_SASL_USERNAME", "engine")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", "open sesame")


def local_broker_runs_at(bootstrap: str, *, pid: int, started: str) -> None:
    write_state(BrokerState(pid=pid, started=started, bootstrap=bootstrap, folder="/nowhere"))


def own_start(pid: int) -> str:
    started = process_start(pid)
    assert started is not None
    return started


def test_an_explicit_address_outranks_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "one:9092")
    assert Connection.find("two:9092").bootstrap == "two:9092"


def test_the_environment_outranks_a_local_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    local_broker_runs_at("127.0.0.1:1", pid=os.getpid(), started=own_start(os.getpid()))
    assert Connection.find().bootstrap == "127.0.0.1:1"
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "one:9092")
    assert Connection.find().bootstrap == "one:9092"


def test_a_local_broker_that_died_is_not_found() -> None:
    local_broker_runs_at("127.0.0.1:1", pid=os.getpid(), started="another moment")
    with pytest.raises(Refused, match="mqa broker start"):
        Connection.find()


@pytest.mark.parametrize(
    "address", ["", "kafka", "kafka:", ":9092", "http://kafka:9092", "one:9092;two:9092", "one:9092,", "a b:1", *BEYOND_ANY_CLIENT]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(Refused, match=r"KAFKA_BOOTSTRAP.*127\.0\.0\.1:9092"):
        Connection(bootstrap=address)


def test_a_refused_address_is_told_with_where_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "one")
    with pytest.raises(Refused, match=r"^KAFKA_BOOTSTRAP: 'one' is not"):
        Connection.find()
    for nonsense in ("two", ""):
        with pytest.raises(Refused, match=rf"^--bootstrap: '{nonsense}' is not"):
            Connection.find(nonsense)


async def test_an_address_that_does_not_answer_is_told_with_where_it_came_from() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Refused, match="check --bootstrap "):
            await Connection.find(f"127.0.0.1:{taken.getsockname()[1]}").wait_until_ready(0.1)


def test_several_servers_reach_both_clients() -> None:
    connection = Connection(bootstrap="one:9092, two:9093,[::1]:9094")
    assert connection.client_options()["bootstrap_servers"] == ["one:9092", "two:9093", "[::1]:9094"]
    assert connection.faust_broker("mqa") == "mqa://one:9092;mqa://two:9093;mqa://[::1]:9094"


@pytest.mark.usefixtures("sasl")
def test_a_login_reaches_both_clients() -> None:
    connection = Connection.find("one:9092")
    options = connection.client_options()
    assert options["security_protocol"] == "SASL_SSL"
    assert options["ssl_context"] is not None
    assert (options["sasl_mechanism"], options["sasl_plain_username"]) == ("SCRAM-SHA-512", "engine")
    assert options["sasl_plain_password"] == "open sesame"
    credentials = connection.faust_credentials()
    assert credentials.protocol.value == "SASL_SSL"
    assert (credentials.mechanism.value, credentials.username, credentials.password) == ("SCRAM-SHA-512", "engine", "open sesame")


def test_without_security_faust_gets_no_credentials() -> None:
    assert Connection(bootstrap="one:9092").faust_credentials() is None


@pytest.mark.usefixtures("sasl")
def test_no_password_is_ever_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SSL_KEY_PASSWORD", "sesame too")
    connection = Connection.find("one:9092")
    assert connection.ssl_key_password == "sesame too"
    assert "sesame" not in f"{connection!r} {connection} {connection.faust_credentials()!r}"


@pytest.mark.usefixtures("sasl")
def test_passwords_may_stand_in_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "login").write_text("from a file\n")
    monkeypatch.delenv("KAFKA_SASL_PASSWORD")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD_FILE", str(tmp_path / "login"))
    assert Connection.find("one:9092").client_options()["sasl_plain_password"] == "from a file"


@pytest.mark.usefixtures("sasl")
def test_a_login_without_its_password_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_SASL_PASSWORD")
    with pytest.raises(Refused, match="KAFKA_SASL_PASSWORD"):
        Connection.find("one:9092")


@pytest.mark.parametrize(("name", "value"), [("KAFKA_SECURITY_PROTOCOL", "TLS"), ("KAFKA_SASL_MECHANISM", "GSSAPI")])
def test_an_unknown_security_setting_is_refused_by_its_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Refused, match=f"{name}: '{value}'"):
        Connection.find("one:9092")


def test_a_missing_authority_file_is_refused_by_its_name(tmp_path: Path) -> None:
    connection = Connection(bootstrap="one:9092", security_protocol="SSL", ssl_cafile=str(tmp_path / "none.pem"))
    with pytest.raises(Refused, match=r"KAFKA_SSL_CAFILE: .*none\.pem"):
        connection.client_options()


def test_a_key_without_a_certificate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SSL_KEYFILE", "worker.key")
    with pytest.raises(Refused, match=r"KAFKA_SSL_KEYFILE: worker\.key .*KAFKA_SSL_CERTFILE"):
        Connection.find("one:9092")


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_certificate_whose_key_stays_closed_is_refused_by_both_names(password: str | None, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "worker", make_authority(tmp_path), password="open sesame")
    connection = Connection(
        bootstrap="one:9092",
        security_protocol="SSL",
        ssl_certfile=str(certificate),
        ssl_keyfile=str(key),
        ssl_key_password=password,
    )
    with pytest.raises(Refused, match=rf"KAFKA_SSL_CERTFILE: {certificate}, KAFKA_SSL_KEYFILE: {key}: .*KAFKA_SSL_KEY_PASSWORD"):
        connection.client_options()


def test_a_certificate_and_its_key_may_stand_in_one_file(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "worker", make_authority(tmp_path))
    both = tmp_path / "both.pem"
    both.write_text(certificate.read_text() + key.read_text())
    assert Connection(bootstrap="one:9092", security_protocol="SSL", ssl_certfile=str(both)).client_options()["ssl_context"] is not None


async def test_nobody_listening_is_told_with_the_address_and_without_a_log(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: a connection is refused
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Refused, match=rf"no Kafka broker answered at {address} within 0\.2 s .*Connect call failed"):
            await Connection(bootstrap=address).wait_until_ready(0.2)
    assert caplog.records == []


async def test_a_listener_that_never_answers_is_not_waited_for_longer() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Refused, match="silence"):
            await Connection(bootstrap=address).wait_until_ready(0.2)


async def test_a_broker_that_answers_is_ready(kafka: Connection) -> None:
    await kafka.wait_until_ready(10)
