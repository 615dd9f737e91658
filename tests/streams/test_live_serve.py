"""`mqa serve` as a process, on a real Kafka: with profiles kept in itself, and with those of a real Redis."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest

from streams.connection import Connection
from streams.topics import Environment
from tests.redis_servers import redis_server
from tests.streams.histories import simulated_days
from tests.streams.live_runs import new_environment, play, working
from tests.streams.projections import expected
from tests.streams.projectors import projecting
from tests.streams.served import PEOPLE, READER, TOKENS, WRITER
from tests.streams.test_prometheus import API, Prometheus, prometheus, queries

DAYS = simulated_days(accounts=12, days=6)
PATIENCE = 60.0


class Server(NamedTuple):
    """One ``mqa serve``."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=PATIENCE)

    def until(self, path: str, holds: Callable[[Any], bool], token: str = READER) -> Any:
        """The first answer of which that holds."""
        deadline = monotonic() + PATIENCE
        with self.client(token) as api:
            while not holds(said := api.get(path).json()):
                assert monotonic() < deadline, (said, self.log.read_text())
                sleep(0.05)
        return said


@contextmanager
def serving(kafka: Connection, environment: Environment, folder: Path, name: str, **settings: str) -> Iterator[Server]:
    """One, as long as the block takes; it must end well when it is asked to."""
    log, tokens = folder / f"{name}.log", folder / "tokens"
    tokens.write_text(TOKENS)
    command = [sys.executable, "-m", "streams", "serve", "--port", "0", "--prefix", environment.prefix, "--rate", "10000"]
    environ = os.environ | {"KAFKA_BOOTSTRAP": kafka.bootstrap, "MQA_API_TOKENS_FILE": str(tokens)} | settings
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield Server(process, _address(process, log), log)
        process.terminate()
        assert process.wait(20) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = monotonic() + PATIENCE
    while "serving on " not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert monotonic() < deadline, log.read_text()
        sleep(0.02)
    return log.read_text().partition("serving on ")[2].split()[0]


class Stage(NamedTuple):
    """A played environment with a worker that goes on, and a server of each kind."""

    kafka: Connection
    environment: Environment
    here: Server  # keeps profiles itself
    redis: Server


@pytest.fixture(scope="module")
def stage(kafka: Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("serve")
    environment = new_environment(kafka)
    with ExitStack() as stack:
        stack.enter_context(working(kafka, environment, folder))
        port = stack.enter_context(redis_server(folder))
        url = f"redis://127.0.0.1:{port}/0"
        stack.enter_context(projecting(kafka, environment, url, folder))
        here = stack.enter_context(serving(kafka, environment, folder, "here"))
        redis = stack.enter_context(serving(kafka, environment, folder, "redis", REDIS_URL=url))
        play(kafka, environment, DAYS)
        yield Stage(kafka, environment, here, redis)


def test_both_say_of_every_account_what_its_state_says(stage: Stage) -> None:
    profiles = asyncio.run(expected(stage.kafka, stage.environment)).profiles
    said = msgspec.json.decode(msgspec.json.encode(list(profiles.values())))
    ranked = sorted(said, key=lambda profile: (-profile["score"], profile["account"]))
    assert ranked
    for server in (stage.here, stage.redis):
        listed = server.until(
            "/api/v1/accounts?limit=500",
            lambda listed: [each["profile"] for each in listed["accounts"]] == ranked,
        )
        assert listed["next"] is None


def test_a_pin_becomes_a_tier_change_that_names_who_decided_and_its_repeat_is_none(stage: Stage) -> None:
    with stage.redis.client(WRITER) as api:
        start = api.get("/api/v1/tier-changes?last=1").json()["next"]
        body = {"ladder": "tier", "rung": "tier_1", "reason": "board"}
        answers = [api.post("/api/v1/accounts/pinned.example/pin", json=body, headers={"idempotency-key": "pin-1"}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202], answers[0].text
        off = api.delete("/api/v1/accounts/pinned.example/pin/tier")
    first, again = (answer.json() for answer in answers)
    assert (first["id"], first["offset"] < again["offset"]) == (again["id"], True)
    assert off.status_code == 202
    changes = stage.redis.until(f"/api/v1/tier-changes?account=pinned.example&after={start}", lambda said: len(said["changes"]) == 2)[
        "changes"
    ]
    assert [(change["reason"], change["to"], change["cause"]) for change in changes] == [
        ("pin", "tier_1", f"account-updates:{first['id']}"),
        ("pin", "untiered", f"account-updates:{off.json()['id']}"),
    ]
    assert changes[0]["pin"] == {"computed": "untiered", "reason": "board", "author": "writer", "until": None}
    timeline = stage.here.until("/api/v1/accounts/pinned.example/timeline", lambda said: len(said.get("changes", ())) == 2)
    assert [change["to"] for change in timeline["changes"]] == ["untiered", "tier_1"]


def test_a_dead_letter_is_shown_with_its_reason(stage: Stage) -> None:
    async def send() -> None:
        async with stage.kafka.producer() as producer:
            topic = stage.environment.topic("intent-signals")
            at = DAYS[-1][0] * 86_400_000
            await producer.send_and_wait(topic, b'{"id":"broken"', key=b"acme.com", timestamp_ms=at)

    asyncio.run(send())
    said = stage.here.until(
        "/api/v1/dead-letters?source=intent-signals&limit=500",
        lambda said: any(letter["original"] == '{"id":"broken"' for letter in said["letters"]),
        PEOPLE,
    )
    letter = next(each for each in said["letters"] if each["original"] == '{"id":"broken"')
    assert (letter["reason"], letter["key"], letter["retried"]) == ("malformed_json", "acme.com", False)


def test_health_says_that_all_parts_are_well(stage: Stage) -> None:
    for server in (stage.here, stage.redis):
        health = server.until("/health/ready", lambda said: said["profiles"]["well"])
        assert health["ready"]
        assert (health["store"]["says"], health["kafka"]["says"]) == ("answers", "takes updates")


def test_a_server_that_keeps_profiles_itself_shows_how_that_goes(stage: Stage) -> None:
    with stage.here.client(READER) as here, stage.redis.client(READER) as redis:
        own, other = here.get("/metrics").text, redis.get("/metrics").text
    assert 'mqa_projector_records_total{topic="accounts-changelog"}' in own
    assert "mqa_projector" not in other
    for metrics in (own, other):
        assert "mqa_api_requests_total" in metrics


def test_a_real_prometheus_has_data_for_every_panel_of_the_dashboard(stage: Stage, tmp_path: Path) -> None:
    async def ask(watching: Prometheus) -> dict[str, list[float]]:
        await watching.until("mqa_api_updates_total offset 1s")
        with stage.redis.client(WRITER) as api:  # what rises between two scrapes has a rate
            api.delete("/api/v1/accounts/pinned.example/suppression").raise_for_status()
        return {query: await watching.until(query) for query in queries() if API in query}

    with stage.redis.client(WRITER) as api:
        api.delete("/api/v1/accounts/pinned.example/suppression").raise_for_status()
    with prometheus(httpx.URL(stage.redis.address).port or 0, tmp_path) as watching:
        panels = asyncio.run(ask(watching))
    assert len(panels) > 3
    assert all(panels.values())


def test_no_token_stands_in_a_log(stage: Stage) -> None:
    for server in (stage.here, stage.redis):
        said = server.log.read_text()
        assert "serving on http://127.0.0.1:" in said
        assert not any(token in said for token in (READER, WRITER, PEOPLE))


def test_an_environment_that_is_none_is_refused_in_one_line(kafka: Connection) -> None:
    command = [sys.executable, "-m", "streams", "serve", "--port", "0", "--prefix", "nobody-", "--bootstrap", kafka.bootstrap]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert outcome.returncode == 2
    assert outcome.stderr.splitlines()[-1].startswith("mqa: ")
    assert "mqa topics create --prefix nobody-" in outcome.stderr
