"""Holds what a subscriber reads against the oracle: while faults go on a prefix of what is due, at rest all of it, to the byte.

Where delivery is at least once a tier change may be told again, to the byte: that is counted, and is no fault.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from engagement.account import header
from engagement.machine import POSITION_KEY, RESERVED_KEYS
from engagement.qualify import QualifyPosition
from streams.connection import Connection
from streams.delivery import Promise
from streams.reading import read_to_end, reader
from streams.topics import CHANGELOGS, LOG, TIER_CHANGES, Environment
from tests.faults.live.oracle import Oracle

PAUSE = 5.0
ENDED_SECONDS = 60.0
"""A broker ends the transactions of the dead within 20 s, and looks for them every 10."""

READ = (LOG, TIER_CHANGES, CHANGELOGS["qualify"])


class _Identity(msgspec.Struct):
    id: str
    sequence: int


_identity = msgspec.json.Decoder(_Identity).decode
_position = msgspec.json.Decoder(QualifyPosition).decode


@dataclass(kw_only=True)
class Verdict:
    """What was found; only the counts of the first block may differ from 0 when all is well."""

    changes: int = 0  # read by the subscriber
    accounts: int = 0
    looks: int = 0  # during the run
    repeats: int = 0  # tier changes told again where that is allowed

    lost: int = 0  # tier changes that are due and were not told
    double: int = 0  # told again
    mismatch: int = 0  # other bytes than are due, in another place, or not due at all
    gaps: int = 0  # accounts whose sequence is not 1..n
    states: int = 0  # accounts whose row is not the oracle's
    unread: int = 0  # log records beyond the workers' positions
    found: list[str] = field(default_factory=list)  # the first of each, in words

    @property
    def faults(self) -> int:
        return self.lost + self.double + self.mismatch + self.gaps + self.states + self.unread

    def note(self, words: str) -> None:
        if len(self.found) < 20:
            self.found.append(words)


class Verifier:
    """Reads the log and the tier changes of one environment on and on; see `follow` and `at_rest`."""

    def __init__(self, connection: Connection, environment: Environment, partitions: int, *, promise: Promise = "exactly_once") -> None:
        self._connection, self._environment, self._partitions = connection, environment, partitions
        self._may_repeat = promise == "at_least_once"
        self.oracle = Oracle(environment.topic(LOG), partitions)
        self._told: defaultdict[bytes, list[bytes]] = defaultdict(list)
        self._agreed: defaultdict[bytes, int] = defaultdict(int)  # account -> how many were compared
        self._next: defaultdict[TopicPartition, int] = defaultdict(int)
        self.verdict = Verdict()

    async def watch(self, pause: float = PAUSE) -> None:
        """Look again and again, ``pause`` seconds between, until it is cancelled, through absences of the broker."""
        while True:
            try:
                async with reader(self._connection) as consumer:
                    while True:
                        await self._look(consumer)
                        self.verdict.looks += 1
                        await asyncio.sleep(pause)
            except (KafkaError, OSError):
                await asyncio.sleep(pause)

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        """First what was told, then the log: what was told must be due by then."""
        for number in range(self._partitions):
            partition = TopicPartition(self._environment.topic(TIER_CHANGES), number)
            touched: set[bytes] = set()
            async for records in read_to_end(consumer, partition, start=self._next[partition]):
                for record in records:
                    assert record.key is not None
                    assert record.value is not None
                    self._told[record.key].append(record.value)
                    touched.add(record.key)
                    self._next[partition] = record.offset + 1
            await self._fold(consumer, number)
            for account in touched:
                self._compare(account)

    async def _fold(self, consumer: AIOKafkaConsumer, number: int) -> None:
        partition = TopicPartition(self._environment.topic(LOG), number)
        async for records in read_to_end(consumer, partition, start=self._next[partition]):
            if records:
                self.oracle.fold(number, records)
                self._next[partition] = records[-1].offset + 1
                await asyncio.sleep(0)  # others have work too

    def _compare(self, account: bytes) -> None:
        """The tier changes that came since the last comparison."""
        told, due = self._told[account], self.oracle.changes[account]
        if self._may_repeat:
            firsts = list(dict.fromkeys(told))
            self.verdict.repeats += len(told) - len(firsts)
            told[:] = firsts
        for place in range(self._agreed[account], len(told)):
            if place < len(due) and told[place] == due[place]:
                continue
            if told[place] in told[:place]:
                self.verdict.double += 1
                self.verdict.note(f"double: {told[place]!r}")
            else:
                self.verdict.mismatch += 1
                self.verdict.note(f"mismatch: told {told[place]!r}, due {due[place] if place < len(due) else None!r}")
        self._agreed[account] = len(told)

    async def at_rest(self) -> Verdict:
        """All workers have ended, nothing is left to fold: every account's tier changes and state."""
        verdict = self.verdict
        await transactions_ended(
            self._connection,
            [TopicPartition(self._environment.topic(short), number) for short in READ for number in range(self._partitions)],
        )
        async with reader(self._connection) as consumer:
            await self._look(consumer)
            for number in range(self._partitions):
                await self._compare_state(consumer, number)
        for account, due in self.oracle.changes.items():
            told = self._told[account]
            lost = len(set(due) - set(told))
            verdict.lost += lost
            if lost:
                verdict.note(f"lost: {lost} of the tier changes of {account!r}")
            if [_identity(body).sequence for body in told] != list(range(1, len(told) + 1)):
                verdict.gaps += 1
                verdict.note(f"gaps: {account!r}")
        verdict.changes, verdict.accounts = sum(map(len, self._told.values())), sum(map(len, self.oracle.rows))
        return verdict

    async def _compare_state(self, consumer: AIOKafkaConsumer, number: int) -> None:
        rows: dict[bytes, bytes] = {}  # where a worker that was replaced may still write, what got furthest counts
        position = QualifyPosition()
        async for records in read_to_end(consumer, TopicPartition(self._environment.topic(CHANGELOGS["qualify"]), number)):
            for record in records:
                if record.key == POSITION_KEY and record.value is not None:
                    read = _position(record.value)
                    if not (self._may_repeat and _reached(read) < _reached(position)):
                        position = read
                elif record.key is not None and record.key not in RESERVED_KEYS:
                    held = rows.get(record.key)
                    if self._may_repeat and held is not None and record.value is not None and header(record.value)[0] < header(held)[0]:
                        continue
                    rows.pop(record.key, None)
                    if record.value is not None:
                        rows[record.key] = record.value
        due = self.oracle.rows[number]
        others = [account for account in rows.keys() | due.keys() if rows.get(account) != due.get(account)]
        self.verdict.states += len(others)
        if others:
            self.verdict.note(f"state of {others[0]!r}: {rows.get(others[0])!r}, due {due.get(others[0])!r}")
        log = TopicPartition(self._environment.topic(LOG), number)
        reached = position.next.get(log.topic, 0)
        unread = sum([len(records) async for records in read_to_end(consumer, log, start=reached)])
        self.verdict.unread += unread
        if unread or reached < self.oracle.read_to(number, log.topic) or position.cursor is not None:
            self.verdict.note(f"position of {log}: {position}, {unread} records unread")
            self.verdict.unread += not unread


def _reached(position: QualifyPosition) -> tuple[int, tuple[int, bytes]]:
    """Order the positions of one partition of the log."""
    return sum(position.next.values()), (-1, b"") if position.cursor is None else position.cursor


async def transactions_ended(connection: Connection, partitions: Sequence[TopicPartition]) -> None:
    """Wait until what is there now is visible or aborted: a commit is answered before its records can be read. Raises TimeoutError."""
    async with reader(connection, "read_uncommitted") as uncommitted:
        ends = await uncommitted.end_offsets(partitions)
    async with reader(connection) as committed, asyncio.timeout(ENDED_SECONDS):
        while any(end < ends[partition] for partition, end in (await committed.end_offsets(partitions)).items()):  # noqa: ASYNC110 - a broker tells nobody
            await asyncio.sleep(0.02)
