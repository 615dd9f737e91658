"""Another rulebook while workers fold, and are killed in the middle of judging every account anew."""

import asyncio
from collections import Counter
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner

from engagement.days import midnight
from engagement.machine import Output
from engagement.rulebook import load_rulebook
from streams.activation import activate_rulebook, wait_until_judged
from streams.connection import Connection
from streams.demo.processes import WorkerProcess
from streams.genesis import create_environment
from streams.history.live import read_intake_fates, replay_log
from streams.history.player import open_player
from streams.history.replay import replay
from streams.rulebooks import rulebook
from streams.topics import RULEBOOKS, Environment
from tests.streams.histories import FIRST_DAY, PARTITIONS
from tests.streams.live_runs import Live, signals_of_persons, slices_under_way, working

ACCOUNTS = 1_500
LATER = 300
FIRST = load_rulebook(
    """
    signals: {demo: {points: 100, half_life: 30d}}
    stage: {hot: {enter: {score: 90}, keep: {score: 30}}}
    tier: {tier_1: {enter: {stage: hot}}}
    """,
    "first",
)
SECOND = load_rulebook(
    """
    signals: {demo: {points: 60, half_life: 30d}, fair: {points: 10}}
    stage: {engaged: {enter: {score: 10}}, mqa: {enter: {score: 60}, keep: {score: 30}}}
    """,
    "second",
)
AT = midnight(FIRST_DAY) + 9 * 3_600_000


def test_every_account_is_restated_once_although_workers_are_killed_in_the_middle_of_it(kafka: Connection, prefix: str, tmp_path: Path):
    environment = Environment(prefix)
    kills = 0

    async def run() -> Counter[str]:
        nonlocal kills
        genesis = await create_environment(kafka, environment, partitions=PARTITIONS, clock="played", rulebook=FIRST)
        with working(kafka, environment, tmp_path, names=("one", "two"), options=("--batch", "25")) as workers:
            async with open_player(kafka, environment) as player:
                await player.begin(FIRST_DAY)
                await player.receive(signals_of_persons("demo", range(ACCOUNTS), AT))
                await player.settle()
                assert await activate_rulebook(kafka, environment, genesis, SECOND, place="second")
                await player.send(signals_of_persons("demo", range(ACCOUNTS, ACCOUNTS + LATER), AT))
                for name in ("one", "two"):
                    while not await slices_under_way(kafka, environment):
                        assert all(worker.status is None for worker in workers.values())
                    workers[name].kill()
                    kills += 1
                    workers[name] = WorkerProcess(kafka, environment, name, folder=tmp_path, options=("--batch", "40"))
                await wait_until_judged(kafka, environment, genesis, lambda _: None)
                await player.settle()
        return await read_intake_fates(kafka, environment, PARTITIONS)

    fates = asyncio.run(asyncio.wait_for(run(), 120))
    assert fates == {"in": ACCOUNTS + LATER, "counted": ACCOUNTS + LATER}
    comparison = Live(kafka=kafka, environment=environment).compared()
    assert comparison.holds, "\n".join(comparison.lines())
    assert (kills, comparison.unfolded, comparison.states) == (2, 0, ACCOUNTS + LATER)
    changes: list[Output] = []
    asyncio.run(replay_log(kafka, environment, PARTITIONS, changes.append))
    told = Counter(
        (body["ladder"], body["to"], body["reason"]) for body in (msgspec.json.decode(change.value or b"") for change in changes)
    )
    assert (told["stage", "mqa", "restatement"], told["tier", "untiered", "restatement"]) == (ACCOUNTS, ACCOUNTS)
    assert sum(told.values()) == 4 * ACCOUNTS + LATER  # up to hot and tier_1, both restated; and up to mqa those that came later
    summary = CliRunner().invoke(replay, ["--log", "--prefix", prefix, "--bootstrap", kafka.bootstrap, "--compare"], catch_exceptions=False)
    assert summary.exit_code == 0
    assert f"stage: hot → mqa {ACCOUNTS:,}" in summary.stderr
    assert f"stage: watch 0  engaged 0  mqa {ACCOUNTS + LATER:,}" in summary.stderr


def test_intake_takes_the_new_rulebook_while_it_runs(kafka: Connection, prefix: str, tmp_path: Path):
    environment, file = Environment(prefix), tmp_path / "second.yaml"
    file.write_text(SECOND.canonical())

    def activate() -> str:
        where = ["--prefix", prefix, "--bootstrap", kafka.bootstrap]
        return CliRunner().invoke(rulebook, ["activate", str(file), *where, "--wait"], catch_exceptions=False).output

    async def run() -> None:
        await create_environment(kafka, environment, partitions=PARTITIONS, clock="played", rulebook=FIRST)
        with working(kafka, environment, tmp_path) as workers:
            async with open_player(kafka, environment) as player:
                await player.begin(FIRST_DAY)
                await player.receive(signals_of_persons("fair", range(1), AT))
                assert await read_intake_fates(kafka, environment, PARTITIONS) == {"in": 1, "dead:unknown_kind": 1}
                told, judged = (await asyncio.to_thread(activate)).splitlines()
                assert told.startswith(f"rulebook {SECOND.version} is active in environment")
                assert judged.startswith("every account has been judged by it, after ")
                number = 1
                while not (await read_intake_fates(kafka, environment, PARTITIONS))["counted"]:
                    await player.receive(signals_of_persons("fair", range(number, number + 1), AT))
                    number += 1
                await player.receive(signals_of_persons("demo", range(1), AT))
                await player.settle()
                assert workers["one"].stop() == 0

    asyncio.run(asyncio.wait_for(run(), 60))
    assert Live(kafka=kafka, environment=environment).compared().holds


def test_a_worker_that_cannot_use_the_new_rulebook_ends_and_says_so(kafka: Connection, prefix: str, tmp_path: Path):
    environment = Environment(prefix)

    async def run(worker: WorkerProcess) -> None:
        async with open_player(kafka, environment) as player:
            await player.begin(FIRST_DAY)
            await player.settle()
            assert worker.status is None
        async with AIOKafkaProducer(**kafka.client_options()) as producer:
            await producer.send_and_wait(environment.topic(RULEBOOKS), b"signals_of_tomorrow: {}", b"tomorrow")

    asyncio.run(create_environment(kafka, environment, partitions=PARTITIONS, clock="played", rulebook=FIRST))
    with working(kafka, environment, tmp_path) as workers:
        asyncio.run(asyncio.wait_for(run(workers["one"]), 60))
        assert workers["one"].wait(30) == 2
        assert workers["one"].last_words().startswith(f"mqa worker: {prefix}rulebooks: its last rulebook, tomorrow, cannot be used; ")
