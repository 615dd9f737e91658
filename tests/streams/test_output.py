"""What is written finds no room, or no reader: one line, or none, and never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.history.simulate import simulate_history
from tests.streams.histories import FIRST_DAY

FULL = Path("/dev/full")
needs_a_full_device = pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")

VISIT = b'198.51.100.7 - - [01/Jan/2025:00:00:00 +0000] "GET /pricing HTTP/1.1" 200 1 "-" "Mozilla"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("output")
    (made / "history.jsonl").write_bytes(b"".join(simulate_history(accounts=20, days=40, start_day=FIRST_DAY, seed=1)))
    (made / "access.log").write_bytes(VISIT)
    (made / "full.jsonl.gz").symlink_to(FULL)
    return made


def mqa(folder: Path, *arguments: str, stdout: int) -> tuple[int, str]:
    outcome = subprocess.run(
        [sys.executable, "-X", "dev", "-m", "streams", *arguments],
        cwd=folder,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return outcome.returncode, outcome.stderr


@needs_a_full_device
@pytest.mark.parametrize(
    "command",
    [
        "replay history.jsonl -o /dev/full",
        "simulate --accounts 1 --days 2 -o /dev/full",
        "simulate --accounts 1 --days 2 -o full.jsonl.gz",
        "import access-log access.log --site https://acme.com -o /dev/full",
    ],
)
def test_a_full_device_is_told_by_the_name_that_was_given(folder: Path, command: str) -> None:
    status, told = mqa(folder, *command.split(), stdout=subprocess.DEVNULL)
    (line,) = (each for each in told.splitlines() if each.startswith("mqa: "))
    assert line == f"mqa: {command.rpartition(' ')[2]}: No space left on device; make room there, or write somewhere else"
    assert (status, "Traceback" in told) == (2, False)


@needs_a_full_device
@pytest.mark.parametrize(
    "command", ["replay history.jsonl", "import access-log access.log --site https://acme.com", "rulebook show", "--help"]
)
def test_full_standard_output_is_told_once(folder: Path, command: str) -> None:
    with FULL.open("wb") as full:
        status, told = mqa(folder, *command.split(), stdout=full.fileno())
    lines = [each for each in told.splitlines() if each.startswith("mqa: ")]
    assert lines == ["mqa: standard output: No space left on device; make room there, or write somewhere else"]
    assert (status, "Traceback" in told) == (2, False)


@pytest.mark.parametrize("command", ["replay history.jsonl", "replay history.jsonl -o /dev/stdout", "rulebook show"])
def test_a_reader_who_has_gone_is_no_error(folder: Path, command: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    status, told = mqa(folder, *command.split(), stdout=theirs)
    os.close(theirs)
    assert (status, "Traceback" in told, "mqa:" in told) == (141, False, False)


def mqa_without_output(folder: Path, command: str, closing: str) -> tuple[int, str]:
    shell = f"exec {sys.executable} -X dev -m streams {command} {closing}"
    outcome = subprocess.run(["/bin/sh", "-c", shell], cwd=folder, stderr=subprocess.PIPE, text=True, check=False)
    return outcome.returncode, outcome.stderr


@pytest.mark.parametrize("closing", [">&-", "<&- >&-"])
@pytest.mark.parametrize("command", ["replay history.jsonl", "rulebook show", "--help"])
def test_a_closed_standard_output_is_told_where_something_was_to_be_written(folder: Path, command: str, closing: str) -> None:
    status, told = mqa_without_output(folder, command, closing)
    lines = [each for each in told.splitlines() if each.startswith("mqa: ")]
    assert lines == ["mqa: standard output: is not open for writing; write somewhere else"]
    assert (status, "Traceback" in told) == (2, False)


def test_a_closed_standard_output_is_no_error_where_nothing_is_written_there(folder: Path) -> None:
    status, told = mqa_without_output(folder, "replay history.jsonl -o changes.jsonl", ">&-")
    assert (status, "Traceback" in told, "mqa:" in told) == (0, False, False)
    assert (folder / "changes.jsonl").read_bytes().count(b"\n") > 10
