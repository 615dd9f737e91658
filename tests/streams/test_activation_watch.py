"""What lets intake take another rulebook while its worker runs."""

import asyncio
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaProducer

from engagement.errors import Refused
from engagement.events import Family
from engagement.intake import Intake
from engagement.records import LIVE_KEY, GoLive, Signal, decode, encode
from engagement.rulebook import Rulebook, load_rulebook
from streams.activation import activate_rulebook
from streams.configuration import PEOPLE_KEY, newest_rulebook
from streams.connection import Connection
from streams.genesis import create_environment
from streams.topics import RULEBOOKS, Clock, Environment
from streams.worker.metrics import Metrics
from streams.worker.rulebooks import RulebookWatch
from tests.engagement.intake_world import IDENTITY, intent, record
from tests.engagement.intake_world import run as take_in

FIRST = load_rulebook("signals: {webinar: {points: 1}}\nstage: {mqa: {enter: {score: 1}}}", "first")
SECOND = load_rulebook("signals: {webinar: {points: 2}}\nstage: {mqa: {enter: {score: 1}}}", "second")


def new_intake(rulebook: Rulebook) -> Intake:
    return Intake(families={f"t.{family.value}": family for family in Family}, partition=0, rulebook=rulebook, identity=IDENTITY)


def goes_by(intake: Intake) -> str:
    """The version that stands in the next record it appends."""
    position = intake.position.next.get("t.intent-signals", 0)
    (output,) = take_in(intake, [record(Family.INTENT_SIGNALS, intent(id=f"e{position}"), offset=position)])
    entry = decode(output.value or b"")
    assert isinstance(entry, Signal)
    return entry.rulebook


def fail(error: BaseException) -> None:
    pytest.fail(repr(error))


def new_watch(
    kafka: Connection,
    environment: Environment,
    *,
    clock: Clock = "played",
    metrics: Metrics | None = None,
    failed: Callable[[BaseException], None] = fail,
) -> RulebookWatch:
    return RulebookWatch(
        connection=kafka,
        environment=environment,
        rulebook=FIRST,
        clock=clock,
        metrics=Metrics() if metrics is None else metrics,
        failed=failed,
    )


async def has_found(watch: RulebookWatch, rulebook: Rulebook) -> None:
    for _ in range(3_000):
        if watch.rulebook.version == rulebook.version:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"still goes by {watch.rulebook.version}")


async def test_every_intake_goes_by_the_newest_rulebook_those_opened_later_too(kafka: Connection, prefix: str):
    environment, metrics = Environment(prefix), Metrics()
    genesis = await create_environment(kafka, environment, partitions=1, clock="played", rulebook=FIRST)
    watch = new_watch(kafka, environment, metrics=metrics)
    intakes = [new_intake(FIRST), new_intake(FIRST)]
    for intake in intakes:
        watch.follow(intake)
    watch.start()
    assert [goes_by(intake) for intake in intakes] == [FIRST.version] * 2
    for rulebook in (SECOND, FIRST, SECOND):
        await activate_rulebook(kafka, environment, genesis, rulebook, place="test")
        await has_found(watch, rulebook)
        assert {goes_by(intake) for intake in intakes} == {rulebook.version}
        intakes.append(new_intake(watch.rulebook))
        watch.follow(intakes[-1])
        (sample,) = next(iter(metrics.rulebook.collect())).samples
        assert (sample.labels, sample.value) == ({"version": rulebook.version}, 1)
    await watch.stop()


async def test_one_that_was_written_before_the_watch_began_is_found(kafka: Connection, prefix: str):
    environment = Environment(prefix)
    genesis = await create_environment(kafka, environment, partitions=1, clock="played", rulebook=FIRST)
    await activate_rulebook(kafka, environment, genesis, SECOND, place="test")
    assert (await newest_rulebook(kafka, environment)).version == SECOND.version
    watch = new_watch(kafka, environment)
    watch.start()
    await has_found(watch, SECOND)
    await watch.stop()


async def test_a_rulebook_that_this_version_cannot_use_ends_the_worker(kafka: Connection, prefix: str):
    environment = Environment(prefix)
    await create_environment(kafka, environment, partitions=1, clock="played", rulebook=FIRST)
    failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    watch = new_watch(kafka, environment, failed=failure.set_result)
    watch.start()
    async with AIOKafkaProducer(**kafka.client_options()) as producer:
        await producer.send_and_wait(environment.topic(RULEBOOKS), b'{"signals_of_tomorrow":{}}', b"tomorrow")
    error = await asyncio.wait_for(failure, 30)
    assert isinstance(error, Refused)
    assert str(error).startswith(f"{prefix}rulebooks: its last rulebook, tomorrow, cannot be used; ")
    assert "signals_of_tomorrow is no key known here" in str(error)
    assert watch.rulebook is FIRST
    await watch.stop()


@pytest.mark.parametrize("garbage", [b"\xff\xfe", b"stage: [", b"just words", b""])
async def test_what_is_no_rulebook_ends_the_worker_with_what_can_be_done_about_it(kafka: Connection, prefix: str, garbage: bytes):
    environment = Environment(prefix)
    await create_environment(kafka, environment, partitions=1, clock="played", rulebook=FIRST)
    await write(kafka, environment, (b"odd", garbage))
    error = await asyncio.wait_for(failure_of(kafka, environment, "played"), 30)
    assert isinstance(error, Refused)
    assert f"rulebooks: its last rulebook, odd, cannot be used; run `mqa topics create --prefix {prefix}`" in str(error)


@pytest.mark.parametrize("last", [(FIRST.version.encode(), None), (PEOPLE_KEY + b"k1", b"k1.0123456789abcdef")], ids=["deleted", "people"])
async def test_a_deleted_rulebook_and_a_key_of_hashes_leave_intake_with_its_rulebook(
    kafka: Connection, prefix: str, last: tuple[bytes, bytes | None]
):
    environment = Environment(prefix)
    await create_environment(kafka, environment, partitions=1, clock="played", rulebook=FIRST)
    await write(kafka, environment, last)
    watch = new_watch(kafka, environment)
    watch.start()
    async with asyncio.timeout(30):
        while watch._read_to is None:  # noqa: ASYNC110 - nobody is told of a look that found nothing
            await asyncio.sleep(0.01)
    assert watch.rulebook is FIRST
    await write(kafka, environment, (SECOND.version.encode(), SECOND.canonical().encode()))
    await has_found(watch, SECOND)
    await watch.stop()


async def test_a_worker_that_read_a_played_clock_ends_when_the_environment_has_gone_live(kafka: Connection, prefix: str):
    environment = Environment(prefix)
    await create_environment(kafka, environment, partitions=1, clock="played", rulebook=FIRST)
    await write(kafka, environment, (LIVE_KEY, encode(GoLive(received_at=1))))
    error = await asyncio.wait_for(failure_of(kafka, environment, "played"), 30)
    assert isinstance(error, Refused)
    assert "`mqa go-live`, and this worker by a played one; start it again" in str(error)


async def test_a_worker_by_the_wall_clock_goes_on_in_an_environment_that_has_gone_live(kafka: Connection, prefix: str):
    environment = Environment(prefix)
    genesis = await create_environment(kafka, environment, partitions=1, clock="played", rulebook=FIRST)
    await write(kafka, environment, (LIVE_KEY, encode(GoLive(received_at=1))))
    await activate_rulebook(kafka, environment, genesis, SECOND, place="test")
    watch = new_watch(kafka, environment, clock="wall")
    watch.start()
    await has_found(watch, SECOND)
    await watch.stop()


async def write(kafka: Connection, environment: Environment, *rows: tuple[bytes, bytes | None]) -> None:
    async with AIOKafkaProducer(**kafka.client_options()) as producer:
        for key, value in rows:
            await producer.send_and_wait(environment.topic(RULEBOOKS), value, key)


async def failure_of(kafka: Connection, environment: Environment, clock: Clock) -> BaseException:
    failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    watch = new_watch(kafka, environment, clock=clock, failed=failure.set_result)
    watch.start()
    error = await failure
    await watch.stop()
    return error
