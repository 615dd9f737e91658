"""Projectors are killed, Redis is flushed and starts empty, while a history is played: profiles are complete again by themselves."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from streams.connection import Connection
from streams.history.compare import Comparison
from streams.profiles.redis_store import RedisStore
from streams.topics import Environment
from tests.needs import need_program
from tests.redis_servers import free_port, redis_server
from tests.streams.histories import FIRST_DAY, PARTITIONS, simulated_days
from tests.streams.live_runs import Live, new_environment, play, working
from tests.streams.projections import Projection, differences, expected, until_projected
from tests.streams.projectors import ProjectorProcess
from tests.streams.test_prometheus import PROJECTOR, prometheus, queries


class Stage(NamedTuple):
    """One environment, its workers' state and the profiles of it in Redis."""

    kafka: Connection
    environment: Environment
    redis_url: str

    def look(self) -> tuple[Projection, Projection]:
        """What is there once the projectors are through, and what is to be."""

        async def run() -> tuple[Projection, Projection]:
            store = RedisStore(Redis.from_url(self.redis_url), self.environment.prefix)
            try:
                held = await until_projected(self.kafka, self.environment, store)
                return held, await expected(self.kafka, self.environment)
            finally:
                await store.aclose()

        return asyncio.run(run())


class Lived(NamedTuple):
    """What the profiles were, and were to be, at the moments of the story."""

    compared: Comparison  # what workers told, with a replay of their log
    moments: dict[str, tuple[Projection, Projection]]
    ready_while_redis_was_away: str
    metrics: dict[str, float]  # of a projector at the end; summed over labels
    said: str  # in its log
    refused: tuple[int, str]  # exit status and words of one that met a row of a later version
    panels: dict[str, list[float]] | None  # of the dashboard: query -> what Prometheus answered; None where there is none


@pytest.fixture(scope="module")
def lived(kafka: Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    folder, days = tmp_path_factory.mktemp("projectors"), simulated_days(accounts=50, days=10)
    port, health = free_port(), free_port()
    stage = Stage(kafka, new_environment(kafka), f"redis://127.0.0.1:{port}/0")
    moments: dict[str, tuple[Projection, Projection]] = {}
    redis, projectors = ExitStack(), ExitStack()

    def project(name: str, *options: str) -> ProjectorProcess:
        process = ProjectorProcess(kafka, stage.environment, stage.redis_url, folder / f"{name}.log", *options)
        projectors.callback(process.end)
        return process

    async def flush() -> None:
        async with Redis.from_url(stage.redis_url) as client:
            await client.flushall()

    with redis, projectors, working(kafka, stage.environment, folder):
        redis.enter_context(redis_server(folder, port=port))
        one, two = project("one"), project("two", "--port", str(health))

        def disturb(day: int) -> None:
            if day == FIRST_DAY + 2:
                one.kill()
            if day == FIRST_DAY + 4:
                asyncio.run_coroutine_threadsafe(flush(), asyncio.get_running_loop())

        play(kafka, stage.environment, days[:6], on_day=disturb)
        moments["one of two was killed, and Redis flushed, in the middle"] = stage.look()
        watching = projectors.enter_context(prometheus(health, folder)) if shutil.which("prometheus") else None
        three = project("three")
        redis.close()
        play(kafka, stage.environment, days[6:8])  # workers go on
        away = readiness(health)
        redis.enter_context(redis_server(folder, port=port))
        moments["Redis was away for two days, and came back empty"] = stage.look()
        two_said = metrics(health)
        asked = [query for query in queries() if PROJECTOR in query]
        panels = None if watching is None else {query: asyncio.run(watching.until(query)) for query in asked}
        two.stop()
        play(kafka, stage.environment, days[8:])
        moments["the third was left alone"] = stage.look()
        assert three.stop() == 0
        compared = Live(kafka=kafka, environment=stage.environment).compared()
        asyncio.run(spoil(stage))
        four = project("four")
        refused = (four.wait(60), four.said())
        yield Lived(compared, moments, away, two_said, two.said(), refused, panels)


async def spoil(stage: Stage) -> None:
    """Write a row as a later version might."""
    async with stage.kafka.producer() as producer:
        await producer.send_and_wait(stage.environment.topic("accounts-changelog"), b"\x63row", b"acme.com", partition=0)


def readiness(port: int) -> str:
    try:
        with urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=10) as answer:
            return str(answer.read().decode())
    except HTTPError as error:
        return error.read().decode()


def metrics(port: int) -> dict[str, float]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = [sample for family in families for sample in family.samples]
    return {name: sum(sample.value for sample in samples if sample.name == name) for name in {sample.name for sample in samples}}


@pytest.mark.parametrize(
    "moment",
    [
        "one of two was killed, and Redis flushed, in the middle",
        "Redis was away for two days, and came back empty",
        "the third was left alone",
    ],
)
def test_every_profile_timeline_and_contact_is_what_the_workers_state_says(lived: Lived, moment: str) -> None:
    held, wanted = lived.moments[moment]
    assert differences(held, wanted) == []
    assert len(held.profiles) > 50
    assert len(held.timelines) > 10
    assert len(held.contacts) > 50


def test_workers_did_not_notice(lived: Lived) -> None:
    assert lived.compared.holds, "\n".join(lived.compared.lines())
    assert (lived.compared.unfolded, lived.compared.live > 20) == (0, True)


def test_that_redis_is_away_is_said_once_and_while_it_lasts(lived: Lived) -> None:
    assert lived.ready_while_redis_was_away.startswith("the store has not answered for ")
    assert lived.said.count("the store of profiles does not answer") == 1
    assert lived.said.count("the store of profiles answers again") == 1
    assert "Traceback" not in lived.said


def test_metrics_tell_what_was_done(lived: Lived) -> None:
    assert lived.metrics["mqa_projector_lag_records"] == 0
    assert lived.metrics["mqa_projector_store_outage_seconds"] == 0
    assert lived.metrics["mqa_projector_expected_partitions"] == PARTITIONS
    assert lived.metrics["mqa_projector_partitions"] == lived.metrics["mqa_projector_complete_partitions"]
    assert lived.metrics["mqa_projector_records_total"] > 100
    assert lived.metrics["mqa_projector_accounts_total"] > 50
    assert lived.metrics["mqa_projector_refreshed_accounts_total"] > 50
    assert lived.metrics["mqa_projector_reopenings_total"] > 2


def test_a_real_prometheus_has_data_for_every_panel_of_the_dashboard(lived: Lived) -> None:
    need_program("prometheus", "prometheus", brew="prometheus")
    assert lived.panels is not None
    assert len(lived.panels) > 8
    assert [query for query, values in lived.panels.items() if not values] == []


def test_a_row_of_a_later_version_ends_a_projector_with_one_line_that_says_what_to_do(lived: Lived) -> None:
    status, said = lived.refused
    assert status == 2
    refusal = r"mqa: \S+-accounts-changelog/0 offset \d+, key b'acme.com': a row has format 99, this version reads 3; run the version that"
    assert re.match(refusal, said.splitlines()[-1])
    assert "Traceback" not in said
