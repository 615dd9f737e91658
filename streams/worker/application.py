"""The composition root of a worker: everything is made and joined here, importing anything has no effect."""

import asyncio
import logging
from collections.abc import AsyncIterable
from dataclasses import dataclass
from socket import socket
from time import time_ns
from typing import Any

import faust

from engagement.events import Family
from engagement.intake import Intake
from engagement.machine import Fold
from engagement.qualify import Qualify
from engagement.records import Genesis
from engagement.rulebook import Rulebook
from streams.connection import Connection
from streams.contacts import ContactLists
from streams.delivery import MEANINGS, Delivery, delivery_of
from streams.group import Acknowledged
from streams.health import HealthServer
from streams.identity import make_identity
from streams.networks.lookup import Networks
from streams.person_key import PersonKey
from streams.topics import LOG, SOURCES, Clock, Environment
from streams.worker import transport
from streams.worker.assignor import UnitAssignor, UnitId
from streams.worker.backlog import Backlog
from streams.worker.clock import DayClock
from streams.worker.metrics import Metrics
from streams.worker.ownership import Ownership, end
from streams.worker.rulebooks import RulebookWatch
from streams.worker.transport import Chunk
from streams.worker.unit import Limits, Unit

log = logging.getLogger("mqa.worker")

LEAVE_SECONDS = 4.0
"""How long a stop may take before the units are closed without the group. With that it ends within 10 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """What one worker is told on its command line."""

    connection: Connection
    environment: Environment
    genesis: Genesis
    clock: Clock  # that holds now
    rulebook: Rulebook  # the newest as the worker starts; intake's rules
    roles: tuple[str, ...]
    name: str  # unique among the workers of the environment, stable over restarts
    limits: Limits
    health: socket | None  # where the health server is to listen; None: there is none
    session_timeout: int  # seconds
    person_key: PersonKey
    networks: Networks
    contact_lists: ContactLists  # read already


class EngagementApp(faust.App):
    """A Faust app with what its transport asks for, and what runs beside it from the first moment."""

    ownership: Ownership
    assignor_of_units: UnitAssignor
    rulebooks: RulebookWatch | None  # None where it has no intake, like the next
    contact_lists: ContactLists | None
    health: HealthServer | None
    backlog: Backlog | None  # None where nobody can ask for metrics
    acknowledged: Acknowledged
    _watch: asyncio.Task[None]

    async def on_start(self) -> None:
        """Before the group is joined: a restore may take long, and probes must have an answer meanwhile."""
        await super().on_start()
        self._watch = asyncio.create_task(self.ownership.watch(), name="watch")
        if self.rulebooks is not None:
            self.rulebooks.start()
        if self.contact_lists is not None:
            self.contact_lists.start(lambda error: self.ownership.failed(None, error))
        if self.health is not None:
            await self.health.start()
            log.info("metrics and health on %s", self.health.address)

    async def on_shutdown(self) -> None:
        """After everything else has stopped."""
        self._watch.cancel()
        if self.rulebooks is not None:
            await self.rulebooks.stop()
        if self.contact_lists is not None:
            await self.contact_lists.stop()
        if self.health is not None:
            await self.health.stop()
        if self.backlog is not None:
            await self.backlog.stop()
        await self.acknowledged.stop()
        await super().on_shutdown()

    def _create_directories(self) -> None:
        """Make none: Faust would make folders for tables in the working directory, and there are no tables."""


class EngagementWorker(faust.Worker):
    """The process around the app. Ends in time after a signal, whatever the group is waiting for."""

    app: EngagementApp
    _deadline: asyncio.Task[None] | None = None

    def _schedule_shutdown(self, signal: Any) -> None:
        """Faust stops by leaving the group, and while that is rebalancing around a dead member it does not answer."""
        super()._schedule_shutdown(signal)
        if self._deadline is None:
            self._deadline = self.loop.create_task(self._end_in_time())

    async def _end_in_time(self) -> None:
        await asyncio.sleep(LEAVE_SECONDS)
        try:
            await asyncio.wait_for(self.app.ownership.close(), LEAVE_SECONDS)
        except TimeoutError:
            end(0, "stopped while a unit was opened or a transaction ran: what was not committed is folded again by the next owner")
        end(0, "everything folded is committed; left without a word to the group, which is busy")


def create_app(settings: WorkerSettings) -> EngagementApp:
    """A Faust app whose one agent hands chunks to the units that this worker owns."""
    transport.register()
    environment, connection, limits = settings.environment, settings.connection, settings.limits
    app = EngagementApp(
        environment.group,
        broker=connection.faust_broker(transport.SCHEME),
        broker_credentials=connection.faust_credentials(),
        consumer_group_instance_id=f"{environment.group}-{settings.name}",  # static: a restarted worker takes its units back at once
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=8 << 20,
        broker_max_poll_records=limits.batch,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=settings.session_timeout / 5,
        broker_rebalance_timeout=15.0,
        broker_request_timeout=40.0,
        broker_max_poll_interval=3600.0,  # nothing is polled during a restore
        store="memory://",
        table_standby_replicas=0,
        topic_allow_declare=False,  # only `mqa topics create` makes topics
        topic_disable_leader=True,
        topic_partitions=settings.genesis.partitions,
        stream_wait_empty=False,
        stream_buffer_maxsize=8,  # chunks, not records
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    topics_of = {role: [environment.topic(short) for short in shorts] for role, shorts in SOURCES.items()}
    roles = {role: topics_of[role] for role in settings.roles}
    app.assignor_of_units = UnitAssignor(topics_of)
    metrics = Metrics(settings.roles)
    metrics.partitions.set(settings.genesis.partitions)
    app.acknowledged = Acknowledged(connection, delivery_of(settings.genesis).offsets_group(environment))
    delivery = delivery_of(settings.genesis, app.acknowledged.commit)
    metrics.delivery.labels(delivery.promise).set(1)
    log.info("delivers %s", MEANINGS[delivery.promise])
    rulebooks = RulebookWatch(
        connection=connection,
        environment=environment,
        rulebook=settings.rulebook,
        clock=settings.clock,
        metrics=metrics,
        failed=lambda error: app.ownership.failed(None, error),
    )
    app.rulebooks = rulebooks if "intake" in roles else None
    app.contact_lists = settings.contact_lists if "intake" in roles else None
    app.ownership = Ownership(
        app,
        roles=roles,
        make_fold=_folds(settings, rulebooks),
        make_clock=_clocks(settings, app, metrics, rulebooks, delivery) if settings.clock == "wall" else None,
        connection=connection,
        environment=environment,
        metrics=metrics,
        limits=limits,
        delivery=delivery,
    )
    app.on_partitions_revoked.connect(app.ownership.on_revoked)
    app.on_partitions_assigned.connect(app.ownership.on_assigned)
    app.on_rebalance_complete.connect(app.ownership.on_rebalance_complete)
    app.on_before_shutdown.connect(app.ownership.on_before_shutdown)
    app.health = app.backlog = None
    if settings.health is not None:
        ownership = app.ownership
        app.backlog = Backlog(
            connection,
            metrics,
            role_of={topic: role for role, topics in roles.items() for topic in topics},
            positions=ownership.positions,
            now=_now if settings.clock == "wall" else None,
        )
        app.health = HealthServer(
            metrics,
            settings.health,
            complaint=lambda: None if ownership.ready else "rebalancing or restoring",
            refresh=app.backlog.observe,
        )

    # acks=False keeps Faust's own offset bookkeeping away: it would commit what it should not
    source = app.topic(*(topic for topics in roles.values() for topic in topics), key_serializer="raw", value_serializer="raw", acks=False)

    @app.agent(source, name="dispatch")
    async def dispatch(chunks: Any) -> None:
        stream: AsyncIterable[Chunk] = chunks.noack()
        async for chunk in stream:
            await app.ownership.offer(chunk)

    return app


def _now() -> int:
    """Milliseconds, by this machine's clock."""
    return time_ns() // 1_000_000


def _folds(settings: WorkerSettings, rulebooks: RulebookWatch) -> Any:
    families = {settings.environment.topic(family.value): family for family in Family}
    key = settings.person_key
    identity = make_identity(
        partitions=settings.genesis.partitions,
        secret=key.secret,
        key_id=key.key_id,
        before=key.before,
        networks=settings.networks,
        contact=settings.contact_lists.contacts.account_of,
    )

    def make_fold(unit: UnitId) -> Fold:
        role, number = unit
        if role == "qualify":
            return Qualify(topic=settings.environment.topic(LOG), partition=number)
        intake = Intake(families=families, partition=number, rulebook=rulebooks.rulebook, identity=identity)
        rulebooks.follow(intake)
        return intake

    return make_fold


def _clocks(settings: WorkerSettings, app: EngagementApp, metrics: Metrics, rulebooks: RulebookWatch, delivery: Delivery) -> Any:
    def make_clock(unit: Unit) -> DayClock:
        last_day = settings.genesis.day if unit.clock_row is None else int(unit.clock_row)
        assert last_day is not None, "an environment has a day in its genesis, or was played until a day before it went live"
        return DayClock(
            connection=settings.connection,
            environment=settings.environment,
            partitions=settings.genesis.partitions,
            last_day=last_day,
            restored_to=unit.restored_to,
            now=_now,
            skew_ms=lambda: rulebooks.rulebook.intake.skew,
            metrics=metrics,
            fenced=lambda _: app.ownership.fenced(unit),
            failed=lambda error: app.ownership.failed(unit, error),
            delivery=delivery,
        )

    return make_clock
