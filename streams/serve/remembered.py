"""An answer that is good for everybody for a moment: whoever asks meanwhile shares it."""

import asyncio
from collections.abc import Awaitable, Callable
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
