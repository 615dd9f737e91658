"""Commands of ours as processes that somebody else starts, kills and ends: the demo, and tests of the whole way."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGTERM, Signals
from time import monotonic, sleep

from engagement.errors import Refused
from streams.connection import Connection
from streams.topics import Environment

START_SECONDS = 30.0
STOP_SECONDS = 10.0
LOOK_SECONDS = 0.05
_LAST_LINES = 15


class CommandProcess:
    """One command that runs for long. Started when made; whoever makes it calls `end`."""

    def __init__(
        self,
        connection: Connection,
        environment: Environment,
        command: Sequence[str],
        log: Path,
        *,
        settings: Mapping[str, str] | None = None,
        program: Sequence[str] = ("-m", "streams"),
    ) -> None:
        """Start it. What it logs is added to ``log``; logins come from the environment variables of this process.

        ``program``: what Python is to run as ``mqa``. ``settings``: further environment variables.
        """
        self._log = log
        ours = {
            "KAFKA_BOOTSTRAP": connection.bootstrap,
            "KAFKA_SECURITY_PROTOCOL": connection.security_protocol,
            "MQA_LOG_LEVEL": "WARNING",
        }
        with log.open("ab") as out:
            self._begins = out.tell()
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, *program, *command, "--prefix", environment.prefix],
                env={**os.environ, **ours, **(settings or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,  # Ctrl-C in a terminal is for whoever started it to answer
            )

    @property
    def status(self) -> int | None:
        """Exit status; None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """``kill -9``: it has no say in it."""
        self._process.kill()
        self._process.wait()

    def stop(self, stop_signal: Signals = SIGTERM) -> int:
        """Ask it to stop; returns the exit status. Raises `subprocess.TimeoutExpired` where it takes more than 10 s."""
        self._process.send_signal(stop_signal)
        return self.wait(STOP_SECONDS)

    def wait(self, seconds: float) -> int:
        """Wait for it to end by itself; returns the exit status. Raises `subprocess.TimeoutExpired`."""
        return self._process.wait(seconds)

    def end(self) -> None:
        """Leave nothing behind: ask, then kill."""
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.kill()

    def said(self) -> str:
        """Everything that it has logged."""
        return self._log.read_bytes()[self._begins :].decode(errors="replace")

    def last_words(self) -> str:
        """Quote the end of its log."""
        return "\n".join(self.said().splitlines()[-_LAST_LINES:])


class WorkerProcess(CommandProcess):
    """One ``mqa worker``."""

    def __init__(
        self,
        connection: Connection,
        environment: Environment,
        name: str,
        *,
        folder: Path,
        options: Sequence[str] = (),
        program: Sequence[str] = ("-m", "streams"),
    ) -> None:
        """Start it, without a port of its own; its log stands in ``folder``."""
        self.name = name
        command = ["worker", "--name", name, "--port", "-1", *options]
        super().__init__(connection, environment, command, folder / f"{name}.log", program=program)


class PageProcess(CommandProcess):
    """One ``mqa serve`` on this machine, which keeps its profiles itself."""

    def __init__(self, connection: Connection, environment: Environment, *, folder: Path) -> None:
        """Start it on a port that is free; its log stands in ``folder``."""
        command = ["serve", "--memory", "--port", "0"]
        settings = {"MQA_LOG_LEVEL": "INFO", "MQA_HOST": "127.0.0.1", "MQA_API_TOKENS": "", "MQA_API_TOKENS_FILE": ""}
        super().__init__(connection, environment, command, folder / "page.log", settings=settings)

    def address(self) -> str:
        """Wait until it serves; gives its URL. Raises `Refused` where it does not."""
        deadline = monotonic() + START_SECONDS
        while self.status is None and monotonic() < deadline:
            _, is_serving, after = self.said().partition("serving on ")
            if is_serving:
                return after.split()[0] + "/"
            sleep(LOOK_SECONDS)
        raise Refused(f"the page does not come up; the last that it said:\n{self.last_words()}")
