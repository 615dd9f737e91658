"""What changes in ``rulebooks`` while a worker runs: the rulebook that intake goes by, and once, maybe, the clock.

Qualify needs none of this: it switches where its log says so. What intake decided under which rulebook stands in the log records.

A worker that read the clock just before `mqa go-live` and joined just after it would run without days. It is found out here.
"""

import asyncio
import logging
from collections.abc import Callable
from weakref import WeakSet

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, KafkaTimeoutError

from engagement.errors import Refused
from engagement.intake import Intake
from engagement.rulebook import Rulebook
from streams.configuration import load_newest, read_records, rulebooks_partition
from streams.connection import Connection
from streams.reading import reader
from streams.topics import Clock, Environment
from streams.worker.metrics import Metrics

log = logging.getLogger("mqa.worker")

LOOK_AGAIN = 1.0


class RulebookWatch:
    """Runs from `start` until `stop`. Every intake that `follow` was given, and is still in use, gets each new rulebook."""

    def __init__(
        self,
        *,
        connection: Connection,
        environment: Environment,
        rulebook: Rulebook,
        clock: Clock,
        metrics: Metrics,
        failed: Callable[[BaseException], None],
    ) -> None:
        """``rulebook``: the newest as last read. ``failed`` ends the worker: intake must not go on by old rules while it looks alive.

        ``clock``: by which the worker runs.
        """
        self.rulebook = rulebook
        self._connection, self._environment, self._clock, self._metrics, self._failed = connection, environment, clock, metrics, failed
        self._partition = rulebooks_partition(environment)
        self._read_to: int | None = None
        self._intakes: WeakSet[Intake] = WeakSet()  # that of a closed unit goes by itself
        self._task: asyncio.Task[None] | None = None

    def follow(self, intake: Intake) -> None:
        """Have an intake that was made by ``rulebook`` go by each newer one from now on."""
        self._intakes.add(intake)

    def start(self) -> None:
        """Begin to look."""
        self._tell_metrics()
        self._task = asyncio.create_task(self._run(), name="rulebooks")

    async def stop(self) -> None:
        """Returns when the reader is closed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            async with reader(self._connection) as consumer:
                while True:
                    await self._look(consumer)
                    await asyncio.sleep(LOOK_AGAIN)
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker decides
            self._failed(error)

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        try:
            end = (await consumer.end_offsets([self._partition]))[self._partition]
        except KafkaError as error:
            if not (error.retriable or isinstance(error, KafkaTimeoutError)):
                raise
            log.warning(
                "%s could not be looked at (%r): intake stays with rulebook %s", self._partition.topic, error, self.rulebook.version
            )
            return
        if end == self._read_to:
            return
        start = None if self._read_to is None or end < self._read_to else self._read_to  # it ends earlier where it was made anew
        configuration = await read_records(consumer, self._partition, start=start, end=end)
        consumer.unsubscribe()  # or its fetcher would ask the broker without pause
        self._read_to = end
        if configuration.is_live and self._clock == "played":
            name = f"environment {self._environment.prefix!r}"
            raise Refused(f"{name} runs by the wall clock since `mqa go-live`, and this worker by a played one; start it again")
        if configuration.rulebook is not None:
            if configuration.rulebook.value is None:
                log.warning("%s: its last rulebook is deleted; intake stays with rulebook %s", self._partition.topic, self.rulebook.version)
            else:
                self._take(load_newest(configuration, self._environment))

    def _take(self, rulebook: Rulebook) -> None:
        if rulebook.version == self.rulebook.version:
            return
        log.info("intake goes by rulebook %s from here on, no longer by %s", rulebook.version, self.rulebook.version)
        self.rulebook = rulebook
        for intake in self._intakes:
            intake.use(rulebook)
        self._tell_metrics()

    def _tell_metrics(self) -> None:
        self._metrics.rulebook.clear()
        self._metrics.rulebook.labels(self.rulebook.version).set(1)
