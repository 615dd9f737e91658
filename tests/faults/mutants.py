"""Ways to break the product on purpose: each must be caught by the simulation and by the fault runs, or those could not fail.

A mutant replaces something in the product's modules for as long as the process lasts.
"""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from typing import Any

from aiokafka.structs import OffsetAndMetadata

from engagement.machine import Record
from engagement.records import DAY_KEY
from streams import days, transaction
from streams.delivery import ExactlyOnce, Offsets, Rows
from streams.history import player
from streams.topics import CHANGELOGS, Environment
from streams.transaction import make_producer
from streams.worker import clock
from streams.worker import unit as worker_unit
from streams.worker.transport import Chunk

unit: Any = worker_unit  # whose parts are replaced, as are those of the next
exactly_once: Any = ExactlyOnce
_MODULES_OF_DAYS: tuple[Any, ...] = (clock, player)


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

    for module in _MODULES_OF_DAYS:
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
    )
}
"""Name -> what breaks the product."""
