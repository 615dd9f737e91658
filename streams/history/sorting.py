"""From a file of lines to a history: read in bounded memory, put in order of their times, and refused where those cannot be meant."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from heapq import merge
from itertools import islice, pairwise
from tempfile import TemporaryFile
from typing import IO

from engagement.days import iso_day
from engagement.errors import Refused
from streams.history.lines import MOST_DAYS_APART

LONGEST_LINE = 128 << 10
"""Bytes with the line feed. Servers cut request lines and headers at some 8 KiB; as JSON even this much escapes to less than 1 MB."""
RUN = 200_000
"""History lines sorted in memory at a time: some 100 MB."""
_TIME = b'"received_at":"'
_TIME_WIDTH = len("2015-05-17T10:05:03.000Z")


def log_lines(file: IO[bytes], longest: int = LONGEST_LINE) -> Iterator[bytes]:
    """Lines of a file in bounded memory: of one beyond ``longest`` only the beginning, still beyond it."""
    while line := file.readline(longest + 1):
        rest = line
        while len(rest) > longest and not rest.endswith(b"\n"):
            rest = file.readline(longest + 1)
        yield line


def in_order(lines: Iterable[bytes], run: int = RUN) -> Iterator[bytes]:
    """History lines sorted by ``received_at``, equal ones as they came. Runs of ``run`` lines are kept on disk, never the whole."""
    rest = iter(lines)
    with ExitStack() as files:
        runs = []
        while batch := sorted(islice(rest, run), key=received_text):
            runs.append(files.enter_context(_kept(batch)))
        yield from merge(*runs, key=received_text)


def _kept(lines: Iterable[bytes]) -> IO[bytes]:
    """Lines on disk, to be read from the first; the file goes when it is closed."""
    try:
        file = TemporaryFile()  # noqa: SIM115 - the caller closes it
        file.writelines(lines)
        file.seek(0)
    except OSError as error:
        msg = f"folder for temporary files: {error.strerror}; set TMPDIR to one with room for the whole log"
        raise Refused(msg) from None
    return file


def received_text(line: bytes) -> bytes:
    """The time of a history line: its spelling has one width, so it sorts as it stands."""
    at = line.index(_TIME) + len(_TIME)  # the topic in front of it is a name of ours
    return line[at : at + _TIME_WIDTH]


def refuse_gaps(place: str, first_lines: Mapping[int, str]) -> None:
    """Raise `Refused` where a history pauses for longer than can be played. ``first_lines``: day -> the first line of it, in words."""
    for before, after in pairwise(sorted(first_lines)):
        if after - before > MOST_DAYS_APART:
            msg = (
                f"{place}: nothing lies between {iso_day(before)} ({first_lines[before]}) and {iso_day(after)} "
                f"({first_lines[after]}), {after - before} days, but a history may pause for {MOST_DAYS_APART} at most; "
                "mend or remove lines of a wrong year, or import the parts of the log by themselves"
            )
            raise Refused(msg)
