"""Worker processes that somebody else starts, kills and ends: the demo, and tests of the whole way."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from signal import SIGTERM, Signals

from streams.connection import Connection
from streams.topics import Environment

STOP_SECONDS = 10.0
_LAST_LINES = 15


class WorkerProcess:
    """One ``mqa worker``. Started when made; whoever makes it calls `end`."""

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
        """Start it. What it logs stands in ``folder``; logins come from the environment variables of this process.

        ``program``: what Python is to run as ``mqa``.
        """
        self.name = name
        self._log = folder / f"{name}.log"
        arguments = ["worker", "--prefix", environment.prefix, "--name", name, "--port", "-1", *options]
        settings = {
            "KAFKA_BOOTSTRAP": connection.bootstrap,
            "KAFKA_SECURITY_PROTOCOL": connection.security_protocol,
            "MQA_LOG_LEVEL": "WARNING",
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, *program, *arguments],
                env=os.environ | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
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

    def last_words(self) -> str:
        """Quote the end of its log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
