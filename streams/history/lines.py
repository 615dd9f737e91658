"""A history file: JSON Lines of input events as they arrived (gzip where the name ends in ``.gz``).

``{"topic": "web-visits", "received_at": "2025-01-01T08:00:00.000Z", "key": "v-17", "value": {...}}``. What is not valid JSON stands
as a string in ``raw`` instead of ``value`` (``"raw": ""`` is an empty value, neither is none). ``received_at`` never falls within a file.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Literal

import msgspec

from engagement.days import iso_instant, to_ms
from engagement.errors import Refused
from engagement.events import Family


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
    """Open for ``"rb"`` or ``"wb"``; gzip by the name. The gzip header holds no time, so equal content gives equal files.

    What is written stands beside ``path`` as ``NAME.part`` and takes the name when all of it is there: no half file under the final name,
    whatever ends the writing. Raises `Refused` where the file cannot be opened, and where gzip is damaged or cut off.
    """
    with _open_zipped(path, mode) if path.suffix.lower() == ".gz" else _open_plain(path, mode) as file:
        yield file


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
        file = part.open(mode)
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
    """Decode lines, in order. Raises `Refused` with the line's number where one is no history line or goes back in time."""
    last = None
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            line = _decode(text)
        except msgspec.MsgspecError as error:
            msg = f"{place}:{number}: {error}; each line is an object with topic, received_at, key and value (see `mqa simulate`)"
            raise Refused(msg) from None
        if line.received_at.tzinfo is None:
            msg = f"{place}:{number}: received_at {line.received_at} has no offset; write it as 2025-01-01T08:00:00Z"
            raise Refused(msg)
        if last is not None and line.received_at < last:
            msg = f"{place}:{number}: received_at {line.received_at} is before the line above ({last}); sort the file by received_at"
            raise Refused(msg)
        last = line.received_at
        yield line


def refuse_overwriting(output: Path | None, *inputs: Path | None) -> None:
    """Raise `Refused` where ``output`` is one of the files that are to be read."""
    for path in inputs:
        if output is not None and path is not None and output.exists() and path.exists() and output.samefile(path):
            msg = f"-o {output}: is the file that is read, and would be lost; name another"
            raise Refused(msg)
