"""A broker on this machine without Docker, on free ports, its log thrown away when it stops (which one: `streams.broker.kinds`).

`LocalBroker` ends with the process that started it, however that one ends. `start_background` leaves one running until
`stop_background`. All of them block: on a running event loop call them through ``asyncio.to_thread``.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from engagement.errors import Refused
from streams.broker.cache import cache_folder
from streams.broker.kinds import Kind, chosen_kind
from streams.broker.libraries import locked
from streams.broker.state import BrokerState, forget_state, last_state, process_start, read_state, write_state
from streams.connection import Connection

LOOK_AGAIN = 0.05
READY_SECONDS = 90.0
"""A start takes about four; a machine under load needs longer."""

ATTEMPTS = 3
"""A free port can be taken by another before the broker binds it; then other ports are tried."""


class LocalBroker:
    """A broker for tests and demos: ``with LocalBroker() as broker: use(broker.connection)``."""

    def __init__(self, kind: Kind | None = None) -> None:
        """``kind``: None for the one that `chosen_kind` finds. Raises `Refused` where that is none."""
        self.kind = chosen_kind() if kind is None else kind
        self._running: _Running | None = None

    @property
    def bootstrap(self) -> str:
        """``host:port`` of the running broker."""
        assert self._running is not None, "the broker is not started"
        return self._running.bootstrap

    @property
    def connection(self) -> Connection:
        """How to reach it."""
        return Connection(bootstrap=self.bootstrap)

    def start(self) -> str:
        """Start it, wait until it answers, return its address; `Refused` with the end of its log where it does not."""
        assert self._running is None, "the broker is started already"
        self._running = _launch(self.kind, kept=True)
        return self._running.bootstrap

    def stop(self) -> None:
        """End it and remove its log; nothing happens where it is not running."""
        if self._running is not None:
            self._running.end()
            self._running = None

    def interrupt(self, stop_signal: signal.Signals) -> None:
        """End it by this signal, and keep its log and its port for `resume`. Returns when it has ended."""
        assert self._running is not None, "the broker is not started"
        self._running.interrupt(stop_signal)

    def resume(self) -> None:
        """Start it again after an `interrupt` and wait until it answers; `Refused` with the end of its log where it does not."""
        assert self._running is not None, "the broker is not started"
        self._running = _again(self._running)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def start_background(kind: Kind | None = None) -> tuple[BrokerState, bool]:
    """Have a broker run in the background: its state, and whether this call started it. ``kind``: as `LocalBroker` takes it."""
    with locked(cache_folder() / "broker.lock"):
        state = read_state()
        if state is not None:
            return state, False
        _sweep()
        chosen = chosen_kind() if kind is None else kind
        running = _launch(chosen, kept=False)
        running.process.returncode = 0  # left running on purpose, of which Popen would warn
        started = process_start(running.process.pid)
        if started is None:
            msg = f"{chosen.title} ended as soon as it was ready; {_last_words(running.folder)}"
            raise Refused(msg)
        state = BrokerState(
            pid=running.process.pid, started=started, bootstrap=running.bootstrap, folder=str(running.folder), title=chosen.title
        )
        write_state(state)
        return state, True


def stop_background() -> BrokerState | None:
    """End the background broker and remove its log: the state it had, or None where none was running."""
    with locked(cache_folder() / "broker.lock"):
        state = read_state()
        if state is not None:
            os.kill(state.pid, signal.SIGKILL)  # its log is thrown away, so an orderly end would only take time
            while process_start(state.pid) == state.started:
                time.sleep(0.02)
        _sweep()
        return state


def _sweep() -> None:
    """Remove what a background broker left that does not run any more."""
    state = last_state()
    if state is not None:
        shutil.rmtree(state.folder, ignore_errors=True)
    forget_state()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    process: subprocess.Popen[bytes]  # the broker, or its keeper
    command: list[str]  # the broker's
    folder: Path
    bootstrap: str

    def interrupt(self, stop_signal: signal.Signals) -> None:
        assert self.process.stdin is not None, "a broker without a keeper is ended for good"
        self.process.stdin.write(bytes([stop_signal]))
        self.process.stdin.flush()
        self.process.wait()
        self.process.stdin.close()

    def end(self) -> None:
        if self.process.stdin is None:
            self.process.kill()
        else:
            self.process.stdin.close()  # its keeper ends it
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _launch(kind: Kind, *, kept: bool) -> _Running:
    for _ in range(ATTEMPTS):
        running = _spawn(kind, kept=kept)
        try:
            if asyncio.run(_ready(running)):
                return running
            last_words = _last_words(running.folder)
        except BaseException:
            running.end()
            raise
        running.end()
        if "Address already in use" not in last_words:
            break
    msg = f"{kind.title} did not start: {last_words}; it needs {kind.needs}, or set KAFKA_BOOTSTRAP=host:port"
    raise Refused(msg)


def _spawn(kind: Kind, *, kept: bool) -> _Running:
    """Prepare a fresh folder and start a broker on it."""
    kind.check()
    home = cache_folder() / "brokers"
    home.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="broker-", dir=home))
    listener, other = _free_ports()
    with _log(folder).open("ab") as log:
        command = kind.prepare(folder, listener, other, log)
    return _serve(command, folder, f"127.0.0.1:{listener}", kept=kept)


def _serve(command: list[str], folder: Path, bootstrap: str, *, kept: bool) -> _Running:
    """Start a broker on a folder that is ready for it."""
    program = [sys.executable, "-m", "streams.broker.keeper", str(folder), *command] if kept else command
    with _log(folder).open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - paths of ours
            program,
            stdin=subprocess.PIPE if kept else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in a terminal is for us to answer, not for the broker
        )
    return _Running(process=process, command=command, folder=folder, bootstrap=bootstrap)


def _again(ended: _Running) -> _Running:
    """Start a broker where another has ended."""
    running = _serve(ended.command, ended.folder, ended.bootstrap, kept=True)
    if asyncio.run(_ready(running)):
        return running
    last_words = _last_words(running.folder)
    running.end()
    msg = f"the local Kafka at {ended.bootstrap} did not start again: {last_words}"
    raise Refused(msg)


async def _ready(running: _Running) -> bool:
    """Whether the broker came to answer; False where it ended or took too long."""
    # One wait, not many short ones: a client that is cancelled while it connects leaves its socket open
    answer = asyncio.create_task(Connection(bootstrap=running.bootstrap).wait_until_ready(READY_SECONDS))
    while not answer.done() and running.process.poll() is None:
        await asyncio.wait([answer], timeout=LOOK_AGAIN)
    if not answer.done():
        answer.cancel()
        await asyncio.wait([answer])
    return not answer.cancelled() and answer.exception() is None


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _log(folder: Path) -> Path:
    return folder / "broker.log"


def _last_words(folder: Path) -> str:
    """Quote the end of the broker's log in one line, stack frames left out."""
    lines = [line.strip() for line in _log(folder).read_text(errors="replace").splitlines()]
    telling = [line for line in lines if line and not line.startswith(("at ", "... "))]
    return " | ".join(telling[-3:])[-600:] or "it said nothing"
