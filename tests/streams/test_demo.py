"""The demo as a newcomer runs it: it tells its story, proves it, and leaves nothing behind."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

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


def on_a_terminal(folder: Path, until: str) -> Iterator[str]:
    """What the demo shows there, growing, until it says ``until``; then Ctrl-C is pressed, and what it showed in all comes last."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "streams", "demo"]
    process = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(folder)}, stdin=its, stdout=its, stderr=its)
    os.close(its)
    shown = ""
    try:
        with suppress(OSError):  # nobody is at the other end any more
            while read := os.read(ours, 65536):
                shown += read.decode(errors="replace")
                if until in shown:
                    yield shown
                    until = "\0"
                    process.send_signal(signal.SIGINT)
        assert process.wait(LONGEST) == 0, shown[-3000:]
        yield shown
    finally:
        os.close(ours)
        process.kill()
        process.wait()


def test_on_a_terminal_the_accounts_can_be_looked_at_until_one_has_enough(tmp_path: Path) -> None:
    watched = on_a_terminal(tmp_path, "for commands: --prefix")
    shown = next(watched)
    *_, address = re.findall(r"http://127\.0\.0\.1:[0-9]+/", shown)
    with urlopen(address, timeout=10) as page:
        assert "<title>" in page.read().decode()
    with urlopen(f"{address}api/v1/overview", timeout=10) as answer:
        overview = json.load(answer)
    proof = shown.partition("days, ")[2]
    stages = next(each["rungs"] for each in overview["ladders"] if each["ladder"] == "stage")
    told = re.search(r"stage: (.*?)\r?\n", proof)
    assert told is not None
    counted = dict(re.findall(r"(\w+) (\d+)", told[1]))
    assert {each["rung"]: each["accounts"] for each in stages if each["accounts"]} == {rung: int(n) for rung, n in counted.items()}
    assert "demo done" in next(watched)
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
