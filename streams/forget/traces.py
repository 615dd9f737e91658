"""What an environment keeps of somebody: read from its topics, by whoever has no part in the workers."""

from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from engagement.contacts import CONTACTS, read_contact
from engagement.machine import RESERVED_KEYS
from engagement.visitors import is_visitor_key, visitor_id_of, visitor_key
from streams.connection import Connection
from streams.reading import read_to_end, reader
from streams.topics import CHANGELOGS, Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Whom to look for."""

    people: tuple[str, ...] = ()  # hashes of one person, under each key
    email: str | None = None  # of that person, normalized: a contact list may have it under a key that nobody has any more
    visitor_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Where somebody was found. Empty is false."""

    contacts: tuple[str, ...] = ()  # hashes that are on a contact list
    accounts: tuple[tuple[str, str], ...] = ()  # (account, hash that it knows), those above included
    visitors: tuple[str, ...] = ()  # ids

    def __bool__(self) -> bool:
        return bool(self.contacts or self.accounts or self.visitors)


async def find_traces(
    connection: Connection, environment: Environment, partitions: int, sought: Sought, advance: Callable[[int], None]
) -> Traces:
    """Look through contact lists, accounts and visitors as they are now; ``advance`` is told how many partitions are through.

    A row is looked at as bytes: what names somebody by hash, in whichever field, is theirs.
    """
    contacts: list[str] = []
    accounts: list[tuple[str, str]] = []
    visitors: list[str] = []
    async with reader(connection) as consumer:
        for number in range(partitions):
            if sought.people:
                async for key, _ in _rows(consumer, environment.topic(CONTACTS), number, _contact(sought)):
                    contacts.append(key.decode())
                async for key, row in _rows(consumer, environment.topic(CHANGELOGS["qualify"]), number, _naming(sought.people)):
                    accounts += [(key.decode(), person) for person in sought.people if person.encode() in row]
            is_wanted = _visitor(sought)
            async for key, _ in _rows(consumer, environment.topic(CHANGELOGS["intake"]), number, is_wanted):
                visitors.append(visitor_id_of(key))
            advance(number + 1)
    return Traces(contacts=tuple(contacts), accounts=tuple(sorted(accounts)), visitors=tuple(sorted(visitors)))


Wanted = Callable[[bytes, bytes], bool]


def _naming(people: Collection[str]) -> Wanted:
    hashes = [person.encode() for person in people]
    return lambda _, row: any(person in row for person in hashes)


def _contact(sought: Sought) -> Wanted:
    def is_wanted(key: bytes, row: bytes) -> bool:
        if key.decode(errors="replace") in sought.people:
            return True
        contact = None if sought.email is None else read_contact(row)
        return contact is not None and contact.email == sought.email

    return is_wanted


def _visitor(sought: Sought) -> Wanted:
    wanted = None if sought.visitor_id is None else visitor_key(sought.visitor_id)
    names = _naming(sought.people)
    return lambda key, row: key == wanted or (is_visitor_key(key) and names(key, row))


async def _rows(consumer: AIOKafkaConsumer, topic: str, number: int, is_wanted: Wanted) -> AsyncIterator[tuple[bytes, bytes]]:
    """Give the rows of a compacted partition that are wanted, as they are in the end."""
    found: dict[bytes, bytes] = {}
    async for records in read_to_end(consumer, TopicPartition(topic, number)):
        for record in records:
            key, row = record.key, record.value
            if key is None or key in RESERVED_KEYS:
                continue
            if row is not None and is_wanted(key, row):
                found[key] = row
            else:
                found.pop(key, None)
    for each in found.items():
        yield each
