"""What is remembered of one account: raw counts, never points.

Weights, caps and decay apply on evaluation, so a new rulebook can restate the past and the order of arrival does not matter.
A cell is (kind, UTC day, person) -> count. At most `MAX_PEOPLE` people stand individually, those with the smallest hashes;
the rest are merged into `MERGED` and the account is ``coarsened``: it is still scored, but exactness under order and
restatement is promised for the others only. A state that would pass `MAX_BYTES` halves that bound. What updates say may take
`MAX_SAID_BYTES` of it; an update that would pass that is not learned.

A row is a fixed header and a msgpack body. The header (format, last applied log offset, due day) is read without the body, so
that the index of due days is rebuilt quickly.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from engagement.days import day_of
from engagement.errors import Refused
from engagement.records import Opportunity, Signal, Update

FORMAT = 1
MAX_PEOPLE = 200
MAX_BYTES = 256 * 1024
MAX_SAID_BYTES = 64 * 1024
NEWEST = 3
"""Event ids remembered per kind: the evidence that a tier change names."""

ANONYMOUS = ""
MERGED = "*"
NEVER = 2**31 - 1
"""The due day of an account that silence cannot move."""
UNJUDGED = 0
"""The due day of an account that was never judged: the next day record judges it."""

_HEADER = struct.Struct("<Bqi")
_CELL_BYTES = 64  # more than a cell takes, its share of keys included
_PERSON_BYTES = 64  # more than a person takes, the role apart
_CHARACTER_BYTES = 4  # the most that UTF-8 takes


class KindHistory(msgspec.Struct, array_like=True):
    """One kind's cells and its newest events."""

    days: dict[int, dict[str, int]] = {}  # day -> person -> count
    newest: list[tuple[int, str]] = []  # (occurred_at, event id), newest first


class Standing(msgspec.Struct, array_like=True):
    """The rung an account holds on one ladder."""

    rung: str
    since: int  # the rule day it was entered


class AccountState(msgspec.Struct, array_like=True):
    """One account. A field that nobody has spoken of is None."""

    kinds: dict[str, KindHistory] = {}
    roles: dict[str, str | None] = {}  # everyone who stands individually -> what was last said
    standings: dict[str, Standing] = {}  # ladder -> rung; no entry is the bottom
    sequence: int = 0  # of its last tier change
    max_people: int = MAX_PEOPLE
    coarsened: bool = False
    crm_id: str | None = None
    name: str | None = None
    domains: list[str] | None = None
    owner: str | None = None
    region: str | None = None
    strategic: bool | None = None
    listed_tier: int | None = None
    expected_ltv: int | None = None
    attributes: dict[str, Any] = {}
    relationship: str | None = None
    disposition: str | None = None  # the latest status
    disposition_day: int | None = None
    opportunities: dict[str, dict[str, Any]] = {}  # id -> stage, amount

    def count(self, signal: Signal) -> bool:
        """Count a signal. True where it did more than add: somebody's role changed or people were merged."""
        history = self.kinds.get(signal.kind)
        if history is None:
            history = self.kinds[signal.kind] = KindHistory()
        cells = history.days.setdefault(day_of(signal.occurred_at), {})
        person = ANONYMOUS if signal.person is None else signal.person
        count = cells[person] = cells.get(person, 0) + 1
        newest = history.newest
        newest.append((signal.occurred_at, signal.id))
        newest.sort(reverse=True)
        del newest[NEWEST:]
        changed = person != ANONYMOUS and self._say_role(person, signal.role)
        return (count == 1 and self._coarsen()) or changed

    def learn(self, update: Update) -> bool:
        """Take what an update says; a field that is not there stays, None clears.

        False, and nothing has changed, where all that updates said of the account would take more than `MAX_SAID_BYTES`.
        """
        before = {field: getattr(self, field) for field in _SAID_FIELDS}
        said = update.fields
        for field in _PLAIN_FIELDS:
            if field in said:
                setattr(self, field, said[field])  # type: ignore[literal-required]  # the names are those of `Said`
        if "attributes" in said:
            self.attributes = _merged(self.attributes, said["attributes"])
        if "disposition" in said:
            disposition = said["disposition"]
            self.disposition = None if disposition is None else disposition["status"]
            self.disposition_day = None if disposition is None else day_of(update.occurred_at)
        if "opportunity" in said:
            deal = said["opportunity"]
            self.opportunities = {} if deal is None else self.opportunities | {deal["id"]: _deal(deal)}
        if len(_encode([getattr(self, field) for field in _SAID_FIELDS])) > MAX_SAID_BYTES:
            for field, value in before.items():
                setattr(self, field, value)
            return False
        for person, role in (said.get("contacts") or {}).items():
            self._say_role(person, role)
        self._coarsen()
        return True

    def forget_before(self, day: int) -> None:
        """Drop the cells of earlier days; the newest event ids and what was said of people stay."""
        for history in self.kinds.values():
            if any(each < day for each in history.days):
                history.days = {each: cells for each, cells in history.days.items() if each >= day}

    def _say_role(self, person: str, role: str | None) -> bool:
        """Note a person and, where one is said, the role. True where it was another before."""
        known = person in self.roles
        before = self.roles.setdefault(person, role)
        if role is None or role == before:
            return False
        self.roles[person] = role
        return known

    def _coarsen(self) -> bool:
        """Keep the people with the smallest hashes, merge the rest. True where somebody was merged.

        Decided on every record, not when a step is written: the borders between steps must not show.
        """
        merged = len(self.roles) > self.max_people and self._merge_beyond(self.max_people)
        while self.max_people > 0 and self._may_pass(MAX_BYTES) and len(_encode(self)) > MAX_BYTES:
            self.max_people //= 2
            merged |= self._merge_beyond(self.max_people)
        return merged

    def _may_pass(self, size: int) -> bool:
        """Estimate from above, because measuring takes longer."""
        cells = sum(len(cells) for history in self.kinds.values() for cells in history.days.values())
        texts = sum(map(len, filter(None, self.roles.values())))
        texts += sum(len(event) for history in self.kinds.values() for _, event in history.newest)
        return cells * _CELL_BYTES + len(self.roles) * _PERSON_BYTES + texts * _CHARACTER_BYTES + MAX_SAID_BYTES > size

    def _merge_beyond(self, most: int) -> bool:
        merged = sorted(self.roles)[most:]
        for person in merged:
            del self.roles[person]
            for history in self.kinds.values():
                for cells in history.days.values():
                    if person in cells:
                        cells[MERGED] = cells.get(MERGED, 0) + cells.pop(person)
        self.coarsened |= bool(merged)
        return bool(merged)


@dataclass(slots=True, kw_only=True)
class Row:
    """An account's row in the changelog."""

    state: AccountState
    applied: int  # log offset of the last record applied
    due: int  # the first rule day on which silence may move it, or `NEVER`


def encode(row: Row) -> bytes:
    """Row as bytes, for `decode`."""
    return _HEADER.pack(FORMAT, row.applied, row.due) + _encode(row.state)


def decode(stored: bytes) -> Row:
    """Bytes as a row. Raises `Refused` for a format that this version does not know."""
    applied, due = header(stored)
    return Row(state=_decode(memoryview(stored)[_HEADER.size :]), applied=applied, due=due)


def header(stored: bytes) -> tuple[int, int]:
    """(last applied log offset, due day) without decoding the body. Raises `Refused` for an unknown format."""
    if len(stored) < _HEADER.size or stored[0] != FORMAT:
        found = stored[0] if stored else "nothing"
        remedy = "run the version that wrote it, or rebuild by a replay"
        raise Refused(f"accounts-changelog: a row has format {found}, this version reads {FORMAT}; {remedy}")
    _, applied, due = _HEADER.unpack_from(stored)
    return applied, due


def _merged(known: Mapping[str, Any], said: Mapping[str, Any] | None) -> dict[str, Any]:
    if said is None:
        return {}
    return {key: value for key, value in {**known, **said}.items() if value is not None}


def _deal(said: Opportunity) -> dict[str, Any]:
    return {"stage": said["stage"], "amount": said.get("amount")}


_PLAIN_FIELDS = ("crm_id", "name", "domains", "owner", "region", "strategic", "listed_tier", "expected_ltv", "relationship")
_SAID_FIELDS = (*_PLAIN_FIELDS, "attributes", "disposition", "disposition_day", "opportunities")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AccountState).decode
