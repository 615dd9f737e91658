"""An event loop whose time is counted, not waited for, and whose every choice comes from a seed.

Several *processes* share it, each with its own queue of callbacks, as each would have a loop of its own; which of them runs next is drawn.
A process can be killed between any two of its steps (nothing of it runs again, no ``finally`` either), and frozen and thawed (SIGSTOP and
SIGCONT: its timers are late, what it was about to do it does then).
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from itertools import count
from random import Random
from typing import Any

WORLD = "world"
"""The process of the broker, of the supervisor, and of all that is never killed."""

_process: ContextVar[str] = ContextVar("process", default=WORLD)
_STEP = 1e-6  # seconds; so that two steps never happen at the same instant


def current_process() -> str:
    """Whose step this is."""
    return _process.get()


class Stuck(Exception):  # noqa: N818 - it reads as what happened
    """Nothing is left that could ever run, or too much ran."""


class SimulatedLoop(asyncio.BaseEventLoop):
    """See the module. ``step`` is called before each step with the process that is about to take it, and may kill or freeze it."""

    _ready: deque[asyncio.Handle]  # of the base class, which has no types for what is private

    def __init__(self, random: Random, *, most_steps: int) -> None:
        """``most_steps``: after so many it is `Stuck`."""
        super().__init__()
        self.steps = 0
        self.before_step: Callable[[str], None] = lambda _: None
        self._random, self._most_steps, self._now = random, most_steps, 0.0
        self._queues: dict[str, deque[asyncio.Handle]] = {}
        self._frozen: set[str] = set()
        self._killed: set[str] = set()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = count()  # of two timers for one instant the first made comes first
        self._buried: list[asyncio.Handle] = []  # what the killed were about to do
        self._tasks: list[asyncio.Task[Any]] = []  # all of them: one that is collected would run its ``finally``
        self.set_task_factory(self._remember)  # type: ignore[arg-type]  # since 3.11 it is given a context too

    def time(self) -> float:
        """Seconds since the simulation began."""
        return self._now

    def spawn(self, process: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin a task in ``process``; tasks that it makes belong there too."""
        context = copy_context()
        context.run(_process.set, process)
        return self.create_task(work, context=context)

    def kill(self, process: str) -> None:
        """It never runs again. A process that is started anew needs another name."""
        self._killed.add(process)
        self._buried += self._queues.pop(process, ())

    def freeze(self, process: str) -> None:
        """It does not run until `thaw`."""
        self._frozen.add(process)

    def thaw(self, process: str) -> None:
        """It goes on where it stopped."""
        self._frozen.discard(process)

    def is_killed(self, process: str) -> bool:
        """Whether `kill` has met it."""
        return process in self._killed

    def end(self) -> None:
        """Unwind all that is unfinished, so that nothing complains when it is collected; what it does or says no longer matters."""
        self._killed.clear()
        self._frozen.clear()
        self._ready.extend(self._buried)
        self.before_step = lambda _: None
        self.set_exception_handler(lambda *_: None)
        self._most_steps += 1_000_000
        for _ in range(10):  # a cancelled ``finally`` may wait for something once more
            left = [task for task in self._tasks if not task.done()]
            if not left:
                break
            for task in left:
                task.cancel()
            self.run_until_complete(asyncio.wait(left, timeout=1))
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.exception()
        self._tasks.clear()
        self.close()

    def _remember(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], context: Context | None = None
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=loop, context=context)
        self._tasks.append(task)
        return task

    def _run_once(self) -> None:
        """Take one step (`asyncio.BaseEventLoop` calls this until it is stopped)."""
        self._sort_in()
        while not (able := [name for name in self._queues if name not in self._frozen] if self._frozen else list(self._queues)):
            self._advance()
        name = able[0] if len(able) == 1 else self._random.choice(able)
        self._now += _STEP
        self.steps += 1
        if self.steps > self._most_steps:
            self._most_steps *= 2
            raise Stuck(f"{self.steps:,} steps at {self._now:.1f} s and no end")
        self.before_step(name)
        if name in self._killed or name in self._frozen:
            return
        queue = self._queues[name]
        handle = queue.popleft()
        if not queue:
            del self._queues[name]
        if not handle.cancelled():
            handle._run()

    def _advance(self) -> None:
        """Let time pass until the next timer."""
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not timers:
            raise Stuck(f"nothing is left to happen at {self._now:.1f} s")
        self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            _, _, timer = heapq.heappop(timers)
            if not timer.cancelled():
                self._ready.append(timer)
        self._sort_in()

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> asyncio.TimerHandle:  # type: ignore[override]  # less generic
        """Remember it for `_advance`."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def _sort_in(self) -> None:
        while self._ready:
            handle = self._ready.popleft()
            process: str = handle._context.get(_process, WORLD)  # type: ignore[attr-defined]
            if process in self._killed:
                self._buried.append(handle)
            else:
                self._queues.setdefault(process, deque()).append(handle)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Nothing is counted: `_advance` drops it."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:  # type: ignore[override]  # less generic
        """Everything runs in one thread."""
        return self.call_soon(callback, *args, context=context)

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector."""
