"""Real Redis servers, each with a port and a folder of its own, for as long as a test wants them."""

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from tests.needs import need_program

PATIENCE = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def redis_server(folder: Path, *, port: int | None = None, options: Sequence[str] = ("--save", "")) -> Iterator[int]:
    """One on 127.0.0.1 that keeps its files in ``folder``; gives its port. It ends with the block, or with this process.

    ``port``: None for a free one; with 0 it has none of its own, and ``options`` say where it listens.
    """
    chosen = free_port() if port is None else port
    command = [
        need_program("redis-server", "redis-server", brew="redis"),
        "--bind",
        "127.0.0.1",
        "--port",
        str(chosen),
        "--dir",
        str(folder),
        *options,
    ]
    spoken = folder / "redis.log"
    kept = folder / "kept"  # what its keeper removes; the rest is the test's
    kept.mkdir(exist_ok=True)
    with spoken.open("ab") as log:
        begins = log.tell()
        keeper = [sys.executable, "-m", "streams.broker.keeper", str(kept), *command]
        process = subprocess.Popen(keeper, stdin=subprocess.PIPE, stdout=log, stderr=log)
        try:
            deadline = monotonic() + PATIENCE
            while b"Ready to accept connections" not in spoken.read_bytes()[begins:]:
                assert process.poll() is None, spoken.read_text(errors="replace")[-1000:]
                assert monotonic() < deadline, spoken.read_text(errors="replace")[-1000:]
                sleep(0.02)
            yield chosen
        finally:
            assert process.stdin is not None
            process.stdin.close()  # its keeper ends it
            process.wait(PATIENCE)
