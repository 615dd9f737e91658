"""The fold over one partition of ``account-log``: every account's state, and the tier changes that its records cause.

Fates (`Position.fates`) add up: ``in`` = ``signals`` + ``updates`` + ``days`` + ``genesis`` + ``skipped`` + ``dead:<reason>``.
Beside them ``changes:<ladder>:<from>:<to>`` counts what came out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from engagement.account import MAX_SAID_BYTES, NEVER, UNJUDGED, AccountState, Row, decode, encode, header
from engagement.changes import Cause, Reason, change_output, tier_change
from engagement.days import iso_day, midnight
from engagement.decoding import Dead
from engagement.due import DueIndex
from engagement.errors import Refused
from engagement.intake_records import Arrival, dead_letter
from engagement.judging import Judge, judge_by, stand
from engagement.machine import NO_STOPS, POSITION_KEY, RESERVED_KEYS, RULEBOOK_KEY, Output, Position, Record, Step, Table
from engagement.records import FORMAT, SEMANTICS, Activation, Day, Genesis, LogRecord, Signal, Update
from engagement.records import decode as decode_record


class QualifyPosition(Position, kw_only=True, omit_defaults=True):
    """Where a log partition stands."""

    rule_day: int | None = None  # the last day record, or the genesis' day
    cursor: tuple[int, bytes] | None = None  # a day record under way: its offset and the last account judged
    rulebook: str | None = None  # version; its text is the changelog's `RULEBOOK_KEY`
    clock: str | None = None  # "wall" or "played"


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

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take one changelog record, in order, while state is restored."""
        if key == POSITION_KEY and value is not None:
            self._position = _decode_position(value)
        elif key == RULEBOOK_KEY:
            self._rulebook = value
        elif key not in RESERVED_KEYS:
            self._table.accept({key: value})

    def loaded(self) -> None:
        """Judge what was restored: raises `Refused` where it is not the whole state."""
        place = f"accounts-changelog/{self._partition}"
        self._table.check(self._position, place)
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

    def step(self, records: Sequence[Record], limit: int, stops: Mapping[str, int] = NO_STOPS) -> Step:
        """Fold ``records``, all of this log partition and in offset order; stops early after about ``limit`` accounts."""
        work = _Work(
            topic=self._topic,
            partition=self._partition,
            table=self._table,
            due=self._due,
            position=msgspec.structs.replace(self._position, next=dict(self._position.next), fates=dict(self._position.fates)),
            judge=self._judge,
        )
        consumed = 0
        for record in records:
            if len(work.rows) >= limit or not work.fold(record, limit):
                break
            consumed += 1
        if consumed == len(records):
            work.position.next |= stops
        return work.step(consumed)

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
        self._position = step.position

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
    rows: dict[bytes, Row] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)

    def fold(self, record: Record, limit: int) -> bool:
        """Fold one record. False where it is not done yet and the step must end first."""
        if record.offset < self.position.next.get(self.topic, 0):
            return True
        entry = self._decoded(record)
        self.position.dead_run = self.position.dead_run + 1 if entry is None else 0
        if isinstance(entry, Day):
            if not self._day(entry.day, record, limit):
                return False
            self._count("days")
        elif isinstance(entry, Signal | Update):
            self._account(entry, record)
        elif isinstance(entry, Genesis):
            self._genesis(entry, record)
        elif isinstance(entry, Activation):
            raise self._refused(record, f"activates rulebook {entry.version}, which this version cannot do; run a newer worker")
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
        return Step(changelog, self.outputs, dict(self.position.next), consumed, self.position)

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

    def _account(self, entry: Signal | Update, record: Record) -> None:
        if record.key is None or record.key.startswith(b"__"):
            raise self._refused(record, f"has the key {record.key!r}, which is no account; {_DAMAGED}")
        judge = self._judge_for(record)
        row = self._row(record.key)
        if record.offset <= row.applied:
            self._count("skipped")
            return
        unjudged = row.due == UNJUDGED
        row.applied = record.offset
        reason: Reason
        if isinstance(entry, Signal):
            self._count("signals")
            only_counted = not row.state.count(entry)
            if only_counted and not unjudged and judge.is_worthless(entry.kind):
                return  # no fact changed, and what days alone can do waits for the due day
            reason = "signal"
        elif row.state.learn(entry):
            self._count("updates")
            only_counted = False
            reason = "update"
        else:
            self._bury(record, Dead("account_full", f"what updates say of an account may take {MAX_SAID_BYTES} bytes; clear some of it"))
            return
        if self.position.rule_day is None:
            return  # a history is about to be played: its first day judges whoever is there
        cause = Cause(name=f"{entry.source[0]}:{entry.id}", reason=reason, effective_at=entry.received_at, offset=record.offset)
        moved = self._judged(record.key, row, judge, self.position.rule_day, cause)
        if not moved and (unjudged or not only_counted):
            row.due = _due(judge, row.state, self.position.rule_day)

    def _day(self, day: int, record: Record, limit: int) -> bool:
        """Judge the accounts that are due. False where the step must end first: before the day, or between two slices of it."""
        before, cursor = self.position.rule_day, self.position.cursor
        under_way = cursor is not None and cursor[0] == record.offset
        if not under_way:
            if before is not None and day <= before:
                return True
            if before is not None and day > before + 1:
                complaint = f"begins {iso_day(day)} after {iso_day(before)}: days are missing between; {_DAMAGED}"
                raise self._refused(record, complaint)
            if self.rows:
                return False  # the due index knows committed rows only
            self.position.rule_day = day
        judge = self._judge_for(record)
        keys = self.due.upto(day, cursor[1] if under_way and cursor is not None else b"", limit + 1)
        cause = Cause(name=f"day:{iso_day(day)}", reason="silence", effective_at=midnight(day), offset=record.offset)
        for key in keys[:limit]:
            row = self._row(key)
            if not self._judged(key, row, judge, day, cause):
                row.due = _due(judge, row.state, day)
        self.position.cursor = (record.offset, keys[limit - 1]) if len(keys) > limit else None
        return self.position.cursor is None

    def _judged(self, key: bytes, row: Row, judge: Judge, day: int, cause: Cause) -> bool:
        """Judge an account; where it moves, say so and find its new due day. True where it moved."""
        state = row.state
        state.forget_before(day - judge.rulebook.history_days + 1)
        facts = judge.facts(state, day)
        moves = judge.moves(state, day, facts)
        if not moves:
            return False
        stand(state, moves, day)
        row.due = _due(judge, state, day)
        evaluation = judge.explain(state, day, facts)
        for move in moves:
            state.sequence += 1
            change = tier_change(
                account=key.decode(),
                state=state,
                move=move,
                evaluation=evaluation,
                judge=judge,
                cause=cause,
                expires=judge.expiry(state, day, move.ladder),
            )
            self.outputs.append(change_output(change, self.partition, cause))
            self._count(f"changes:{change.ladder}:{change.from_}:{change.to}")
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


def _due(judge: Judge, state: AccountState, day: int) -> int:
    due = judge.due(state, day)
    return NEVER if due is None else due
