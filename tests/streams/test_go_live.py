"""A company's history is loaded without alerting anybody; then the environment is switched to the wall clock, once."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import TopicPartition
from click.testing import CliRunner, Result

from engagement.days import day_of, iso_day, iso_instant, midnight
from engagement.errors import Refused
from engagement.events import Family
from engagement.machine import Record
from engagement.records import LIVE_KEY, GoLive, decode, encode
from streams.clocks import clock_of
from streams.configuration import newest_rulebook
from streams.connection import Connection
from streams.days import append_day
from streams.delivery import EXACTLY_ONCE
from streams.demo.processes import WorkerProcess
from streams.genesis import create_environment, read_genesis
from streams.going_live import go_live, switch_to_wall
from streams.history.baseline import baseline
from streams.history.lines import encode_line
from streams.history.play import play
from streams.history.simulate import simulate_history
from streams.identity import partition_of
from streams.person_key import person_key
from streams.reading import read_to_end, reader
from streams.topics import LOG, RULEBOOKS, TIER_CHANGES, TOPICS, Environment
from streams.topics_command import topics
from streams.transaction import commit, make_producer
from streams.worker.command import worker
from tests.streams.histories import PARTITIONS
from tests.streams.live_runs import Live, working

SECRET = "a company's own"
DAYS = 20
TODAY = day_of(time.time_ns() // 1_000_000)
LAST_DAY = TODAY - 5
"""On which the baseline ends: the day after the history's."""


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQA_PERSON_SECRET", SECRET)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("history") / "history.jsonl"
    file.write_bytes(b"".join(simulate_history(accounts=20, days=DAYS, start_day=LAST_DAY - DAYS, seed=5)))
    return file


class Company(NamedTuple):
    """An environment and what a person types about it."""

    kafka: Connection
    environment: Environment

    def types(self, command: Any, *arguments: str) -> Result:
        where = ["--prefix", self.environment.prefix, "--bootstrap", self.kafka.bootstrap]
        return CliRunner().invoke(command, [*arguments, *where], catch_exceptions=False)

    async def changes(self) -> list[Record]:
        async with reader(self.kafka) as consumer:
            partitions = [TopicPartition(self.environment.topic(TIER_CHANGES), number) for number in range(PARTITIONS)]
            return [record for each in partitions async for batch in read_to_end(consumer, each) for record in batch]

    async def log(self, number: int) -> list[Record]:
        async with reader(self.kafka) as consumer:
            partition = TopicPartition(self.environment.topic(LOG), number)
            return [record async for batch in read_to_end(consumer, partition) for record in batch]

    async def settings(self, topic: str) -> dict[str, str]:
        admin = AIOKafkaAdminClient(**self.kafka.client_options())
        await admin.start()
        try:
            (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, self.environment.topic(topic))])
        finally:
            await admin.close()
        return {name: value for name, value, *_ in answer.resources[0][4]}


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - a broker tells nobody
            await asyncio.sleep(0.1)


def modes(changes: list[Record]) -> set[bytes]:
    return {dict(change.headers)["mode"] for change in changes}


async def demo_requests(company: Company, *domains: str) -> None:
    """By somebody, now."""
    now = time.time_ns() // 1_000_000
    async with AIOKafkaProducer(**company.kafka.client_options()) as producer:
        for domain in domains:
            signal = {"id": f"live-{domain}", "kind": "demo_request", "occurred_at": iso_instant(now), "email": f"ann@{domain}"}
            topic, key = company.environment.topic(Family.INTENT_SIGNALS.value), domain.encode()
            partition = partition_of(key, PARTITIONS)
            await producer.send_and_wait(topic, msgspec.json.encode(signal), key, partition, midnight(LAST_DAY))


def test_a_baseline_with_a_worker_killed_then_go_live_then_days_to_today_and_events_by_the_wall_clock(
    kafka: Connection, prefix: str, history: Path, tmp_path: Path
) -> None:
    company = Company(kafka, Environment(prefix))
    asyncio.run(create_environment(kafka, company.environment, partitions=PARTITIONS, clock="played"))
    with working(kafka, company.environment, tmp_path) as workers:
        pipe = tmp_path / "history"
        os.mkfifo(pipe)

        def feed() -> None:
            lines = history.read_bytes().splitlines(keepends=True)
            with pipe.open("wb") as file:
                file.writelines(lines[: len(lines) // 2])
                workers["one"].kill()  # the first half has been read, and is not all played
                workers["one"] = WorkerProcess(kafka, company.environment, "one", folder=tmp_path)
                file.writelines(lines[len(lines) // 2 :])

        feeder = Thread(target=feed)
        feeder.start()
        loaded = company.types(baseline, str(pipe))
        feeder.join()
        assert loaded.output.startswith("played ")
        with pytest.raises(Refused, match=r"1 in the group .*: stop its workers"):
            company.types(go_live)
        assert workers["one"].stop() == 0
    told = asyncio.run(company.changes())
    assert len(told) > 20
    assert modes(told) == {b"baseline"}

    assert f"its history ended on {iso_day(LAST_DAY)}" in company.types(go_live).output
    assert "wall clock (its history was played)" in company.types(topics, "check").output
    with pytest.raises(Refused, match="runs by the wall clock already"):
        company.types(go_live)
    for command in (play, baseline):
        with pytest.raises(Refused, match="runs by the wall clock: a history played into it"):
            company.types(command, str(history))

    with working(kafka, company.environment, tmp_path, names=("one", "two")):
        asyncio.run(demo_requests(company, "newcomer.com", "latecomer.com"))

        async def is_today() -> bool:
            days = [day for number in range(PARTITIONS) for day in days_in(await company.log(number))[-1:]]
            return days == [TODAY] * PARTITIONS

        async def both_are_told() -> bool:
            return {b"newcomer.com", b"latecomer.com"} <= {change.key for change in await company.changes()}

        async def all_is_folded() -> bool:
            return (await asyncio.to_thread(live.compared)).unfolded == 0

        live = Live(kafka=kafka, environment=company.environment)
        for each in (is_today, both_are_told, all_is_folded):
            asyncio.run(until(each))
    for number in range(PARTITIONS):
        days = days_in(asyncio.run(company.log(number)))
        assert days == list(range(days[0], TODAY + 1))
    comparison = live.compared()
    assert comparison.holds, "\n".join(comparison.lines())
    after = [change for change in asyncio.run(company.changes()) if change not in told]
    newcomers = [change for change in after if change.key in (b"newcomer.com", b"latecomer.com")]
    assert modes(newcomers) == {b"live"}
    between = [change for change in after if change not in newcomers]  # whoever fell on the days between the history's end and today
    assert modes(between) <= {b"baseline"}


def days_in(log: list[Record]) -> list[int]:
    entries = [decode(record.value) for record in log if record.key == b"__day__" and record.value is not None]
    return [entry.day for entry in entries]


async def play_days_without_events(company: Company, last_day: int) -> None:
    """As a player leaves it whose history had no events that workers would have to read: the days are folded by nobody."""
    await create_environment(company.kafka, company.environment, partitions=PARTITIONS, clock="played")
    async with make_producer(company.kafka, company.environment.transactional_id("clock", 0)) as clock:
        await append_day(clock, company.environment, PARTITIONS, last_day, EXACTLY_ONCE)


async def switch(company: Company, now: int | None = None) -> int:
    return await switch_to_wall(company.kafka, company.environment, person_key("wall"), midnight(TODAY) if now is None else now)


@pytest.fixture
def company(kafka: Connection, prefix: str) -> Company:
    return Company(kafka, Environment(prefix))


async def folded(company: Company) -> None:
    """What workers would have committed, had they read everything."""
    partitions = [TopicPartition(company.environment.topic(LOG), number) for number in range(PARTITIONS)]
    async with reader(company.kafka, "read_uncommitted") as consumer:
        ends = await consumer.end_offsets(partitions)
    async with make_producer(company.kafka, f"{company.environment.prefix}stand-in") as producer:
        await commit(producer, {}, ends, company.environment.group)


async def test_topics_get_the_settings_of_a_wall_environment_and_keep_what_else_was_set(company: Company) -> None:
    await play_days_without_events(company, TODAY)
    await folded(company)
    visits = company.environment.topic("web-visits")
    own = ConfigResource(
        ConfigResourceType.TOPIC, visits, {**TOPICS[0].configs("played", 1), "max.message.bytes": "5000000", "compression.type": "lz4"}
    )
    admin = AIOKafkaAdminClient(**company.kafka.client_options())
    await admin.start()
    await admin.alter_configs([own])
    await admin.close()
    await switch(company)
    for each in TOPICS:
        found = await company.settings(each.short)
        expected = each.configs("wall", 1) | ({"max.message.bytes": "5000000", "compression.type": "lz4"} if each is TOPICS[0] else {})
        assert {name: found[name] for name in expected} == expected
        assert found["message.timestamp.after.max.ms"] == "3600000"


async def test_a_switch_killed_before_its_commit_is_done_again_and_stands_once_in_every_partition(company: Company) -> None:
    await play_days_without_events(company, TODAY)
    await folded(company)
    killed = make_producer(company.kafka, company.environment.transactional_id("clock", 0))
    await killed.start()
    await killed.begin_transaction()
    await killed.send_and_wait(company.environment.topic(LOG), encode(GoLive(received_at=1)), key=LIVE_KEY, partition=0)
    assert await switch(company) == TODAY
    for number in range(PARTITIONS):
        assert sum(record.key == LIVE_KEY for record in await company.log(number)) == 1
    await killed.stop()


async def test_the_rulebook_is_still_the_newest_after_the_switch(company: Company) -> None:
    await play_days_without_events(company, TODAY)
    await folded(company)
    before = await newest_rulebook(company.kafka, company.environment)
    await switch(company)
    assert (await newest_rulebook(company.kafka, company.environment)).version == before.version


async def test_a_lost_rulebooks_topic_does_not_take_the_environment_back_to_a_played_clock(company: Company) -> None:
    await play_days_without_events(company, TODAY)
    await folded(company)
    await switch(company)
    admin = AIOKafkaAdminClient(**company.kafka.client_options())
    await admin.start()
    rulebooks = company.environment.topic(RULEBOOKS)
    await admin.delete_topics([rulebooks])

    async def is_gone() -> bool:
        return rulebooks not in await admin.list_topics()

    await until(is_gone)
    await admin.close()
    genesis = await create_environment(company.kafka, company.environment)
    assert await clock_of(company.kafka, company.environment, genesis) == "wall"


async def test_without_days_there_is_nothing_to_go_on_from(company: Company) -> None:
    await create_environment(company.kafka, company.environment, partitions=PARTITIONS, clock="played")
    with pytest.raises(Refused, match="no day was played into it; load a history with `mqa baseline FILE --prefix"):
        await switch(company)


async def test_days_that_lie_ahead_must_come_first(company: Company) -> None:
    await play_days_without_events(company, TODAY + 1)
    await folded(company)
    with pytest.raises(Refused, match=f"its last day is {iso_day(TODAY + 1)}, and today is {iso_day(TODAY)}"):
        await switch(company)


async def test_what_no_worker_has_folded_must_be_folded_first(company: Company) -> None:
    await play_days_without_events(company, TODAY)
    with pytest.raises(Refused, match=rf"{company.environment.topic(LOG)} are not read to their ends; let `mqa worker --prefix"):
        await switch(company)


async def test_an_environment_of_the_wall_clock_cannot_go_live(company: Company) -> None:
    await create_environment(company.kafka, company.environment, partitions=1)
    with pytest.raises(Refused, match="runs by the wall clock already"):
        await switch(company)


def test_real_people_need_a_secret(company: Company, history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MQA_PERSON_SECRET")
    for command in ([baseline, str(history)], [go_live]):
        with pytest.raises(Refused, match="MQA_PERSON_SECRET is not set"):
            company.types(*command)


def test_a_worker_of_a_live_environment_needs_the_secret_too(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    async def make() -> None:
        await play_days_without_events(company, TODAY)
        await folded(company)
        await switch(company)

    asyncio.run(make())
    monkeypatch.delenv("MQA_PERSON_SECRET")
    with pytest.raises(Refused, match="MQA_PERSON_SECRET is not set"):
        company.types(worker, "--port", "-1")


def test_a_worker_with_another_secret_is_found_at_the_first_day(
    company: Company, history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(create_environment(company.kafka, company.environment, partitions=PARTITIONS, clock="played"))
    monkeypatch.delenv("MQA_PERSON_SECRET")
    with working(company.kafka, company.environment, tmp_path):
        monkeypatch.setenv("MQA_PERSON_SECRET", SECRET)
        with pytest.raises(Refused, match="people were hashed under another key"):
            company.types(baseline, str(history))


def test_a_baseline_makes_its_environment_and_refuses_days_that_have_not_come(company: Company, tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    history.write_bytes(encode_line(Family.WEB_VISITS, midnight(TODAY + 2) + 1, "visitor", raw=""))
    with pytest.raises(Refused, match=f"the history is at {iso_day(TODAY + 2)}, and today is {iso_day(TODAY)}"):
        company.types(baseline, str(history))
    assert asyncio.run(read_genesis(company.kafka, company.environment)).clock == "played"
