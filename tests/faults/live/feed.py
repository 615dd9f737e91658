"""Plays the load into the environment, day after day, through whatever happens to the broker."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import cycle
from time import monotonic
from typing import get_args

from aiokafka.errors import KafkaError

from engagement.errors import Refused
from streams.connection import Connection
from streams.history.player import Compression, Player, open_player
from streams.topics import Environment
from streams.transaction import Ambiguous
from tests.faults.live.load import Load

BROKER_SECONDS = 90.0
PATIENCE = 40.0
DISTURBED = (KafkaError, OSError, TimeoutError, Ambiguous, Refused, AssertionError)
"""What a play ends with where the broker goes away: it is begun again on the day that it had come to.

An AssertionError is aiokafka's, of a topic that a broker does not know yet while it starts.
"""


class Feed:
    """One history. What a disturbed play may have sent twice is filtered as duplicate: every event has an id."""

    def __init__(
        self,
        connection: Connection,
        environment: Environment,
        load: Load,
        *,
        first_day: int,
        days_a_codec: int,
        outages: Callable[[], int],
        day_seconds: float = 0.0,
    ) -> None:
        """``outages`` says how often the broker went away so far: only then may a play be disturbed.

        A day takes ``day_seconds`` at least.
        """
        self._connection, self._environment, self._load, self._outages = connection, environment, load, outages
        self._codecs = cycle(get_args(Compression))
        self._days_a_codec, self._day_seconds = days_a_codec, day_seconds
        self.day = first_day  # the next one
        self.sent = 0
        self.seconds: list[float] = []  # that each day took, from its record until intake had read its events
        self.codecs: set[Compression] = set()  # that were used
        self.disturbances = 0

    async def play(self, stopping: asyncio.Event) -> None:
        """Until ``stopping`` is set; then everything is folded when this returns."""
        while not stopping.is_set():
            await self._through(lambda player: self._days(player, stopping))
        await self._through(self._close)

    async def _days(self, player: Player, stopping: asyncio.Event) -> None:
        for _ in range(self._days_a_codec):
            began = monotonic()
            await player.begin(self.day)
            arrivals = self._load.day(self.day)
            await player.receive(arrivals)
            self.sent += len(arrivals)
            self.day += 1
            self.seconds.append(monotonic() - began)
            if stopping.is_set():
                return
            await asyncio.sleep(began + self._day_seconds - monotonic())

    async def _close(self, player: Player) -> None:
        await player.begin(self.day)
        await player.settle()

    async def _through(self, part: Callable[[Player], Awaitable[None]]) -> None:
        codec: Compression = next(self._codecs)
        self.codecs.add(codec)
        while True:
            try:
                async with open_player(self._connection, self._environment, compression=codec, patience=PATIENCE) as player:
                    await part(player)
                    return
            except DISTURBED:
                if not self._outages():
                    raise
                self.disturbances += 1
                await self._connection.wait_until_ready(BROKER_SECONDS)
