"""Which units this worker folds now: made equal to the group's assignment after every rebalance.

The order on assignment is the whole point: fence the last owner (InitProducerId), then read the end of the changelog, restore to it,
then fetch from the state's position. It happens in Faust's ``on_rebalance_complete``, during which heartbeats go on; waiting in
``on_partitions_assigned`` would have the worker expelled (aiokafka restarts heartbeats only after it).
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from io import StringIO
from typing import Any, NoReturn

from aiokafka.structs import TopicPartition

from engagement.errors import Refused
from engagement.machine import Fold
from streams.connection import Connection
from streams.delivery import Delivery
from streams.topics import Environment
from streams.transaction import Fenced
from streams.worker.assignor import UnitId
from streams.worker.clock import DayClock
from streams.worker.metrics import Metrics
from streams.worker.transport import Chunk
from streams.worker.unit import TELL_GROUP_SECONDS, Limits, Unit

log = logging.getLogger("mqa.worker")

REFUSED, BROKEN = 2, 70
"""Exit statuses: a person must decide; or the log must be read anew, so that a restart is the cure."""

CLOCK_UNIT: UnitId = ("intake", 0)
"""Its owner runs the clock."""

REOPEN_AFTER = 2.0
TRANSACTIONS_AT_ONCE = 8
"""Each waits for the other units' steps; more at once would not be quicker, and would come close to the broker's time-out."""

TOO_CLOSE = 60.0
EXPULSIONS_AT_MOST = 3
WATCH_SECONDS = 1.0
TELL_SECONDS = 60.0
STUCK_LOOKS = 60
"""With its units assigned, but without a batch restored for so many looks of `Ownership.watch`, a worker that is not ready never will be.

Looks, not seconds: whoever was stopped and goes on has lost no time of its own.
"""


class Ownership:
    """The units of this worker and their life cycle. Faust's app is asked for the assignment, the generation and seeks."""

    def __init__(
        self,
        app: Any,
        *,
        roles: Mapping[str, list[str]],
        make_fold: Callable[[UnitId], Fold],
        make_clock: Callable[[Unit], DayClock] | None,
        connection: Connection,
        environment: Environment,
        metrics: Metrics,
        limits: Limits,
        delivery: Delivery,
        end_process: Callable[[int, str], NoReturn] | None = None,
    ) -> None:
        """``roles``: role -> full topic names. ``make_clock`` is None where days are played. ``end_process``: see `end`, its default."""
        self._end = end if end_process is None else end_process
        self._app, self._roles, self._make_fold, self._make_clock = app, roles, make_fold, make_clock
        self._connection, self._environment, self._metrics, self._limits = connection, environment, metrics, limits
        self._delivery = delivery
        self._role_of = {topic: role for role, topics in roles.items() for topic in topics}
        self._units: dict[UnitId, Unit] = {}
        self._clock: DayClock | None = None
        self._changing = asyncio.Lock()
        self._membership: tuple[int, str] | None = None  # when the units were last made equal to the assignment
        self._turns = asyncio.Semaphore(TRANSACTIONS_AT_ONCE)
        self._revoked = True  # since the last assignment; there was none yet
        self._fenced_at: dict[UnitId, float] = {}
        self._expelled_at: list[float] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.ready = False
        self._looks_in_vain = 0  # since something came of joining the group and opening units

    def positions(self) -> dict[TopicPartition, int]:
        """Where to fetch from, over all units."""
        return {source: offset for unit in self._units.values() for source, offset in unit.positions().items()}

    async def offer(self, chunk: Chunk) -> None:
        """Hand a chunk to its unit. Without one it is dropped: whoever opens the unit seeks to its position."""
        unit = self._units.get((self._role_of[chunk.topic], chunk.partition))
        if unit is not None:
            await unit.offer(chunk)

    # Faust's signals, in the order of a rebalance

    async def on_revoked(self, *_: Any, **__: Any) -> None:
        """Before a rebalance: let running transactions end, begin none. Memory is kept, most units come back."""
        self.ready = False
        self._revoked = True
        self._give_sign()
        try:
            async with asyncio.timeout(self._app.conf.broker_session_timeout / 2):
                await asyncio.gather(*(unit.pause() for unit in self._units.values()))
        except TimeoutError:
            self._end(BROKEN, "a transaction did not end within half a session time-out of a revocation; its fate is the broker's")

    async def on_assigned(self, *_: Any, **__: Any) -> None:
        """Nothing is awaited here: aiokafka sends no heartbeat until this returns."""
        self._revoked = False
        self._give_sign()

    async def on_rebalance_complete(self, *_: Any, **__: Any) -> None:
        """After it: make the units equal to the assignment. Faust then calls `ChunkConsumer.perform_seek` and resumes."""
        try:
            await self._ensure(seek=False)
        except Exception as error:  # noqa: BLE001 - a worker that could not restore must not look alive
            self._end_for(error)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            self._end_for(error)  # nobody cancelled us: some client has let out that of a task of its own

    async def on_before_shutdown(self, *_: Any, **__: Any) -> None:
        """The fetcher has stopped and the group is not left yet."""
        await self.close()
        self._app.consumer.leave_for_good()
        log.info("everything folded is committed; goodbye")

    async def close(self) -> None:
        """End running transactions and release every unit; after this nothing is folded any more."""
        self.ready = False
        async with self._changing:
            await self._close(list(self._units))

    async def _ensure(self, *, seek: bool) -> None:
        """Make the units equal to the assignment. One at a time; gives up where another rebalance begins: that one calls again."""
        async with self._changing:
            app, consumer = self._app, self._app.consumer
            rebalance = app.rebalancing_count

            def stale() -> bool:
                self._give_sign()
                return self._revoked or app.rebalancing_count != rebalance or app.should_stop

            membership = consumer.membership
            wanted = self._assigned(consumer.assignment())
            lost = set(self._units) - wanted
            if not self._stayed_member(membership):
                self._expelled()
                lost = set(self._units)
            self._membership = membership
            if not seek:  # nothing was fetched during the rebalance, so a topic may have been deleted and made anew unnoticed
                kept = [unit for identity, unit in self._units.items() if identity not in lost]
                fits = await asyncio.gather(*(unit.still_fits() for unit in kept))
                lost |= {unit.identity for unit, fit in zip(kept, fits, strict=True) if not fit}
            await self._close(lost)
            opened = await asyncio.gather(*(self._open(unit, stale) for unit in sorted(wanted - set(self._units))), return_exceptions=True)
            if stale():
                return
            for outcome in opened:
                if isinstance(outcome, BaseException):
                    raise outcome
            if seek:
                await consumer.seek_to(
                    {source: offset for unit in opened if isinstance(unit, Unit) for source, offset in unit.positions().items()}
                )
                if stale():
                    return
            for unit in self._units.values():
                unit.admit()
            self._start_clock()
            self._count_units()
            self.ready = True
            log.info("folding %s", ", ".join(str(unit) for unit in self._units.values()) or "nothing: other workers have all units")

    def _assigned(self, assignment: set[TopicPartition]) -> set[UnitId]:
        assigned = {(topic, number) for topic, number in assignment}
        units = {(self._role_of[topic], number) for topic, number in assigned}
        for role, number in units:
            missing = [topic for topic in self._roles[role] if (topic, number) not in assigned]
            if missing:
                group = self._environment.group
                msg = f"unit {role}/{number} was assigned without {', '.join(missing)}: end the other program in the group {group!r}"
                raise Refused(msg)
        return units

    def _stayed_member(self, membership: tuple[int, str]) -> bool:
        if self._membership is None:
            return True
        (last_generation, last_member), (generation, member) = self._membership, membership
        return member == last_member and generation in {last_generation, last_generation + 1}

    async def _open(self, identity: UnitId, stale: Callable[[], bool]) -> Unit | None:
        role, _ = identity
        unit = Unit(
            identity,
            self._make_fold(identity),
            topics=self._roles[role],
            connection=self._connection,
            environment=self._environment,
            metrics=self._metrics,
            owner=self,
            turns=self._turns,
            limits=self._limits,
            delivery=self._delivery,
            tell_seconds=0.0 if self._make_clock is None else TELL_GROUP_SECONDS,  # who plays days asks after each
        )
        try:
            with self._metrics.restoring.track_inprogress():
                is_open = await unit.open(stale)
            if is_open and not stale():
                self._units[identity] = unit
                return unit
        except Fenced:
            self.fenced(unit)
            return None
        except BaseException:
            await unit.close()
            raise
        log.info("%s: restore abandoned for another rebalance", unit)
        await unit.close()
        return None

    async def _close(self, identities: Iterable[UnitId]) -> None:
        if CLOCK_UNIT in identities:
            await self._stop_clock()
        # One that was fenced meanwhile has gone by itself
        units = [self._units.pop(identity) for identity in list(identities) if identity in self._units]
        await asyncio.gather(*(unit.close() for unit in units))

    def _start_clock(self) -> None:
        unit = self._units.get(CLOCK_UNIT)
        if self._make_clock is not None and self._clock is None and unit is not None:
            self._clock = self._make_clock(unit)
            self._clock.start()

    async def _stop_clock(self) -> None:
        if self._clock is not None:
            await self._clock.stop()
            self._clock = None

    def _count_units(self) -> None:
        for role in self._roles:
            self._metrics.units.labels(role).set(sum(1 for unit in self._units.values() if unit.role == role))

    # what units ask for

    async def seek_to(self, offsets: Mapping[TopicPartition, int]) -> None:
        """See `ChunkConsumer.seek_to`."""
        await self._app.consumer.seek_to(offsets)

    async def whereabouts(self, partition: TopicPartition) -> int | None:
        """See `ChunkConsumer.whereabouts`."""
        found: int | None = await self._app.consumer.whereabouts(partition)
        return found

    def fenced(self, unit: Unit) -> None:
        """Drop it. A late zombie may have fenced the rightful owner: if it is still ours, open it anew; a second time, end."""
        self._metrics.fences.labels(unit.role).inc()
        now = asyncio.get_running_loop().time()
        if now - self._fenced_at.get(unit.identity, float("-inf")) < TOO_CLOSE:
            self._end(
                BROKEN, f"{unit} was fenced twice within a minute: another worker wants it too; are two workers running under one --name?"
            )
        self._fenced_at[unit.identity] = now
        self._drop(unit)

    def source_lost(self, topic: str) -> None:
        """An offset that was to be fetched next, or the whole topic, is gone; another may take its place: look before reading on."""
        doubtful = [unit for unit in self._units.values() if unit.role == self._role_of[topic]]
        if doubtful:
            log.warning("%s is gone, or a part of it: restoring %s", topic, ", ".join(map(str, doubtful)))
        for unit in doubtful:
            self._drop(unit)

    def _drop(self, unit: Unit) -> None:
        """Take no more chunks for it; open it anew if it is still ours."""
        if self._units.get(unit.identity) is unit:
            del self._units[unit.identity]
            self._count_units()
            self.ready = False
            self._give_sign()
        self._spawn(self._reopen(unit))

    def _expelled(self) -> None:
        """Someone else may have owned our units meanwhile, so all are restored; too often, and two processes share one name."""
        log.info("no longer continuously a member of the group: restoring everything")
        now = asyncio.get_running_loop().time()
        self._expelled_at = [then for then in self._expelled_at if now - then < TOO_CLOSE] + [now]
        if len(self._expelled_at) >= EXPULSIONS_AT_MOST:
            self._end(BROKEN, f"expelled from the group {EXPULSIONS_AT_MOST} times within a minute: do two workers run under one --name?")

    async def watch(self) -> None:
        """Once a minute say what was folded; end where the worker would only look alive: at an error of the group, and when stuck."""
        self._give_sign()
        told, told_at = self._metrics.totals(), asyncio.get_running_loop().time()
        while True:
            if asyncio.get_running_loop().time() - told_at > TELL_SECONDS:
                totals = self._metrics.totals()
                if added := totals - told:
                    log.info("in the last minute: %s", ", ".join(f"{what} {count:,}" for what, count in sorted(added.items())))
                told, told_at = totals, asyncio.get_running_loop().time()
            error = self._app.consumer.join_error()
            if error is not None:
                self._end(REFUSED, f"the group {self._environment.group!r} refuses this worker: {error!r}; see who else is in it")
            self._looks_in_vain += not (self.ready or self._revoked)  # how long a rebalance takes is up to the others too
            if self._looks_in_vain > STUCK_LOOKS:
                log_tasks()
                self._end(
                    BROKEN,
                    f"for {STUCK_LOOKS * WATCH_SECONDS:g} s nothing came of opening the units that were assigned: start the worker again",
                )
            await asyncio.sleep(WATCH_SECONDS)

    def _give_sign(self) -> None:
        self._looks_in_vain = 0

    async def _reopen(self, unit: Unit) -> None:
        if unit.identity == CLOCK_UNIT:
            await self._stop_clock()
        await unit.close()
        await asyncio.sleep(REOPEN_AFTER)
        if not self._app.rebalancing and not self._app.should_stop:
            try:
                await self._ensure(seek=True)
            except Exception as error:  # noqa: BLE001 - as in on_rebalance_complete
                self._end_for(error)

    def failed(self, unit: Unit | None, error: BaseException) -> None:
        """End the process, after the other units' running transactions; None where it was no unit that failed."""
        self._spawn(self._end_after(unit, error))

    async def _end_after(self, unit: Unit | None, error: BaseException) -> None:
        others = [other for other in self._units.values() if other is not unit]
        if others:
            await asyncio.wait([asyncio.create_task(other.close()) for other in others], timeout=8)
        self._end_for(error)

    def _end_for(self, error: BaseException) -> None:
        if isinstance(error, Refused):
            self._end(REFUSED, str(error))
        log.error("", exc_info=error)
        reason = (
            (str(error) or "the broker did not answer in time") if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
        )
        self._end(BROKEN, f"{reason}; the topics hold the truth: start the worker again")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def log_tasks() -> None:
    """Say where every task waits: nobody could find out afterwards."""
    for task in asyncio.all_tasks():
        with StringIO() as told:
            task.print_stack(file=told)
            log.error("%s", told.getvalue().rstrip())


def end(status: int, message: str) -> NoReturn:
    """End the process now. An open transaction is aborted by the next owner's fencing, or by its time-out."""
    logging.disable()  # the consumer's thread goes on until the process ends, and would have the last word
    logging.shutdown()
    print(f"mqa worker: {message}", file=sys.stderr, flush=True)  # noqa: T201 - the last word, whatever logging is set to
    os._exit(status)
