"""What every request passes, and every answer."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from streams.profiles.memory import MemoryStore
from streams.profiles.store import Mark, StoreUnavailable
from streams.serve import guard
from streams.serve.rates import Rates
from streams.serve.tokens import Tokens
from tests.streams.api.conftest import Client
from tests.streams.served import READER, WRITER

OVERVIEW = "/api/v1/overview"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", OVERVIEW),
        ("GET", "/nothing"),
        ("PATCH", OVERVIEW),
        ("GET", "/api/v1/accounts?limit=0"),
        ("OPTIONS", OVERVIEW),
        ("GET", "/health/live"),
    ],
)
async def test_every_answer_keeps_browsers_from_running_and_framing_it(client: Client, method: str, path: str) -> None:
    async with client(READER) as api:
        headers = (await api.request(method, path)).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
    assert (headers["cross-origin-opener-policy"], headers["cross-origin-resource-policy"]) == ("same-origin", "same-origin")


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "[::2]", "127.0.0.1.evil.example:80"])
async def test_a_page_from_elsewhere_cannot_lead_its_own_name_here(client: Client, host: str) -> None:
    async with client(READER, headers={"host": host}) as api:
        assert (await api.get(OVERVIEW)).status_code == 421
        assert (await api.get("/health/live")).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:8080", "MQA.example"])
async def test_its_own_names_and_those_it_was_told_are_answered(client: Client, host: str) -> None:
    async with client(READER, headers={"host": host}, hosts=("localhost", "127.0.0.1", "::1", "mqa.example")) as api:
        assert (await api.get(OVERVIEW)).status_code == 200


async def test_without_tokens_this_machine_alone_reads(client: Client) -> None:
    async with client(tokens=Tokens()) as here, client(tokens=Tokens(), is_local=False) as anywhere:
        assert (await here.get(OVERVIEW)).status_code == 200
        refused = await anywhere.get(OVERVIEW)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")


async def test_with_tokens_this_machine_needs_one_as_well(client: Client) -> None:
    async with client() as api:
        assert (await api.get(OVERVIEW)).status_code == 401
        assert (await api.get("/health/ready")).status_code == 200


@pytest.mark.parametrize("said", ["Bearer nobodys-token", "Basic cmVhZGVyOg==", "Bearer", "", f"Token {READER}"])
async def test_a_token_that_nobody_has_is_refused_also_where_none_is_needed(client: Client, said: str) -> None:
    async with client(headers={"authorization": said}, tokens=Tokens()) as api:
        assert (await api.get(OVERVIEW)).status_code == 401


async def test_head_and_options_say_what_get_would(client: Client) -> None:
    async with client(READER) as api:
        got, head = await api.get(OVERVIEW), await api.head(OVERVIEW)
        options, refused = await api.options("/api/v1/accounts/acme.com/pin"), await api.put("/api/v1/accounts/acme.com/pin")
        nothing = await api.options("/nothing")
    assert (head.status_code, head.headers["etag"], head.headers["content-length"]) == (200, got.headers["etag"], str(len(got.content)))
    assert (options.status_code, options.headers["allow"]) == (204, "OPTIONS, POST")
    assert (refused.status_code, refused.headers["allow"]) == (405, "OPTIONS, POST")
    assert nothing.status_code == 404


async def test_a_caller_who_asks_too_often_is_told_when_to_come_again_and_others_are_not(client: Client) -> None:
    async with client(READER, rate=5) as api:
        answers = [await api.get("/api/v1/me") for _ in range(12)]
        other = await api.get("/api/v1/me", headers={"authorization": f"Bearer {WRITER}"})
        probe = await api.get("/health/ready")
    assert [answer.status_code for answer in answers[:10]] == [200] * 10
    assert (answers[-1].status_code, answers[-1].headers["retry-after"]) == (429, "1")
    assert (other.status_code, probe.status_code) == (200, 200)


def test_a_bucket_fills_evenly_and_not_beyond_two_seconds() -> None:
    now = 0.0
    rates = Rates(10, now=lambda: now)
    assert [rates.wait("ann") for _ in range(20)] == [0.0] * 20
    assert rates.wait("ann") == pytest.approx(0.1)
    now = 0.5
    assert [rates.wait("ann") == 0 for _ in range(6)] == [True] * 5 + [False]
    now = 1_000.0
    assert sum(rates.wait("ann") == 0 for _ in range(50)) == 20


@pytest.mark.parametrize("is_said", [True, False])
async def test_a_body_that_is_too_large_is_refused_whether_its_head_says_so_or_not(client: Client, is_said: bool) -> None:
    async def stream() -> Any:
        for _ in range(100):
            yield b"x" * 1_000

    content = b"x" * 100_000 if is_said else stream()
    async with client(WRITER) as api:
        answer = await api.post("/api/v1/accounts/acme.com/pin", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


class Hangs(MemoryStore):
    async def marks(self) -> Mapping[int, Mark]:
        await asyncio.Event().wait()
        raise AssertionError


class Away(MemoryStore):
    async def marks(self) -> Mapping[int, Mark]:
        raise StoreUnavailable("Redis at 127.0.0.1:6379: refused")

    async def places(self) -> Mapping[str, int]:
        raise StoreUnavailable("Redis at 127.0.0.1:6379: refused")


class Broken(MemoryStore):
    async def marks(self) -> Mapping[int, Mark]:
        raise ZeroDivisionError


async def test_a_store_that_is_away_is_said_in_one_sentence_with_when_to_ask_again(client: Client) -> None:
    async with client(READER, store=Away()) as api:
        for path in (OVERVIEW, "/api/v1/accounts?stage=mqa", "/api/v1/tier-changes"):
            answer = await api.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert "the store of profiles does not answer (Redis at 127.0.0.1:6379: refused)" in answer.json()["detail"]


async def test_a_request_that_takes_too_long_is_given_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "REQUEST_SECONDS", 0.05)
    async with client(READER, store=Hangs()) as api:
        assert (await api.get(OVERVIEW)).status_code == 503


async def test_no_more_than_so_many_requests_are_answered_at_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MOST_AT_ONCE", 3)
    monkeypatch.setattr(guard, "REQUEST_SECONDS", 0.2)
    async with client(READER, store=Hangs()) as api:
        answers = await asyncio.gather(*(api.get(OVERVIEW) for _ in range(5)))
        details = sorted(answer.json()["detail"] for answer in answers)
    assert [detail.partition(" ")[0] for detail in details] == ["3", "3", "no", "no", "no"]


async def test_a_defect_is_answered_without_its_inside(client: Client) -> None:
    async with client(READER, store=Broken()) as api:
        answer = await api.get(OVERVIEW)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "ZeroDivisionError" not in answer.text
    assert "content-security-policy" in answer.headers


async def test_requests_are_counted_by_route_method_and_status(client: Client) -> None:
    async with client(READER) as api:
        await api.get("/api/v1/accounts/meridianflow.example")
        await api.get("/api/v1/accounts/nobody.example")
        await api.get("/some/where")
        await api.request("BREW", OVERVIEW)
        metrics = (await api.get("/metrics")).text
    for labels in (
        'method="GET",route="/api/v1/accounts/{account}",status="200"',
        'method="GET",route="/api/v1/accounts/{account}",status="404"',
        'method="GET",route="none",status="404"',
        'method="other",route="/api/v1/overview",status="405"',
    ):
        assert f"mqa_api_requests_total{{{labels}}} 1.0" in metrics
    assert "mqa_api_in_flight_requests 1.0" in metrics
    assert 'mqa_api_request_seconds_count{method="GET",route="/api/v1/accounts/{account}"} 2.0' in metrics


@pytest.mark.parametrize("path", ["/api/v1/accounts?limt=1", "/api/v1/overview?x=1", "/api/v1/me?x=1", "/api/v1/reports?x=1"])
async def test_a_parameter_that_is_none_is_refused(client: Client, path: str) -> None:
    async with client(READER) as api:
        answer: httpx.Response = await api.get(path)
    assert answer.status_code == 422
    assert "is no parameter here; " in answer.json()["detail"]
