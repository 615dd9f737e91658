"""The fold over one partition of ``account-log``: every account's state, and the tier changes that its records cause.

Fates (`Position.fates`) add up: ``in`` = ``signals`` + ``undone`` + ``via`` + ``via_undone`` + ``not_there`` + ``updates`` + ``days`` +
``genesis`` + ``activations`` + ``live`` + ``repeated`` + ``skipped`` + ``dead:<reason>``. ``signals`` less ``undone`` is what accounts were
credited with; ``via`` and ``via_undone`` are the copies of these for the accounts above. ``not_there`` are records that take out
what an account has no more (its history does not go back so far, or a retraction came first) or that it never had.
Beside them ``changes:<ladder>:<from>:<to>`` counts what came out.

``repeated`` are records that intake appended before: where it cannot commit in transactions, it reads again what it had read when it was
killed. A record is one where it was read in an input partition at or below the last one from there. That drops no first occurrence:

- Only one unit of intake reads an input partition, in order of offsets, and appends what it makes of it in that order. What it reads again
  after a kill begins where everything before is in the log. So of any two records from one input partition, that with the lower offset
  first came first, however many writers there were at the time and however often each began again.
- What was re-appended into another partition keeps its source, but is compared by where the *copy* was read (`Signal.read`): copies and
  originals of one source come through different units, whose order means nothing. A source that a producer invented means nothing either.
- A topic that was made anew begins at offset 0 again; how often that was accepted counts more than the offset.
- An activation changes what intake makes of a record, never the order. Where it was killed between the two, what the first one made
  of a record stands, if it made something of a later one.

``skipped`` are records that the account's state has already, where that is ahead of its position.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

import msgspec

from engagement.account import MAX_RETRACTED, MAX_SAID_BYTES, UNJUDGED, AccountState, Row, decode, encode, header
from engagement.changes import Cause, Reason, change_output, tier_change
from engagement.counts import NEVER
from engagement.days import iso_day, midnight
from engagement.dead_letters import dead_letter
from engagement.decoding import Dead
from engagement.due import DueIndex
from engagement.errors import Refused
from engagement.headroom import Headroom
from engagement.intake_records import Arrival
from engagement.judging import Judge, judge_by, stand
from engagement.machine import NO_STOPS, POSITION_KEY, RESERVED_KEYS, RULEBOOK_KEY, Output, Position, Record, Step, Table
from engagement.records import FORMAT, SEMANTICS, Activation, Day, Genesis, GoLive, LogRecord, Signal, Update
from engagement.records import decode as decode_record


class QualifyPosition(Position, kw_only=True, omit_defaults=True):
    """Where a log partition stands."""

    rule_day: int | None = None  # the last day record, or the genesis' day
    cursor: tuple[int, bytes] | None = None  # a day record or activation under way: its offset and the last account judged
    rulebook: str | None = None  # version; its text is the changelog's `RULEBOOK_KEY`
    clock: str | None = None  # "wall" or "played"
    sources: dict[str, dict[int, list[int]]] = {}  # noqa: RUF012 - msgspec copies it; family -> partition -> last [anew, offset, n]


_MOST_HEADROOM = 100_000
"""Accounts of a partition for which it is remembered, some 1 kB each."""

_DAMAGED = "the log is damaged: replay its first part into a new environment"
_encode_position = msgspec.json.Encoder().encode
_decode_position = msgspec.json.Decoder(QualifyPosition).decode


class Qualify:
    """The fold of one log partition (see `engagement.machine.Fold`)."""

    def __init__(self, *, topic: str, partition: int) -> None:
        self._topic = topic  # full name of the log
        self._partition = partition
        self._table = Table()
        self._due = DueIndex()
        self._position = QualifyPosition()
        self._judge: Judge | None = None
        self._rulebook: bytes | None = None
        self._rulebook_read: bytes | None = None  # while state is restored: belongs to the position that comes after it
        self._headroom: dict[bytes, Headroom | None] = {}  # of accounts judged; what is forgotten is only judged again
        self._offered: tuple[Step, dict[bytes, Headroom | None]] | None = None  # the last step, and what it found

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take one changelog record, in order, while state is restored."""
        if key == POSITION_KEY and value is not None:
            position = _decode_position(value)
            if self._reached(position) >= self._reached(self._position):
                self._position = position
                if self._rulebook_read is not None:
                    self._rulebook = self._rulebook_read
            self._rulebook_read = None
        elif key == RULEBOOK_KEY:
            self._rulebook_read = value
        elif key not in RESERVED_KEYS:
            held = self._table.rows.get(key)
            if held is None or value is None or header(value)[0] >= header(held)[0]:
                self._table.accept({key: value})

    def _reached(self, position: QualifyPosition) -> tuple[int, tuple[int, bytes]]:
        """Order positions of this partition."""
        return position.next.get(self._topic, 0), (-1, b"") if position.cursor is None else position.cursor

    def loaded(self, *, exact: bool = True) -> None:
        """Judge what was restored: raises `Refused` where it is not the whole state."""
        place = f"accounts-changelog/{self._partition}"
        self._table.check(self._position, place, exact=exact)
        if not exact:
            self._table.keep(self._position, self._table.rows)
        version = self._position.rulebook
        if version is not None:
            if self._rulebook is None:
                remedy = "restore the topic from a backup, or replay into a new environment"
                raise Refused(f"{place}: the text of rulebook {version} is missing; {remedy}")
            self._judge = judge_by(self._rulebook.decode(), version)
        elif self._position.next:
            raise Refused(
                f"{place}: position {self._position.next} has no rulebook: the log's genesis was not read; replay into a new environment"
            )
        for key, value in self._table.rows.items():
            self._due.put(key, header(value)[1])

    @property
    def position(self) -> QualifyPosition:
        """As last accepted or loaded."""
        return self._position

    @property
    def state_bytes(self) -> int:
        """See `engagement.machine.Fold`."""
        return self._table.size

    def step(self, records: Sequence[Record], limit: int, stops: Mapping[str, int] = NO_STOPS) -> Step:
        """Fold ``records``, all of this log partition and in offset order; stops early after about ``limit`` accounts.

        `Step.tally` counts tier changes by (ladder, from, to, reason).
        """
        work = _Work(
            topic=self._topic,
            partition=self._partition,
            table=self._table,
            due=self._due,
            position=msgspec.structs.replace(
                self._position,
                next=dict(self._position.next),
                fates=dict(self._position.fates),
                sources={
                    family: {partition: [*last] for partition, last in partitions.items()}
                    for family, partitions in self._position.sources.items()
                },
            ),
            judge=self._judge,
            known_headroom=self._headroom,
        )
        consumed = 0
        for record in records:
            if len(work.rows) >= limit or not work.fold(record, limit):
                break
            consumed += 1
        if consumed == len(records):
            work.position.next |= stops
        step = work.step(consumed)
        self._offered = step, work.headroom
        return step

    def accept(self, step: Step) -> None:
        """``step`` is committed: make it the state."""
        assert isinstance(step.position, QualifyPosition)
        rulebook = step.changelog.get(RULEBOOK_KEY)
        if rulebook is not None and step.position.rulebook is not None:
            self._judge = judge_by(rulebook.decode(), step.position.rulebook)
        for key, value in step.changelog.items():
            if key not in RESERVED_KEYS:
                self._due.put(key, NEVER if value is None else header(value)[1])
        self._table.accept(step.changelog)
        self._keep_headroom(step)
        self._position = step.position

    def _keep_headroom(self, step: Step) -> None:
        assert isinstance(step.position, QualifyPosition)
        is_other_rulebook = step.position.rulebook != self._position.rulebook
        if self._offered is None or self._offered[0] is not step or is_other_rulebook or len(self._headroom) > _MOST_HEADROOM:
            self._headroom = {}
        if self._offered is not None and self._offered[0] is step:
            self._headroom |= self._offered[1]
        self._offered = None

    def accounts(self) -> Iterator[tuple[str, AccountState]]:
        """Every account as last accepted, in key order."""
        for key in sorted(self._table.rows):
            yield key.decode(), decode(self._table.rows[key]).state


@dataclass(kw_only=True)
class _Work:
    """What one step has done so far; nothing of it is seen outside before it is accepted."""

    topic: str
    partition: int
    table: Table
    due: DueIndex
    position: QualifyPosition
    judge: Judge | None
    rulebook: bytes | None = None  # set by a genesis in this step
    known_headroom: Mapping[bytes, Headroom | None]
    headroom: dict[bytes, Headroom | None] = field(default_factory=dict)
    rows: dict[bytes, Row] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    tally: dict[tuple[str, ...], int] = field(default_factory=dict)

    def fold(self, record: Record, limit: int) -> bool:
        """Fold one record. False where it is not done yet and the step must end first."""
        if record.offset < self.position.next.get(self.topic, 0):
            return True
        entry = self._decoded(record)
        self.position.dead_run = self.position.dead_run + 1 if entry is None else 0
        match entry:
            case Signal() | Update():
                self._account(entry, record)
            case Day():
                if not self._day(entry.day, record, limit):
                    return False
                self._count("days")
            case Activation():
                if not self._activation(entry, record, limit):
                    return False
                self._count("activations")
            case Genesis():
                self._genesis(entry, record)
            case GoLive():
                self.position.clock = "wall"
                self._count("live")
        self._count("in")
        self.position.next[self.topic] = record.offset + 1
        return True

    def step(self, consumed: int) -> Step:
        """Close the step."""
        for key, row in self.rows.items():
            self.table[key] = encode(row)
        changelog, self.position.rows, self.position.digest = self.table.take(self.position.rows, self.position.digest)
        if self.rulebook is not None:
            changelog[RULEBOOK_KEY] = self.rulebook
        changelog[POSITION_KEY] = _encode_position(self.position)
        return Step(changelog, self.outputs, dict(self.position.next), consumed, self.position, self.tally)

    def _decoded(self, record: Record) -> LogRecord | None:
        """The record, or None where it is none and has gone to the dead letters."""
        value = record.value if record.value is not None else b""
        try:
            entry: LogRecord = decode_record(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if _says_its_type(value):
                raise self._refused(
                    record, f"has a shape this version does not know ({error}); a newer version wrote it: run that one"
                ) from None
            self._bury(record, Dead("not_a_log_record", str(error)))
            return None
        return entry

    def _bury(self, record: Record, dead: Dead) -> None:
        came = Arrival(record.timestamp, ("account-log", self.partition, record.offset, 0), again=False)
        self.outputs.append(dead_letter(record, came, dead))
        self._count(f"dead:{dead.reason}")

    def _genesis(self, genesis: Genesis, record: Record) -> None:
        if self.judge is not None:
            raise self._refused(record, f"is a second genesis; {_DAMAGED}")
        if (genesis.format, genesis.semantics) != (FORMAT, SEMANTICS):
            raise self._refused(
                record,
                f"has format {genesis.format} and semantics {genesis.semantics}, this version knows {FORMAT} and {SEMANTICS}; "
                "run the version that made the environment",
            )
        self.judge = judge_by(genesis.rulebook, genesis.version)
        self.rulebook = genesis.rulebook.encode()
        self.position.rulebook = genesis.version
        self.position.clock = genesis.clock
        self.position.rule_day = genesis.day
        self._count("genesis")

    def _activation(self, activation: Activation, record: Record, limit: int) -> bool:
        """Judge every account by another rulebook. False where the step must end first: before it, or between two slices of it."""
        if not self._is_under_way(record):
            self._judge_for(record)
            if activation.semantics != SEMANTICS:
                complaint = f"activates semantics {activation.semantics}, this version knows {SEMANTICS}; run the version that activated it"
                raise self._refused(record, complaint)
            if self.rows:
                return False  # the slices go through committed rows
            self.judge = judge_by(activation.rulebook, activation.version)
            self.known_headroom = {}
            self.rulebook = activation.rulebook.encode()
            self.position.rulebook = activation.version
        day = self.position.rule_day
        cursor = self.position.cursor
        keys = self.table.keys_after(b"" if cursor is None else cursor[1], limit + 1) if day is not None else []
        at = activation.received_at if self.position.clock == "wall" or day is None else midnight(day)
        cause = Cause(name=f"activation:{activation.version}", reason="restatement", effective_at=at, offset=record.offset)
        return self._slice(keys, limit, cause, record)

    def _account(self, entry: Signal | Update, record: Record) -> None:
        if record.key is None or record.key.startswith(b"__") or not record.key.isascii():
            raise self._refused(record, f"has the key {record.key!r}, which is no account; {_DAMAGED}")
        judge = self._judge_for(record)
        if self._is_repeated(entry):
            self._count("repeated")
            return
        row = self._row(record.key)
        if record.offset <= row.applied:
            self._count("skipped")
            return
        row.applied = record.offset
        if isinstance(entry, Signal):
            if entry.undo:
                self._undo(entry, record, record.key, row, judge)
            else:
                self._count("signals" if entry.via is None else "via")
                self._signal(entry, record, record.key, row, judge)
        elif row.learn(entry):
            self._count("updates")
            if self.position.rule_day is not None:
                judge.forget(row.state, self.position.rule_day)
            self._judge_anew(_cause("retraction" if entry.fields.get("retract") else "update", entry, record), record.key, row, judge)
        else:
            self._bury(
                record,
                Dead("account_full", f"updates may say {MAX_SAID_BYTES} bytes of an account, and take {MAX_RETRACTED} events out of it"),
            )

    def _is_repeated(self, entry: Signal | Update) -> bool:
        """Whether intake had appended it before; see above why that is certain."""
        family, partition, offset, n = entry.source
        anew = 0
        if entry.read is not None:
            partition, offset, anew = entry.read
        sources = self.position.sources
        try:
            last = sources[family][partition]
        except KeyError:
            last = sources.setdefault(family, {})[partition] = [anew, -1, 0]
        if anew == last[0] and offset > last[1]:  # nearly always, and so without building anything: every signal comes here
            last[1], last[2] = offset, n
            return False
        is_repeated = [anew, offset, n] <= last
        if not is_repeated:
            last[:] = anew, offset, n
        return is_repeated

    def _signal(self, signal: Signal, record: Record, key: bytes, row: Row, judge: Judge) -> None:
        day, changed = self.position.rule_day, row.count(signal)
        if day is None:
            return  # a history is about to be played: its first day judges whoever is there
        judge.forget(row.state, day)  # whether or not it is judged: how that is found out must not show
        if signal.moved:
            self._reattribute(_cause("reattribution", signal, record), key, row, judge, day)
        elif changed or row.due == UNJUDGED:
            self._judge_anew(_cause("signal", signal, record), key, row, judge)
        elif not judge.is_worthless(signal, row.state):
            moved = not self._bears(key, signal, row, day) and self._judged(key, row, judge, day, _cause("signal", signal, record))
            if not (moved or judge.is_fading(row.state)):
                row.due = day + 1  # the signal may bring the due day nearer: found tomorrow, once for all of today's

    def _undo(self, signal: Signal, record: Record, key: bytes, row: Row, judge: Judge) -> None:
        """Take a signal out again; where the account has it afterwards too, it is judged when that is counted."""
        if not row.state.undo(signal):
            self._count("not_there")
            return
        self._count("undone" if signal.via is None else "via_undone")
        day = self.position.rule_day
        if day is None or signal.moved or judge.is_at_rest(row.state) or judge.is_worthless(signal, row.state):
            return  # its headroom can only have grown
        self._reattribute(_cause("reattribution", signal, record), key, row, judge, day)

    def _reattribute(self, cause: Cause, key: bytes, row: Row, judge: Judge, day: int) -> None:
        """Judge an account of which a signal was moved. Many are at once, when a visitor identifies: the due day is found tomorrow."""
        if not self._judged(key, row, judge, day, cause):
            row.due = day + 1

    def _judge_anew(self, cause: Cause, key: bytes, row: Row, judge: Judge) -> None:
        """Judge an account of which more has changed than the score, and find its due day."""
        day = self.position.rule_day
        if day is not None and not self._judged(key, row, judge, day, cause):
            row.due = _or_never(judge.due(key.decode(), row.state, day))

    def _bears(self, key: bytes, signal: Signal, row: Row, day: int) -> bool:
        """Whether a signal certainly moves nothing."""
        if key not in self.headroom:
            # A copy: its points are taken for good only when the step is accepted.
            self.headroom[key] = copy(self.known_headroom.get(key))
        headroom = self.headroom[key]
        if headroom is None:
            return False
        state, person = row.state, row.state.who(signal)
        return headroom.bears(signal, person, day, may_have_role=state.may_have_role(person))

    def _day(self, day: int, record: Record, limit: int) -> bool:
        """Judge the accounts that are due. False where the step must end first: before the day, or between two slices of it."""
        before, cursor = self.position.rule_day, self.position.cursor
        if not self._is_under_way(record):
            if before is not None and day <= before:
                return True
            if before is not None and day > before + 1:
                complaint = f"begins {iso_day(day)} after {iso_day(before)}: days are missing between; {_DAMAGED}"
                raise self._refused(record, complaint)
            if self.rows:
                return False  # the due index knows committed rows only
            self._judge_for(record)
            self.position.rule_day = day
        keys = self.due.upto(day, b"" if cursor is None else cursor[1], limit + 1)
        cause = Cause(name=f"day:{iso_day(day)}", reason="silence", effective_at=midnight(day), offset=record.offset)
        return self._slice(keys, limit, cause, record)

    def _is_under_way(self, record: Record) -> bool:
        return self.position.cursor is not None and self.position.cursor[0] == record.offset

    def _slice(self, keys: Sequence[bytes], limit: int, cause: Cause, record: Record) -> bool:
        """Judge the first ``limit`` of ``keys``. False where there are more, and the cursor says how far it came."""
        judge, day = self._judge_for(record), self.position.rule_day
        for key in keys[:limit]:
            assert day is not None, "accounts are judged on a day"
            row = self._row(key)
            if record.offset <= row.applied:
                continue  # it is ahead of the position
            row.applied = record.offset
            judge.forget(row.state, day)
            if not self._judged(key, row, judge, day, cause):
                row.due = _or_never(judge.due(key.decode(), row.state, day))
        self.position.cursor = (record.offset, keys[limit - 1]) if len(keys) > limit else None
        return self.position.cursor is None

    def _judged(self, key: bytes, row: Row, judge: Judge, day: int, cause: Cause) -> bool:
        """Judge an account; where it moves, say so and find its new due day. True where it moved."""
        state, account = row.state, key.decode()
        facts, tallies = judge.tallied(account, state, day)
        moves = judge.moves(state, day, facts)
        if not moves:
            self.headroom[key] = judge.headroom(state, day, facts, tallies)
            return False
        self.headroom[key] = None  # the same facts may move it again
        stand(state, moves, day)
        due = judge.due(account, state, day)
        row.due = _or_never(due)
        evaluation = judge.explain(state, day, facts)
        for move in moves:
            if not move.is_seen:
                continue
            state.sequence += 1
            change = tier_change(
                account=account,
                state=state,
                move=move,
                evaluation=evaluation,
                judge=judge,
                cause=cause,
                expires=judge.expiry(account, state, due, move.ladder),
            )
            self.outputs.append(change_output(change, self.partition, cause, "live" if self.position.clock == "wall" else "baseline"))
            self._count(f"changes:{change.ladder}:{change.from_}:{change.to}")
            what = (change.ladder, change.from_, change.to, change.reason)
            self.tally[what] = self.tally.get(what, 0) + 1
        return True

    def _row(self, key: bytes) -> Row:
        row = self.rows.get(key)
        if row is None:
            stored = self.table.rows.get(key)
            row = self.rows[key] = Row(state=AccountState(), applied=-1, due=UNJUDGED) if stored is None else decode(stored)
        return row

    def _judge_for(self, record: Record) -> Judge:
        if self.judge is None:
            raise self._refused(record, f"comes before any genesis; {_DAMAGED}")
        return self.judge

    def _count(self, fate: str) -> None:
        self.position.fates[fate] = self.position.fates.get(fate, 0) + 1

    def _place(self, record: Record) -> str:
        return f"{self.topic}/{self.partition} offset {record.offset}"

    def _refused(self, record: Record, complaint: str) -> Refused:
        return Refused(f"{self._place(record)}: {complaint}")


def _says_its_type(value: bytes) -> bool:
    """Whether ``value`` looks like a log record, if not one of ours: JSON with a ``type``. All else has strayed into the log."""
    try:
        fields = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(fields, dict) and isinstance(fields.get("type"), str)


def _cause(reason: Reason, entry: Signal | Update, record: Record) -> Cause:
    """What an entry does to its account, it does when it comes into the log: a visit that its visitor moved came in long before."""
    at = max(entry.received_at, record.timestamp)  # the record has the time of the input that it was made of
    return Cause(name=f"{entry.source[0]}:{entry.id}", reason=reason, effective_at=at, offset=record.offset)


def _or_never(due: int | None) -> int:
    return NEVER if due is None else due
