"""What a store of profiles must hold: computed from the topics by other means than the projector's."""

import asyncio
from typing import NamedTuple

from aiokafka.structs import TopicPartition

from engagement.account import decode
from engagement.contacts import CONTACTS
from engagement.judging import judge_by
from engagement.machine import RULEBOOK_KEY
from engagement.profile import Profile, profile
from streams.connection import Connection
from streams.history.live import read_state
from streams.profiles.store import Account, ProfileStore
from streams.reading import read_to_end, reader
from streams.topics import CHANGELOGS, TIER_CHANGES, Environment
from tests.streams.histories import PARTITIONS

PATIENCE = 60.0


class Projection(NamedTuple):
    """All that lists, an account's page and a subscriber are told."""

    profiles: dict[str, Profile]
    rows: dict[str, bytes]
    timelines: dict[str, list[bytes]]  # of accounts with tier changes
    contacts: dict[str, bytes]


async def expected(kafka: Connection, environment: Environment) -> Projection:
    """What the workers' state says."""
    made = Projection({}, {}, {}, {})
    async with reader(kafka) as consumer:

        async def values(short: str, number: int) -> list[tuple[bytes, bytes | None]]:
            place = TopicPartition(environment.topic(short), number)
            return [(record.key or b"", record.value) async for batch in read_to_end(consumer, place) for record in batch]

        for number in range(PARTITIONS):
            state = await read_state(consumer, environment, number)
            texts = [value for key, value in await values(CHANGELOGS["qualify"], number) if key == RULEBOOK_KEY and value is not None]
            assert state.position.rulebook is not None
            judge = judge_by(texts[-1].decode(), state.position.rulebook)
            for key, row in state.rows.items():
                made.rows[key.decode()] = row
                made.profiles[key.decode()] = profile(key.decode(), decode(row).state, state.position.rule_day or 0, judge)
            for key, body in await values(TIER_CHANGES, number):
                made.timelines.setdefault(key.decode(), []).append(body or b"")
            for key, contact in await values(CONTACTS, number):
                if contact is None:
                    made.contacts.pop(key.decode(), None)
                else:
                    made.contacts[key.decode()] = contact
    return made


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
        while not await is_projected(kafka, environment, store):
            await asyncio.sleep(0.1)
    wanted = await expected(kafka, environment)
    return await held(store, list(wanted.contacts))


async def is_projected(kafka: Connection, environment: Environment, store: ProfileStore) -> bool:
    """Whether the store says so, and has read everything there is."""
    marks, places = await store.marks(), await store.places()
    sources = [f"{short}/{number}" for short in (CHANGELOGS["qualify"], TIER_CHANGES, CONTACTS) for number in range(PARTITIONS)]
    async with reader(kafka) as consumer:
        topics = {source: TopicPartition(environment.topic(source.split("/")[0]), int(source.split("/")[1])) for source in sources}
        ends = await consumer.end_offsets(list(topics.values()))
    is_read = all(places.get(source, 0) >= ends[topic] - 1 for source, topic in topics.items())  # behind it may be a marker
    are_fresh = all(mark.is_complete and mark.refreshed == (mark.rule_day or 0, mark.rulebook) for mark in marks.values())
    return is_read and are_fresh and len(marks) == PARTITIONS


def differences(held: Projection, wanted: Projection) -> list[str]:
    """Where the two differ, in words."""
    found = []
    for name, one, other in zip(Projection._fields, held, wanted, strict=True):
        found += [f"{name} of {key}: {one.get(key)} and not {other.get(key)}" for key in one.keys() | other.keys() if one.get(key) != other.get(key)]
    return found


