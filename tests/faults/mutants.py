"""Ways to break the product on purpose: each must be caught by the simulation and by the fault runs, or those could not fail.

A mutant replaces something in the product's modules for as long as the process lasts.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from itertools import count
from typing import Any

from aiokafka.structs import OffsetAndMetadata

from engagement.intake import Intake
from engagement.machine import Record, Table
from engagement.records import DAY_KEY
from engagement.visitors import is_visitor_key
from streams import days, transaction
from streams.delivery import ExactlyOnce, Offsets, Rows
from streams.history import player
from streams.reading import reader
from streams.topics import CHANGELOGS, Environment
from streams.transaction import make_producer
from streams.worker import clock
from streams.worker import restore as worker_restore
from streams.worker import unit as worker_unit
from streams.worker.transport import Chunk

unit: Any = worker_unit  # whose parts are replaced, as are those of the next
restore: Any = worker_restore
clock_module: Any = clock
player_module: Any = player
exactly_once: Any = ExactlyOnce
table: Any = Table
intake: Any = Intake

_UNDO = b'"undo":true'


def commit_before_flush() -> None:
    """State and position are committed, and only then is sent what came out."""

    async def commit(_: Any, producer: Any, rows: Rows, offsets: Offsets, group: str) -> int:
        state = {at: some for at, some in rows.items() if at.topic.endswith(tuple(CHANGELOGS.values()))}
        aborts = await transaction.commit(producer, state, offsets, group)
        outputs = {at: some for at, some in rows.items() if at not in state}
        if any(outputs.values()):
            aborts += await transaction.commit(producer, outputs, {}, group)
        return aborts

    exactly_once.commit = commit


def no_fencing() -> None:
    """Each owner has a transactional id of its own."""

    owners = count()

    def unfenced(_: Any, connection: Any, transactional_id: str) -> Any:
        return make_producer(connection, f"{transactional_id}-{os.getpid()}-{next(owners)}")

    exactly_once.make_producer = unfenced


def restore_before_fencing() -> None:
    """The state is read while its last owner may still write it."""
    open_unit, commit = unit.Unit.open, exactly_once.commit
    late: dict[int, Callable[[], Awaitable[None]]] = {}

    async def opened(self: Any, stale: Callable[[], bool]) -> bool:
        producer = self._producer
        late[id(producer)] = producer.start

        async def nothing() -> None:
            pass

        producer.start = nothing
        is_open: bool = await open_unit(self, stale)
        return is_open

    async def started_late(self: Any, producer: Any, *arguments: Any) -> int:
        start = late.pop(id(producer), None)
        if start is not None:
            await start()
        aborts: int = await commit(self, producer, *arguments)
        return aborts

    unit.Unit.open = opened
    exactly_once.commit = started_late


def offset_off_by_one() -> None:
    """The position that is committed to the group and restored is that after the next record."""
    open_unit = unit.Unit.open

    async def opened(self: Any, stale: Callable[[], bool]) -> bool:
        restored: bool = await open_unit(self, stale)
        for source in self.sources:
            position = self.fold.position.next.get(source.topic, 0)
            if position > 1:
                self.fold.position.next[source.topic] = position + 1
        return restored

    unit.Unit.open = opened


def overlay_swapped_early() -> None:
    """Memory goes on as if a transaction that was aborted had been committed."""

    async def commit(_: Any, producer: Any, rows: Rows, offsets: Offsets, group: str) -> int:
        await producer.begin_transaction()
        try:
            await transaction.send(producer, rows)
            committed = {at: OffsetAndMetadata(offset, "") for at, offset in offsets.items()}
            await producer.send_offsets_to_transaction(committed, group)
        except Exception:  # noqa: BLE001 - the point of it
            await producer.abort_transaction()
            return 1
        await producer.commit_transaction()
        return 0

    exactly_once.commit = commit


def dropped_day() -> None:
    """Every third day begins in the first partition only."""
    append_whole = days.append_day

    async def append_day(producer: Any, environment: Environment, partitions: int, day: int, *delivery: Any) -> None:
        await append_whole(producer, environment, 1 if day % 3 == 0 else partitions, day, *delivery)

    for module in (clock_module, player_module):
        module.append_day = append_day


def dropped_chunk() -> None:
    """A chunk that begins beyond the position is folded all the same, as if offsets were missing for a good reason."""
    fold_chunks = unit.Unit._fold_chunks

    async def folded(self: Any, chunks: Sequence[Chunk]) -> None:
        seen = {(source.topic, source.partition): offset for source, offset in self.positions().items()}
        for chunk in chunks:
            chunk.start = min(chunk.start, seen[chunk.topic, chunk.partition])
        await fold_chunks(self, chunks)

    unit.Unit._fold_chunks = folded


def lost_day_record() -> None:
    """A day record in a chunk is overlooked now and then."""
    offer = unit.Unit.offer

    async def offered(self: Any, chunk: Chunk) -> None:
        def is_kept(record: Record) -> bool:
            return record.key != DAY_KEY or record.offset % 7 != 0

        chunk.records = [record for record in chunk.records if is_kept(record)]
        await offer(self, chunk)

    unit.Unit.offer = offered


def day_before_its_inputs() -> None:
    """The clock does not ask whether intake is through: days begin before what came in earlier is read."""

    async def is_through(*_: object) -> bool:
        return True

    clock_module.DayClock._intake_is_through = is_through


def day_before_its_events() -> None:
    """The player does not wait either."""

    async def wait(*_: object) -> None:
        pass

    player_module.Player._wait = wait


def two_clocks() -> None:
    """Each clock has a transactional id of its own, so that two of them may append."""
    make_fencing, clocks = exactly_once.make_producer, count()

    def unfenced(self: Any, connection: Any, transactional_id: str) -> Any:
        suffix = f"-{os.getpid()}-{next(clocks)}" if "-clock-" in transactional_id else ""
        return make_fencing(self, connection, transactional_id + suffix)

    exactly_once.make_producer = unfenced


def forgetful_clock() -> None:
    """A clock does not read what the clock before it appended after the state was restored."""

    async def nothing(*_: object, **__: object) -> AsyncIterator[list[Record]]:
        return
        yield

    clock_module.read_to_end = nothing


def accounts_not_sorted_anew() -> None:
    """A second activation goes through the accounts that there were at the first."""
    accept = table.accept

    def accepted(self: Any, changelog: Mapping[bytes, bytes | None]) -> None:
        known = self._sorted
        accept(self, changelog)
        self._sorted = known

    table.accept = accepted


def restore_to_stable_end() -> None:
    """The state is restored as far as no transaction is open: where the clock has one, what intake committed behind it is missed."""
    restore.reader = lambda connection, *_: reader(connection)


def forgotten_visitors() -> None:
    """Whoever restores a unit of intake has its visitors' rows, and does not know the visitors."""
    loaded = intake.loaded

    def forgetful(self: Any, *, exact: bool = True) -> None:
        loaded(self, exact=exact)
        for key in filter(is_visitor_key, self._table):
            self._visitors.apply(key, None)

    intake.loaded = forgetful


def half_moved_visits() -> None:
    """A visit is put where it belongs now, and taken out where it was in a transaction of its own."""

    async def commit(_: Any, producer: Any, rows: Rows, offsets: Offsets, group: str) -> int:
        undone = {at: [row for row in some if _UNDO in (row[1] or b"")] for at, some in rows.items()}
        others = {at: [row for row in some if row not in undone[at]] for at, some in rows.items()}
        aborts = await transaction.commit(producer, others, offsets, group)
        if any(undone.values()):
            aborts += await transaction.commit(producer, {at: some for at, some in undone.items() if some}, {}, group)
        return aborts

    exactly_once.commit = commit


MUTANTS: Mapping[str, Callable[[], None]] = {
    mutant.__name__.replace("_", "-"): mutant
    for mutant in (
        commit_before_flush,
        no_fencing,
        restore_before_fencing,
        offset_off_by_one,
        overlay_swapped_early,
        dropped_day,
        lost_day_record,
        dropped_chunk,
        day_before_its_inputs,
        day_before_its_events,
        two_clocks,
        forgetful_clock,
        accounts_not_sorted_anew,
        restore_to_stable_end,
        forgotten_visitors,
        half_moved_visits,
    )
}
"""Name -> what breaks the product."""
