"""The demo as a newcomer runs it: it tells its story, proves it, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("kafka")  # skipped, or failed, where there is none: the demo starts its own

LONGEST = 300  # a bound against hanging, not a promise


@contextmanager
def demo(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "streams", "demo"],
        env=os.environ | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with process:
            yield process
    finally:
        process.kill()


def left_running(folder: Path) -> list[str]:
    """Command lines of processes whose standard output is a file of the demo's."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in str((each / "fd" / "1").readlink()):
                found.append((each / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # not ours to look at, or ended meanwhile
    return found


def test_the_demo_tells_its_story_and_proves_it(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        output, errors = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, output + errors
    story, _, proof = output.partition("\n\n")
    assert len(story.splitlines()) <= 17
    for words in ("is an MQA", "is Tier 2", "stays out", "never an MQA", "killed", "this is the announced day"):
        assert words in story
    assert re.search(r"live (\d+) = replay \1 tier changes; 0 lost, 0 double", proof)
    assert re.search(r"events in = .* counted \+ .* filtered \+ .* dead", proof)
    assert list(tmp_path.iterdir()) == []
    assert left_running(tmp_path) == []


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_behind(tmp_path: Path, ended_by: signal.Signals) -> None:
    with demo(tmp_path) as process:
        assert process.stdout is not None
        assert "delivery is" in process.stdout.readline()
        first = process.stdout.readline()  # of the story: all of it is running now
        assert "engaged" in first, process.communicate(timeout=LONGEST)
        assert len(left_running(tmp_path)) == 2
        process.send_signal(ended_by)
        _, errors = process.communicate(timeout=LONGEST)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
    assert left_running(tmp_path) == []
