"""Fail points of the commit: producers in which the worker dies, or stands still, at a chosen step of a chosen commit.

A trap is set from outside by a file that holds a `Setting`; the worker looks for it whenever a commit begins, and the n-th of that role
from there on springs it. The file then gets the ending ``.sprung``, before anything else happens.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable
from functools import partial
from pathlib import Path
from signal import SIGKILL, Signals
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.transaction import EndTxnRequest

from streams.connection import Connection
from streams.topics import CHANGELOGS, TIER_CHANGES

STEPS = (
    "before begin",
    "after begin",
    "amid the sends",
    "after the sends",
    "after the offsets",
    "reply awaited",  # the broker has ended the transaction, and nobody is left to hear it
    "after the commit",
)
REPLY_LOST = "reply lost"
"""The broker has ended the transaction, and its answer becomes a connection error."""

POINTS = (*STEPS, REPLY_LOST)

POINTS_IN_ORDER = ("before begin", "amid the sends", "after the sends", "reply awaited", REPLY_LOST)
"""Those that there are without transactions, where state and position are sent when the outputs are answered, and end the commit."""


class Setting(NamedTuple):
    """Where a trap springs, and what it does to the worker there."""

    point: str
    role: str
    commit: int  # counted from 1
    signal: Signals = SIGKILL  # or SIGSTOP; the lost reply needs none

    def write(self, file: Path) -> None:
        """Set it, in one step: a worker reads all of it or nothing."""
        fresh = file.with_suffix(".new")
        fresh.write_text(f"{self.point}/{self.role}/{self.commit}/{self.signal}")
        fresh.replace(file)

    @classmethod
    def read(cls, file: Path) -> "Setting":
        """As `write` wrote it."""
        point, role, commit, signal = file.read_text().split("/")
        return cls(point, role, int(commit), Signals(int(signal)))


def sprung(file: Path) -> Path:
    """What the file is called once its trap has sprung."""
    return file.with_suffix(".sprung")


class Trap:
    """The trap of one worker process."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._setting: Setting | None = None
        self._begun = 0

    def count(self, role: str) -> None:
        """A commit of that role begins."""
        if self._setting is None and self._file.exists():
            self._setting, self._begun = Setting.read(self._file), 0
        self._begun += self._setting is not None and self._setting.role == role

    def springs(self, point: str, role: str) -> Setting | None:
        """Give the setting where now is its moment; it springs once."""
        setting = self._setting
        if setting is None or (setting.point, setting.role) != (point, role) or self._begun < setting.commit:
            return None
        self._setting = None
        try:
            self._file.replace(sprung(self._file))
        except FileNotFoundError:
            return None  # withdrawn meanwhile
        print(f"fault: {point}, commit {self._begun} of {role}", file=sys.stderr, flush=True)  # noqa: T201 - into the worker's log, before it is too late
        return setting

    def passes(self, point: str, role: str) -> None:
        """The worker ends here, or stands still, where now is its moment."""
        setting = self.springs(point, role)
        if setting is not None:
            os.kill(os.getpid(), setting.signal)


class FailingProducer(AIOKafkaProducer):
    """A transactional producer with fail points. Made by `failing`."""

    def __init__(self, *, trap: Trap, transactional_id: str, **options: Any) -> None:
        super().__init__(transactional_id=transactional_id, **options)
        self._trap, self._role = trap, _role(transactional_id)
        self._first: Any = None  # batch of the transaction under way
        self.client.send = partial(self._send, self.client.send)

    async def begin_transaction(self) -> None:
        self._first = None
        self._trap.count(self._role)
        self._pass("before begin")
        await super().begin_transaction()
        self._pass("after begin")

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
        if self._first is not None:
            setting = self._trap.springs("amid the sends", self._role)
            if setting is not None:
                await self._first  # the broker has one batch of several
                os.kill(os.getpid(), setting.signal)
        sent = await super().send_batch(batch, topic, partition=partition)
        self._first = sent if self._first is None else self._first
        return sent

    async def send_offsets_to_transaction(self, offsets: Any, group_id: str) -> None:
        self._pass("after the sends")
        await super().send_offsets_to_transaction(offsets, group_id)
        self._pass("after the offsets")

    async def commit_transaction(self) -> None:
        await super().commit_transaction()
        self._pass("after the commit")

    async def _send(self, send: Any, node: int, request: Any, **options: Any) -> Any:
        answer = await send(node, request, **options)
        if isinstance(request, EndTxnRequest):
            self._pass("reply awaited")
            if self._trap.springs(REPLY_LOST, self._role) is not None:
                raise KafkaConnectionError
        return answer

    def _pass(self, point: str) -> None:
        self._trap.passes(point, self._role)


class FailingProducerInOrder(AIOKafkaProducer):
    """A producer without transactions, with fail points: a commit begins with its first batch, and ends with that of its changelog."""

    def __init__(self, *, trap: Trap, **options: Any) -> None:
        super().__init__(**options)
        self._trap = trap
        self._first: Any = None  # batch of the commit under way

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
        role = "qualify" if topic.endswith((TIER_CHANGES, CHANGELOGS["qualify"])) else "intake"
        if self._first is None:
            self._trap.count(role)
            self._trap.passes("before begin", role)
        else:
            setting = self._trap.springs("amid the sends", role)
            if setting is not None:
                await self._first
                os.kill(os.getpid(), setting.signal)
        if not topic.endswith(CHANGELOGS[role]):
            sent = await super().send_batch(batch, topic, partition=partition)
            self._first = sent if self._first is None else self._first
            return sent
        self._first = None
        self._trap.passes("after the sends", role)
        return asyncio.ensure_future(self._answered(await super().send_batch(batch, topic, partition=partition), role))

    async def _answered(self, sent: Awaitable[Any], role: str) -> Any:
        answer = await sent
        self._trap.passes("reply awaited", role)
        if self._trap.springs(REPLY_LOST, role) is not None:
            raise KafkaConnectionError
        return answer


def _role(transactional_id: str) -> str:
    """Whose producer it is; a mutant may have appended something to the id."""
    return transactional_id.rpartition("mqa-")[2].partition("-")[0]


def failing(trap: Trap) -> Any:
    """`Connection.producer` of a worker with that trap."""

    def producer(connection: Connection, *, transactional_id: str | None = None, **options: Any) -> AIOKafkaProducer:
        if transactional_id is None:
            return FailingProducerInOrder(trap=trap, **connection.client_options(), **options)
        return FailingProducer(trap=trap, transactional_id=transactional_id, **connection.client_options(), **options)

    return producer
