"""The fault runs would find out a worker that is not exactly once: a plain Faust agent with a table, once killed, tells changes twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from engagement.days import midnight, parse_day
from streams.connection import Connection
from streams.demo.processes import WorkerProcess
from streams.genesis import create_environment
from streams.history.player import open_player
from streams.reading import reader
from streams.topics import TIER_CHANGES, Environment
from tests.faults.live.verifier import Verifier
from tests.streams.histories import PARTITIONS
from tests.streams.live_runs import signals_of_persons

DAY = parse_day("2025-01-01")
ACCOUNTS = range(5_000)
"""Each asks for a demo, so each record of the log is due a tier change: more than are told before the last kill."""

UNDISTURBED = 200
"""Tier changes that are told before anybody is killed; they must be right, or it would be no fault of Faust's."""

BETWEEN_KILLS = 50
KILLS_AT_MOST = 5
PAUSE = 0.2
PATIENCE = 30.0


class Agent:
    """A plain agent, and what it tells; somebody has to `end` it."""

    def __init__(self, kafka: Connection, environment: Environment, folder: Path, consumer: AIOKafkaConsumer) -> None:
        self._kafka, self._environment, self._folder, self._consumer = kafka, environment, folder, consumer
        self._partitions = [TopicPartition(environment.topic(TIER_CHANGES), number) for number in range(PARTITIONS)]
        self._process = self._start()

    def _start(self) -> WorkerProcess:
        program, options = ("-m", "tests.faults.live.plain_faust"), ("--folder", str(self._folder))
        return WorkerProcess(self._kafka, self._environment, "plain", folder=self._folder, options=options, program=program)

    def kill(self) -> None:
        """``kill -9``, and start it again."""
        self._process.kill()
        self._process = self._start()

    def end(self) -> None:
        self._process.kill()

    async def tells(self, more: int) -> None:
        """Wait until there are so many more tier changes than now, repeated ones too."""
        enough = await self._told() + more
        try:
            async with asyncio.timeout(PATIENCE):
                while await self._told() < enough:  # noqa: ASYNC110 - another process tells nobody
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"it told less than {more} tier changes in {PATIENCE:g} s; {self._process.last_words()}") from None

    async def _told(self) -> int:
        return sum((await self._consumer.end_offsets(self._partitions)).values())


async def _play(kafka: Connection, environment: Environment, folder: Path) -> None:
    """The whole log, by our own intake: whoever folds it then has everything to do at once, and sees no open transaction."""
    await create_environment(kafka, environment, partitions=PARTITIONS, clock="played")
    intake = WorkerProcess(kafka, environment, "intake", folder=folder, options=("--only", "intake"))
    try:
        async with open_player(kafka, environment) as player:
            await player.begin(DAY)
            await player.receive(signals_of_persons("demo_request", ACCOUNTS, midnight(DAY)))
    finally:
        await asyncio.to_thread(intake.end)


@asynccontextmanager
async def _watching(verifier: Verifier) -> AsyncIterator[None]:
    task = asyncio.create_task(verifier.watch(PAUSE))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _look(verifier: Verifier) -> None:
    """Wait until the verifier has seen all that was told before this."""
    enough = verifier.verdict.looks + 2  # the look under way may have begun before
    async with asyncio.timeout(PATIENCE):
        while verifier.verdict.looks < enough:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)


async def _until_found_out(agent: Agent, verifier: Verifier) -> int:
    """Kill it again and again; gives how often."""
    for kills in range(1, KILLS_AT_MOST + 1):
        agent.kill()
        await agent.tells(BETWEEN_KILLS)
        await _look(verifier)
        if verifier.verdict.faults:
            return kills
    return KILLS_AT_MOST


async def test_a_plain_faust_agent_tells_tier_changes_right_until_it_is_killed_and_then_twice(
    kafka: Connection, prefix: str, tmp_path: Path
) -> None:
    environment = Environment(prefix)
    await _play(kafka, environment, tmp_path)
    verifier = Verifier(kafka, environment, PARTITIONS)
    async with reader(kafka) as consumer, _watching(verifier):
        agent = Agent(kafka, environment, tmp_path, consumer)
        try:
            await agent.tells(UNDISTURBED)
            await _look(verifier)
            assert (verifier.verdict.faults, verifier.verdict.found) == (0, [])
            kills = await _until_found_out(agent, verifier)
        finally:
            agent.end()
    assert verifier.verdict.double > 0, f"after {kills} kills: {verifier.verdict}"
    assert verifier.verdict.found != []
