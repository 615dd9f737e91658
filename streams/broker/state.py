"""What ``mqa broker start`` leaves behind, so that later commands find the broker and never kill a stranger.

A process id is reused by the system, so a broker is known by its id *and* the moment that process started.
"""

import os
import subprocess
from pathlib import Path

import msgspec

from streams.broker.cache import cache_folder


class BrokerState(msgspec.Struct, kw_only=True, frozen=True):
    """A broker that runs in the background."""

    pid: int
    started: str  # as `process_start` says
    bootstrap: str
    folder: str  # its log data, removed when it is stopped
    title: str = "Kafka"  # what it is, for people


def process_start(pid: int) -> str | None:
    """When process ``pid`` started, in the system's own words; None where no such process runs."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()  # the name before it may hold spaces and brackets
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] == "Z" else fields[19]
    command = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 - an int is all we add
    status, _, started = answer.strip().partition(" ")
    return None if status.startswith("Z") or not started else started.strip()


def state_file() -> Path:
    """One background broker a user."""
    return cache_folder() / "broker.json"


def last_state() -> BrokerState | None:
    """Read the state file, whether its broker still runs or not; None where there is none."""
    try:
        return msgspec.json.decode(state_file().read_bytes(), type=BrokerState)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def read_state() -> BrokerState | None:
    """Find the background broker; None where none runs (a state file of a dead one counts as none)."""
    state = last_state()
    return state if state is not None and process_start(state.pid) == state.started else None


def write_state(state: BrokerState) -> None:
    """Replace the state file in one step: a reader sees the old or the new one, never half of it."""
    path = state_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_bytes(msgspec.json.encode(state))
    fresh.replace(path)


def forget_state() -> None:
    """Remove the state file, where there is one."""
    state_file().unlink(missing_ok=True)
