"""What lies between a client and the broker: requests that take time, replies that are lost, outages."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from random import Random
from typing import TypeVar

from aiokafka.errors import ConcurrentTransactions

from streams.transaction import TIMEOUT_MS
from tests.faults.simulation.broker import Broker, Transaction
from tests.faults.simulation.loop import current_process

T = TypeVar("T")

RETRY = 0.05
MARKER_DELAY = 0.02


class Network:
    """Carries calls to a `Broker`. Where a reply is lost the client asks again, as aiokafka does, and the broker knows what it did."""

    def __init__(self, broker: Broker, random: Random, *, latency: float, trouble: float) -> None:
        """``latency``: seconds of a request, or a reply, on average; ``trouble``: how likely it is that one is lost."""
        self.broker = broker
        self.trouble = trouble
        self.before_call: Callable[[str, str | None], None] = lambda *_: None  # see `call`; told which process asks, and its ``writer``
        self._latency = latency
        self.down_until = 0.0  # loop time; nobody reaches the broker before
        self.silent_until: dict[str, float] = {}  # writer -> loop time; who coordinates its transactions answers nothing before
        self.random = random
        self._owes_markers = False

    async def call(self, request: Callable[[], T], *, writer: str | None = None) -> T:
        """Ask the broker; returns its answer or raises its error. It happens once, sometime between now and the answer.

        ``writer`` is the transactional id under which something is written.
        """
        loop = asyncio.get_running_loop()
        self.before_call(current_process(), writer)
        while True:
            await asyncio.sleep(self.random.expovariate(1 / self._latency))
            reachable_at = max(self.down_until, self.silent_until.get(writer, 0.0) if writer is not None else 0.0)
            if loop.time() < reachable_at:
                await asyncio.sleep(reachable_at - loop.time() + RETRY)
            elif self.random.random() < self.trouble:
                await asyncio.sleep(self.random.expovariate(1 / RETRY))  # the request was lost
            else:
                break
        try:
            answer = request()
        except ConcurrentTransactions:
            await asyncio.sleep(RETRY)
            return await self.call(request, writer=writer)
        finally:
            self._write_markers()
        await asyncio.sleep(self.random.expovariate(1 / self._latency))
        while self.random.random() < self.trouble or loop.time() < self.down_until:  # the answer was lost
            pause = self.random.expovariate(1 / RETRY)
            await asyncio.sleep(max(pause, self.down_until - loop.time()))
        return answer

    def watch(self, producer: str) -> None:
        """Let the broker abort a transaction that was just begun, where it takes too long."""
        transaction = self.broker.ongoing(producer)
        if transaction is not None:
            asyncio.get_running_loop().call_later(TIMEOUT_MS / 1000, self._expire, producer, transaction, context=_world())

    def _expire(self, producer: str, transaction: Transaction) -> None:
        self.broker.expire(producer, transaction)
        self._write_markers()

    def _write_markers(self) -> None:
        if not self._owes_markers and self.broker.owed_markers():
            self._owes_markers = True
            asyncio.get_running_loop().call_later(self.random.expovariate(1 / MARKER_DELAY), self._write_marker, context=_world())

    def _write_marker(self) -> None:
        self._owes_markers = False
        self.broker.shuffle_markers(self.random.shuffle)
        self.broker.write_marker()
        self._write_markers()


def _world() -> Context:
    """What the broker does by itself belongs to no client: it goes on when that is killed."""
    return Context()
