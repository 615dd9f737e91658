"""All workers of an environment hash people under one key, from the first of them on."""

import asyncio

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from engagement.days import MS_PER_DAY, day_of, iso_day
from engagement.errors import Refused
from engagement.intake import IntakePosition
from engagement.machine import POSITION_KEY
from streams.configuration import PEOPLE_KEY, newest_rulebook, read_configuration
from streams.connection import Connection
from streams.delivery import EXACTLY_ONCE
from streams.genesis import create_environment
from streams.identity import make_identity
from streams.people import agree_on_people, keys_line, keys_not_given, refuse_other_people, still_needed
from streams.person_key import PersonKey
from streams.topics import CHANGELOGS, RULEBOOKS, Environment

OURS, THEIRS = PersonKey(b"ours", "k1"), PersonKey(b"theirs", "k1")
LATER = PersonKey(b"later", "k2", OURS)
LOST = PersonKey(b"later", "k2")
PARTITIONS = 2


def fingerprint(key: PersonKey) -> str:
    return make_identity(partitions=PARTITIONS, secret=key.secret, key_id=key.key_id).fingerprint


@pytest.fixture
async def environment(kafka: Connection, prefix: str) -> Environment:
    made = Environment(prefix)
    await create_environment(kafka, made, partitions=PARTITIONS, clock="wall")
    return made


async def agree(kafka: Connection, environment: Environment, key: PersonKey, *, anew: bool = False) -> None:
    await agree_on_people(kafka, environment, PARTITIONS, key, EXACTLY_ONCE, anew=anew)


async def write(kafka: Connection, topic: str, key: bytes, value: bytes | None) -> None:
    async with AIOKafkaProducer(**kafka.client_options()) as producer:
        await producer.send_and_wait(topic, value, key, partition=0)


async def hash_under(kafka: Connection, environment: Environment, key: PersonKey) -> None:
    """As intake's state says it."""
    position = IntakePosition(people={key.key_id: fingerprint(key)})
    await write(kafka, environment.topic(CHANGELOGS["intake"]), POSITION_KEY, msgspec.json.encode(position))


async def test_the_first_key_of_an_id_is_remembered_and_another_is_refused(kafka: Connection, environment: Environment):
    for _ in range(2):
        await agree(kafka, environment, OURS)
    with pytest.raises(Refused, match=r"MQA_PERSON_SECRET is another one than that of the id 'k1' there.*MQA_PERSON_KEY_ID"):
        await agree(kafka, environment, THEIRS)
    await agree(kafka, environment, LATER)
    assert (await read_configuration(kafka, environment)).people == {"k1": fingerprint(OURS), "k2": fingerprint(LATER)}


@pytest.mark.usefixtures("fenced_producers")
async def test_of_workers_that_start_at_once_those_of_one_key_are_taken(kafka: Connection, environment: Environment):
    keys = [OURS, THEIRS, OURS, THEIRS]
    outcomes = await asyncio.gather(*(agree(kafka, environment, key) for key in keys), return_exceptions=True)
    assert [outcome for outcome in outcomes if not isinstance(outcome, Refused | None)] == []
    taken = {key for key, outcome in zip(keys, outcomes, strict=True) if outcome is None}
    refused = {key for key, outcome in zip(keys, outcomes, strict=True) if outcome is not None}
    assert (len(taken), taken & refused) == (1, set())
    assert (await read_configuration(kafka, environment)).people == {"k1": fingerprint(taken.pop())}


async def test_what_is_remembered_is_no_rulebook(kafka: Connection, environment: Environment):
    before = await newest_rulebook(kafka, environment)
    await agree(kafka, environment, OURS)
    assert (await newest_rulebook(kafka, environment)).version == before.version
    await create_environment(kafka, environment)
    assert (await read_configuration(kafka, environment)).people == {"k1": fingerprint(OURS)}


async def test_where_it_was_lost_the_key_under_which_people_were_hashed_is_remembered_again(kafka: Connection, environment: Environment):
    await hash_under(kafka, environment, OURS)
    with pytest.raises(Refused, match="MQA_PERSON_SECRET is another one"):
        await agree(kafka, environment, THEIRS)
    await agree(kafka, environment, OURS)
    await write(kafka, environment.topic(RULEBOOKS), PEOPLE_KEY + b"k1", None)
    with pytest.raises(Refused, match="MQA_PERSON_SECRET is another one"):
        await agree(kafka, environment, THEIRS)


@pytest.mark.parametrize("remember", [agree, hash_under], ids=["by a worker's start", "in intake's state"])
async def test_a_command_with_another_key_than_the_workers_is_refused(kafka: Connection, environment: Environment, remember):
    await refuse_other_people(kafka, environment, PARTITIONS, THEIRS)  # nobody has come yet
    await remember(kafka, environment, OURS)
    await refuse_other_people(kafka, environment, PARTITIONS, OURS)
    await refuse_other_people(kafka, environment, PARTITIONS, LATER)  # the workers will come with both
    for other in (THEIRS, LOST, PersonKey(b"later", "k2", THEIRS)):
        with pytest.raises(Refused, match=r"people were hashed under another key|and its secret is another one there"):
            await refuse_other_people(kafka, environment, PARTITIONS, other)


@pytest.mark.parametrize("remember", [agree, hash_under], ids=["by a worker's start", "in intake's state"])
async def test_a_new_key_replaces_the_one_that_was_there_or_is_refused(kafka: Connection, environment: Environment, remember):
    await remember(kafka, environment, OURS)
    with pytest.raises(Refused, match=r"the key 'k2' is new.*hashed under 'k1'.*MQA_PERSON_SECRET_BEFORE.*--people-anew"):
        await agree(kafka, environment, LOST)
    with pytest.raises(
        Refused, match=r"MQA_PERSON_KEY_ID_BEFORE is 'k1', and its secret is another one there; set MQA_PERSON_SECRET_BEFORE"
    ):
        await agree(kafka, environment, PersonKey(b"later", "k2", THEIRS))
    with pytest.raises(Refused, match=r"MQA_PERSON_KEY_ID_BEFORE is 'k0', and nobody was hashed under a key of that id.*or neither"):
        await agree(kafka, environment, PersonKey(b"later", "k2", PersonKey(b"ours", "k0")))
    for key in (LATER, OURS, LATER, LOST):  # in a rolling restart, and once the former one is dropped
        await agree(kafka, environment, key)
    with pytest.raises(Refused, match="MQA_PERSON_KEY_ID_BEFORE is 'k1', and its secret is another one there"):
        await agree(kafka, environment, PersonKey(b"later", "k2", THEIRS))


async def test_where_the_former_key_is_lost_everybody_may_begin_anew(kafka: Connection, environment: Environment):
    await agree(kafka, environment, OURS)
    await agree(kafka, environment, LOST, anew=True)
    await agree(kafka, environment, LOST)


async def test_where_nobody_was_hashed_no_key_can_be_replaced(kafka: Connection, environment: Environment):
    with pytest.raises(Refused, match="nobody was hashed under a key of that id"):
        await agree(kafka, environment, LATER)
    assert not (await read_configuration(kafka, environment)).people


async def test_a_key_that_is_let_go_too_soon_is_warned_of_and_the_keys_are_told(kafka: Connection, environment: Environment):
    await agree(kafka, environment, OURS)
    await agree(kafka, environment, LATER)
    configuration = await read_configuration(kafka, environment)
    now, alone = configuration.since["k2"], LATER._replace(before=None)
    today, until = iso_day(day_of(now)), iso_day(day_of(now) + 90)
    assert keys_line(configuration) == f"people are hashed under k1 (since {today}), k2 (since {today})"
    assert keys_not_given(configuration, alone) == ["k1"]
    assert f"until {until} people may be known under 'k1' alone" in str(still_needed(configuration, alone, 90, now))
    assert still_needed(configuration, alone, 90, now + 90 * MS_PER_DAY) is None
    assert still_needed(configuration, LATER, 90, now) is None
