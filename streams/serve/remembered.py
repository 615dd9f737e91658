"""An answer that is good for everybody for a moment: whoever asks meanwhile shares it."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """Asks at most once at a time, and again after so many seconds. An error is told to who asked, and not remembered."""

    def __init__(self, ask: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._ask, self._seconds = ask, seconds
        self._answer: tuple[T] | None = None
        self._since = 0.0
        self._asking = asyncio.Lock()

    async def __call__(self) -> T:
        """The answer."""
        async with self._asking:
            if self._answer is None or monotonic() - self._since >= self._seconds:
                asked = monotonic()
                self._answer = (await self._ask(),)
                self._since = asked
            return self._answer[0]


class Shared(Generic[T]):
    """Answers to the last ``most`` different questions, each `Remembered`: many who look at one page ask the same."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds, self._most = seconds, most
        self._answers: OrderedDict[Hashable, Remembered[T]] = OrderedDict()

    async def __call__(self, question: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer. ``ask`` finds it, and whatever else it goes by is part of the ``question``."""
        known = self._answers.setdefault(question, Remembered(ask, self._seconds))
        self._answers.move_to_end(question)
        if len(self._answers) > self._most:
            self._answers.popitem(last=False)
        return await known()
