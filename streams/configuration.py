"""What the topic ``rulebooks`` holds: everything about a running environment that whoever starts must know without reading its log.

Keys tell its records apart, and of each key the newest record counts:

- a rulebook's version -> the rulebook, canonical JSON. Intake goes by the one that was written last;
- ``__live__`` -> the `GoLive` record of an environment that was switched to the wall clock;
- ``__people__:<key id>`` -> the fingerprint of the key under which its people are hashed (`streams.people`).

Where the last rulebook is a tombstone, or nothing that can be read, the topic counts as holding none: an older one is not active.
`mqa topics create` then writes the active one again, as the log has it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from engagement.errors import Refused
from engagement.machine import Record
from engagement.records import LIVE_KEY
from engagement.rulebook import Rulebook, load_rulebook
from engagement.written import shown
from streams.connection import Connection
from streams.reading import read_to_end, reader
from streams.topics import RULEBOOKS, Environment

PEOPLE_KEY = b"__people__:"
"""What the key of a fingerprint begins with; the id of the hashes' key follows."""

_RESERVED = b"__"
"""What no rulebook's version begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What some or all records of ``rulebooks`` say."""

    rulebook: Record | None  # the last record of a rulebook, as it is; None where there is none
    is_live: bool
    people: Mapping[str, str]  # id of a key of people's hashes -> its fingerprint
    since: Mapping[str, int]  # likewise -> when the first worker came with it, in ms


def rulebooks_partition(environment: Environment) -> TopicPartition:
    """The topic has one."""
    return TopicPartition(environment.topic(RULEBOOKS), 0)


async def read_configuration(connection: Connection, environment: Environment) -> Configuration:
    """Read all of it, what a transaction wrote that was only just committed too."""
    partition = rulebooks_partition(environment)
    async with reader(connection, "read_uncommitted") as uncommitted:  # a commit is answered before readers see it
        end = (await uncommitted.end_offsets([partition]))[partition]
    async with reader(connection) as consumer:
        return await read_records(consumer, partition, start=None, end=end)


async def read_records(consumer: AIOKafkaConsumer, partition: TopicPartition, *, start: int | None, end: int) -> Configuration:
    """Read those with ``start`` <= offset < ``end``; None: from the beginning."""
    rulebook: Record | None = None
    is_live = False
    people: dict[str, str] = {}
    since: dict[str, int] = {}
    async for batch in read_to_end(consumer, partition, start=start, end=end):
        for record in batch:
            key = record.key or b""
            if key == LIVE_KEY:
                is_live = True  # whatever became of its value: there is no way back
            elif key.startswith(PEOPLE_KEY):
                key_id = key.removeprefix(PEOPLE_KEY).decode(errors="replace")
                people.pop(key_id, None)
                if record.value is not None:
                    people[key_id] = record.value.decode(errors="replace")
                    since[key_id] = record.timestamp
            elif not key.startswith(_RESERVED):
                rulebook = record
    return Configuration(rulebook=rulebook, is_live=is_live, people=people, since=since)


def load_newest(configuration: Configuration, environment: Environment) -> Rulebook:
    """Load the rulebook. Raises `Refused` with the command that mends it where the topic counts as holding none."""
    topic, record = environment.topic(RULEBOOKS), configuration.rulebook
    remedy = f"run `{environment.create_command}`, which writes the active one again"
    if record is None:
        raise Refused(f"{topic}: holds no rulebook; {remedy}")
    key = shown((record.key or b"").decode(errors="replace"))
    if record.value is None:
        raise Refused(f"{topic}: its last rulebook, {key}, is deleted; {remedy}")
    try:
        return load_rulebook(record.value.decode(), "rulebook")
    except UnicodeDecodeError as error:
        raise Refused(f"{topic}: its last rulebook, {key}, cannot be used; {remedy} (byte {error.start} is not UTF-8)") from None
    except Refused as refusal:
        raise Refused(f"{topic}: its last rulebook, {key}, cannot be used; {remedy} ({refusal})") from None


async def newest_rulebook(connection: Connection, environment: Environment) -> Rulebook:
    """Load the rulebook that was written last. Raises `Refused` as `load_newest` does."""
    return load_newest(await read_configuration(connection, environment), environment)
