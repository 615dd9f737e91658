"""What a store of profiles must hold: computed from the topics by other means than the projector's."""

import asyncio
from typing import NamedTuple

import msgspec
from aiokafka.structs import TopicPartition

from engagement.account import decode
from engagement.contacts import CONTACTS
from engagement.judging import judge_by
from engagement.machine import POSITION_KEY, RESERVED_KEYS, RULEBOOK_KEY, Record
from engagement.profile import Profile, profile
from engagement.qualify import QualifyPosition
from streams.connection import Connection
from streams.profiles.store import Account, ProfileStore
from streams.reading import reader
from streams.topics import CHANGELOGS, TIER_CHANGES, Environment
from tests.streams.histories import PARTITIONS

SOURCES = (CHANGELOGS["qualify"], TIER_CHANGES, CONTACTS)
PATIENCE = 60.0


class Projection(NamedTuple):
    """All that lists, an account's page and a subscriber are told."""

    profiles: dict[str, Profile]
    rows: dict[str, bytes]
    timelines: dict[str, list[bytes]]  # of accounts with tier changes
    contacts: dict[str, bytes]


async def expected(kafka: Connection, environment: Environment) -> Projection:
    """What the workers' state says, read anew and from the beginning."""
    made = Projection({}, {}, {}, {})
    topics = await everything(kafka, environment)
    for number in range(PARTITIONS):
        state = {record.key: record.value for record in topics[CHANGELOGS["qualify"], number]}  # no worker was replaced unknowingly
        position = msgspec.json.decode(state[POSITION_KEY] or b"", type=QualifyPosition)
        assert position.rulebook is not None
        judge = judge_by((state[RULEBOOK_KEY] or b"").decode(), position.rulebook)
        for key, row in state.items():
            if key is not None and key not in RESERVED_KEYS and row is not None:
                made.rows[key.decode()] = row
                made.profiles[key.decode()] = profile(key.decode(), decode(row).state, position.rule_day or 0, judge)
        for record in topics[TIER_CHANGES, number]:
            made.timelines.setdefault((record.key or b"").decode(), []).append(record.value or b"")
        contacts = {(record.key or b"").decode(): record.value for record in topics[CONTACTS, number]}
        made.contacts.update({person: row for person, row in contacts.items() if row is not None})
    return made


async def everything(kafka: Connection, environment: Environment) -> dict[tuple[str, int], list[Record]]:
    """Every committed record of the topics that are projected, by short name and partition."""
    found: dict[tuple[str, int], list[Record]] = {(short, number): [] for short in SOURCES for number in range(PARTITIONS)}
    places = [TopicPartition(environment.topic(short), number) for short, number in found]
    async with reader(kafka) as consumer:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for place, records in (await consumer.getmany(timeout_ms=100)).items():
                found[environment.short(place.topic), place.partition] += records
    return found


async def held(store: ProfileStore, people: list[str]) -> Projection:
    """What the store holds, and knows of these people."""
    accounts = [account for number in range(PARTITIONS) for account in await all_of(store, number)]
    names = [account.profile.account for account in accounts]
    timelines = {name: [change.body for change in await store.timeline(name)] for name in names}
    return Projection(
        {account.profile.account: account.profile for account in accounts},
        {account.profile.account: account.row for account in accounts},
        {name: timeline for name, timeline in timelines.items() if timeline},
        dict(await store.contacts(people)),
    )


async def all_of(store: ProfileStore, number: int) -> list[Account]:
    """A partition's accounts, a few at a time."""
    found: list[Account] = []
    while part := await store.accounts_of(number, found[-1].profile.account if found else "", 50):
        found += part
    return found


async def until_projected(kafka: Connection, environment: Environment, store: ProfileStore) -> Projection:
    """Wait until the store is complete and as of now, whatever happened to it; returns what it then holds."""
    async with asyncio.timeout(PATIENCE):
        await until_complete(kafka, environment, store)
    topics = await everything(kafka, environment)
    people = [(record.key or b"").decode() for place, records in topics.items() for record in records if place[0] == CONTACTS]
    return await held(store, people)


async def until_complete(kafka: Connection, environment: Environment, store: ProfileStore) -> None:
    """Wait until the store is complete and as of now by its own word, and stands where the topics end."""
    topics = {f"{short}/{number}": TopicPartition(environment.topic(short), number) for short in SOURCES for number in range(PARTITIONS)}
    async with reader(kafka) as consumer:
        while True:
            ends = await consumer.end_offsets(list(topics.values()))
            marks, places = await store.marks(), await store.places()
            is_read = all(places.get(source, 0) >= ends[topic] - 1 for source, topic in topics.items())  # behind it may be a marker
            are_fresh = all(mark.is_complete and mark.refreshed == (mark.rule_day or 0, mark.rulebook) for mark in marks.values())
            if is_read and are_fresh and len(marks) == PARTITIONS:
                return
            await asyncio.sleep(0.02)


def differences(held: Projection, wanted: Projection) -> list[str]:
    """Where the two differ, in words."""
    found = []
    for name in Projection._fields:
        one, other = getattr(held, name), getattr(wanted, name)
        found += [
            f"{name} of {key}: {one.get(key)}, not {other.get(key)}" for key in one.keys() | other.keys() if one.get(key) != other.get(key)
        ]
    return found
