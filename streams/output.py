"""Where results go: standard output, and the files that ``-o`` names. What goes wrong there is told in one line."""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from engagement.errors import Refused

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

READER_LEFT = 141
"""Exit status where the reader of our output has gone, as in ``| head``: what a shell shows for SIGPIPE."""


def open_output(file: Path | int, name: str) -> BinaryIO:
    """Open a path for writing, or a descriptor that stays open; ``name`` is what a person calls it. Raises OSError where it cannot.

    Writing raises `Refused` where there is no room, and `SystemExit` where the reader has gone.
    """
    return io.BufferedWriter(_Output(file, name))


@contextmanager
def telling_output() -> Iterator[None]:
    """Have standard output tell in one line what goes wrong with it, when the block ends at the latest."""
    if sys.stdout is None:  # closed by whoever started us, which is no matter as long as nothing is written there
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), closefd=False)
    plain = sys.stdout
    output = open_output(plain.fileno(), "standard output")
    sys.stdout = io.TextIOWrapper(output, plain.encoding, plain.errors, line_buffering=bool(plain.line_buffering))
    try:
        yield
    finally:
        sys.stdout.flush()


class _Output(io.FileIO):
    """Fails once: what buffers still hold then goes nowhere, or every flush and close until the exit would fail again."""

    def __init__(self, file: Path | int, name: str) -> None:
        super().__init__(file, "wb", closefd=not isinstance(file, int))
        self._told_as, self._has_failed = name, False

    def write(self, piece: "ReadableBuffer", /) -> int:
        if self._has_failed:
            return memoryview(piece).nbytes
        try:
            return super().write(piece)
        except BrokenPipeError:
            self._has_failed = True
            raise SystemExit(READER_LEFT) from None
        except OSError as error:
            self._has_failed = True
            is_closed = error.errno == errno.EBADF
            why = "is not open for writing; write" if is_closed else f"{error.strerror}; make room there, or write"
            msg = f"{self._told_as}: {why} somewhere else"
            raise Refused(msg) from None
