"""The intake fold: input records in, the account log's records out.

Every input record has exactly one fate, counted in `IntakePosition.fates`::

    in = counted + waiting + filtered:<reason> + dead:<reason>        (see `engagement.fates` for what stands apart)

The checks stand in an order in which a record's fate depends on that record and on earlier ones of its own topic and partition, never on
another topic or on where a step ends:

0. What is written in another format is sent on as events of ours (`engagement.intake_formats`); what of it is nothing to us is filtered,
   what cannot be used is dead. A batch ends as often as it holds events that are not sent on.
1. What cannot be read is dead where it lies (``empty_value``, ``too_large``, ``malformed_json``, ``unknown_version``, ``invalid``), and so
   is what was received at no time that can be (``invalid``). It is never sent on, so it cannot go round.
2. A missing key is taken from the event (``no_key`` where it has none).
3. A record whose partition is not its key's is re-appended to the right one, once: its copy says so in headers, and where the copy is in a
   wrong partition too, it is dead (``misrouted``). The copy keeps the original's received time and coordinates.
4. What the rulebook and the event itself say (`engagement.intake_verdict`).
5. What is not dead and has an id that was accepted lately is ``filtered:duplicate`` (`engagement.duplicates`).
6. A web visit may depend on who its visitor is, or say it (`engagement.attribution`): then earlier visits of that visitor, which waited or
   were counted, get another fate. What an intent signal says of a visitor goes to that one's partition as an ``identify``; one that says
   nothing else goes there itself, as a web visit, and this is its end (``to_visitor``).

Of every event that ends filtered, at once or later, a record without its content says where it lies (`engagement.filtered`).

No clear address of a person goes into the account log; dead letters and re-appended records hold the original bytes, and contact lists go
into a topic of their own (`engagement.contacts`).
"""

from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from engagement.adapters.formats import format_of
from engagement.adapters.mapping import Mapping as FormatMapping
from engagement.attribution import Attribution, Occasion
from engagement.contacts import contact_rows
from engagement.days import EARLIEST, LATEST, iso_instant
from engagement.dead_letters import dead_letter
from engagement.decoding import Dead, Decoded, decode
from engagement.duplicates import AcceptedIds, family_and_first, vouched
from engagement.errors import Refused
from engagement.events import KEY_FIELDS, AccountUpdate, Family, IntentSignal, WebVisit, key_of
from engagement.fates import ADAPTED, COUNTED, TO_VISITOR, WAITING, Fates
from engagement.filtered import Ends
from engagement.identity import Identity
from engagement.intake_formats import Foreign, send_on
from engagement.intake_records import Arrival, arrival, copy_for, derived_identify, derived_visit
from engagement.intake_verdict import NO_KIND, Judge
from engagement.log_entries import LogEntries
from engagement.machine import NO_STOPS, POSITION_KEY, RESERVED_KEYS, Output, Position, Record, Step, Table
from engagement.resolution import Link
from engagement.rulebook import Rulebook
from engagement.visitors import Restoring, Visitors, is_visitor_key, read_at, waiting

FORMAT = 1
LARGEST_VALUE = 1_000_000
LARGEST_KEY = 1_024
"""Bytes. A name has at most 256 characters, so no proper key is longer."""


class IntakePosition(Position, kw_only=True, omit_defaults=True):
    """Where intake stands in a partition of its three topics."""

    accepted: dict[str, int] = {}  # noqa: RUF012 - as below; family -> how many ids were accepted
    anew: dict[str, int] = {}  # noqa: RUF012 - as below; topic (full name) -> how often it was made anew and that loss was accepted
    seen: int = 0  # received time of the newest event that concerned a visitor, in ms; never falls
    people: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it; id of each key under which people were hashed -> its fingerprint


class Intake:
    """`engagement.machine.Fold` over the three input topics of one partition number."""

    def __init__(self, *, families: Mapping[str, Family], partition: int, rulebook: Rulebook, identity: Identity) -> None:
        """``families``: full topic name -> family."""
        self._families = families
        self._partition = partition
        self._identity = identity
        self._ids = {
            family: AcceptedIds(family, window=rulebook.intake.dedupe_window, count=rulebook.intake.dedupe_count) for family in Family
        }
        self._visitors = Visitors(rulebook.visitors)
        self._judge_by(rulebook)
        self._table = Table()
        self._position = IntakePosition()
        self._written: dict[bytes, list[bytes]] = {}  # while state is restored: all that each key's row ever was
        self._restoring = Restoring()

    def use(self, rulebook: Rulebook) -> None:
        """Settle by ``rulebook`` what comes in the steps after this. A step that was made before can still be accepted."""
        self._judge_by(rulebook)
        self._visitors.use(rulebook.visitors)
        for ids in self._ids.values():
            ids.remember(window=rulebook.intake.dedupe_window, count=rulebook.intake.dedupe_count)

    def _judge_by(self, rulebook: Rulebook) -> None:
        self._judge = Judge(rulebook, self._identity)
        self._attribution = Attribution(self._visitors, rulebook.visitors, self._judge.resolver)
        self._version = rulebook.version
        self._mapping = FormatMapping() if rulebook.adapters is None else rulebook.adapters

    @property
    def position(self) -> IntakePosition:
        """As last accepted or loaded."""
        return self._position

    @property
    def state_bytes(self) -> int:
        """See `engagement.machine.Fold`."""
        return self._table.size

    def link(self, visitor_id: str) -> Link | None:
        """Who a visitor is known to be, as last accepted."""
        return self._visitors.link(visitor_id)

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take one changelog record, in order, while state is restored."""
        if key == POSITION_KEY and value is not None:
            position = msgspec.json.decode(value, type=IntakePosition)
            if _reached(position) >= _reached(self._position):
                self._position = position
                self._table.accept(self._restoring.vouched(self._table.rows))
            self._restoring.begin()
        elif is_visitor_key(key):
            if self._restoring.takes(key, value, self._table.rows.get(key)):
                self._table.accept({key: value})
        elif value is None:
            self._written.pop(key, None)
            self._table.accept({key: None})
        elif key not in RESERVED_KEYS:
            self._written.setdefault(key, []).append(value)
            self._table.accept({key: value})

    def loaded(self, *, exact: bool = True) -> None:
        """Raise `Refused` where what was read is not the whole state."""
        self._table.check(self._position, self._place, exact=exact)
        if not exact:  # ids that are ahead of the position would make their own events duplicates
            ends = self._position.accepted
            there = {key: self._written[key] for key in self._table if not is_visitor_key(key)}
            kept = [vouched(there, family, ends.get(family.value, 0)) for family in Family]
            visitors = {key: row for key, row in self._table.rows.items() if is_visitor_key(key)}
            self._table.keep(self._position, visitors | {key: row for rows in kept for key, row in rows.items()})
            # Visits that rows ahead of the position have moved, its counters do not know of: counted, for all that can be known.
            left = sum(map(waiting, visitors.values()))
            self._position.fates = _with_waiting(self._position.fates, left)
        self._written.clear()
        self._restoring = Restoring()
        key_id = self._identity.key_id
        if self._position.people.get(key_id, self._identity.fingerprint) != self._identity.fingerprint:
            raise Refused(
                f"{self._place}: people were hashed under another key of the id {key_id!r}, and would all be counted twice under this one; "
                "set MQA_PERSON_SECRET as it was, or name the new key with MQA_PERSON_KEY_ID"
            )
        for key, row in sorted(self._table.rows.items(), key=_place_in_time):
            self._remember(key, row)

    def step(self, records: Sequence[Record], limit: int, stops: Mapping[str, int] = NO_STOPS) -> Step:
        """Fold at most ``limit`` records that are new; ends before it appends many more.

        `Step.tally` is by (family, kind, fate). What is dead has no kind, nor a visit that was filtered before its page was looked at.
        """
        for ids in self._ids.values():
            ids.begin()
        before = self._position
        self._visitors.begin(before.seen)
        following, fates, dead_run = dict(before.next), Fates(before.fates), before.dead_run
        outputs: list[Output] = []
        consumed = folded = 0
        tally: dict[tuple[str, ...], int] = {}
        for record in records:
            if record.offset >= following.get(record.topic, 0):
                if folded == limit or len(outputs) > limit:
                    break
                folded += 1
                fate, kind = self._settle(record, outputs, fates)
                fates.end(fate)
                what = (self._families[record.topic].value, kind, fate)
                tally[what] = tally.get(what, 0) + 1
                if fate not in {"rerouted", ADAPTED}:
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
        self._table.overlay.update(self._visitors.changes())
        changelog, rows, digest = self._table.take(before.rows, before.digest)
        people = before.people | {self._identity.key_id: self._identity.fingerprint}
        position = IntakePosition(
            next=following,
            rows=rows,
            digest=digest,
            fates=fates.counts,
            dead_run=dead_run,
            accepted={family.value: ids.end for family, ids in self._ids.items()},
            anew=anew,
            seen=self._visitors.clock,
            people=people,
        )
        changelog[POSITION_KEY] = msgspec.json.encode(position)
        moved = {topic: offset for topic, offset in following.items() if offset != before.next.get(topic)}
        return Step(changelog, outputs, moved, consumed, position, tally)

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
        if is_visitor_key(key):
            self._visitors.apply(key, row)
        else:
            family, first = family_and_first(key)
            self._ids[family].apply(first, row)

    def _settle(self, record: Record, outputs: list[Output], fates: Fates) -> tuple[str, str]:
        """Find the record's fate and kind; append to ``outputs`` what it leaves behind, and count what it moves."""
        family = self._families[record.topic]
        came = arrival(record, family)
        anew = self._position.anew.get(record.topic, 0)
        read = (record.partition, record.offset, anew)
        ends = Ends(fates, outputs, came, read)
        try:
            value = _checked_value(record)
            written_in = None if came.again else format_of(record.headers, family, self._mapping)
            if written_in is not None:
                _check_received(came.received_at)
                foreign = Foreign(record, value, came, written_in, ends)
                return send_on(foreign, self._mapping, self._identity.partition_of, outputs, fates), NO_KIND
            decoded = decode(family, value)
            _check_received(came.received_at)
            key = _key_of(record, family, decoded)
            elsewhere = self._elsewhere(record, came, key)
            if elsewhere is not None:
                outputs.append(copy_for(record, came, key, elsewhere))
                return "rerouted", NO_KIND
            # Where an entry's source says where it was read, the entry need not.
            verdict = self._judge.judge(family, decoded, came.received_at, came.source, read if came.again or anew else None)
        except Dead as dead:
            outputs.append(dead_letter(record, came, dead))
            return f"dead:{dead.reason}", NO_KIND
        event = decoded.event
        kind = cast("IntentSignal", event).kind if family is Family.INTENT_SIGNALS else verdict.kind
        if not self._ids[family].add(event.id, came.received_at):
            return ends.own("filtered:duplicate", event.id), kind
        entries = LogEntries(outputs, identity=self._identity, received_at=came.received_at, version=self._version)
        if verdict.account is not None and verdict.entry is not None:
            entries.own(verdict.account, verdict.above, verdict.entry)
        if family is Family.ACCOUNT_UPDATES and verdict.account is not None:
            outputs.extend(contact_rows(cast("AccountUpdate", event), verdict.account, self._identity))
        if family is Family.INTENT_SIGNALS:
            self._tell_visitor(decoded, verdict.fate, came, outputs, fates)
        if family is not Family.WEB_VISITS or not verdict.concerns_visitor:
            return ends.own(verdict.fate, event.id), kind
        visitor_id = cast("WebVisit", event).visitor_id
        occasion = Occasion(visitor_id, event.id, decoded.occurred_at, came.received_at, came.source, read)
        return ends.own(self._attribution.settle(occasion, verdict, entries, ends), event.id), kind

    def _tell_visitor(self, decoded: Decoded, fate: str, came: Arrival, outputs: list[Output], fates: Fates) -> None:
        """Send on to the visitor's partition what an intent signal says of a visitor: who that is, or else what it did."""
        signal = cast("IntentSignal", decoded.event)
        if signal.visitor_id is None:
            return
        to = self._identity.partition_of(signal.visitor_id.encode())
        if fate == TO_VISITOR:
            outputs.append(derived_visit(signal, decoded.occurred_at, came, to))
        elif fate == COUNTED:
            outputs.append(derived_identify(signal, decoded.occurred_at, came, to))
            fates.add("derived")

    def _elsewhere(self, record: Record, came: Arrival, key: bytes) -> int | None:
        """Name the partition that the record belongs into; None where it lies in it. Raises `Dead` (``misrouted``)."""
        partition = self._identity.partition_of(key)
        if partition == record.partition:
            return None
        if came.again:
            raise Dead("misrouted", f"partition = {record.partition}: the key's is {partition}, and this is a re-appended copy already")
        return partition


def _place_in_time(row: tuple[bytes, bytes]) -> tuple[bool, bytes, tuple[int, int]]:
    """Sort rows in the order in which they were written: accepted ids by their numbers, visitors by who was seen last."""
    key, value = row
    return (True, b"", read_at(value)) if is_visitor_key(key) else (False, key, (0, 0))


def _with_waiting(fates: Mapping[str, int], left: int) -> dict[str, int]:
    """Say that ``left`` events wait, and that the others are counted."""
    moved = fates.get(WAITING, 0) - left
    return {**fates, WAITING: left, COUNTED: fates.get(COUNTED, 0) + moved} if moved else dict(fates)


def _reached(position: IntakePosition) -> tuple[int, int]:
    """Order positions: of two that are of one unit the greater has read more, and none of what it has not read is lost."""
    return sum(position.anew.values()), sum(position.next.values())


def _checked_value(record: Record) -> bytes:
    """Take a record's value. Raises `Dead` (``empty_value``, ``too_large``)."""
    if not record.value:
        raise Dead("empty_value", "the record has no value")
    if len(record.value) > LARGEST_VALUE:
        raise Dead("too_large", f"value of {len(record.value)} bytes: at most {LARGEST_VALUE} are taken")
    if record.key is not None and len(record.key) > LARGEST_KEY:
        raise Dead("too_large", f"key of {len(record.key)} bytes: at most {LARGEST_KEY} are taken")
    return record.value


def _check_received(received_at: int) -> None:
    """Raise `Dead` (``invalid``) for a Kafka time at which nothing was received: neither a copy nor a log record could carry it."""
    if not EARLIEST <= received_at < LATEST:
        first, end = iso_instant(EARLIEST), iso_instant(LATEST)
        raise Dead("invalid", f"the record's timestamp = {received_at}: Input should be milliseconds from {first} until before {end}")


def _key_of(record: Record, family: Family, decoded: Decoded) -> bytes:
    """Give the record's key; where it has none, the one its producer should have given it. Raises `Dead` (``no_key``)."""
    if record.key is not None:
        return record.key
    key = key_of(family, decoded.event)
    if key is None:
        raise Dead("no_key", f"the record has no key, and the event none of {', '.join(KEY_FIELDS[family])}")
    return key.encode()
