"""Where `mqa explain` finds an account: in a history file that is replayed, or in its own part of an environment's log.

Accounts are independent of each other: whatever moves one stands in one log partition, under its own key or under those of the records
that concern the whole partition. Folding these alone gives the state and the tier changes that the worker has.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import msgspec
from aiokafka.structs import TopicPartition

from engagement.account import decode as decode_row
from engagement.changes import TierChange
from engagement.days import iso_day, midnight
from engagement.errors import Refused
from engagement.explain.account import explain
from engagement.explain.explanation import Explanation
from engagement.judging import Judge, judge_by
from engagement.machine import Output, PlainRecord, Record
from engagement.qualify import Qualify
from engagement.records import ACTIVATION_KEY, DAY_KEY, GENESIS_KEY, LIVE_KEY, Activation, Day, Genesis, LogRecord, decode, encode
from engagement.rulebook import Rulebook
from engagement.written import printable
from streams.connection import Connection
from streams.genesis import PARTITIONS, read_genesis
from streams.history.arrivals import arrivals_by_day, reading_history
from streams.history.engine import BATCH, HistoryReplay, Unit
from streams.history.lines import LONGEST_PATH, MOST_DAYS_APART, STANDARD_STREAM
from streams.history.progress import day_line
from streams.identity import make_identity, partition_of
from streams.networks.lookup import NO_NETWORKS, Networks
from streams.person_key import person_key
from streams.reading import read_to_end, reader
from streams.topics import LOG, TIER_CHANGES, Environment

_EVERYWHERE = frozenset({GENESIS_KEY, DAY_KEY, ACTIVATION_KEY, LIVE_KEY})
"""Keys of the records that concern a whole partition."""

_decode_change = msgspec.json.Decoder(TierChange).decode


def explain_from_file(account: str, file: Path, rulebook: Rulebook, until: int | None, networks: Networks = NO_NETWORKS) -> Explanation:
    """Replay a history as `mqa replay` does; explain the account as of the end of the day ``until``, or of the last one.

    Raises `Refused` where the history does not know the account, or that day.
    """
    key = person_key("played")
    identity = make_identity(partitions=PARTITIONS, secret=key.secret, key_id=key.key_id, networks=networks)
    engine = HistoryReplay(partitions=PARTITIONS, rulebook=rulebook, identity=identity)
    heard: list[TierChange] = []
    first: int | None = None
    today: int | None = None
    with reading_history(file) as lines, day_line("replaying") as advance:
        for day, arrivals in arrivals_by_day(lines, PARTITIONS):
            first = day if first is None else first
            if until is not None and day > until:
                break
            advance(day, len(arrivals))
            heard += _told([*engine.begin(day), *engine.receive(arrivals)], account)
            today = day
    place = "standard input" if file == STANDARD_STREAM else printable(str(file), LONGEST_PATH)
    if first is None:
        raise Refused(f"{place}: is empty: there is no account to explain; name a history with events in it")
    if today is None:
        assert until is not None, "else the first day was taken"
        raise Refused(f"--day {iso_day(until)}: {place} begins on {iso_day(first)}; name that day or a later one")
    for day in _days_ahead(today, until):
        heard += _told(engine.begin(day), account)
        today = day
    numbers = range(PARTITIONS)
    row = engine.log.rows(partition_of(account.encode(), PARTITIONS)).get(account.encode())
    if row is None:
        near = get_close_matches(account, [key.decode() for number in numbers for key in engine.log.rows(number)])
        remedy = f"did you mean {' or '.join(near)}?" if near else "look at its spelling, or at a later --day"
        raise Refused(f"{account}: is not in {place} until {iso_day(today)}; {remedy}")
    return explain(account, decode_row(row).state, today, judge_by(rulebook.canonical(), rulebook.version), heard)


async def explain_from_log(connection: Connection, environment: Environment, account: str, until: int | None) -> Explanation:
    """Read the account's partition of ``account-log``; explain it as of the end of the rule day ``until``, or of the last one.

    Raises `Refused` where the log does not know the account, or that day.
    """
    await connection.wait_until_ready()
    genesis = await read_genesis(connection, environment)
    place = TopicPartition(environment.topic(LOG), partition_of(account.encode(), genesis.partitions))
    log = AccountLog(account, place.topic, place.partition, until)
    async with reader(connection) as consumer:
        with day_line("reading") as advance:
            async for records in read_to_end(consumer, place):
                log.take(records)
                if log.day is not None:
                    advance(log.day, len(records))
                if log.is_over:
                    break
    return log.explanation()


class AccountLog:
    """One account's own part of a log partition, folded as the worker folds the whole."""

    def __init__(self, account: str, topic: str, partition: int, until: int | None) -> None:
        """``until``: the last rule day that is wanted; None is the last there is."""
        self.is_over = False  # a later day than that has begun
        self._account, self._key = account, account.encode()
        self._place, self._until = f"{topic}/{partition}", until
        self._fold = Qualify(topic=topic, partition=partition)
        self._unit = Unit(self._fold, BATCH)
        self._judge: Judge | None = None
        self._heard: list[TierChange] = []
        self._last: Record | None = None

    @property
    def day(self) -> int | None:
        """The rule day so far; None before the first."""
        return self._fold.position.rule_day

    def take(self, records: Iterable[Record]) -> None:
        """Take the next records of the partition, whoever they are about."""
        own = []
        for record in records:
            if record.key in _EVERYWHERE:
                match _entry(record):
                    case Day(day=day) if self._until is not None and day > self._until:
                        self.is_over = True
                        break
                    case Genesis(rulebook=text, version=version) | Activation(rulebook=text, version=version):
                        self._judge = judge_by(text, version)
            elif record.key != self._key:
                continue
            own.append(record)
        self._take(own)

    def _take(self, own: Sequence[Record]) -> None:
        if own:
            self._last = own[-1]
            self._heard += _told(self._unit.run(own), self._account)

    def explanation(self) -> Explanation:
        """Explain the account. Raises `Refused` where there is nothing to explain."""
        row, day = self._rows.get(self._key), self.day
        if day is not None and self._until is not None and day > self._until:
            raise Refused(f"--day {iso_day(self._until)}: {self._place} begins on {iso_day(day)}; name that day or a later one")
        if row is None or self._judge is None or self._last is None:
            until = "" if day is None else f" until {iso_day(day)}"
            raise Refused(f"{self._account}: is not in {self._place}{until}; look at its spelling, at --prefix, or at a later --day")
        if day is None:
            raise Refused(f"{self._account}: no day has begun in {self._place}, so nothing is judged yet; play a history first")
        for ahead, later in enumerate(_days_ahead(day, self._until), start=1):
            entry = encode(Day(day=later))
            self._take([PlainRecord(self._last.topic, self._last.partition, self._last.offset + ahead, midnight(later), DAY_KEY, entry)])
            day = later
        return explain(self._account, decode_row(self._rows[self._key]).state, day, self._judge, self._heard)

    @property
    def _rows(self) -> Mapping[bytes, bytes]:
        return self._unit.rows


def _days_ahead(today: int, until: int | None) -> range:
    """Days that are still to come, on which nothing happens. Raises `Refused` where there are too many."""
    if until is not None and until - today > MOST_DAYS_APART:
        raise Refused(
            f"--day {iso_day(until)}: is more than {MOST_DAYS_APART} days after the last one, {iso_day(today)}; name a nearer one"
        )
    return range(today + 1, (today if until is None else until) + 1)


def _entry(record: Record) -> LogRecord | None:
    """Decode a record; None where it is none, which is for the fold to say."""
    try:
        entry: LogRecord = decode(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return entry


def _told(outputs: Iterable[Output], account: str) -> list[TierChange]:
    """The account's tier changes among what a fold wrote."""
    key = account.encode()
    return [_decode_change(output.value or b"") for output in outputs if output.topic == TIER_CHANGES and output.key == key]
