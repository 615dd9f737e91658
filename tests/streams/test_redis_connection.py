"""How Redis is found and reached: real servers, one of them with TLS and a password."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from redis.exceptions import AuthenticationError, ConnectionError, TimeoutError  # noqa: A004 - as they are raised

from engagement.errors import Refused
from streams.redis_connection import find_redis
from tests.certificates import make_authority, make_certificate
from tests.redis_servers import free_port, redis_server

PASSWORD = "open sesame / 100%"
SETTINGS = ("REDIS_URL", "REDIS_PASSWORD", "REDIS_PASSWORD_FILE", "REDIS_SSL_CAFILE")


class Secured(NamedTuple):
    port: int
    authority: Path


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A server that speaks TLS alone, as ``localhost``, and wants a password."""
    folder = tmp_path_factory.mktemp("redis")
    authority = make_authority(folder)
    certificate, key = make_certificate(folder, "localhost", authority)
    port = free_port()
    tls = ("--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no")
    with redis_server(folder, port=0, options=(*tls, "--requirepass", PASSWORD, "--save", "")):
        yield Secured(port, authority.certificate)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


def say(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


async def answers() -> bool:
    async with find_redis() as redis:
        return bool(await redis.ping())


async def test_a_server_without_security_is_reached_by_its_url(redis_url: str, monkeypatch: pytest.MonkeyPatch, prefix: str):
    say(monkeypatch, REDIS_URL=redis_url)
    async with find_redis() as redis:
        await redis.set(prefix, b"\xff")
        assert await redis.getdel(prefix) == b"\xff"


async def test_a_login_over_tls_is_taken_from_a_file(secured: Secured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "secret").write_text(f"{PASSWORD}\n")
    say(monkeypatch, REDIS_URL=f"rediss://localhost:{secured.port}", REDIS_SSL_CAFILE=str(secured.authority))
    say(monkeypatch, REDIS_PASSWORD_FILE=str(tmp_path / "secret"))
    assert await answers()


@pytest.mark.parametrize("login", [":open%20sesame%20%2F%20100%25", "default:open%20sesame%20%2F%20100%25"])
async def test_a_password_in_the_url_is_unquoted(secured: Secured, login: str, monkeypatch: pytest.MonkeyPatch):
    say(monkeypatch, REDIS_URL=f"rediss://{login}@localhost:{secured.port}/0", REDIS_SSL_CAFILE=str(secured.authority))
    assert await answers()


async def test_a_wrong_password_is_an_error(secured: Secured, monkeypatch: pytest.MonkeyPatch):
    say(monkeypatch, REDIS_URL=f"rediss://localhost:{secured.port}", REDIS_SSL_CAFILE=str(secured.authority), REDIS_PASSWORD="no")
    with pytest.raises(AuthenticationError):
        await answers()


async def test_a_server_whose_authority_is_not_known_is_not_talked_to(secured: Secured, monkeypatch: pytest.MonkeyPatch):
    say(monkeypatch, REDIS_URL=f"rediss://localhost:{secured.port}", REDIS_PASSWORD=PASSWORD)
    with pytest.raises(ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        await answers()


async def test_a_server_under_another_name_than_its_certificate_s_is_not_talked_to(secured: Secured, monkeypatch: pytest.MonkeyPatch):
    say(monkeypatch, REDIS_URL=f"rediss://127.0.0.1:{secured.port}", REDIS_SSL_CAFILE=str(secured.authority), REDIS_PASSWORD=PASSWORD)
    with pytest.raises(ConnectionError, match="IP address mismatch"):
        await answers()


async def test_a_server_that_was_started_again_is_reached_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    port = free_port()
    say(monkeypatch, REDIS_URL=f"redis://127.0.0.1:{port}")
    async with find_redis() as redis:
        for _ in range(2):
            with redis_server(tmp_path, port=port):
                assert await redis.ping()
        with pytest.raises(ConnectionError):
            await redis.ping()


async def test_a_server_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("streams.redis_connection.ANSWER_SECONDS", 0.05)

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    async with server:
        say(monkeypatch, REDIS_URL=f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(TimeoutError):
            await answers()


def test_no_password_shows_in_what_a_client_says_of_itself(monkeypatch: pytest.MonkeyPatch):
    say(monkeypatch, REDIS_URL="redis://:open-sesame@localhost")
    assert "open-sesame" not in repr(find_redis())


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("localhost:6379", "localhost:6379"),
        ("http://:sesame@cache:6379", "http://cache:6379"),
        ("redis://:sesame@", "redis://"),
        ("redis://:sesame@cache:port", "redis://cache:port"),
        ("redis://:sesame@cache:0", "redis://cache:0"),
        ("redis://:sesame@cache:65536", "redis://cache:65536"),
        ("redis://:sesame@cache/first", "redis://cache/first"),
        ("redis://:sesame@cache/0/1", "redis://cache/0/1"),
        ("redis://:open#sesame@cache", "redis://..."),
        ("redis://cache?password=open@sesame", "redis://..."),
        ("rediss://:sesame@cache?ssl_cert_reqs=none", "rediss://cache"),
        ("redis://cache?password=sesame", "redis://cache"),
        ("redis://cache#sesame", "redis://cache"),
    ],
)
def test_what_is_no_address_is_refused_without_its_password(url: str, told: str, monkeypatch: pytest.MonkeyPatch):
    say(monkeypatch, REDIS_URL=url)
    with pytest.raises(Refused) as refusal:
        find_redis()
    assert str(refusal.value).startswith(f"REDIS_URL: {told!r} ")
    assert "sesame" not in str(refusal.value)


def test_no_address_is_refused_with_one_that_works():
    with pytest.raises(Refused, match=r"REDIS_URL is not set.*redis://127\.0\.0\.1:6379/0"):
        find_redis()


def test_two_passwords_are_refused(monkeypatch: pytest.MonkeyPatch):
    say(monkeypatch, REDIS_URL="redis://:sesame@cache", REDIS_PASSWORD="another")
    with pytest.raises(Refused, match="leave it out of REDIS_URL") as refusal:
        find_redis()
    assert "sesame" not in str(refusal.value)


def test_an_authority_for_a_connection_that_is_not_encrypted_is_refused(secured: Secured, monkeypatch: pytest.MonkeyPatch):
    say(monkeypatch, REDIS_URL="redis://cache", REDIS_SSL_CAFILE=str(secured.authority))
    with pytest.raises(Refused, match="let it begin with rediss://"):
        find_redis()


def test_an_authority_that_cannot_be_read_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    say(monkeypatch, REDIS_URL="rediss://cache", REDIS_SSL_CAFILE=str(tmp_path / "none.pem"))
    with pytest.raises(Refused, match=r"REDIS_SSL_CAFILE: .*none\.pem"):
        find_redis()
