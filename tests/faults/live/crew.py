"""The workers and their supervisor: whoever ends is started again under its name, and has to say why it ended."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM, SIGUSR1
from time import monotonic

from streams.connection import Connection
from streams.demo.processes import WorkerProcess
from streams.topics import Environment
from tests.faults.live.failpoints import Setting, sprung

LOOK_AGAIN = 0.05
STOP_SECONDS = 15.0
ANSWER_SECONDS = 2.0
BROKER_AWAY = "no Kafka broker answered"
"""What a worker says that was started while the broker was away for long; its supervisor starts it again."""

_FENCED = " fenced: "
REFUSED, START_IT_AGAIN = 2, 70
_STOPPED = (0, -SIGTERM)
"""The latter where nothing was under way yet that would have to be ended."""


class Hand(WorkerProcess):
    """One worker process, with a trap."""

    def __init__(
        self,
        connection: Connection,
        environment: Environment,
        name: str,
        *,
        folder: Path,
        options: Sequence[str],
        faults: Sequence[str],
    ) -> None:
        folder.mkdir(parents=True)
        self.trap = folder / f"{name}.trap"
        program = ("-m", "tests.faults.live.worker", "--trap", str(self.trap), *faults)
        super().__init__(connection, environment, name, folder=folder, options=options, program=program)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def send(self, signal: int) -> None:
        """Nothing happens where it has ended."""
        self._process.send_signal(signal)

    def said(self) -> str:
        """All of it."""
        return self._log.read_text(errors="replace")

    def final_line(self) -> str:
        """Quote what it said last."""
        return self.last_words().rpartition("\n")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A worker that ended by itself."""

    name: str
    status: int
    said: str


class Crew:
    """All workers of an environment. `watch` is its supervisor, and must run while they do.

    ``endings``: whoever ended by itself and was started again; ``refusals``: whoever left the decision to a person, and was not.
    """

    def __init__(
        self,
        connection: Connection,
        environment: Environment,
        folder: Path,
        *,
        options: Sequence[str] = (),
        mutant: str | None = None,
    ) -> None:
        """``options`` are those of `mqa worker`; ``mutant``: what breaks every worker (see `tests.faults.mutants`)."""
        self._connection, self._environment, self._folder, self._options = connection, environment, folder, options
        self._faults = () if mutant is None else ("--mutant", mutant)
        self._hands: dict[str, Hand] = {}
        self._lives: Counter[str] = Counter()
        self.endings: list[Ending] = []
        self.refusals: list[Ending] = []
        self.complaints: list[str] = []

    @property
    def names(self) -> list[str]:
        """Whoever runs now."""
        return sorted(self._hands)

    def pid(self, name: str) -> int:
        """Process id."""
        return self._hands[name].pid

    def said(self, name: str) -> str:
        """What it has logged since it was started last."""
        return self._hands[name].said()

    def hire(self, name: str, *, faults: Sequence[str] = ()) -> None:
        """Start a worker; ``faults`` are options of `tests.faults.live.worker`, and hold for this life of it."""
        self._lives[name] += 1
        folder = self._folder / f"{name}-{self._lives[name]}"
        self._hands[name] = Hand(
            self._connection, self._environment, name, folder=folder, options=self._options, faults=(*self._faults, *faults)
        )

    async def dismiss(self, name: str) -> None:
        """Ask it to stop; it must, with status 0."""
        hand = self._hands.pop(name)
        hand.send(SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                while hand.status is None:  # noqa: ASYNC110 - a process tells nobody
                    await asyncio.sleep(LOOK_AGAIN)
        except TimeoutError:
            self.complaints.append(f"{name} did not stop within {STOP_SECONDS:g} s of SIGTERM")
        finally:
            left = hand.status is not None
            hand.kill()
        if left and hand.status not in _STOPPED and not self._is_told(hand):
            self.complaints.append(f"{name} was asked to stop and ended with status {hand.status}: {hand.final_line()}")

    def kill(self, name: str) -> None:
        """``kill -9``, and start it again at once."""
        self._hands[name].kill()
        self.hire(name)

    def pause(self, name: str) -> None:
        """SIGSTOP: it stands still, and keeps all it has."""
        self._hands[name].send(SIGSTOP)

    def resume(self, name: str) -> None:
        """SIGCONT."""
        self._hands[name].send(SIGCONT)

    def set_trap(self, name: str, setting: Setting) -> Path:
        """Let it fail there; gives the file that exists once it has."""
        trap = self._hands[name].trap
        setting.write(trap)
        return sprung(trap)

    def withdraw_trap(self, name: str) -> None:
        """It has not sprung, and shall not."""
        self._hands[name].trap.unlink(missing_ok=True)

    async def watch(self) -> None:
        """Until it is cancelled: start again who has ended, but for those that leave it to a person."""
        while True:
            for name, hand in list(self._hands.items()):
                if hand.status is not None:
                    del self._hands[name]
                    if self._starts_again(hand):
                        self.hire(name)
            await asyncio.sleep(LOOK_AGAIN)

    def _starts_again(self, hand: Hand) -> bool:
        assert hand.status is not None
        if hand.status == -SIGKILL and sprung(hand.trap).exists():
            return True
        ending = Ending(name=hand.name, status=hand.status, said=hand.final_line())
        if not self._is_told(hand):
            self.complaints.append(f"{hand.name} ended with status {hand.status}, and its last words are: {ending.said}")
        is_refusal = hand.status == REFUSED and BROKER_AWAY not in ending.said
        (self.refusals if is_refusal else self.endings).append(ending)
        return not is_refusal

    def _is_told(self, hand: Hand) -> bool:
        """Whether it ended as a worker may: with a status that says what to do, and one line that says why."""
        if hand.status == REFUSED:
            return hand.final_line().startswith(("mqa: ", "mqa worker: ")) and "Traceback" not in hand.said()
        return hand.status == START_IT_AGAIN and hand.final_line().startswith("mqa worker: ")

    async def refused(self, seconds: float) -> Ending | None:
        """Wait until a worker leaves the decision to a person; None where none does."""
        deadline = monotonic() + seconds
        while not self.refusals:
            if monotonic() > deadline:
                return None
            await asyncio.sleep(LOOK_AGAIN)
        return self.refusals.pop()

    async def dismiss_all(self) -> None:
        """Everybody, at once."""
        await asyncio.gather(*(self.dismiss(name) for name in self.names))

    async def ask_where_they_stand(self) -> None:
        """Have everybody log where every task waits; returns when they had time to."""
        for hand in self._hands.values():
            hand.send(SIGUSR1)
        await asyncio.sleep(ANSWER_SECONDS)

    @property
    def fences(self) -> int:
        """How often a unit was lost to a newer owner, in all lives, as the workers tell it."""
        return sum(log.read_text(errors="replace").count(_FENCED) for log in self._folder.rglob("*.log"))

    def end(self) -> None:
        """Leave no process behind."""
        for hand in self._hands.values():
            hand.kill()
