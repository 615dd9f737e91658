"""An environment is made once, can be completed, and is refused when something of it is gone."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition

from engagement.errors import Refused
from engagement.records import ACTIVATION_KEY, GENESIS_KEY, LIVE_KEY, SEMANTICS, Activation, GoLive, encode
from engagement.rulebook import default_rulebook_text, load_rulebook
from streams.activation import activate_rulebook
from streams.clocks import clock_of
from streams.configuration import newest_rulebook
from streams.connection import Connection
from streams.genesis import create_environment, delete_environment, existing_topics, read_genesis
from streams.reading import read_to_end, reader
from streams.topics import STATEFUL, TOPICS, Environment
from streams.transaction import make_producer

OTHER_RULEBOOK = load_rulebook(default_rulebook_text().replace("window: 90d", "window: 80d"), "other rulebook")


class Topics:
    """Topics as somebody else makes and deletes them; returns when the broker shows it."""

    def __init__(self, admin: AIOKafkaAdminClient) -> None:
        self._admin = admin

    async def create(self, topic: str, partitions: int) -> None:
        await self._admin.create_topics([NewTopic(topic, partitions, 1)])
        await self._until(lambda shown: topic in shown)

    async def delete(self, topic: str) -> None:
        await self._admin.delete_topics([topic])
        await self._until(lambda shown: topic not in shown)

    async def _until(self, holds: Callable[[list[str]], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds(await self._admin.list_topics()):  # noqa: ASYNC110 - a broker tells nobody
                await asyncio.sleep(0.01)


@pytest.fixture
def environment(prefix: str) -> Environment:
    return Environment(prefix)


@pytest.fixture
async def topics(kafka: Connection) -> AsyncIterator[Topics]:
    admin = AIOKafkaAdminClient(**kafka.client_options())
    await admin.start()
    yield Topics(admin)
    await admin.close()


async def records_in(kafka: Connection, topic: str, partition: int) -> list[tuple[bytes | None, bytes | None]]:
    async with reader(kafka) as consumer:
        return [(each.key, each.value) async for batch in read_to_end(consumer, TopicPartition(topic, partition)) for each in batch]


async def send(kafka: Connection, topic: str, key: bytes, value: bytes | None, timestamp_ms: int | None = None) -> None:
    producer = AIOKafkaProducer(**kafka.client_options())
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, key=key, partition=0, timestamp_ms=timestamp_ms)
    finally:
        await producer.stop()


async def test_a_new_environment_starts_with_one_genesis_in_every_partition_that_holds_state(
    kafka: Connection, environment: Environment
) -> None:
    genesis = await create_environment(kafka, environment, partitions=2, clock="played")
    assert (genesis.partitions, genesis.clock, genesis.day) == (2, "played", None)
    for short in STATEFUL:
        for partition in range(2):
            assert await records_in(kafka, environment.topic(short), partition) == [(GENESIS_KEY, encode(genesis))]
    assert await existing_topics(kafka, environment) == {each.short: each.partitions(2) for each in TOPICS}


async def test_creating_again_changes_nothing(kafka: Connection, environment: Environment) -> None:
    made = await create_environment(kafka, environment, partitions=1, rulebook=OTHER_RULEBOOK)
    assert await create_environment(kafka, environment, partitions=1, clock="wall", rulebook=OTHER_RULEBOOK) == made
    assert await create_environment(kafka, environment) == made
    assert await read_genesis(kafka, environment) == made
    assert await records_in(kafka, environment.topic("account-log"), 0) == [(GENESIS_KEY, encode(made))]


async def test_the_first_rulebook_is_the_newest_until_another_is_written(kafka: Connection, environment: Environment) -> None:
    genesis = await create_environment(kafka, environment, partitions=1)
    assert (await newest_rulebook(kafka, environment)).version == genesis.version
    await send(kafka, environment.topic("rulebooks"), OTHER_RULEBOOK.version.encode(), OTHER_RULEBOOK.canonical().encode())
    assert (await newest_rulebook(kafka, environment)).version == OTHER_RULEBOOK.version


async def test_another_clock_count_or_rulebook_is_refused_with_both_values(kafka: Connection, environment: Environment) -> None:
    genesis = await create_environment(kafka, environment, partitions=1, clock="wall")
    with pytest.raises(Refused, match="partitions = 2, but it was made with 1"):
        await create_environment(kafka, environment, partitions=2)
    with pytest.raises(Refused, match="clock = played, but it was made with wall"):
        await create_environment(kafka, environment, clock="played")
    with pytest.raises(Refused, match=f"rulebook version = {OTHER_RULEBOOK.version}, but it was made with {genesis.version}"):
        await create_environment(kafka, environment, rulebook=OTHER_RULEBOOK)


async def test_topics_without_a_genesis_are_completed(kafka: Connection, environment: Environment, topics: Topics) -> None:
    await topics.create(environment.topic("account-log"), 2)
    await topics.create(environment.topic("web-visits"), 2)
    with pytest.raises(Refused, match=f"mqa topics create --prefix {environment.prefix}"):
        await read_genesis(kafka, environment)
    genesis = await create_environment(kafka, environment, partitions=2)
    assert await read_genesis(kafka, environment) == genesis


@pytest.mark.usefixtures("fenced_producers")
async def test_a_creation_killed_before_its_commit_leaves_nothing_and_can_be_done_again(
    kafka: Connection, environment: Environment, topics: Topics
) -> None:
    log = environment.topic("account-log")
    await topics.create(log, 1)
    killed = make_producer(kafka, environment.transactional_id("create", 0))
    await killed.start()
    await killed.begin_transaction()
    await killed.send_and_wait(log, b"half a genesis", key=GENESIS_KEY, partition=0)
    genesis = await create_environment(kafka, environment, partitions=1)
    assert await records_in(kafka, log, 0) == [(GENESIS_KEY, encode(genesis))]
    await killed.stop()


@pytest.mark.usefixtures("fenced_producers")
async def test_two_creations_at_once_write_one_genesis(kafka: Connection, environment: Environment) -> None:
    answers = await asyncio.gather(
        create_environment(kafka, environment, partitions=2, clock="wall"),
        create_environment(kafka, environment, partitions=2, clock="played"),
        return_exceptions=True,
    )
    made = [each for each in answers if not isinstance(each, BaseException)]
    assert [type(each) for each in answers if isinstance(each, BaseException)] == [Refused]
    for partition in range(2):
        assert await records_in(kafka, environment.topic("account-log"), partition) == [(GENESIS_KEY, encode(made[0]))]


@pytest.mark.parametrize("short", ["web-visits", "filtered-events"])  # the second, environments of earlier versions lack
async def test_a_topic_that_is_missing_is_told_with_the_command_that_mends_it(
    kafka: Connection, environment: Environment, topics: Topics, short: str
) -> None:
    genesis = await create_environment(kafka, environment, partitions=1)
    await topics.delete(environment.topic(short))
    with pytest.raises(Refused, match=rf"no topic {environment.topic(short)}; run `mqa topics create --prefix"):
        await read_genesis(kafka, environment)
    assert await create_environment(kafka, environment) == genesis


@pytest.mark.parametrize("is_made_empty", [False, True], ids=["deleted", "empty"])
async def test_a_lost_rulebook_is_told_and_written_again(
    kafka: Connection, environment: Environment, topics: Topics, *, is_made_empty: bool
) -> None:
    genesis = await create_environment(kafka, environment, partitions=2, rulebook=OTHER_RULEBOOK)
    rulebooks = environment.topic("rulebooks")
    await topics.delete(rulebooks)
    if is_made_empty:  # as a creation leaves it that was killed before its commit
        await topics.create(rulebooks, 1)
    with pytest.raises(Refused, match=rf"{rulebooks}.*; run `{environment.create_command}`"):
        await read_genesis(kafka, environment)
    assert await create_environment(kafka, environment) == genesis
    assert (await newest_rulebook(kafka, environment)).version == OTHER_RULEBOOK.version
    assert await records_in(kafka, environment.topic("account-log"), 0) == [(GENESIS_KEY, encode(genesis))]


@pytest.mark.parametrize("value", [None, b"\xff\xfe", b"stage: [", b"", b"just words"])
async def test_a_last_rulebook_that_is_deleted_or_cannot_be_read_is_told_and_the_active_one_written_again(
    kafka: Connection, environment: Environment, value: bytes | None
) -> None:
    genesis = await create_environment(kafka, environment, partitions=1, clock="played")
    await activate_rulebook(kafka, environment, genesis, OTHER_RULEBOOK, place="test")
    rulebooks = environment.topic("rulebooks")
    await send(kafka, rulebooks, OTHER_RULEBOOK.version.encode(), value)
    for reading in (read_genesis, newest_rulebook):
        with pytest.raises(Refused, match=rf"^{rulebooks}: .*`{environment.create_command}`") as refusal:
            await reading(kafka, environment)
        assert str(refusal.value).isprintable()
    assert await create_environment(kafka, environment) == genesis
    assert (await newest_rulebook(kafka, environment)).version == OTHER_RULEBOOK.version
    written = await records_in(kafka, rulebooks, 0)
    await create_environment(kafka, environment)
    assert await records_in(kafka, rulebooks, 0) == written


async def test_a_clock_marker_is_no_rulebook_and_a_deleted_one_takes_nothing_back(kafka: Connection, environment: Environment) -> None:
    genesis = await create_environment(kafka, environment, partitions=1, clock="played")
    rulebooks, live = environment.topic("rulebooks"), encode(GoLive(received_at=1))
    await send(kafka, environment.topic("account-log"), LIVE_KEY, live)
    await send(kafka, rulebooks, LIVE_KEY, live)
    assert (await newest_rulebook(kafka, environment)).version == genesis.version
    await send(kafka, rulebooks, genesis.version.encode(), None)
    with pytest.raises(Refused, match=f"{rulebooks}: its last rulebook, {genesis.version}, is deleted; run `{environment.create_command}`"):
        await read_genesis(kafka, environment)
    assert await create_environment(kafka, environment) == genesis
    await send(kafka, rulebooks, LIVE_KEY, None)
    assert await clock_of(kafka, environment, genesis) == "wall"


async def test_an_active_rulebook_of_a_later_version_is_not_written_again_in_vain(kafka: Connection, environment: Environment) -> None:
    await create_environment(kafka, environment, partitions=1)
    later = Activation(rulebook='{"signals_of_tomorrow":{}}', version="tomorrow", semantics=SEMANTICS, received_at=1)
    await send(kafka, environment.topic("account-log"), ACTIVATION_KEY, encode(later))
    await send(kafka, environment.topic("rulebooks"), b"tomorrow", later.rulebook.encode())
    with pytest.raises(
        Refused, match=r"cannot use the active rulebook; use the one that activated it, or a later one .rulebook tomorrow: "
    ):
        await create_environment(kafka, environment)


@pytest.mark.parametrize("short", STATEFUL)
async def test_a_deleted_state_topic_is_never_made_anew(kafka: Connection, environment: Environment, topics: Topics, short: str) -> None:
    await create_environment(kafka, environment, partitions=1)
    await topics.delete(environment.topic(short))
    for attempt in (read_genesis, create_environment):
        with pytest.raises(Refused, match=f"{environment.topic(short)}: missing or empty, though the environment was finished"):
            await attempt(kafka, environment)
    await topics.create(environment.topic(short), 1)
    with pytest.raises(Refused, match=f"{environment.topic(short)}/0: missing or empty"):
        await read_genesis(kafka, environment)


async def test_a_changed_partition_count_is_refused_with_both_numbers(kafka: Connection, environment: Environment, topics: Topics) -> None:
    await create_environment(kafka, environment, partitions=1)
    await topics.delete(environment.topic("web-visits"))
    await topics.create(environment.topic("web-visits"), 3)
    with pytest.raises(Refused, match=f"{environment.topic('web-visits')}: has 3 partitions, expected 1"):
        await read_genesis(kafka, environment)


async def test_a_log_that_starts_with_something_else_is_refused(kafka: Connection, environment: Environment, topics: Topics) -> None:
    await topics.create(environment.topic("account-log"), 1)
    await send(kafka, environment.topic("account-log"), b"acme.com", b"{}")
    with pytest.raises(Refused, match=r"starts with the key b'acme\.com', not with a genesis"):
        await create_environment(kafka, environment, partitions=1)


@pytest.mark.parametrize("instant", [1_420_070_400_000, 4_102_444_800_000], ids=["2015", "2100"])
async def test_a_played_environment_takes_events_of_any_year(kafka: Connection, environment: Environment, instant: int) -> None:
    await create_environment(kafka, environment, partitions=1, clock="played")
    for short in ("web-visits", "account-log"):
        await send(kafka, environment.topic(short), b"key", b"{}", timestamp_ms=instant)


async def test_an_input_takes_three_megabytes(kafka: Connection, environment: Environment) -> None:
    await create_environment(kafka, environment, partitions=1)
    producer = AIOKafkaProducer(**kafka.client_options(), max_request_size=4 << 20)
    await producer.start()
    await producer.send_and_wait(environment.topic("web-visits"), b"x" * (3 << 20))
    await producer.stop()


async def test_deleting_an_environment_leaves_its_neighbour_alone(kafka: Connection, environment: Environment) -> None:
    neighbour = Environment(f"{environment.prefix}2-")
    await create_environment(kafka, environment, partitions=1)
    kept = await create_environment(kafka, neighbour, partitions=1)
    deleted = await delete_environment(kafka, environment)
    assert sorted(deleted) == sorted(environment.topic(each.short) for each in TOPICS)
    assert await existing_topics(kafka, environment) == {}
    assert await read_genesis(kafka, neighbour) == kept
