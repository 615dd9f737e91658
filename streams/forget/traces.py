"""What an environment keeps of somebody: read from its topics, by whoever has no part in the workers."""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from engagement import account
from engagement.contacts import CONTACTS, read_contact
from engagement.machine import RESERVED_KEYS
from engagement.visitors import is_visitor_key, read_visitor, visitor_id_of
from streams.connection import Connection
from streams.reading import read_to_end, reader
from streams.topics import CHANGELOGS, Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Whom to look for."""

    people: frozenset[str] = frozenset()  # hashes of one person, under each key
    visitor_ids: frozenset[str] = frozenset()
    email: str | None = None  # of that person, normalized: a contact list may have it under a key that nobody has any more
    hashes: Callable[[str], Iterable[str]] = lambda _: ()  # of an address, under each key that is known


class Row(NamedTuple):
    """Where something lies: a key and its partition, which need not be the key's."""

    key: bytes
    partition: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Where somebody was found. Empty is false."""

    contacts: tuple[Row, ...] = ()
    accounts: tuple[tuple[str, str], ...] = ()  # (account, hash that it knows), those above included
    visitors: tuple[tuple[str, int], ...] = ()  # id and partition
    mentioned: tuple[str, ...] = ()  # accounts of which an update says such a hash: whoever sent it must change that

    def __bool__(self) -> bool:
        return bool(self.contacts or self.accounts or self.visitors)


async def find_traces(
    connection: Connection, environment: Environment, partitions: int, sought: Sought, advance: Callable[[int], None]
) -> Traces:
    """Look through contact lists, accounts and visitors as they are now; ``advance`` is told how many partitions are through.

    Whoever is found under another hash, because a contact or an account knows two of one person, is looked for under that one too.
    """
    async with reader(connection) as consumer:
        while True:
            found = _Found(sought)
            for number in range(partitions):
                for topic, take, is_read in (
                    (CONTACTS, found.take_contact, _any),  # an address tells more than the key
                    (CHANGELOGS["qualify"], found.take_account, found.is_named),
                    (CHANGELOGS["intake"], found.take_visitor, found.is_named),
                ):
                    async for key, value in _rows(consumer, TopicPartition(environment.topic(topic), number), is_read):
                        take(Row(key, number), value)
                advance(number + 1)
            if found.people == sought.people:
                return found.traces()
            sought = replace(sought, people=found.people)


class _Found:
    """What rows say, one after another."""

    def __init__(self, sought: Sought) -> None:
        self.people = sought.people
        self._sought = sought
        self._texts = tuple(each.encode() for each in (*sought.people, *sought.visitor_ids))
        self._contacts: list[Row] = []
        self._accounts: set[tuple[str, str]] = set()
        self._visitors: set[tuple[str, int]] = set()
        self._mentioned: set[str] = set()

    def is_named(self, key: bytes, value: bytes) -> bool:
        """Whether any of the names occurs in a row: only then it is worth decoding."""
        return any(text in key or text in value for text in self._texts)

    def take_contact(self, row: Row, value: bytes) -> None:
        contact = read_contact(value)
        hashes = set() if contact is None else set(self._sought.hashes(contact.email))
        is_theirs = contact is not None and (contact.email == self._sought.email or not self.people.isdisjoint(hashes))
        if is_theirs or row.key.decode(errors="replace") in self._sought.people:
            self._contacts.append(row)
            self.people |= hashes

    def take_account(self, row: Row, value: bytes) -> None:
        name, state = row.key.decode(), account.decode(value).state
        known = {person for person in self._sought.people if state.knows(person)}
        self._accounts |= {(name, person) for person in known}
        self.people |= {each for person in known for each in state.names_of(person)}
        if not known:
            self._mentioned.add(name)

    def take_visitor(self, row: Row, value: bytes) -> None:
        if not is_visitor_key(row.key):
            return
        visitor_id = visitor_id_of(row.key)
        if visitor_id in self._sought.visitor_ids or not self._sought.people.isdisjoint(read_visitor(value).people):
            self._visitors.add((visitor_id, row.partition))

    def traces(self) -> Traces:
        return Traces(
            contacts=tuple(self._contacts),
            accounts=tuple(sorted(self._accounts)),
            visitors=tuple(sorted(self._visitors)),
            mentioned=tuple(sorted(self._mentioned)),
        )


def _any(key: bytes, value: bytes) -> bool:  # noqa: ARG001 - as `_Found.is_named`
    return True


async def _rows(
    consumer: AIOKafkaConsumer, partition: TopicPartition, is_read: Callable[[bytes, bytes], bool]
) -> AsyncIterator[tuple[bytes, bytes]]:
    """Give the rows of a compacted partition that are to be read, as they are in the end."""
    found: dict[bytes, bytes] = {}
    async for records in read_to_end(consumer, partition):
        for record in records:
            key, value = record.key, record.value
            if key is None or key in RESERVED_KEYS:
                continue
            if value is not None and is_read(key, value):
                found[key] = value
            else:
                found.pop(key, None)
    for each in found.items():
        yield each
