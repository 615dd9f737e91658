"""The intake fold: input records in, the account log's records out.

Every input record has exactly one fate, counted in `IntakePosition.fates`::

    in = counted + filtered:<reason> + dead:<reason>        (``rerouted`` apart: the re-appended copy is the one that is "in")

The checks stand in an order in which a record's fate depends on that record and on earlier ones of its own topic and partition, never on
another topic or on where a step ends:

1. What cannot be read is dead where it lies (``empty_value``, ``too_large``, ``malformed_json``, ``unknown_version``, ``invalid``), and so
   is what was received at no time that can be (``invalid``). It is never sent on, so it cannot go round.
2. A missing key is taken from the event (``no_key`` where it has none).
3. A record whose partition is not its key's is re-appended to the right one, once: its copy says so in headers, and where the copy is in a
   wrong partition too, it is dead (``misrouted``). The copy keeps the original's received time and coordinates.
4. What the rulebook and the event itself say (`engagement.intake_verdict`).
5. What is not dead and has an id that was accepted lately is ``filtered:duplicate`` (`engagement.duplicates`).

No clear address of a person goes into the account log; dead letters and re-appended records hold the original bytes.
"""

from collections.abc import Mapping, Sequence

import msgspec

from engagement.days import EARLIEST, LATEST, iso_instant
from engagement.decoding import Dead, Decoded, decode
from engagement.duplicates import AcceptedIds, family_and_first, vouched
from engagement.errors import Refused
from engagement.events import Family
from engagement.identity import Identity
from engagement.intake_records import Arrival, arrival, copy_for, dead_letter
from engagement.intake_verdict import Judge
from engagement.machine import NO_STOPS, POSITION_KEY, RESERVED_KEYS, Output, Position, Record, Step, Table
from engagement.records import Read, encode
from engagement.rulebook import Rulebook

FORMAT = 1
ACCOUNT_LOG = "account-log"
LARGEST_VALUE = 1_000_000
LARGEST_KEY = 1_024
"""Bytes. A name has at most 256 characters, so no proper key is longer."""

_KEY_FIELDS = {
    Family.WEB_VISITS: ("visitor_id",),
    Family.INTENT_SIGNALS: ("account", "email", "visitor_id"),
    Family.ACCOUNT_UPDATES: ("account",),
}
"""The fields of an event that its key is taken from, the best first."""


class IntakePosition(Position, kw_only=True, omit_defaults=True):
    """Where intake stands in a partition of its three topics."""

    accepted: dict[str, int] = {}  # noqa: RUF012 - as below; family -> how many ids were accepted
    anew: dict[str, int] = {}  # noqa: RUF012 - as below; topic (full name) -> how often it was made anew and that loss was accepted
    people: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it; id of each key under which people were hashed -> its fingerprint


class Intake:
    """`engagement.machine.Fold` over the three input topics of one partition number."""

    def __init__(self, *, families: Mapping[str, Family], partition: int, rulebook: Rulebook, identity: Identity) -> None:
        """``families``: full topic name -> family."""
        self._families = families
        self._partition = partition
        self._identity = identity
        self._judge = Judge(rulebook, identity)
        self._ids = {
            family: AcceptedIds(family, window=rulebook.intake.dedupe_window, count=rulebook.intake.dedupe_count) for family in Family
        }
        self._table = Table()
        self._position = IntakePosition()
        self._written: dict[bytes, list[bytes]] = {}  # while state is restored: all that each key's row ever was

    def use(self, rulebook: Rulebook) -> None:
        """Settle by ``rulebook`` what comes in the steps after this. A step that was made before can still be accepted."""
        self._judge = Judge(rulebook, self._identity)
        for ids in self._ids.values():
            ids.remember(window=rulebook.intake.dedupe_window, count=rulebook.intake.dedupe_count)

    @property
    def position(self) -> IntakePosition:
        """As last accepted or loaded."""
        return self._position

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take one changelog record, in order, while state is restored."""
        if key == POSITION_KEY and value is not None:
            position = msgspec.json.decode(value, type=IntakePosition)
            if _reached(position) >= _reached(self._position):
                self._position = position
        elif value is None:
            self._written.pop(key, None)
        elif key not in RESERVED_KEYS:
            self._written.setdefault(key, []).append(value)
        self._table.accept({key: value})

    def loaded(self, *, exact: bool = True) -> None:
        """Raise `Refused` where what was read is not the whole state."""
        self._table.check(self._position, self._place, exact=exact)
        if not exact:  # ids that are ahead of the position would make their own events duplicates
            ends = self._position.accepted
            there = {key: self._written[key] for key in self._table}
            kept = [vouched(there, family, ends.get(family.value, 0)) for family in Family]
            self._table.keep(self._position, {key: row for rows in kept for key, row in rows.items()})
        self._written.clear()
        key_id = self._identity.key_id
        if self._position.people.get(key_id, self._identity.fingerprint) != self._identity.fingerprint:
            raise Refused(
                f"{self._place}: people were hashed under another key of the id {key_id!r}, and would all be counted twice under this one; "
                "set MQA_PERSON_SECRET as it was, or name the new key with MQA_PERSON_KEY_ID"
            )
        for key in sorted(self._table):
            self._remember(key, self._table[key])

    def step(self, records: Sequence[Record], limit: int, stops: Mapping[str, int] = NO_STOPS) -> Step:
        """Fold at most ``limit`` records that are new."""
        for ids in self._ids.values():
            ids.begin()
        before = self._position
        following, fates, dead_run = dict(before.next), dict(before.fates), before.dead_run
        outputs: list[Output] = []
        consumed = folded = 0
        for record in records:
            if record.offset >= following.get(record.topic, 0):
                if folded == limit:
                    break
                folded += 1
                fate = self._settle(record, outputs)
                fates[fate] = fates.get(fate, 0) + 1
                if fate != "rerouted":
                    fates["in"] = fates.get("in", 0) + 1
                    dead_run = dead_run + 1 if fate.startswith("dead:") else 0
                following[record.topic] = record.offset + 1
            consumed += 1
        anew = before.anew
        if consumed == len(records):
            for topic, stop in stops.items():
                if stop < following.get(topic, 0):
                    anew = anew | {topic: anew.get(topic, 0) + 1}
            following |= stops
        for ids in self._ids.values():
            self._table.overlay.update(ids.changes())
        changelog, rows, digest = self._table.take(before.rows, before.digest)
        people = before.people | {self._identity.key_id: self._identity.fingerprint}
        position = IntakePosition(
            next=following,
            rows=rows,
            digest=digest,
            fates=fates,
            dead_run=dead_run,
            accepted={family.value: ids.end for family, ids in self._ids.items()},
            anew=anew,
            people=people,
        )
        changelog[POSITION_KEY] = msgspec.json.encode(position)
        moved = {topic: offset for topic, offset in following.items() if offset != before.next.get(topic)}
        return Step(changelog, outputs, moved, consumed, position)

    def accept(self, step: Step) -> None:
        """``step`` is committed: make it the state."""
        assert isinstance(step.position, IntakePosition)
        self._table.accept(step.changelog)
        for key, value in step.changelog.items():
            if key not in RESERVED_KEYS:
                self._remember(key, value)
        self._position = step.position

    @property
    def _place(self) -> str:
        return f"intake-changelog, partition {self._partition}"

    def _remember(self, key: bytes, row: bytes | None) -> None:
        family, first = family_and_first(key)
        self._ids[family].apply(first, row)

    def _settle(self, record: Record, outputs: list[Output]) -> str:
        """Find the record's fate; append to ``outputs`` what it leaves behind."""
        family = self._families[record.topic]
        came = arrival(record, family)
        try:
            decoded = _decoded(record, family)
            _check_received(came.received_at)
            key = _key_of(record, family, decoded)
            elsewhere = self._elsewhere(record, came, key)
            if elsewhere is not None:
                outputs.append(copy_for(record, came, key, elsewhere))
                return "rerouted"
            verdict = self._judge.judge(family, decoded, came.received_at, came.source, self._read(record, came))
        except Dead as dead:
            outputs.append(dead_letter(record, came, dead))
            return f"dead:{dead.reason}"
        if not self._ids[family].add(decoded.event.id, came.received_at):
            return "filtered:duplicate"
        if verdict.account is not None:
            account = verdict.account.encode()
            to = self._identity.partition_of(account)
            outputs.append(Output(ACCOUNT_LOG, account, encode(verdict.entry), to, timestamp=came.received_at))
        return verdict.fate

    def _read(self, record: Record, came: Arrival) -> Read | None:
        """Say where a record was read, where its source does not: it is a copy, or its topic was made anew."""
        anew = self._position.anew.get(record.topic, 0)
        return (record.partition, record.offset, anew) if came.again or anew else None

    def _elsewhere(self, record: Record, came: Arrival, key: bytes) -> int | None:
        """Name the partition that the record belongs into; None where it lies in it. Raises `Dead` (``misrouted``)."""
        partition = self._identity.partition_of(key)
        if partition == record.partition:
            return None
        if came.again:
            raise Dead("misrouted", f"partition = {record.partition}: the key's is {partition}, and this is a re-appended copy already")
        return partition


def _reached(position: IntakePosition) -> tuple[int, int]:
    """Order positions: of two that are of one unit the greater has read more, and none of what it has not read is lost."""
    return sum(position.anew.values()), sum(position.next.values())


def _decoded(record: Record, family: Family) -> Decoded:
    """Decode a record's value. Raises `Dead`."""
    if not record.value:
        raise Dead("empty_value", "the record has no value")
    if len(record.value) > LARGEST_VALUE:
        raise Dead("too_large", f"value of {len(record.value)} bytes: at most {LARGEST_VALUE} are taken")
    if record.key is not None and len(record.key) > LARGEST_KEY:
        raise Dead("too_large", f"key of {len(record.key)} bytes: at most {LARGEST_KEY} are taken")
    return decode(family, record.value)


def _check_received(received_at: int) -> None:
    """Raise `Dead` (``invalid``) for a Kafka time at which nothing was received: neither a copy nor a log record could carry it."""
    if not EARLIEST <= received_at < LATEST:
        first, end = iso_instant(EARLIEST), iso_instant(LATEST)
        raise Dead("invalid", f"the record's timestamp = {received_at}: Input should be milliseconds from {first} until before {end}")


def _key_of(record: Record, family: Family, decoded: Decoded) -> bytes:
    """Give the record's key; where it has none, the one its producer should have given it. Raises `Dead` (``no_key``)."""
    if record.key is not None:
        return record.key
    said = (getattr(decoded.event, field) for field in _KEY_FIELDS[family])
    key: str | None = next((text for text in said if text is not None), None)
    if key is None:
        raise Dead("no_key", f"the record has no key, and the event none of {', '.join(_KEY_FIELDS[family])}")
    return key.encode()
