"""Apache Kafka's own libraries, fetched once by Maven into the user's cache folder."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engagement.errors import Refused
from streams.broker.cache import cache_folder

VERSION = "4.1.1"  # as in pom.xml
INSTALL = "sudo apt-get install openjdk-17-jre-headless maven (macOS: brew install openjdk@17 maven)"

_FOLDER = Path(__file__).parent


def java() -> str:
    """Path of the ``java`` to run; `Refused` where there is none."""
    home = os.environ.get("JAVA_HOME")
    return _program("java", f"{home}/bin" if home else None)


def libraries() -> Path:
    """Folder that holds every jar of a Kafka broker; fetched (54 MB) where it is not there yet.

    Several processes may ask at once: one fetches, the others wait for it. A fetch that was cut off leaves nothing that
    could be taken for a whole one.
    """
    whole = _whole()
    if not whole.exists():
        with locked(whole.parent / "fetching"):
            if not whole.exists():
                _fetch(whole)
    return whole


def check_programs() -> None:
    """Raise `Refused` where a program is missing that a start needs: Java, and Maven while nothing is fetched."""
    java()
    if not _whole().exists():
        _program("mvn")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes; the system drops it with the process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _whole() -> Path:
    return cache_folder() / f"kafka-{VERSION}" / "libs"


def _fetch(whole: Path) -> None:
    part = whole.with_name("libs.part")
    shutil.rmtree(part, ignore_errors=True)
    command = [_program("mvn"), "-q", "-B", "-f", str(_FOLDER / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={part}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words and a path of ours
    if answer.returncode != 0:
        said = next((line for line in (answer.stdout + answer.stderr).splitlines() if "ERROR" in line), "it said nothing")
        msg = (
            f"Maven could not fetch Kafka {VERSION} (exit status {answer.returncode}): {said.strip()}; "
            "look to the network or Maven's settings.xml, or set KAFKA_BOOTSTRAP=host:port"
        )
        raise Refused(msg)
    part.replace(whole)


def _program(name: str, folder: str | None = None) -> str:
    path = shutil.which(name, path=folder) or shutil.which(name)
    if path is None:
        msg = f"`{name}` is not on the path, and a local Kafka needs Java 17 and Maven; {INSTALL}, or set KAFKA_BOOTSTRAP=host:port"
        raise Refused(msg)
    return path
