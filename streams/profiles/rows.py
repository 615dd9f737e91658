"""What records say, as a store takes it. Pure translation: what is none of ours says nothing here, and is counted."""

from collections.abc import Iterator, Mapping, Sequence
from time import monotonic
from typing import NamedTuple

import msgspec

from engagement.account import decode, header
from engagement.changes import TierChange
from engagement.contacts import read_contact
from engagement.errors import Refused
from engagement.judging import Judge
from engagement.machine import RESERVED_KEYS, Record
from engagement.profile import profile
from streams.profiles.store import MOST_OF_BATCH, Account, Change

BREATH_SECONDS = 0.004
"""How long profiles are made before whoever else is in the process, the API above all, has a turn."""


class Read(NamedTuple):
    """Records of one source, and how many more there were that are none of ours."""

    records: list[Record]
    foreign: int


def newest_rows(records: Sequence[Record]) -> Read:
    """Leave of each account's rows the newest only, and everything else out.

    Without transactions the row of a worker that did not know that it was replaced may stand behind a newer one. Raises `Refused` for a row
    of an unknown format, and says which it is.
    """
    newest: dict[bytes, Record] = {}
    foreign = 0
    for record in records:
        key, value = record.key, record.value
        if key in RESERVED_KEYS:
            continue
        if not key or not key.isascii() or key.startswith(b"__"):
            foreign += 1
            continue
        if value is not None:
            header(value, f"{record.topic}/{record.partition} offset {record.offset}, key {key!r}")
        held = newest.get(key)
        if held is None or held.value is None or value is None or header(value)[0] >= header(held.value)[0]:
            newest.pop(key, None)
            newest[key] = record
    return Read(list(newest.values()), foreign)


def tier_changes(records: Sequence[Record]) -> tuple[list[tuple[str, Change]], int]:
    """Read tier changes, each with its account; and how many records are none."""
    found = []
    for record in records:
        change = _tier_change(record)
        if change is not None:
            found.append(change)
    return found, len(records) - len(found)


def contact_rows(records: Sequence[Record]) -> tuple[dict[str, bytes | None], int]:
    """Read rows of contact lists, by person; and how many records are none."""
    rows: dict[str, bytes | None] = {}
    foreign = 0
    for record in records:
        person = _text(record.key)
        if person is None or (record.value is not None and read_contact(record.value) is None):
            foreign += 1
        else:
            rows[person] = record.value
    return rows, foreign


def make_account(name: str, row: bytes, partition: int, day: int, judge: Judge) -> Account:
    """Profile one account as of ``day``. Raises `Refused` for a row that this version cannot read."""
    try:
        stored = decode(row)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        msg = f"accounts-changelog/{partition}: the row of {name} cannot be read ({error}); run the version that wrote it"
        raise Refused(msg) from None
    return Account(profile=profile(name, stored.state, day, judge), row=row, applied=stored.applied, partition=partition)


def cut(records: Sequence[Record], stop: int) -> Iterator[tuple[Sequence[Record], int]]:
    """Cut into parts of `MOST_OF_BATCH` at most, each with the offset to which it leads; the last leads to ``stop``."""
    parts = [records[at : at + MOST_OF_BATCH] for at in range(0, len(records), MOST_OF_BATCH)] or [[]]
    stops = [part[0].offset for part in parts[1:]] + [stop]
    return zip(parts, stops, strict=True)


class Breath:
    """Says when whoever makes many profiles is to let others have a turn."""

    def __init__(self) -> None:
        self._began = monotonic()

    @property
    def is_due(self) -> bool:
        """True every `BREATH_SECONDS`."""
        now = monotonic()
        if now - self._began < BREATH_SECONDS:
            return False
        self._began = now
        return True


def _tier_change(record: Record) -> tuple[str, Change] | None:
    if record.value is None:
        return None
    headers: Mapping[str, bytes] = dict(record.headers)
    try:
        change = _decode_change(record.value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    mode = headers.get("mode", b"live").decode(errors="replace")
    if change.account.encode() != record.key or mode not in ("live", "baseline"):
        return None
    return change.account, Change(offset=record.offset, mode=mode, body=record.value)


def _text(key: bytes | None) -> str | None:
    try:
        return key.decode() if key else None
    except UnicodeDecodeError:
        return None


_decode_change = msgspec.json.Decoder(TierChange).decode
