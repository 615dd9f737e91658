"""Deliveries in order for each account: of one account only one is under way, of different ones as many as there are.

An account's lane is a queue and the task that empties it. How many attempts are made at once is the courier's matter: a lane that pauses
between attempts takes nobody's turn.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import NamedTuple

from aiokafka.structs import TopicPartition

from streams.webhooks.message import Message


class Delivery(NamedTuple):
    """One change that a subscription is to be told."""

    partition: TopicPartition
    offset: int
    at: int  # ms; its record's timestamp
    message: Message


class Lanes:
    """All deliveries of one subscription that wait in memory."""

    def __init__(self, deliver: Callable[[Delivery], Awaitable[None]], delivered: Callable[[Delivery], None]) -> None:
        """``deliver`` returns when one is delivered or parked; ``delivered`` is told so then."""
        self._deliver, self._delivered = deliver, delivered
        self._lanes: dict[str, deque[Delivery]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self.waiting = 0

    def add(self, delivery: Delivery) -> None:
        """Let it be delivered after those of its account."""
        self.waiting += 1
        lane = self._lanes.get(delivery.message.account)
        if lane is not None:
            lane.append(delivery)
            return
        self._lanes[delivery.message.account] = lane = deque([delivery])
        task = asyncio.create_task(self._empty(delivery.message.account, lane))
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def check(self) -> None:
        """Raise what a lane failed with: ``deliver`` should not."""
        if self._failure is not None:
            raise self._failure

    def oldest(self) -> int | None:
        """Least ``at`` of those that are next in their lanes, in ms; None where nothing waits."""
        return min(self._heads(), default=None)

    async def stop(self) -> None:
        """Drop all that wait, and cut off what is under way: whoever comes next sends these again."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._lanes.clear()
        self.waiting = 0

    async def _empty(self, account: str, lane: deque[Delivery]) -> None:
        while lane:
            await self._deliver(lane[0])
            self._delivered(lane.popleft())
            self.waiting -= 1
        del self._lanes[account]

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = error

    def _heads(self) -> Iterator[int]:
        return (lane[0].at for lane in self._lanes.values() if lane)
