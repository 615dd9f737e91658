"""Processes of `mqa projector`, and what they keep in a real Redis."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.connection import Connection
from streams.topics import Environment

STOP_SECONDS = 15.0


class ProjectorProcess:
    """One ``mqa projector``. Started when made; whoever makes it calls `end`."""

    def __init__(self, kafka: Connection, environment: Environment, redis_url: str, log: Path, *options: str) -> None:
        self._log = log
        arguments = ["projector", "--prefix", environment.prefix, "--session-timeout", "6", *(options or ("--port", "-1"))]
        settings = {"KAFKA_BOOTSTRAP": kafka.bootstrap, "REDIS_URL": redis_url}
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams", *arguments], env=os.environ | settings, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    @property
    def status(self) -> int | None:
        """None while it runs."""
        return self.process.poll()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Exit status, of a stop that it was asked for."""
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)

    def end(self) -> None:
        """Leave nothing behind."""
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.kill()

    def said(self) -> str:
        return self._log.read_text(errors="replace")


@contextmanager
def projecting(kafka: Connection, environment: Environment, redis_url: str, folder: Path, *options: str) -> Iterator[ProjectorProcess]:
    """One, for as long as the block takes."""
    process = ProjectorProcess(kafka, environment, redis_url, folder / "projector.log", *options)
    try:
        yield process
    finally:
        process.end()
