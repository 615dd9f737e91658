"""Trying one delivery until the receiver has it, or it is parked.

After a failure comes a pause: any time up to a bound that doubles with each failure (full jitter), and no less than the receiver asked for.
A receiver that answers 429 or 503 with Retry-After is left alone altogether until then; one that answers 410 (gone) for good: its position
stays, nothing is lost or parked, and a restart asks once more.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from aiokafka.errors import KafkaError

from engagement.subscriptions import Retry, Subscription
from streams.webhooks.attempt import Answer
from streams.webhooks.lanes import Delivery
from streams.webhooks.message import Message
from streams.webhooks.metrics import SubscriptionMetrics

log = logging.getLogger("mqa.webhooks")

_LARGEST_DOUBLING = 32


class Endpoint(Protocol):
    """What `streams.webhooks.attempt.Target` is to a courier."""

    async def attempt(self, message: Message) -> Answer:
        """Send it once."""


Park = Callable[[Delivery, int, int, Answer], Awaitable[None]]
"""Keep a delivery that is given up: how many attempts were made, the seconds since the first, and the last answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """What a courier knows of time and chance."""

    now: Callable[[], float] = monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    fraction: Callable[[], float] = random.random  # from 0 to 1


class Courier:
    """Delivers to one subscription."""

    def __init__(
        self, subscription: Subscription, endpoint: Endpoint, park: Park, metrics: SubscriptionMetrics, time: Time | None = None
    ) -> None:
        """``park`` returns once it is kept for sure."""
        self._subscription, self._endpoint, self._park, self._metrics = subscription, endpoint, park, metrics
        self._time = Time() if time is None else time
        self._turns = asyncio.Semaphore(subscription.at_once)
        self._quiet_until = float("-inf")
        self._is_wanted = asyncio.Event()
        self._is_wanted.set()

    async def deliver(self, delivery: Delivery) -> None:
        """Return when it is delivered, or parked."""
        attempts, began = 0, None
        while True:
            answer, at = await self._attempt(delivery.message)
            if answer.is_taken:
                self._metrics.count("delivered")
                return
            if answer.sort == "gone":
                self._stop_sending(answer)
                continue
            attempts += 1
            began = at if began is None else began
            lasted = self._time.now() - began
            log.info("%s: %s was not taken (%s), attempt %d", self._subscription.name, delivery.message.id, answer.detail, attempts)
            if lasted * 1_000 >= self._subscription.retry.give_up_after and await self._is_parked(delivery, attempts, int(lasted), answer):
                return
            await self._time.sleep(max(pause(self._subscription.retry, attempts, self._time.fraction()), answer.retry_after or 0.0))

    async def _attempt(self, message: Message) -> tuple[Answer, float]:
        """Take a turn, when there is one; returns when it was taken, too."""
        while True:
            await self._is_wanted.wait()
            while (left := self._quiet_until - self._time.now()) > 0:
                await self._time.sleep(left)
            async with self._turns:
                began = self._time.now()
                if self._quiet_until > began or not self._is_wanted.is_set():
                    continue  # it was said while this one waited for its turn
                answer = await self._endpoint.attempt(message)
                if answer.asks_all and answer.retry_after is not None:
                    self._quiet_until = max(self._quiet_until, self._time.now() + answer.retry_after)
                self._metrics.count_attempt(answer.sort, self._time.now() - began)
                return answer, began

    def _stop_sending(self, answer: Answer) -> None:
        if self._is_wanted.is_set():
            log.error(
                "%s: the receiver wants no more (%s); nothing is sent until this is started again, and nothing is lost: "
                "mend its url, or remove the subscription",
                self._subscription.name,
                answer.detail,
            )
        self._is_wanted.clear()
        self._metrics.mark_gone()

    async def _is_parked(self, delivery: Delivery, attempts: int, lasted: int, answer: Answer) -> bool:
        try:
            await self._park(delivery, attempts, lasted, answer)
        except KafkaError as error:
            log.warning("%s: %s could not be parked (%r), and is tried on", self._subscription.name, delivery.message.id, error)
            return False
        log.warning("%s: %s is parked after %d attempts (%s)", self._subscription.name, delivery.message.id, attempts, answer.detail)
        self._metrics.count("parked")
        return True


def pause(retry: Retry, attempts: int, fraction: float) -> float:
    """Seconds to wait after so many failures; ``fraction`` of the bound, from 0 to 1."""
    bound = min(retry.longest, retry.first << min(attempts - 1, _LARGEST_DOUBLING))
    return fraction * bound / 1_000
