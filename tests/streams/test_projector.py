"""A projector on a real Kafka keeps a store of profiles complete, and equal to the workers' state, whatever happens to either."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError
from aiokafka.structs import TopicPartition

from engagement.days import iso_day
from engagement.errors import Refused
from engagement.rulebook import default_rulebook_text, load_rulebook
from streams.activation import activate_rulebook
from streams.connection import Connection
from streams.genesis import create_environment, delete_environment, read_genesis
from streams.profiles.memory import MemoryStore
from streams.profiles.metrics import ProjectorMetrics
from streams.profiles.projector import Projector
from streams.profiles.store import Account, Batch, Mark, ProfileStore, StoreUnavailable
from streams.topics import Environment
from tests.streams.filled import Rows, fill, new_filled, simulated_rows
from tests.streams.histories import FIRST_DAY, PARTITIONS
from tests.streams.projections import PATIENCE, differences, expected, until_projected

NOBODY: Rows = {number: {} for number in range(PARTITIONS)}
OTHER = load_rulebook(default_rulebook_text().replace("points: 15,  half_life: 30d, urls", "points: 45,  half_life: 30d, urls"), "other")


@pytest.fixture(scope="module")
def simulated() -> tuple[Rows, int]:
    return simulated_rows(accounts=40, days=10)


@asynccontextmanager
async def projecting(
    kafka: Connection, environment: Environment, store: ProfileStore, *, shares: bool = False
) -> AsyncIterator[tuple[Projector, ProjectorMetrics]]:
    metrics = ProjectorMetrics()
    projector = Projector(kafka, environment, store, metrics, partitions=PARTITIONS, shares=shares)
    task = asyncio.create_task(projector.run())
    try:
        yield projector, metrics
    finally:
        task.cancel()
        await asyncio.wait([task])


async def told(projector: Projector, metrics: ProjectorMetrics, name: str, **labels: str) -> float | None:
    await projector.observe()
    return metrics.registry.get_sample_value(name, labels)


async def test_accounts_are_profiled_as_of_the_last_day_and_followed_into_the_next(
    kafka: Connection, prefix: str, simulated: tuple[Rows, int]
) -> None:
    environment, (rows, day), store = Environment(prefix), simulated, MemoryStore()
    await new_filled(kafka, environment, rows, day)
    async with projecting(kafka, environment, store) as (projector, metrics):
        held = await until_projected(kafka, environment, store)
        assert differences(held, await expected(kafka, environment)) == []
        assert {profile.day for profile in held.profiles.values()} == {iso_day(day)}
        assert projector.complaint is None

        changed = {**NOBODY, 0: dict(list(rows[0].items())[:2])}
        await fill(kafka, environment, changed, day + 1)
        held = await until_projected(kafka, environment, store)
        assert {profile.day for profile in held.profiles.values()} == {iso_day(day + 1)}
        assert differences(held._replace(rows={}), (await expected(kafka, environment))._replace(rows={})) == []
        count = len(held.profiles)
        assert await told(projector, metrics, "mqa_projector_accounts_total") == count + 2
        assert await told(projector, metrics, "mqa_projector_refreshed_accounts_total") == count - 2


async def test_another_rulebook_changes_every_profile(kafka: Connection, prefix: str, simulated: tuple[Rows, int]) -> None:
    environment, (rows, day), store = Environment(prefix), simulated, MemoryStore()
    await new_filled(kafka, environment, rows, day)
    async with projecting(kafka, environment, store):
        before = await until_projected(kafka, environment, store)
        await activate_rulebook(kafka, environment, await read_genesis(kafka, environment), OTHER, place="this test")
        await fill(kafka, environment, NOBODY, day, rulebook=OTHER)
        after = await until_projected(kafka, environment, store)
        assert differences(after, await expected(kafka, environment)) == []
        assert {profile.rulebook for profile in after.profiles.values()} == {OTHER.version}
        assert any(before.profiles[name].score < profile.score for name, profile in after.profiles.items())
        assert await store.rulebook(OTHER.version) == OTHER.canonical()


async def test_a_store_that_was_flushed_while_nothing_happens_is_filled_again(
    kafka: Connection, prefix: str, simulated: tuple[Rows, int]
) -> None:
    environment, (rows, day), store = Environment(prefix), simulated, MemoryStore()
    await new_filled(kafka, environment, rows, day)
    async with projecting(kafka, environment, store, shares=True):
        before = await until_projected(kafka, environment, store)
        await store.clear()
        assert await until_projected(kafka, environment, store) == before


@pytest.mark.parametrize("is_running", [True, False])
async def test_of_an_environment_that_was_made_anew_nothing_former_stays(
    kafka: Connection, prefix: str, simulated: tuple[Rows, int], *, is_running: bool
) -> None:
    environment, (rows, day), store = Environment(prefix), simulated, MemoryStore()
    await new_filled(kafka, environment, rows, day)
    fewer = {number: dict(list(rows[number].items())[1::2]) for number in rows}  # it ends before the store's place
    more = {number: dict(list(rows[number].items())[1:]) for number in rows}

    async def make_anew(accounts: Rows) -> None:
        await delete_environment(kafka, environment)
        await new_filled(kafka, environment, accounts, FIRST_DAY)

    async with projecting(kafka, environment, store):
        await until_projected(kafka, environment, store)
        if is_running:
            await make_anew(fewer)
            await until(store, {name.decode() for part in fewer.values() for name in part})
    if not is_running:
        await make_anew(more)
        for _ in range(2):
            await fill(kafka, environment, NOBODY, FIRST_DAY)  # it ends behind the store's place
    async with projecting(kafka, environment, store):
        held = await until_projected(kafka, environment, store)
        assert differences(held, await expected(kafka, environment)) == []
        assert set(held.profiles) == {name.decode() for part in (fewer if is_running else more).values() for name in part}


async def test_of_a_topic_that_was_lost_and_made_anew_alone_the_former_places_do_not_count(
    kafka: Connection, prefix: str, simulated: tuple[Rows, int]
) -> None:
    environment, (rows, day), store = Environment(prefix), simulated, MemoryStore()
    await new_filled(kafka, environment, rows, day)
    topic = environment.topic("contacts")
    async with kafka.producer() as producer:
        await producer.send_and_wait(topic, msgspec.json.encode({"email": "ann@acme.com", "account": "acme.com"}), b"ann", 0)
    async with projecting(kafka, environment, store):
        assert (await until_projected(kafka, environment, store)).contacts.keys() == {"ann"}
        async with kafka.admin() as admin:
            await admin.delete_topics([topic])
            while topic in await admin.list_topics():  # noqa: ASYNC110 - a broker tells nobody
                await asyncio.sleep(0.05)
        await create_environment(kafka, environment)  # completes it
        async with asyncio.timeout(PATIENCE):
            while await store.contacts(["ann"]):  # noqa: ASYNC110 - nor does a store
                await asyncio.sleep(0.05)
        assert differences(await until_projected(kafka, environment, store), await expected(kafka, environment)) == []


async def test_tier_changes_that_nobody_can_read_any_more_are_passed_over(kafka: Connection, prefix: str) -> None:
    environment, store = Environment(prefix), MemoryStore()
    await new_filled(kafka, environment, NOBODY, FIRST_DAY)
    place = TopicPartition(environment.topic("tier-changes"), 0)
    async with kafka.producer() as producer:
        for _ in range(5):
            await producer.send_and_wait(place.topic, b"no tier change", b"acme.com", place.partition)
    admin = AIOKafkaAdminClient(**kafka.client_options())
    await admin.start()
    await admin.delete_records({place: RecordsToDelete(before_offset=3)})
    await admin.close()
    async with projecting(kafka, environment, store) as (projector, metrics):
        await until_projected(kafka, environment, store)
        assert (await store.places())["tier-changes/0"] == 5
        assert (await store.first_changes())[0] == 3
        assert await told(projector, metrics, "mqa_projector_foreign_records_total", topic="tier-changes") == 2
        assert await told(projector, metrics, "mqa_projector_lag_records", topic="tier-changes", partition="0") == 0


async def test_a_row_of_an_unknown_format_stops_the_projector_with_what_to_do(kafka: Connection, prefix: str) -> None:
    environment = Environment(prefix)
    await new_filled(kafka, environment, {0: {b"acme.com": b"\x09row"}}, FIRST_DAY)
    projector = Projector(kafka, environment, MemoryStore(), ProjectorMetrics(), partitions=PARTITIONS, shares=False)
    with pytest.raises(Refused, match="a row has format 9, this version reads 3; run the version that wrote it"):
        await asyncio.wait_for(projector.run(), PATIENCE)


async def test_a_rulebook_that_the_environment_does_not_hold_stops_the_projector_with_what_to_do(kafka: Connection, prefix: str) -> None:
    environment = Environment(prefix)
    await new_filled(kafka, environment, NOBODY, FIRST_DAY)
    await fill(kafka, environment, NOBODY, FIRST_DAY + 1, rulebook=OTHER)
    projector = Projector(kafka, environment, MemoryStore(), ProjectorMetrics(), partitions=PARTITIONS, shares=False)
    with pytest.raises(Refused, match=f"holds no rulebook {OTHER.version}.* run `mqa topics create --prefix {prefix}`"):
        await asyncio.wait_for(projector.run(), PATIENCE)


class Shaky(MemoryStore):
    """A store that answers only while it is up."""

    is_up = True

    async def places(self) -> Mapping[str, int]:
        self._answer()
        return await super().places()

    async def take(self, batches: Sequence[Batch]) -> None:
        self._answer()
        await super().take(batches)

    def _answer(self) -> None:
        if not self.is_up:
            raise StoreUnavailable("nobody is there")


async def test_a_store_that_does_not_answer_is_waited_for_and_told_of_once(
    kafka: Connection, prefix: str, simulated: tuple[Rows, int], caplog: pytest.LogCaptureFixture
) -> None:
    environment, (rows, day), store = Environment(prefix), simulated, Shaky()
    await new_filled(kafka, environment, rows, day)
    async with projecting(kafka, environment, store) as (projector, metrics):
        await until_projected(kafka, environment, store)
        store.is_up = False
        async with asyncio.timeout(PATIENCE):
            while not await told(projector, metrics, "mqa_projector_store_outage_seconds"):  # noqa: ASYNC110 - nobody tells when
                await asyncio.sleep(0.05)
        assert "the store has not answered for" in (projector.complaint or "")
        await fill(kafka, environment, NOBODY, day + 1)
        store.is_up = True
        held = await until_projected(kafka, environment, store)
        assert {profile.day for profile in held.profiles.values()} == {iso_day(day + 1)}
        assert await told(projector, metrics, "mqa_projector_store_outage_seconds") == 0
    said = [record.getMessage() for record in caplog.records if record.name == "mqa.projector"]
    assert [line for line in said if "nobody is there" in line] == [
        "the store of profiles does not answer (nobody is there): waiting for it"
    ]
    assert sum("answers again" in line for line in said) == 1


class Away:
    """A consumer whose broker went away; ``partitions`` of each topic were there when it was last seen."""

    def __init__(self, error: KafkaError, partitions: set[int] | None) -> None:
        self._error, self._partitions = error, partitions

    def partitions_for_topic(self, _: str) -> set[int] | None:
        return self._partitions

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset()

    async def beginning_offsets(self, _: object) -> object:
        raise self._error


async def test_a_kafka_that_is_away_when_the_store_is_back_is_not_taken_for_the_store() -> None:
    nowhere = Connection(bootstrap="127.0.0.1:1")
    projector = Projector(nowhere, Environment("test-"), MemoryStore(), ProjectorMetrics(), partitions=PARTITIONS, shares=False)
    projector.store_outage.failed(StoreUnavailable("nobody is there"))
    away = Away(KafkaConnectionError(), {0})
    with pytest.raises(KafkaConnectionError):
        await projector._open(away, away)  # no broker goes away just between the store's answer and its own
    assert projector.store_outage.seconds == 0


async def test_one_in_no_group_tells_topics_that_are_gone_from_a_kafka_that_is_away() -> None:
    nowhere = Connection(bootstrap="127.0.0.1:1")
    projector = Projector(nowhere, Environment("test-"), MemoryStore(), ProjectorMetrics(), partitions=PARTITIONS, shares=False)
    late = KafkaTimeoutError()
    with pytest.raises(KafkaTimeoutError):
        await projector._round(Away(late, {0}), Away(late, {0}))  # a real one takes 40 s to say it
    with pytest.raises(UnknownTopicOrPartitionError, match="test-accounts-changelog, test-tier-changes, test-contacts"):
        await projector._round(Away(late, None), Away(late, None))


async def test_topics_that_are_gone_are_told_of_once_with_what_to_do_and_followed_when_they_are_back(
    kafka: Connection, prefix: str, simulated: tuple[Rows, int], caplog: pytest.LogCaptureFixture
) -> None:
    environment, (rows, day), store = Environment(prefix), simulated, MemoryStore()
    await new_filled(kafka, environment, rows, day)
    async with projecting(kafka, environment, store, shares=True) as (projector, _), kafka.admin() as admin:
        await until_projected(kafka, environment, store)
        async with asyncio.timeout(PATIENCE):
            while not await admin.list_consumer_group_offsets(f"{prefix}mqa-projector"):  # noqa: ASYNC110 - a broker tells nobody
                await asyncio.sleep(0.05)
        await delete_environment(kafka, environment)
        async with asyncio.timeout(PATIENCE):
            while "topics of the environment have been missing for" not in (projector.complaint or ""):  # noqa: ASYNC110 - nobody tells when
                await asyncio.sleep(0.05)
        await new_filled(kafka, environment, rows, FIRST_DAY)
        held = await until_projected(kafka, environment, store)
        assert differences(held, await expected(kafka, environment)) == []
        assert projector.complaint is None
    said = [record.getMessage() for record in caplog.records if record.name == "mqa.projector"]
    assert sum(f"Kafka lacks topics that `mqa topics create --prefix {prefix}` makes" in line for line in said) == 1
    assert sum("Kafka has all topics again" in line for line in said) == 1


class Held(MemoryStore):
    """A store that refreshes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = asyncio.Event()

    async def refresh(self, partition: int, accounts: Sequence[Account], mark: Mark | None = None) -> None:
        await self.let_go.wait()
        await super().refresh(partition, accounts, mark)


async def test_every_metric_moves(kafka: Connection, prefix: str, simulated: tuple[Rows, int]) -> None:
    environment, (rows, day), store = Environment(prefix), simulated, Held()
    moved: set[str] = set()

    async def look(projector: Projector, metrics: ProjectorMetrics, *until: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while not moved.issuperset(until):
                await projector.observe()
                moved.update(family.name for family in metrics.registry.collect() for sample in family.samples if sample.value)
                await asyncio.sleep(0.02)

    async with projecting(Connection(bootstrap="127.0.0.1:1"), environment, store) as nowhere:
        await look(*nowhere, "mqa_projector_kafka_outage_seconds")
    await new_filled(kafka, environment, rows, day)
    async with projecting(kafka, environment, store) as (projector, metrics):
        await look(projector, metrics, "mqa_projector_complete_partitions", "mqa_projector_records")
        async with kafka.producer() as producer:
            await producer.send_and_wait(environment.topic("tier-changes"), b"no tier change", b"acme.com", 0)
        await look(projector, metrics, "mqa_projector_foreign_records")
        await fill(kafka, environment, NOBODY, day + 1)
        await look(projector, metrics, "mqa_projector_stale_partitions")
        await fill(kafka, environment, NOBODY, day + 1)  # while the store holds everything up
        await look(projector, metrics, "mqa_projector_lag_records")
        store.let_go.set()
        await look(projector, metrics, "mqa_projector_refreshed_accounts")
    store_away = Shaky()
    store_away.is_up = False
    async with projecting(kafka, environment, store_away) as (projector, metrics):
        await look(projector, metrics, "mqa_projector_store_outage_seconds")
    assert moved >= {family.name for family in ProjectorMetrics().registry.collect()}


async def test_on_the_embedded_broker_it_is_the_same(embedded: Connection, prefix: str, simulated: tuple[Rows, int]) -> None:
    environment, (rows, day), store = Environment(prefix), simulated, MemoryStore()
    await new_filled(embedded, environment, rows, day)
    async with projecting(embedded, environment, store):
        before = await until_projected(embedded, environment, store)
        assert differences(before, await expected(embedded, environment)) == []
        await store.clear()
        assert await until_projected(embedded, environment, store) == before


async def until(store: ProfileStore, accounts: set[str]) -> None:
    """Wait until the store holds these, and no others."""

    async def held() -> set[str]:
        return {each.profile.account for number in range(PARTITIONS) for each in await store.accounts_of(number, "", 1_000)}

    async with asyncio.timeout(PATIENCE):
        while await held() != accounts:  # noqa: ASYNC110 - a store tells nobody
            await asyncio.sleep(0.1)
