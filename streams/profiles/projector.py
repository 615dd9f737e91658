"""Keeps a store of profiles as Kafka says: every account, its tier changes, and who its people are.

The store knows how far it has read, and its word counts, not the group's offsets. So there is one remedy for whatever is odd: to open
all sources anew, from where the store stands then. That is done when the group deals out partitions, when the store stands elsewhere than
thought (it was flushed, or another projector wrote) or did not answer, and when Kafka has other records than before.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from engagement.machine import Record
from streams.closing import close_client
from streams.connection import ANSWER_SECONDS, Connection
from streams.profiles import changelog
from streams.profiles.metrics import ProjectorMetrics
from streams.profiles.opening import Sources, open_sources
from streams.profiles.outage import Outage
from streams.profiles.sources import ACCOUNTS, SOURCES, Accounts, Source
from streams.profiles.store import Batch, Displaced, ProfileStore, StoreUnavailable
from streams.reading import FETCH_BYTES, reader
from streams.topics import Environment

log = logging.getLogger("mqa.projector")

FETCH_RECORDS = 2_000
"""Of one round: rows that are superseded within it are never made into profiles."""

GATHER_MS = 250
"""How long Kafka gathers what was committed, by which profiles are older: to take each transaction by itself costs a third more."""

POLL_SECONDS = 0.2
LOOK_SECONDS = 1.0
"""How often it is seen whether the store still stands where it stood, and Kafka's topics still reach there."""

REFRESH_ACCOUNTS = 200
"""Profiles that are looked at between two rounds, when all of a partition are to be made anew."""

HOUR_MS = 3_600_000


class Projector:
    """Projects until it is cancelled. Others may run beside it; each source is then read by one of them."""

    def __init__(
        self,
        connection: Connection,
        environment: Environment,
        store: ProfileStore,
        metrics: ProjectorMetrics,
        *,
        partitions: int,
        shares: bool,
        session_timeout: float = 10.0,
    ) -> None:
        """``partitions``: how many the environment has. ``shares`` them with others of the group; else it reads all, in no group.

        ``session_timeout``: seconds until others take over from one that was killed.
        """
        self._connection, self._environment, self._store, self._metrics = connection, environment, store, metrics
        self._partitions, self._shares, self._session_timeout = partitions, shares, session_timeout
        self._sources: Sources = {}
        self._is_open = False
        self._dealt = 0  # how often the group dealt out partitions
        self._assigned = 0  # partitions of accounts
        self._looked = self._wrote = monotonic()
        self._committed: dict[TopicPartition, int] = {}
        self._said_foreign: set[str] = set()
        self._ends_of: AIOKafkaConsumer | None = None
        self.store_outage = Outage("the store of profiles does not answer", "the store of profiles answers again")
        self.kafka_outage = Outage("Kafka does not answer", "Kafka answers again")
        self.topics_outage = Outage(f"Kafka lacks topics that `{environment.create_command}` makes", "Kafka has all topics again")
        metrics.expected.set(partitions)

    async def run(self) -> None:
        """Project. Waits for whoever does not answer; raises `Refused` for what this version cannot read, and errors of Kafka that stay."""
        while True:
            try:
                async with self._consumer() as consumer, reader(self._connection, fetch_bytes=changelog.FETCH_BYTES) as beside:
                    self._ends_of = beside
                    while True:
                        await self._round(consumer, beside)
            except (KafkaError, OSError) as error:
                if not _may_pass(error):
                    raise
                if isinstance(error, UnknownTopicOrPartitionError):
                    self.kafka_outage.over()  # it has answered
                    await asyncio.sleep(self.topics_outage.failed(error))
                else:
                    await asyncio.sleep(self.kafka_outage.failed(error))
            finally:
                self._ends_of, self._assigned = None, 0
                self._close()

    @property
    def complaint(self) -> str | None:
        """Why the store is not being kept up to date; None where it is."""
        for what, outage in (
            ("the store has not answered", self.store_outage),
            ("Kafka has not answered", self.kafka_outage),
            ("topics of the environment have been missing", self.topics_outage),
        ):
            if outage.seconds:
                return f"{what} for {outage.seconds:.0f} s"
        return None if self._is_open else "sources are not opened yet"

    async def observe(self) -> None:
        """Set the gauges to what holds now."""
        accounts = [source for source in self._sources.values() if isinstance(source, Accounts)]
        metrics = self._metrics
        metrics.store_outage.set(self.store_outage.seconds)
        metrics.kafka_outage.set(self.kafka_outage.seconds)
        metrics.idle.set(monotonic() - self._wrote)
        metrics.partitions.set(self._assigned)
        metrics.complete.set(sum(source.mark.is_complete for source in accounts))
        metrics.stale.set(sum(source.is_stale for source in accounts))
        metrics.progress.clear()
        for source in accounts:
            metrics.progress.labels(source.partition.partition).set(source.progress)
        places = {partition: source.place for partition, source in self._sources.items()}
        ends = await self._ends(places)
        metrics.lag.clear()
        for partition, end in ends.items():
            metrics.lag.labels(self._environment.short(partition.topic), partition.partition).set(max(0, end - places[partition]))

    async def _ends(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Ask where they end; nothing where there is nobody who says it in time."""
        consumer = self._ends_of
        if consumer is None or not partitions:
            return {}
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return dict(await consumer.end_offsets(list(partitions)))
        except (KafkaError, TimeoutError):
            return {}

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        topics = [self._environment.topic(short) for short in SOURCES]
        group = f"{self._environment.prefix}mqa-projector" if self._shares else None
        consumer = self._connection.consumer(
            group_id=group,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=GATHER_MS,
            fetch_min_bytes=FETCH_BYTES,
            session_timeout_ms=int(self._session_timeout * 1_000),
            heartbeat_interval_ms=int(self._session_timeout * 200),
            max_poll_interval_ms=HOUR_MS,  # nothing is polled while the store is away
        )
        try:
            if self._shares:
                consumer.subscribe(topics, listener=_Dealt(self))
            await consumer.start()
            if not self._shares:
                consumer.assign([TopicPartition(topic, number) for topic in topics for number in range(self._partitions)])
            yield consumer
        finally:
            await close_client(consumer.stop())

    async def _round(self, consumer: AIOKafkaConsumer, beside: AIOKafkaConsumer) -> None:
        try:
            if not self._is_open:
                await self._open(consumer, beside)
            elif monotonic() - self._looked > LOOK_SECONDS:
                await self._look(consumer)
            is_busy = any(isinstance(source, Accounts) and source.is_stale for source in self._sources.values())
            fetched = await consumer.getmany(timeout_ms=0 if is_busy else int(POLL_SECONDS * 1_000), max_records=FETCH_RECORDS)
            if self._is_open:
                await self._project(consumer, fetched)
                await self._refresh()
            await asyncio.sleep(0)  # a store in memory waits for nothing, and others in the process want a turn
        except StoreUnavailable as error:
            self._close()
            self.kafka_outage.over()  # both consumers have started
            await asyncio.sleep(self.store_outage.failed(error))
        except Displaced as displaced:
            log.info("%s: opening all sources anew", displaced)
            self._close()
        except IllegalStateError:
            self._close()  # partitions were dealt out anew meanwhile
        except (KafkaTimeoutError, TimeoutError):
            self._see_topics(consumer)
            raise

    def dealt(self) -> None:
        """The group deals out partitions."""
        self._dealt += 1
        self._close()

    def _close(self) -> None:
        self._sources, self._is_open = {}, False

    async def _open(self, consumer: AIOKafkaConsumer, beside: AIOKafkaConsumer) -> None:
        """Begin to read what is assigned from where the store stands."""
        assigned, dealt = consumer.assignment(), self._dealt
        if self._shares and not dealt:
            return  # not a member yet
        if self._shares:  # else what is assigned stays, and who asks for it waits
            self._see_topics(consumer)
        self._assigned = sum(self._environment.short(partition.topic) == ACCOUNTS for partition in assigned)
        places, marks = await self._store.places(), await self._store.marks()
        try:
            opened = await open_sources(
                beside,
                assigned,
                places=places,
                marks=marks,
                connection=self._connection,
                environment=self._environment,
                partitions=self._partitions,
            )
        except (KafkaError, OSError):
            self.store_outage.over()  # it has answered
            raise
        self.kafka_outage.over()
        self.topics_outage.over()
        if opened is None:
            await self._store.clear()
            return
        sources, batches = opened
        await self._store.take(batches)
        self.store_outage.over()  # not before: one that is full answers, and takes nothing
        if dealt != self._dealt:
            return
        for partition, source in sources.items():  # and no await from here on
            consumer.seek(partition, source.begins)
        self._sources, self._is_open, self._looked = sources, True, monotonic()
        self._metrics.reopened.inc()

    def _see_topics(self, consumer: AIOKafkaConsumer) -> None:
        """Raise UnknownTopicOrPartitionError where Kafka, by what it last said, has not all of them."""
        topics = [self._environment.topic(short) for short in SOURCES]
        gone = [topic for topic in topics if consumer.partitions_for_topic(topic) is None]
        if gone:
            raise UnknownTopicOrPartitionError(", ".join(gone))

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        """See whether all stand where they stood, and tell the group."""
        self._looked = monotonic()
        sources = dict(self._sources)
        places = await self._store.places()
        async with asyncio.timeout(ANSWER_SECONDS):  # the client itself would wait four times as long
            ends = await consumer.end_offsets(list(sources)) if sources else {}
        self.kafka_outage.over()
        for partition, source in sources.items():
            if places.get(source.name, 0) != source.place:
                raise Displaced(source.name, places.get(source.name, 0))
            if ends[partition] < source.place:
                raise Displaced(source.name, ends[partition])
        read = {partition: source.place for partition, source in sources.items()}
        if self._shares and read and read != self._committed:
            try:
                await consumer.commit({partition: OffsetAndMetadata(place, "") for partition, place in read.items()})
            except CommitFailedError:
                return  # others read them now
            self._committed = read

    async def _project(self, consumer: AIOKafkaConsumer, fetched: Mapping[TopicPartition, Sequence[Record]]) -> None:
        stops: dict[TopicPartition, int] = {}
        sources = self._sources  # others, and none, once the group has dealt out partitions anew
        for partition, source in sources.items():
            records = fetched.get(partition, ())
            if records and records[0].offset < source.place:
                raise Displaced(source.name, records[0].offset)  # the topic does not reach there: it is read from its beginning
            position = await consumer.position(partition)
            if position > source.place:  # also where there were only markers of transactions
                stops[partition] = position
        made: dict[TopicPartition, list[Batch]] = {}
        for partition, stop in stops.items():
            made[partition] = await sources[partition].batches(fetched.get(partition, ()), stop)
        await self._store.take([batch for batches in made.values() for batch in batches])
        for partition, batches in made.items():
            if not batches:  # by which rules accounts are judged is not known yet
                return self._close()
            self._taken(sources[partition], fetched.get(partition, ()), batches, stops[partition])
        return None

    def _taken(self, source: Source, records: Sequence[Record], batches: Sequence[Batch], stop: int) -> None:
        source.taken(stop)
        self._wrote = monotonic()
        self._metrics.records.labels(source.short).inc(len(records))
        self._metrics.accounts.inc(sum(len(batch.accounts) for batch in batches))
        if source.foreign:
            if source.short not in self._said_foreign:
                self._said_foreign.add(source.short)
                log.warning("%s holds records that are none of ours; they are left out, and counted", source.partition.topic)
            self._metrics.foreign.labels(source.short).inc(source.foreign)
            source.foreign = 0

    async def _refresh(self) -> None:
        """Make some profiles anew, of one partition."""
        source = next((each for each in self._sources.values() if isinstance(each, Accounts) and each.is_stale), None)
        if source is None:
            return
        number = source.partition.partition
        accounts, mark = await source.renewed(await self._store.accounts_of(number, source.cursor, REFRESH_ACCOUNTS))
        if accounts or mark is not None:
            await self._store.refresh(number, accounts, mark)
        self._metrics.refreshed.inc(len(accounts))


class _Dealt(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Tells the projector."""

    def __init__(self, projector: Projector) -> None:
        self._projector = projector

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:  # noqa: ARG002 - aiokafka's signature
        self._projector.dealt()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:  # noqa: ARG002 - as above
        self._projector.dealt()


def _may_pass(error: Exception) -> bool:
    return not isinstance(error, KafkaError) or error.retriable or isinstance(error, KafkaTimeoutError)
