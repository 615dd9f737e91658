"""Plays days into an environment whose clock is a player: time passes as the history says, and never before its events are in.

A day goes so: its day record into every partition of the log, its events into the input topics, then wait until intake has read
them, those that it re-appended included. Only then may the next day begin, so no account falls before its signals are in.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic
from typing import Literal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.structs import TopicPartition

from engagement.days import iso_day
from engagement.errors import Refused
from engagement.machine import CLOCK_KEY
from streams.clocks import clock_of
from streams.connection import Connection
from streams.days import IntakeProgress, Offsets, append_day, clock_partition
from streams.delivery import Delivery, delivery_of
from streams.genesis import read_genesis
from streams.history.arrivals import Arrival
from streams.history.lines import MOST_DAYS_APART
from streams.reading import read_to_end, reader
from streams.topics import INPUTS, LOG, Environment
from streams.transaction import BATCH_BYTES, Fenced, Row, send

Compression = Literal["none", "gzip", "lz4", "zstd", "snappy"]

PATIENCE = 60.0
LOOK_AGAIN = 0.01


class Player:
    """Made by `open_player`. Call `begin`, then `receive` what was received on that day, and `settle` in the end."""

    def __init__(
        self,
        environment: Environment,
        partitions: int,
        *,
        clock: AIOKafkaProducer,
        clock_reader: AIOKafkaConsumer,
        producer: AIOKafkaProducer,
        intake: IntakeProgress,
        qualify: IntakeProgress,
        patience: float,
        delivery: Delivery,
    ) -> None:
        """Clients owned by the caller; started but for ``clock``, whose start takes the clock from another. ``patience`` in seconds."""
        self.partitions = partitions
        self.last_day: int | None = None  # None: no day has begun yet
        self._clock_reader, self._clock_read_to, self._has_clock = clock_reader, 0, False
        self._environment, self._patience, self._delivery = environment, patience, delivery
        self._clock, self._producer, self._intake, self._qualify = clock, producer, intake, qualify

    async def begin(self, day: int) -> None:
        """``day`` begins, and before it every day since the last one. The first takes the clock from whoever has it.

        Raises `Refused` where ``day`` lies before the last one (and the clock stays whose it was), and where another has taken the clock.
        """
        if not self._has_clock:
            await self._take_clock(day)
        first = day if self.last_day is None else self.last_day + 1
        for each in range(first, day + 1):
            try:
                await append_day(self._clock, self._environment, self.partitions, each, self._delivery)
            except Fenced:
                msg = f"environment {self._environment.prefix!r}: another `mqa play` has taken over; let one play at a time"
                raise Refused(msg) from None
            self.last_day = each

    async def look_at_clock(self) -> None:
        """Read the last day from the log's clock, as others may have moved it."""
        async for records in read_to_end(self._clock_reader, clock_partition(self._environment), start=self._clock_read_to):
            for record in records:
                self._clock_read_to = record.offset + 1
                if record.key == CLOCK_KEY and record.value is not None:
                    self.last_day = int(record.value)

    async def _take_clock(self, day: int) -> None:
        await self.look_at_clock()
        self._refuse_jump(day)  # before the clock is touched: a history that cannot go on here must not end one that is being played
        await self._clock.start()
        self._has_clock = True
        await self.look_at_clock()  # what the player before appended until now is final
        self._refuse_jump(day)

    def _refuse_jump(self, day: int) -> None:
        if self.last_day is not None and day < self.last_day:
            msg = (
                f"the history is at {iso_day(day)}, but the environment's last day is {iso_day(self.last_day)}: time does not go back; "
                "play it into a new one (`mqa topics create --prefix NAME- --clock played`)"
            )
            raise Refused(msg)
        if self.last_day is not None and day - self.last_day > MOST_DAYS_APART:
            msg = (
                f"the history begins on {iso_day(day)}, {day - self.last_day} days after the environment's last day "
                f"{iso_day(self.last_day)}, more than {MOST_DAYS_APART}; mend its dates, or play it into a new environment"
            )
            raise Refused(msg)

    async def receive(self, arrivals: Iterable[Arrival]) -> None:
        """Send events of the day begun last; return when intake has read them. Raises `Refused` where no worker does."""
        await self._wait(self._intake, await self.send(arrivals))

    async def send(self, arrivals: Iterable[Arrival]) -> Offsets:
        """Send events without waiting for intake; gives offsets that intake is beyond when it has read most of them."""
        rows: defaultdict[TopicPartition, list[Row]] = defaultdict(list)
        for family, partition, received_at, key, value in arrivals:
            rows[TopicPartition(self._environment.topic(family.value), partition)].append((key, value, (), received_at))
        try:
            batches = await send(self._producer, rows)
        except MessageSizeTooLargeError:
            msg = f"an event of {self._today} is larger than its topic takes (max.message.bytes); leave it out of the history"
            raise Refused(msg) from None
        return {TopicPartition(batch.topic, batch.partition): batch.offset + 1 for batch in batches}

    async def settle(self) -> None:
        """Return when the workers have folded everything there is. Raises `Refused` where none does."""
        await self._wait(self._intake, {})
        await self._wait(self._qualify, {})

    async def _wait(self, progress: IntakeProgress, least: Offsets) -> None:
        """Wait for offsets that must at least be reached (a cheap question), then until nothing is left to read (a dearer one)."""
        bounds: Offsets | None = None
        last, moved_at = await progress.positions(), monotonic()
        while True:
            positions = await progress.positions()
            if all(positions[partition] >= offset for partition, offset in least.items()):
                if bounds is None:
                    bounds = await progress.ends()
                if await progress.has_reached(bounds):
                    ends = await progress.ends()
                    if ends == bounds:
                        return
                    bounds = ends  # intake re-appended something on the way
            if positions != last:
                last, moved_at = positions, monotonic()
            elif monotonic() - moved_at > self._patience:
                msg = (
                    f"{self._today}: the workers of environment {self._environment.prefix!r} have read nothing for {self._patience:g} s; "
                    f"is one running? Start it with `mqa worker{self._environment.option}`"
                )
                raise Refused(msg)
            await asyncio.sleep(LOOK_AGAIN)

    @property
    def _today(self) -> str:
        return "before the first day" if self.last_day is None else iso_day(self.last_day)


@asynccontextmanager
async def open_player(
    connection: Connection, environment: Environment, *, compression: Compression = "none", patience: float = PATIENCE
) -> AsyncIterator[Player]:
    """Come to a played environment; nothing of it is touched before a day begins. Raises `Refused` for one that runs by the wall."""
    genesis = await read_genesis(connection, environment)
    if await clock_of(connection, environment, genesis) == "wall":
        msg = (
            f"environment {environment.prefix!r} runs by the wall clock: a history played into it would mix with the present; "
            "make one of its own with `mqa topics create --prefix NAME- --clock played`"
        )
        raise Refused(msg)
    delivery = delivery_of(genesis)
    async with AsyncExitStack() as stack:
        clock = delivery.make_producer(connection, environment.transactional_id("clock", 0))
        stack.push_async_callback(clock.stop)
        producer = connection.producer(
            # A retried batch would come twice; without, intake drops the second as duplicates.
            enable_idempotence=delivery.promise == "exactly_once",
            compression_type=None if compression == "none" else compression,
            max_batch_size=BATCH_BYTES,
            max_request_size=8 << 20,
            linger_ms=1,
        )
        await stack.enter_async_context(producer)
        committed = await stack.enter_async_context(reader(connection))
        uncommitted = await stack.enter_async_context(reader(connection, "read_uncommitted"))
        admin = await stack.enter_async_context(connection.admin())
        intake, qualify = (
            IntakeProgress(
                environment, genesis.partitions, committed=committed, uncommitted=uncommitted, admin=admin, topics=topics, delivery=delivery
            )
            for topics in (INPUTS, (LOG,))
        )
        player = Player(
            environment,
            genesis.partitions,
            clock=clock,
            clock_reader=committed,
            producer=producer,
            intake=intake,
            qualify=qualify,
            patience=patience,
            delivery=delivery,
        )
        await player.look_at_clock()
        yield player
