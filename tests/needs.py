"""What a test needs on this machine: without it the test is skipped with the line that installs it, and fails where CI runs it."""

import os
import shutil
from collections.abc import Callable

import pytest

from engagement.errors import Refused
from streams.broker.libraries import java, libraries


def need(what: str, check: Callable[[], object]) -> None:
    """``check`` raises `Refused` where it is missing."""
    try:
        check()
    except Refused as refusal:
        if os.environ.get("CI"):
            pytest.fail(f"no test may go without {what} here: {refusal}")
        pytest.skip(str(refusal))


def fetch_kafka() -> None:
    """Raise `Refused` where a real Kafka cannot run here."""
    java()
    libraries()


def need_program(name: str, package: str, *, brew: str) -> str:
    """Path of a program; ``package`` is Debian's, ``brew`` that of macOS."""
    found = shutil.which(name)

    def check() -> None:
        if found is None:
            raise Refused(f"`{name}` is not on the path; install it with `sudo apt-get install {package}` (macOS: brew install {brew})")

    need(name, check)
    assert found is not None
    return found
