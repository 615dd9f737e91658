"""A worker of an environment that runs by the wall clock, to which everything happens that its metrics tell of."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time_ns
from urllib.error import URLError
from urllib.request import urlopen
from uuid import uuid4

import msgspec
import pytest
from aiokafka.structs import TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from engagement.days import MS_PER_DAY, iso_instant
from engagement.events import Family
from streams.connection import Connection
from streams.demo.processes import WorkerProcess
from streams.genesis import create_environment
from streams.identity import partition_of
from streams.topics import Environment
from streams.transaction import make_producer, send
from tests.streams.histories import PARTITIONS
from tests.streams.live_runs import working

PATIENCE = 40.0
AHEAD_MS = MS_PER_DAY
"""By so much the worker's clock is ahead: it believes that tomorrow has begun, and finds out that Kafka does not."""

Labels = frozenset[tuple[str, str]]
Samples = Mapping[tuple[str, Labels], float]


def total(samples: Samples, name: str, **labels: str) -> float | None:
    """Sum of the series that have these labels; None where there is none."""
    found = [value for (each, its), value in samples.items() if each == name and labels.items() <= set(its)]
    return sum(found) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One worker, which tells its metrics at ``port``."""

    kafka: Connection
    environment: Environment
    worker: WorkerProcess
    port: int
    moved: set[str] = field(default_factory=set)  # metrics that were seen at another value than 0

    def look(self) -> Samples:
        """What it tells now; raises `URLError` where it tells nothing."""
        with urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        self.moved.update(family.name for family in families for sample in family.samples if sample.value)
        return {(sample.name, frozenset(sample.labels.items())): sample.value for family in families for sample in family.samples}

    async def until(self, holds: Callable[[Samples], bool]) -> Samples:
        """Look until it holds."""
        deadline = monotonic() + PATIENCE
        while True:
            assert self.worker.status is None, self.worker.last_words()
            try:
                samples = await asyncio.to_thread(self.look)
            except URLError:
                samples = {}
            if samples and holds(samples):
                return samples
            assert monotonic() < deadline, f"{samples}\n{self.worker.last_words()}"
            await asyncio.sleep(0.1)

    def place(self, family: Family, key: bytes) -> TopicPartition:
        """Where records with that key lie."""
        return TopicPartition(self.environment.topic(family.value), partition_of(key, PARTITIONS))

    async def receive(self, family: Family, key: bytes, *values: bytes) -> None:
        """Send events, and wait until intake has folded them."""

        def folded(samples: Samples) -> float:
            return total(samples, "mqa_events_total", family=family.value) or 0.0

        before = folded(await self.until(lambda _: True))
        async with self.kafka.producer() as producer:
            await send(producer, {self.place(family, key): [(key, value, (), None) for value in values]})
        await self.until(lambda samples: folded(samples) >= before + len(values))

    @asynccontextmanager
    async def held_back(self, partition: TopicPartition, key: bytes | None) -> AsyncIterator[None]:
        """Meanwhile a transaction of somebody else's, that comes to nothing in the end, hides all behind it from the worker."""
        async with make_producer(self.kafka, f"somebody-{uuid4().hex}") as producer:
            await producer.begin_transaction()
            await send(producer, {partition: [(key, event("open"), (), None)]})
            yield
            await producer.abort_transaction()


def event(identity: str, **fields: object) -> bytes:
    """An event of now."""
    return msgspec.json.encode({"id": f"{identity}-{uuid4().hex}", "occurred_at": iso_instant(time_ns() // 1_000_000)} | fields)


@contextmanager
def story(kafka: Connection, folder: Path) -> Iterator[Story]:
    """Begin one; what is to happen, whoever asks for it has to call."""
    environment = Environment(f"test-{uuid4().hex[:12]}-")
    asyncio.run(create_environment(kafka, environment, partitions=PARTITIONS, clock="wall"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = ("-m", "tests.faults.live.worker", "--clock-shift", str(AHEAD_MS))
    with pytest.MonkeyPatch.context() as patch, working(kafka, environment, folder, names=()) as workers:
        patch.setenv("MQA_PERSON_SECRET", "of this test")
        workers["one"] = WorkerProcess(kafka, environment, "one", folder=folder, options=("--port", str(port)), program=program)
        yield Story(kafka=kafka, environment=environment, worker=workers["one"], port=port)


async def some_traffic(told: Story, email: str, account: bytes) -> None:
    """Somebody is known on a page and asks for a demo; somebody else is not known; something is no event."""
    visitor = uuid4().hex.encode()
    said = {"visitor_id": visitor.decode()}
    visits = [
        event("identify", type="identify", email=email, **said),
        event("page", url="/pricing", **said),
        event("page", url="/", **said),
    ]
    await told.receive(Family.WEB_VISITS, visitor, *visits)
    await told.receive(Family.WEB_VISITS, b"nobody", event("page", url="/", visitor_id="nobody"), b"{")
    await told.receive(Family.INTENT_SIGNALS, account, event("demo", kind="demo_request", email=email))
    await told.until(lambda samples: bool(total(samples, "mqa_tier_changes_total", ladder="stage", to_rung="mqa")))
    await told.receive(Family.WEB_VISITS, visitor, event("unlink", type="unlink", **said))
    await told.until(lambda samples: bool(total(samples, "mqa_records_moved_total", fate="counted")))


async def a_fence(told: Story, account: bytes) -> None:
    """Somebody else takes one of the worker's units, and lets it go again."""
    before = total(await told.until(lambda _: True), "mqa_fences_total") or 0.0
    number = told.place(Family.INTENT_SIGNALS, account).partition
    async with make_producer(told.kafka, told.environment.transactional_id("qualify", number)):
        await told.receive(Family.INTENT_SIGNALS, account, event("demo", kind="demo_request", email=f"eve@{account.decode()}"))
        await told.until(lambda samples: (total(samples, "mqa_fences_total") or 0.0) > before)
    await told.until(lambda samples: total(samples, "mqa_units") == 2 * PARTITIONS and not total(samples, "mqa_lag_records"))


def pid_of(told: Story) -> int:
    """The process to be stopped by a signal."""
    pid = told.worker._process.pid
    assert pid != os.getpid()
    return pid
