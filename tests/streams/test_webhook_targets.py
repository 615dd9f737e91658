"""Where a webhook may go, and how its answers are understood: real connections to a real server."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from engagement.subscriptions import Subscription
from streams.webhooks.attempt import Answer, open_target
from streams.webhooks.example import example_message
from streams.webhooks.signature import read_signer
from tests.streams.webhook_receivers import SECRET, Receiver, hanging, receiving

BEYOND_C = "9" * 20  # no library of C's takes such a number


class Names(AbstractResolver):
    """Resolves every name to what comes next, as an attacker's name server would."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - aiohttp's signature
    ) -> list[ResolveResult]:
        addresses = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST)
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", SECRET)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    it = Receiver()
    async with receiving(it):
        yield it


async def attempt(url: str, resolver: AbstractResolver | None = None, **more: Any) -> Answer:
    settings = {"allow_http": "true", "allow_private": "true", "timeout": "1s", **more}
    subscription = Subscription.model_validate({"name": "crm", "url": url, "secret": "SECRET", **settings})
    async with open_target(subscription, read_signer(subscription.secret), resolver) as target:
        return await target.attempt(example_message())


async def test_a_receiver_that_answers_2xx_has_it(receiver: Receiver) -> None:
    assert (await attempt(receiver.url)).is_taken
    assert receiver.headers["Content-Type"] == "application/json"
    assert receiver.headers["User-Agent"].startswith("mqa/")
    assert receiver.modes == {"test"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001"])
async def test_the_own_machine_is_not_reached_unless_that_is_allowed(receiver: Receiver, host: str) -> None:
    answer = await attempt(receiver.url.replace("127.0.0.1", host), allow_private="false")
    assert answer.sort in {"forbidden", "unreachable"}
    assert not receiver.sent


async def test_a_name_that_resolves_to_a_private_address_is_not_reached_and_the_answer_says_what_to_do(receiver: Receiver) -> None:
    url = receiver.url.replace("127.0.0.1", "hooks.example.com")
    answer = await attempt(url, Names(["127.0.0.1"]), allow_private="false")
    assert answer.sort == "forbidden"
    assert "127.0.0.1 is no public address; add allow_private: true if it is meant" in answer.detail
    assert not receiver.sent
    assert (await attempt(url, Names(["127.0.0.1"]))).is_taken


async def test_of_a_name_with_several_addresses_private_ones_are_passed_over(receiver: Receiver) -> None:
    url = receiver.url.replace("127.0.0.1", "hooks.example.com")
    answer = await attempt(url, Names(["10.0.0.1", "127.0.0.1", "169.254.169.254"]), allow_private="false")
    assert answer.sort == "forbidden"
    assert not receiver.sent


async def test_a_name_that_turns_private_between_two_attempts_is_not_reached(receiver: Receiver) -> None:
    subscription = Subscription.model_validate(
        {"name": "crm", "url": receiver.url.replace("127.0.0.1", "a.example"), "secret": "SECRET", "allow_http": "true", "timeout": "1s"}
    )
    async with open_target(subscription, read_signer(["SECRET"]), Names(["192.0.2.1"], ["127.0.0.1"])) as target:
        for _ in range(3):
            assert not (await target.attempt(example_message())).is_taken
    assert not receiver.sent


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    elsewhere = Receiver()

    async def redirecting(*_: object) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect(elsewhere.url)

    receiver.behaviour = redirecting
    async with receiving(elsewhere):
        assert (await attempt(receiver.url)).sort == "3xx"
    assert not elsewhere.sent


async def test_no_proxy_of_the_environment_gets_it(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert (await attempt(receiver.url)).is_taken


async def test_a_receiver_that_hangs_has_failed_when_the_time_is_over(receiver: Receiver) -> None:
    receiver.behaviour = hanging
    assert await attempt(receiver.url) == Answer("timeout", "no answer within 1 s")


async def test_an_answer_that_never_ends_is_not_waited_for() -> None:
    async def dribble(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        await response.write(b"and so on")
        await asyncio.Event().wait()
        return response

    application = web.Application()
    application.router.add_post("/", dribble)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        status = 200
        assert (await attempt(url)).is_taken
        status = 500
        assert (await attempt(url)).sort == "5xx"
    finally:
        await runner.cleanup()


async def test_a_connection_that_is_dropped_and_one_that_is_refused_are_failures() -> None:
    async def drop(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(drop, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    assert (await attempt(url)).sort == "unreachable"
    server.close()
    await server.wait_closed()
    assert (await attempt(url)).sort == "unreachable"


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    """A server's, whose certificate nobody vouches for."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("`openssl` is not on the path; install it with `sudo apt-get install openssl`")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=30)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


async def test_a_receiver_that_cannot_prove_who_it_is_gets_nothing(self_signed: ssl.SSLContext) -> None:
    came: list[bytes] = []

    async def listening(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(listening, "127.0.0.1", 0, ssl=self_signed)
    answer = await attempt(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert answer.sort == "unreachable"
    assert "certificate verify failed" in answer.detail
    assert not any(came)
    server.close()


@pytest.mark.parametrize(
    "said",
    [
        b"\x1b[31m220 ready\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 99999999999999999999 OK\r\n\r\n",
        b"HTTP/1.1 500 \xff\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 500 No\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n",
        b"HTTP/1.1 500 No\r\nContent-Type: text/plain; charset=none\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\xff\x1b\x00",
        b"HTTP/1.1 500 No\r\nLong: " + b"x" * 20_000 + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n\xff\xff",
    ],
)
async def test_whatever_is_answered_is_a_failure_of_this_attempt_and_is_told_in_printable_words(said: bytes) -> None:
    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    answer = await attempt(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert answer.sort in {"unreachable", "5xx"}
    assert answer.detail.isprintable()
    assert answer.detail
    server.close()


@pytest.mark.parametrize(
    ("status", "sort", "asks_all"), [(400, "4xx", False), (429, "4xx", True), (500, "5xx", False), (503, "5xx", True), (410, "gone", False)]
)
async def test_an_answer_tells_what_to_do_next(receiver: Receiver, status: int, sort: str, asks_all: bool) -> None:
    async def answering(*_: object) -> web.StreamResponse:
        return web.Response(status=status, headers={"Retry-After": "7"}, text="not\x1b[31m now")

    receiver.behaviour = answering
    answer = await attempt(receiver.url)
    assert (answer.sort, answer.asks_all) == (sort, asks_all)
    assert answer.retry_after == (None if sort == "gone" else 7)
    assert answer.detail.startswith(f"{status} ")
    assert answer.detail.endswith(r"not\x1b[31m now")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("120", 120), ("9" * 5_000, 86_400), ("-5", None), ("soon", None), ("1.5", None), ("²", None), ("", None)],
        *[("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Fri, 31 Dec 9999 23:59:59 -2359", 86_400), ("Mon, 01 Jan 2125 00:00:00 +9999", None)],
        *[(f"Mon, 01 Jan {BEYOND_C} 00:00:00 GMT", None), (f"Mon, {BEYOND_C} Jan 2125 00:00:00 GMT", None)],
        *[(f"Mon, 01 Jan 2125 {BEYOND_C}:00:00 GMT", None), (f"Mon, 01 Jan 2125 00:00:00 +{BEYOND_C}", None)],
    ],
)
async def test_retry_after_is_seconds_or_a_date_and_a_day_at_most(receiver: Receiver, text: str, seconds: float | None) -> None:
    async def answering(*_: object) -> web.StreamResponse:
        return web.Response(status=503, headers={"Retry-After": text})

    receiver.behaviour = answering
    assert (await attempt(receiver.url)).retry_after == seconds


async def test_retry_after_may_be_a_date_to_come(receiver: Receiver) -> None:
    async def answering(*_: object) -> web.StreamResponse:
        moment = datetime.now(UTC) + timedelta(hours=2)
        return web.Response(status=503, headers={"Retry-After": format_datetime(moment, usegmt=True)})

    receiver.behaviour = answering
    wait = (await attempt(receiver.url)).retry_after
    assert wait is not None
    assert 7_000 < wait <= 7_200
