"""Processes of `mqa projector`, and what they keep in a real Redis."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.connection import Connection
from streams.demo.processes import CommandProcess
from streams.topics import Environment


class ProjectorProcess(CommandProcess):
    """One ``mqa projector``."""

    def __init__(self, kafka: Connection, environment: Environment, redis_url: str, log: Path, *options: str) -> None:
        command = ["projector", "--session-timeout", "6", *(options or ("--port", "-1"))]
        super().__init__(kafka, environment, command, log, settings={"REDIS_URL": redis_url, "MQA_LOG_LEVEL": "INFO"})


@contextmanager
def projecting(kafka: Connection, environment: Environment, redis_url: str, folder: Path, *options: str) -> Iterator[ProjectorProcess]:
    """One, for as long as the block takes."""
    process = ProjectorProcess(kafka, environment, redis_url, folder / "projector.log", *options)
    try:
        yield process
    finally:
        process.end()
