"""What is remembered of one account: raw counts, never points.

Weights, caps and decay apply on evaluation, so a new rulebook can restate the past and the order of arrival does not matter.
A cell is (kind, UTC day, person) -> count, and beside it seconds where the signals had some; signals with a topic are counted by
(topic, day, person) too. At most `MAX_PEOPLE` people and `MAX_TOPICS` topics stand individually, those with the smallest hashes and
names; the rest are merged into `MERGED` and the account is ``coarsened``: it is still scored, but exactness under order,
retraction and restatement is promised for the others only. A state that would pass `MAX_BYTES` halves those bounds. What updates
say may take `MAX_SAID_BYTES` of it; an update that would pass that is not learned. Retractions are exact for people who stand
individually; who is merged cannot be taken out as a person.

A row is a fixed header and a msgpack body. The header (format, last applied log offset, due day) is read without the body, so
that the index of due days is rebuilt quickly.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgspec

from engagement import records
from engagement.days import day_of
from engagement.errors import Refused
from engagement.records import Opportunity, Said, Signal, Update

FORMAT = 2
MAX_PEOPLE = 200
MAX_TOPICS = 64
MAX_BYTES = 256 * 1024
MAX_SAID_BYTES = 64 * 1024
MAX_RETRACTED = 2_000
"""Single events of the days that are kept that may be taken out of an account; a person's are not counted."""
NEWEST = 3
"""Event ids remembered per kind: the evidence that a tier change names."""
LONGEST_EVIDENCE = 64
"""Characters of an event id; longer ones are not remembered."""

ANONYMOUS = ""
MERGED = "*"
MERGED_TOPIC = ""
NEVER = 2**31 - 1
"""The due day of an account that silence cannot move."""
UNJUDGED = 0
"""The due day of an account that was never judged: the next day record judges it."""

_HEADER = struct.Struct("<Bqi")
_SIGNAL_BYTES = 512  # more than one signal adds in cells, a person and evidence, its texts apart
_CHARACTER_BYTES = 4  # the most that UTF-8 takes

Cells = dict[str, int]
"""Person -> count (or seconds) of one day."""


class KindHistory(msgspec.Struct, array_like=True):
    """One kind's cells and its newest events."""

    days: dict[int, Cells] = {}
    newest: list[tuple[int, str, str]] = []  # (occurred_at, event id, person), newest first
    seconds: dict[int, Cells] = {}  # of the signals that had some


class Standing(msgspec.Struct, array_like=True, frozen=True):
    """A rung held on one ladder."""

    rung: str
    since: int  # the rule day it was entered


class Pin(msgspec.Struct, array_like=True, frozen=True):
    """A person's decision where an account stands on one ladder."""

    rung: str
    reason: str | None
    author: str | None
    until: int | None  # the last rule day on which it holds


class AccountState(msgspec.Struct, array_like=True):
    """One account. A field that nobody has spoken of is None."""

    kinds: dict[str, KindHistory] = {}
    topics: dict[str, dict[int, Cells]] = {}  # topic -> day -> person -> count
    roles: dict[str, str | None] = {}  # everyone who stands individually -> what was last said
    standings: dict[str, Standing] = {}  # ladder -> rung; no entry is the bottom
    computed: dict[str, Standing | None] = {}  # ladder -> where it would stand without its pin
    falls: dict[str, dict[str, int]] = {}  # ladder -> rung with a cool-down -> the rule day of the last fall from it
    sequence: int = 0  # of its last tier change
    max_people: int = MAX_PEOPLE
    max_topics: int = MAX_TOPICS
    coarsened: bool = False
    oldest: int = NEVER  # no count is of an earlier day
    retracted: dict[int, list[int]] = {}  # day -> hashes of the event ids that were taken out
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
    pins: dict[str, Pin] = {}  # ladder -> pin

    def count(self, signal: Signal) -> bool:
        """Count a signal. True where it did more than add: a role became known or another, or something was merged.

        What is counted may grow beyond `MAX_BYTES`: see `Row.count`.
        """
        history = self.kinds.get(signal.kind)
        if history is None:
            history = self.kinds[signal.kind] = KindHistory()
        day = day_of(signal.occurred_at)
        self.oldest = min(self.oldest, day)
        was_coarsened = self.coarsened
        person = self.counted_as(signal.person)
        self.coarsened |= person == MERGED
        _add(history.days, day, person, 1)
        if signal.seconds:
            _add(history.seconds, day, person, signal.seconds)
        if signal.topic is not None:
            _add(self.topics.setdefault(signal.topic.casefold(), {}), day, person, 1)
        newest = history.newest
        if (len(newest) < NEWEST or signal.occurred_at >= newest[-1][0]) and len(signal.id) <= LONGEST_EVIDENCE:
            newest.append((signal.occurred_at, signal.id, person))
            newest.sort(reverse=True)
            del newest[NEWEST:]
        changed = person not in (ANONYMOUS, MERGED) and self._say_role(person, signal.role)
        return self._merge_beyond() or changed or self.coarsened != was_coarsened

    def counted_as(self, person: str | None) -> str:
        """Say under whom a person's signals are counted: the person, `ANONYMOUS`, or `MERGED` for one beyond the bound."""
        if person is None:
            return ANONYMOUS
        is_beyond = len(self.roles) >= self.max_people and person not in self.roles and person > max(self.roles, default="")
        return MERGED if is_beyond else person

    def learn(self, update: Update) -> bool:
        """Take what an update says; a field that is not there stays, None clears.

        False, and nothing has changed, where all that updates said of the account would take more than `MAX_SAID_BYTES`, or more than
        `MAX_RETRACTED` events would be taken out.
        """
        said = update.fields
        before = {name: getattr(self, name) for name in _SAID_FIELDS}
        self._take_in(said, day_of(update.occurred_at))
        retraction = said.get("retract") or {}
        events = retraction.get("events", ())
        too_many = sum(map(len, self.retracted.values())) + len(events) > MAX_RETRACTED
        if too_many or len(_encode([getattr(self, name) for name in _SAID_FIELDS])) > MAX_SAID_BYTES:
            for name, value in before.items():
                setattr(self, name, value)
            return False
        for event in events:
            self._take_out(event)
        person = retraction.get("person")
        if person is not None:
            self._take_out_person(person)
        for contact, role in (said.get("contacts") or {}).items():
            self._say_role(contact, role)
        self._merge_beyond()
        return True

    def _take_in(self, said: Said, day: int) -> None:
        """Take what is said of the account itself on ``day``. Replaces values, never changes one in place."""
        for name in _PLAIN_FIELDS:
            if name in said:
                setattr(self, name, said[name])  # type: ignore[literal-required]  # the names are those of `Said`
        if "attributes" in said:
            self.attributes = _merged(self.attributes, said["attributes"])
        if "disposition" in said:
            disposition = said["disposition"]
            self.disposition = None if disposition is None else disposition["status"]
            self.disposition_day = None if disposition is None else day
        if "opportunity" in said:
            deal = said["opportunity"]
            self.opportunities = {} if deal is None else self.opportunities | {deal["id"]: _deal(deal)}
        if "pin" in said:
            self.pins = _pinned(self.pins, said["pin"])

    def forget_before(self, day: int) -> None:
        """Drop the cells of earlier days; the newest event ids and what was said of people stay."""
        if self.oldest >= day:
            return
        self.oldest = NEVER
        for cells in self._cells():
            for each in [each for each in cells if each < day]:
                del cells[each]
            self.oldest = min(self.oldest, min(cells, default=NEVER))
        self.topics = {topic: days for topic, days in self.topics.items() if days}
        self.retracted = {each: hashes for each, hashes in self.retracted.items() if each >= day}

    def _cells(self) -> Iterator[dict[int, Cells]]:
        for history in self.kinds.values():
            yield history.days
            yield history.seconds
        yield from self.topics.values()

    def _say_role(self, person: str, role: str | None) -> bool:
        """Note a person and, where one is said, the role. True where that was not known before."""
        before = self.roles.setdefault(person, None)
        if role is None or role == before:
            return False
        self.roles[person] = role
        return True

    def _take_out(self, event: records.RetractedEvent) -> None:
        """Take one event out of its cell, once; what was not counted as it says is left as it is, and may be corrected later."""
        day, person = event["day"], self.counted_as(event.get("person"))
        hashed = int.from_bytes(blake2b(event["id"].encode(), digest_size=6).digest())
        history = self.kinds.get(event["kind"])
        if history is None or person not in history.days.get(day, {}) or hashed in self.retracted.get(day, ()):
            return
        self.retracted.setdefault(day, []).append(hashed)
        _subtract(history.days, day, person, 1)
        _subtract(history.seconds, day, person, event.get("seconds") or 0)
        history.newest = [each for each in history.newest if each[1] != event["id"]]
        topic = event.get("topic")
        if topic is not None:
            _subtract(self.topics.get(topic.casefold(), self.topics.get(MERGED_TOPIC, {})), day, person, 1)

    def _take_out_person(self, person: str) -> None:
        for cells in self._cells():
            for day in list(cells):
                if cells[day].pop(person, None) is not None and not cells[day]:
                    del cells[day]
        for history in self.kinds.values():
            history.newest = [each for each in history.newest if each[2] != person]
        self.roles.pop(person, None)

    def fit_into(self, most: int) -> tuple[bool, int]:
        """Halve the bounds until the state takes at most ``most`` bytes; gives whether anything was merged, and the bytes it takes."""
        merged = False
        while (size := len(_encode(self))) > most and self.max_people + self.max_topics > 0:
            if self.max_people > 0:
                self.max_people //= 2
            else:
                self.max_topics //= 2
            merged |= self._merge_beyond()
        return merged, size

    def _merge_beyond(self) -> bool:
        """Keep the people with the smallest hashes and the topics with the smallest names, merge the rest. True where any was merged."""
        merged = len(self.roles) > self.max_people and self._merge_people()
        return (len(self.topics) > self.max_topics and self._merge_topics()) or merged

    def _merge_people(self) -> bool:
        merged = sorted(self.roles)[self.max_people :]
        for person in merged:
            del self.roles[person]
            for days in self._cells():
                for cells in days.values():
                    if person in cells:
                        cells[MERGED] = cells.get(MERGED, 0) + cells.pop(person)
        self.coarsened |= bool(merged)
        return bool(merged)

    def _merge_topics(self) -> bool:
        merged = sorted(self.topics.keys() - {MERGED_TOPIC})[self.max_topics :]
        for topic in merged:
            together = self.topics.setdefault(MERGED_TOPIC, {})
            for day, cells in self.topics.pop(topic).items():
                for person, count in cells.items():
                    _add(together, day, person, count)
        self.coarsened |= bool(merged)
        return bool(merged)


@dataclass(slots=True, kw_only=True)
class Row:
    """An account's row in the changelog. What is not stored begins anew whenever it is read, and shows nowhere."""

    state: AccountState
    applied: int  # log offset of the last record applied
    due: int  # the first rule day on which silence may move it, or `NEVER`
    size: int = field(default=0, compare=False)  # bytes that the state takes at most; not stored

    def count(self, signal: Signal) -> bool:
        """Count a signal (see `AccountState.count`) and keep the state within `MAX_BYTES`.

        Decided on every record, not when a step is written: the borders between steps must not show.
        """
        changed = self.state.count(signal)
        texts = len(signal.id) + len(signal.kind) + len(signal.topic or "") + len(signal.role or "")
        return self._keep_within(_SIGNAL_BYTES + texts * _CHARACTER_BYTES) or changed

    def learn(self, update: Update) -> bool:
        """Take what an update says (see `AccountState.learn`) and keep the state within `MAX_BYTES`."""
        learned = self.state.learn(update)
        self._keep_within(MAX_BYTES)  # it may say anything: measured
        return learned

    def _keep_within(self, more: int) -> bool:
        self.size += more
        if self.size <= MAX_BYTES:
            return False
        merged, self.size = self.state.fit_into(MAX_BYTES)
        return merged


def encode(row: Row) -> bytes:
    """Row as bytes, for `decode`."""
    return _HEADER.pack(FORMAT, row.applied, row.due) + _encode(row.state)


def decode(stored: bytes) -> Row:
    """Bytes as a row. Raises `Refused` for a format that this version does not know."""
    applied, due = header(stored)
    return Row(state=_decode(memoryview(stored)[_HEADER.size :]), applied=applied, due=due, size=len(stored))


def header(stored: bytes) -> tuple[int, int]:
    """(last applied log offset, due day) without decoding the body. Raises `Refused` for an unknown format."""
    if len(stored) < _HEADER.size or stored[0] != FORMAT:
        found = stored[0] if stored else "nothing"
        remedy = "run the version that wrote it, or rebuild by a replay"
        raise Refused(f"accounts-changelog: a row has format {found}, this version reads {FORMAT}; {remedy}")
    _, applied, due = _HEADER.unpack_from(stored)
    return applied, due


def _add(days: dict[int, Cells], day: int, person: str, more: int) -> int:
    cells = days.get(day)
    if cells is None:
        cells = days[day] = {}
    total = cells[person] = cells.get(person, 0) + more
    return total


def _subtract(days: dict[int, Cells], day: int, person: str, less: int) -> None:
    """Take out of a cell; what becomes empty goes."""
    cells = days.get(day, {})
    left = cells.get(person, 0) - less
    if left > 0:
        cells[person] = left
    elif person in cells:
        del cells[person]
        if not cells:
            del days[day]


def _merged(known: Mapping[str, Any], said: Mapping[str, Any] | None) -> dict[str, Any]:
    if said is None:
        return {}
    return {key: value for key, value in {**known, **said}.items() if value is not None}


def _deal(said: Opportunity) -> dict[str, Any]:
    return {"stage": said["stage"], "amount": said.get("amount")}


def _pinned(pins: Mapping[str, Pin], said: records.Pin | None) -> dict[str, Pin]:
    if said is None:
        return {}
    rest = {ladder: pin for ladder, pin in pins.items() if ladder != said["ladder"]}
    if said["rung"] is None:
        return rest
    return rest | {said["ladder"]: Pin(said["rung"], said.get("reason"), said.get("author"), said.get("until"))}


_PLAIN_FIELDS = ("crm_id", "name", "domains", "owner", "region", "strategic", "listed_tier", "expected_ltv", "relationship")
_SAID_FIELDS = (*_PLAIN_FIELDS, "attributes", "disposition", "disposition_day", "opportunities", "pins")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AccountState).decode
