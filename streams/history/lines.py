"""A history file: JSON Lines of input events as they arrived (gzip where the name ends in ``.gz``).

``{"topic": "web-visits", "received_at": "2025-01-01T08:00:00.000Z", "key": "v-17", "value": {...}}``. What is not valid JSON stands
as a string in ``raw`` instead of ``value`` (``"raw": ""`` is an empty value, neither is none). ``received_at`` never falls within a file.
"""

import gzip
import signal
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import IO, Literal

import msgspec

from engagement.days import EARLIEST, LATEST, day_of, iso_day, iso_instant, to_ms
from engagement.errors import Refused
from engagement.events import Family
from engagement.written import printable
from streams.output import open_output

STANDARD_STREAM = Path("-")
"""Standard input where a history is read, standard output where one is written."""

LONGEST_PATH = 4096
"""Characters, when it is told: what a system takes."""

MOST_DAYS_APART = 366
"""Of a line and the one above. Each day between two lines begins in a replay as in an environment: behind a wrong year, thousands."""


class HistoryLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One input event as Kafka would have received it."""

    topic: Family
    received_at: datetime
    key: str | None = None
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    raw: str | None = None
    partition: int | None = None  # only to say that a producer chose a wrong one

    @property
    def received_ms(self) -> int:
        """Milliseconds since the epoch."""
        return to_ms(self.received_at)

    @property
    def key_bytes(self) -> bytes | None:
        """The Kafka key."""
        return None if self.key is None else self.key.encode()

    @property
    def payload(self) -> bytes | None:
        """The Kafka value."""
        if self.raw is not None:
            return self.raw.encode()
        return None if self.value is msgspec.UNSET else bytes(self.value)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(HistoryLine).decode


def encode_line(
    topic: Family, received_ms: int, key: str | None, *, value: object = msgspec.UNSET, raw: str | None = None, partition: int | None = None
) -> bytes:
    """One line of a history file, with its line feed. Keys stand in a fixed order, so equal events give equal bytes."""
    line: dict[str, object] = {"topic": topic.value, "received_at": iso_instant(received_ms), "key": key}
    if value is not msgspec.UNSET:
        line["value"] = value
    if raw is not None:
        line["raw"] = raw
    if partition is not None:
        line["partition"] = partition
    return _encode(line) + b"\n"


@contextmanager
def open_history(path: Path, mode: Literal["rb", "wb"]) -> Iterator[IO[bytes]]:
    """Open for ``"rb"`` or ``"wb"``; gzip by the name; ``-`` is standard input or output.

    What is written stands beside ``path`` as ``NAME.part`` and takes the name when all of it is there: no half file under the final name,
    whatever ends the writing. The gzip header holds no time, so equal content gives equal files. Raises `Refused` where the file cannot be
    opened, and where gzip is damaged or cut off.
    """
    if path == STANDARD_STREAM:
        if mode == "rb" and sys.stdin is None:  # closed by whoever started us
            msg = "standard input: is closed; name a file, or pipe one in"
            raise Refused(msg)
        yield sys.stdin.buffer if mode == "rb" else sys.stdout.buffer
        return
    opened = _open_zipped(path, mode) if path.suffix.lower() == ".gz" else _open_plain(path, mode)
    with _sigterm_cleans_up() if mode == "wb" else nullcontext(), opened as file:
        yield file


@contextmanager
def _sigterm_cleans_up() -> Iterator[None]:
    """Let SIGTERM end the command as an exception does: by default it ends the process on the spot."""
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _open_zipped(path: Path, mode: Literal["rb", "wb"]) -> Iterator[IO[bytes]]:
    with _open_plain(path, mode) as plain:
        try:
            with gzip.GzipFile(filename="", mode=mode, fileobj=plain, mtime=0, compresslevel=6) as zipped:
                yield zipped  # type: ignore[misc]  # a GzipFile reads and writes bytes
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            msg = f"{path}: no whole gzip file ({error}); fetch or make it again, or rename it if it is not compressed"
            raise Refused(msg) from None


@contextmanager
def _open_plain(path: Path, mode: Literal["rb", "wb"]) -> Iterator[IO[bytes]]:
    is_replaced = mode == "wb" and (path.is_file() or not path.exists())  # a pipe or device is written to, never replaced
    part = path.with_name(f"{path.name}.part") if is_replaced else path
    try:
        file: IO[bytes] = part.open(mode) if mode == "rb" else open_output(part, str(path))
    except OSError as error:
        msg = f"{part}: {error.strerror}; name a file that can be {'written' if mode == 'wb' else 'read'}"
        raise Refused(msg) from None
    try:
        with file:
            yield file
        if is_replaced:
            part.replace(path)
    except BaseException:
        if is_replaced:
            part.unlink(missing_ok=True)
        raise


def read_history(lines: Iterable[bytes], place: str) -> Iterator[HistoryLine]:
    """Decode lines, in order.

    Raises `Refused` with the line's number where one is no history line, goes back in time, or lies in a year that cannot be meant.
    """
    last: int | None = None
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        line = read_line(text, f"{place}:{number}")
        at = line.received_ms
        complaint = _complaint(at, last)
        if complaint is not None:
            msg = f"{place}:{number}: received_at {line.received_at} {complaint}"
            raise Refused(msg)
        last = at
        yield line


def read_line(text: bytes, place: str) -> HistoryLine:
    """Decode one line. Raises `Refused` where it is no history line."""
    try:
        line = _decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        said = printable(str(error), 200)
        msg = f"{place}: {said}; each line is an object with topic, received_at, key and value (see `mqa simulate`)"
        raise Refused(msg) from None
    if line.received_at.tzinfo is None:
        msg = f"{place}: received_at {line.received_at} has no offset; write it as 2025-01-01T08:00:00Z"
        raise Refused(msg)
    return line


def _complaint(at: int, last: int | None) -> str | None:
    """Say what is wrong with a time and how to mend it; ``last`` is the time of the line above. Both in milliseconds."""
    if not EARLIEST <= at < LATEST:
        return f"is not from {iso_day(day_of(EARLIEST))} until before {iso_day(day_of(LATEST))}; mend its year, or leave the line out"
    if last is None:
        return None
    if at < last:
        return f"is before the line above ({iso_instant(last)}); sort the file by received_at"
    days = day_of(at) - day_of(last)
    if days > MOST_DAYS_APART:
        return (
            f"is {days} days after the line above ({iso_instant(last)}), more than {MOST_DAYS_APART}; "
            "mend the year of one of them, or split the file between them"
        )
    return None


def refuse_overwriting(output: Path | None, *inputs: Path | None) -> None:
    """Raise `Refused` where ``output`` is one of the files that are to be read."""
    for path in inputs:
        if output is not None and path is not None and output.exists() and path.exists() and output.samefile(path):
            msg = f"-o {output}: is the file that is read, and would be lost; name another"
            raise Refused(msg)
