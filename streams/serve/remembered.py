"""An answer that is good for everybody for a moment: whoever asks meanwhile shares it."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """Asks at most once at a time, and again after so many seconds. Who waits for one question shares its error too; none is remembered."""

    def __init__(self, ask: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._ask, self._seconds = ask, seconds
        self._asking: asyncio.Future[T] | None = None
        self._since = 0.0

    async def __call__(self) -> T:
        """The answer."""
        if self._asking is None or (self._asking.done() and (_failed(self._asking) or monotonic() - self._since >= self._seconds)):
            self._asking, self._since = asyncio.ensure_future(self._ask()), monotonic()
        return await asyncio.shield(self._asking)  # whoever goes away takes nobody's answer along


def _failed(asked: asyncio.Future[T]) -> bool:
    return asked.cancelled() or asked.exception() is not None


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


class Made(Generic[T]):
    """What was made last, for as long as it would be made of the very same things."""

    def __init__(self) -> None:
        self._of: tuple[object, ...] = ()
        self._made: T | None = None

    def __call__(self, of: tuple[object, ...], make: Callable[[], T]) -> T:
        """It. ``of`` are all the things that ``make`` looks at, none of which ever changes."""
        if self._made is None or list(map(id, of)) != list(map(id, self._of)):  # both are held, so no two share an id
            self._made, self._of = make(), of
        return self._made
