"""The clock of an environment that runs by the wall: appends each UTC day once it may begin.

It belongs to the owner of intake's unit 0 and has a transactional id of its own, so that two clocks can never both append.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack

from aiokafka import AIOKafkaProducer

from engagement.days import day_of, iso_day, midnight
from engagement.machine import CLOCK_KEY
from streams.connection import Connection
from streams.days import IntakeProgress, Offsets, append_day, clock_partition
from streams.delivery import Delivery
from streams.reading import read_to_end, reader
from streams.topics import Environment
from streams.transaction import Fenced, Row
from streams.worker.metrics import Metrics

log = logging.getLogger("mqa.clock")

LOOK_AGAIN = 1.0
SKEW_PAUSE = 60.0
SLEEP_AT_MOST = 60.0
STOP_TIMEOUT = 5.0
APPEND_TIMEOUT = 30.0


class DayClock:
    """Runs from `start` until `stop`, or until another clock fences it."""

    def __init__(
        self,
        *,
        connection: Connection,
        environment: Environment,
        partitions: int,
        last_day: int,
        restored_to: int,
        now: Callable[[], int],
        skew_ms: Callable[[], int],
        metrics: Metrics,
        fenced: Callable[[Fenced], None],
        failed: Callable[[BaseException], None],
        delivery: Delivery,
    ) -> None:
        """``last_day`` as found in the clock's partition below offset ``restored_to``; ``now`` in ms; ``skew_ms``: how far off it may be.

        ``fenced`` is called when another clock took over; ``failed`` ends the worker: days must not stop coming while it looks alive.
        """
        self._connection, self._environment, self._partitions = connection, environment, partitions
        self._last_day, self._restored_to, self._delivery = last_day, restored_to, delivery
        self._now, self._skew_ms, self._metrics, self._fenced, self._failed = now, skew_ms, metrics, fenced, failed
        self._ends: tuple[int, Offsets] | None = None  # a day, and where the inputs ended when all before its midnight was read
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch for midnight."""
        self._task = asyncio.create_task(self._run(), name="clock")

    async def stop(self) -> None:
        """Returns when no day is being appended any more, after a few seconds at the most: the next clock fences this one anyway."""
        self._stopping.set()
        if self._task is not None and self._task is not asyncio.current_task():
            await asyncio.wait([self._task], timeout=STOP_TIMEOUT)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=STOP_TIMEOUT)
        for gauge in (self._metrics.day_delay, self._metrics.clock_skew):  # another worker's clock tells them now
            gauge.set(0)

    async def _run(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                producer = self._delivery.make_producer(self._connection, self._environment.transactional_id("clock", 0))
                await stack.enter_async_context(producer)  # fences the clock before: what it appended until now is final
                committed = await stack.enter_async_context(reader(self._connection))
                uncommitted = await stack.enter_async_context(reader(self._connection, "read_uncommitted"))
                admin = await stack.enter_async_context(self._connection.admin())
                async for records in read_to_end(committed, clock_partition(self._environment), start=self._restored_to):
                    for record in records:
                        if record.key == CLOCK_KEY and record.value is not None:
                            self._last_day = int(record.value)
                progress = IntakeProgress(
                    self._environment,
                    self._partitions,
                    committed=committed,
                    uncommitted=uncommitted,
                    admin=admin,
                    delivery=self._delivery,
                )
                while not self._stopping.is_set():
                    await self._sleep(await self.tick(producer, progress))
        except Fenced as error:
            log.warning("the clock was fenced")
            self._fenced(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker decides
            self._failed(error)

    async def _intake_is_through(self, day: int, progress: IntakeProgress) -> bool:
        """Whether nothing that arrived before the day's midnight is left to read."""
        if self._ends is None or self._ends[0] != day:
            if not await progress.has_reached(await progress.bounds_at(midnight(day))):
                return False
            # What intake re-appended on the way arrived before midnight too, and stands before here.
            self._ends = (day, await progress.ends())
        return await progress.has_reached(self._ends[1])

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def tick(self, producer: AIOKafkaProducer, progress: IntakeProgress) -> float:
        """Append the next day if it may begin; returns the seconds to wait before looking again."""
        day = self._last_day + 1
        waiting_ms = self._now() - midnight(day)
        self._metrics.day_delay.set(max(0, waiting_ms) / 1000)
        if waiting_ms < 0:
            return min(SLEEP_AT_MOST, -waiting_ms / 1000)
        said: Row = (CLOCK_KEY, b"%d" % self._last_day, (), None)
        broker_ms = await self._delivery.append_time(producer, clock_partition(self._environment), said)
        skew_ms = self._now() - broker_ms
        self._metrics.clock_skew.set(skew_ms / 1000)
        allowed_ms = self._skew_ms()
        if abs(skew_ms) > allowed_ms:
            log.error(
                "this machine's clock is %.1f s off the broker's (%.1f s are allowed): no day is appended",
                skew_ms / 1000,
                allowed_ms / 1000,
            )
            return SKEW_PAUSE
        if broker_ms < midnight(day):  # arrival is the broker's time: what still arrives belongs to the day before
            return LOOK_AGAIN
        if not await self._intake_is_through(day, progress):
            return LOOK_AGAIN
        await asyncio.wait_for(append_day(producer, self._environment, self._partitions, day, self._delivery), APPEND_TIMEOUT)
        self._last_day = day
        log.info("day %s begins", iso_day(day))
        return 0.0 if day_of(self._now()) > day else LOOK_AGAIN
