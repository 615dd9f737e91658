"""What is remembered of one account: raw counts (see `engagement.counts`), what updates said, and where it stands.

Signals of the accounts below it are counted apart, in ``below``: nothing that is said of the account itself depends on them. A state that
would pass `MAX_BYTES` halves the bounds of its counts, those of ``below`` first. What updates say may take `MAX_SAID_BYTES` of it; an
update that would pass that is not learned.

People whose hash was made under a key that is being replaced (``was``, in a record) are renamed, once, in all that is remembered of them,
and are counted under their new name from then on, whichever of the two a later record has: unlike ``same`` it is never taken back.

A row is a fixed header and a msgpack body. The header (format, last applied log offset, due day) is read without the body, so
that the index of due days is rebuilt quickly.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgspec

from engagement import records
from engagement.counts import MAX_PEOPLE, MERGED, NEVER, Counts
from engagement.days import day_of
from engagement.errors import Refused
from engagement.records import Opportunity, Said, Signal, Update
from engagement.sayings import Sayings, chosen, heard, renamed, whoever, without

FORMAT = 3
MAX_BYTES = 256 * 1024
MAX_SAID_BYTES = 64 * 1024
MAX_RETRACTED = 2_000
"""Single events of the days that are kept that may be taken out of an account; a person's are not counted."""
MAX_NAMES_BELOW = 32
"""Accounts below that are remembered by name, those with the smallest; their signals are all counted."""
MAX_FORMERLY = 2 * MAX_PEOPLE
"""Former names that are known of people, those that were learned last: enough for all who stand individually, here and below."""
UNJUDGED = 0
"""The due day of an account that was never judged: the next day record judges it. That of one which silence cannot move is `NEVER`."""

_HEADER = struct.Struct("<Bqi")
_SIGNAL_BYTES = 512  # more than one signal adds in cells, a person and evidence, its texts apart
_CHARACTER_BYTES = 4  # the most that UTF-8 takes


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


class AccountState(Counts, array_like=True):
    """One account. A field that nobody has spoken of is None."""

    standings: dict[str, Standing] = msgspec.field(default_factory=dict)  # ladder -> rung; no entry is the bottom
    computed: dict[str, Standing | None] = msgspec.field(default_factory=dict)  # ladder -> where it would stand without its pin
    falls: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)  # ladder -> rung with a cool-down -> day of the last fall
    sequence: int = 0  # of its last tier change
    retracted: dict[int, list[int]] = msgspec.field(default_factory=dict)  # day -> hashes of the event ids that were taken out
    crm_id: str | None = None
    name: str | None = None
    domains: list[str] | None = None
    owner: str | None = None
    region: str | None = None
    strategic: bool | None = None
    listed_tier: int | None = None
    expected_ltv: int | None = None
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    relationship: str | None = None
    disposition: str | None = None  # the latest status
    disposition_day: int | None = None
    opportunities: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)  # id -> stage, amount
    pins: dict[str, Pin] = msgspec.field(default_factory=dict)  # ladder -> pin
    same: dict[str, str] = msgspec.field(default_factory=dict)  # person -> the person that it is, by `sayings`; see `engagement.together`
    below: Counts | None = None  # signals of the accounts below; None where there never were any
    names_below: dict[str, int] = msgspec.field(default_factory=dict)  # account below -> the day of its newest signal
    formerly: dict[str, str] = msgspec.field(default_factory=dict)  # person's hash under a former key -> under the latest
    sayings: Sayings = msgspec.field(default_factory=dict)  # what visitors say of people

    @property
    def has_below(self) -> bool:
        """Whether any signal from below is kept."""
        return self.below is not None and self.below.oldest != NEVER

    def knows(self, person: str) -> bool:
        """Whether anything is kept of a person: what they did, whom they are said to be, or a former name."""
        all_counts = (self,) if self.below is None else (self, self.below)
        said = {name for one, others in self.sayings.items() for name in (one, *others)}
        return any(person in counts.roles for counts in all_counts) or person in said or person in self.names_of(person)

    def names_of(self, person: str) -> set[str]:
        """Name every hash that is known to be a person's, where there are several."""
        name = self.named(person)
        former = {each for each, one in self.formerly.items() if one == name}
        return former | {name} if former else set()

    def named(self, person: str) -> str:
        """Give a person's hash under the latest key, as far as it is known."""
        return self.formerly.get(person, person)

    def rename(self, was: str, person: str) -> bool:
        """Learn that ``was`` is what a person's hash was under a former key. True where something was known of that one."""
        was, person = self.named(was), self.named(person)
        all_counts = [self] if self.below is None else [self, self.below]
        if was == person or not any(was in counts.roles or counts.counted_as(person) != MERGED for counts in all_counts):
            return False  # or nobody who is told apart
        self.formerly = {each: person if one == was else one for each, one in self.formerly.items()} | {was: person}
        while len(self.formerly) > MAX_FORMERLY:
            del self.formerly[next(iter(self.formerly))]
        is_said = was in self.sayings or any(was in ones for ones in self.sayings.values())
        if is_said:
            self._take_sayings(renamed(self.sayings, was, person))
        are_renamed = [counts.rename_person(was, person) for counts in all_counts]
        return any(are_renamed) or is_said

    def take(self, signal: Signal) -> bool:
        """Count a signal of the account, or of one below it; see `Counts.count`."""
        signal = self._by_name(signal)
        return self.count(signal) if signal.via is None else self.count_below(signal, signal.via)

    def count_below(self, signal: Signal, account: str) -> bool:
        """Count a signal of an account below this one; see `Counts.count`."""
        if self.below is None:
            self.below = Counts(max_topics=0)
        self.names_below[account] = max(self.names_below.get(account, 0), day_of(signal.occurred_at))
        if len(self.names_below) > MAX_NAMES_BELOW:
            del self.names_below[max(self.names_below)]
        return self.below.count(msgspec.structs.replace(signal, topic=None))  # what surges below is asked by nobody

    def undo(self, signal: Signal) -> bool:
        """Take out again what was counted as ``signal`` says; see `Counts.take_out`. False where it was not there, or was retracted."""
        day = day_of(signal.occurred_at)
        if self._forget_retraction(signal.id, day):
            return False
        counts = self if signal.via is None else self.below
        if counts is None:
            return False
        signal = self._by_name(signal)
        return counts.take_out(signal.id, kind=signal.kind, day=day, person=signal.person, topic=signal.topic, seconds=signal.seconds)

    def who(self, signal: Signal) -> str:
        """As whom its person is counted on evaluation."""
        counts = self if signal.via is None or self.below is None else self.below
        person = counts.counted_as(self._by_name(signal).person)
        return whoever(person, self.same) if self.same else person

    def may_have_role(self, person: str) -> bool:
        """Whether a person, as `who` names it, may be evaluated as one with a role: known here, or below for what is rolled up."""
        below = None if self.below is None else self.below.roles.get(person)
        return bool(self.same) or self.roles.get(person) is not None or below is not None

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
        for person, was in said.get("was", {}).items():
            self.rename(was, person)
        for event in events:
            self._retract(event)
        retracted = retraction.get("person")
        if retracted is not None:
            self._retract_person(self.named(retracted))
        for contact, role in (said.get("contacts") or {}).items():
            self.say_role(self.named(contact), role)
        self.merge_beyond()
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
        for people, more in ((said.get("same"), 1), (said.get("differ"), -1)):
            if people is not None:
                was = said.get("was", {})  # of which it learns only after this
                named = {self.named(was.get(person, person)): self.named(was.get(one, one)) for person, one in people.items()}
                self._take_sayings(heard(self.sayings, named, more))

    def forget_before(self, day: int) -> None:
        """Drop the cells of earlier days; the newest event ids and what was said of people stay."""
        if (self.oldest if self.below is None else min(self.oldest, self.below.oldest)) >= day:
            return
        super().forget_before(day)
        self.retracted = {each: hashes for each, hashes in self.retracted.items() if each >= day}
        if self.below is not None:
            self.below.forget_before(day)
            self.names_below = {name: newest for name, newest in self.names_below.items() if newest >= day}

    def fit_into(self, most: int) -> tuple[bool, int]:
        """Narrow what was counted until the state takes at most ``most`` bytes; gives whether anything was merged, and the bytes it takes.

        The accounts below come first, since the account's own counts must not depend on theirs; where even their merged counts are too
        much, they begin anew.
        """
        merged = False
        while (size := len(_encode(self))) > most:
            if self.below is not None and not self.below.is_narrowest:
                merged |= self.below.narrow()
            elif self.below is not None and self.below.kinds:
                self.below, self.names_below, merged = Counts(max_people=0, max_topics=0, coarsened=True), {}, True
            elif not self.is_narrowest:
                merged |= self.narrow()
            else:
                break
        return merged, size

    def _retract(self, event: records.RetractedEvent) -> None:
        """Take one event out, once; what was not counted as it says is left as it is, and may be corrected later."""
        hashed, day, person = _hashed(event["id"]), event["day"], event.get("person")
        if hashed in self.retracted.get(day, ()):
            return
        for counts in (self, self.below):
            if counts is not None and counts.take_out(
                event["id"],
                kind=event["kind"],
                day=day,
                person=None if person is None else self.named(person),
                topic=event.get("topic"),
                seconds=event.get("seconds"),
            ):
                self.retracted.setdefault(day, []).append(hashed)
                return

    def _forget_retraction(self, event: str, day: int) -> bool:
        """Whether the event was retracted, which it is no more: it may come again, and be retracted again."""
        hashes = self.retracted.get(day)
        if hashes is None or (hashed := _hashed(event)) not in hashes:
            return False
        hashes.remove(hashed)
        if not hashes:
            del self.retracted[day]
        return True

    def _retract_person(self, person: str) -> None:
        """Take out a person, what the person did here and below, whom it was said to be, and its former names."""
        self.take_out_person(person)
        if self.below is not None:
            self.below.take_out_person(person)
        self._take_sayings(without(self.sayings, person))
        self.formerly = {each: one for each, one in self.formerly.items() if one != person}

    def _by_name(self, signal: Signal) -> Signal:
        """Give the signal as one of its person under the latest key."""
        now = None if signal.person is None else self.formerly.get(signal.person)
        return signal if now is None else msgspec.structs.replace(signal, person=now)

    def _take_sayings(self, sayings: Sayings) -> None:
        self.sayings = sayings
        self.same = chosen(sayings)


@dataclass(slots=True, kw_only=True)
class Row:
    """An account's row in the changelog. What is not stored begins anew whenever it is read, and shows nowhere."""

    state: AccountState
    applied: int  # log offset of the last record applied
    due: int  # the first rule day on which silence may move it, or `NEVER`
    size: int = field(default=0, compare=False)  # bytes that the state takes at most; not stored

    def count(self, signal: Signal) -> bool:
        """Count a signal of the account or of one below it (see `Counts.count`), and keep the state within `MAX_BYTES`.

        True also where its person was known under a former key's hash.
        Decided on every record, not when a step is written: the borders between steps must not show.
        """
        is_renamed = signal.was is not None and signal.person is not None and self.state.rename(signal.was, signal.person)
        changed = self.state.take(signal)
        texts = len(signal.id) + len(signal.kind) + len(signal.topic or "") + len(signal.role or "") + len(signal.via or "")
        more = MAX_BYTES if is_renamed else _SIGNAL_BYTES + texts * _CHARACTER_BYTES  # in all cells, and a name may be longer: measured
        return self._keep_within(more) or changed or is_renamed

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


def header(stored: bytes, place: str = "accounts-changelog") -> tuple[int, int]:
    """(last applied log offset, due day) without decoding the body. Raises `Refused` for an unknown format, which names ``place``."""
    if len(stored) < _HEADER.size or stored[0] != FORMAT:
        found = stored[0] if stored else "nothing"
        remedy = "run the version that wrote it, or, if somebody else wrote it, restore the topic from a backup or rebuild by a replay"
        raise Refused(f"{place}: a row has format {found}, this version reads {FORMAT}; {remedy}")
    _, applied, due = _HEADER.unpack_from(stored)
    return applied, due


def _hashed(event: str) -> int:
    return int.from_bytes(blake2b(event.encode(), digest_size=6).digest())


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
_SAID_FIELDS = (*_PLAIN_FIELDS, "attributes", "disposition", "disposition_day", "opportunities", "pins", "same", "sayings")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AccountState).decode
