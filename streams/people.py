"""Under which key an environment's people are hashed: the same for all who hash them, or one person would be counted as two.

The environment remembers a fingerprint of the key of each id, in ``rulebooks``, from its first worker on. So all partitions have one key,
and a worker with another is refused before it joins. Intake's state knows of each key under which its partition hashed somebody:
where ``rulebooks`` was lost, the next worker writes again what stands there.

A key of another id replaces the one that is there. Who was known under that one would be somebody new, so a worker that brings a new key
must bring the former one too (`PersonKey.before`), or say that it is lost. Once the new key is remembered, a worker may come without it.
"""

from collections.abc import Mapping

from engagement.days import day_of, iso_day
from engagement.errors import Refused
from engagement.rulebook import Rulebook
from streams.configuration import PEOPLE_KEY, Configuration, read_configuration, rulebooks_partition
from streams.connection import Connection
from streams.delivery import Delivery
from streams.history.live import read_intake_positions
from streams.identity import make_identity
from streams.person_key import PersonKey
from streams.topics import Environment
from streams.transaction import Ambiguous, Fenced

ATTEMPTS = 20


async def agree_on_people(
    connection: Connection, environment: Environment, partitions: int, key: PersonKey, delivery: Delivery, *, anew: bool = False
) -> Configuration:
    """Have the environment remember ``key``, where it knows none of its id; gives what it knows then.

    Raises `Refused` where it knows another of that id; where the key that ``key`` replaces is not the one that it knows; and where
    ``key`` is new, replaces none, and people were hashed under others, unless these are to begin ``anew``.
    """
    for _ in range(ATTEMPTS):
        configuration = await read_configuration(connection, environment)
        people = configuration.people
        known = people.get(key.key_id)
        if known is not None:
            break
        try:
            await _remember(connection, environment, partitions, key, delivery, anew=anew)
        except (Fenced, Ambiguous):
            continue  # another worker starts at the same moment, and one of all is the last: look again what is there
    else:
        msg = f"environment {environment.prefix!r}: the broker did not say whether it remembers the key of people's hashes; try again"
        raise Refused(msg)
    if known != _fingerprint(partitions, key):
        msg = (
            f"environment {environment.prefix!r}: MQA_PERSON_SECRET is another one than that of the id {key.key_id!r} there, and people "
            "would be counted twice; set it as the other workers have it, or give a new key an id of its own with MQA_PERSON_KEY_ID"
        )
        raise Refused(msg)
    if key.before is not None:
        is_remembered = key.before.key_id in people  # else the whole state is read
        used = people if is_remembered else await _hashed_under(connection, environment, partitions)
        _refuse_former(environment, partitions, key, used)
    return configuration


async def refuse_other_people(connection: Connection, environment: Environment, partitions: int, key: PersonKey) -> Configuration:
    """Raise `Refused` where the workers have another key than ``key``; where none ever ran, there is nothing to compare.

    Gives what the environment knows.

    A new key that no worker has brought yet is taken by the one that it replaces.
    """
    configuration = await read_configuration(connection, environment)
    people = configuration.people or await _hashed_under(connection, environment, partitions)
    theirs = key if key.before is None or key.key_id in people else key.before
    if key.before is not None and people:
        _refuse_former(environment, partitions, key, people)
    if people and people.get(theirs.key_id) != _fingerprint(partitions, theirs):
        msg = (
            f"environment {environment.prefix!r}: people were hashed under another key than that of MQA_PERSON_SECRET (and "
            "MQA_PERSON_KEY_ID) here; set them as the workers have them (a history that was to go under another key: play it into a new "
            "environment)"
        )
        raise Refused(msg)
    return configuration


def keys_line(configuration: Configuration) -> str:
    """Say under which keys people are hashed, and since when."""
    since = sorted(configuration.since.items(), key=lambda each: each[1])
    keys = [f"{key_id} (since {iso_day(day_of(at))})" for key_id, at in since if key_id in configuration.people]
    return f"people are hashed under {', '.join(keys)}" if keys else "nobody was hashed so far"


def keys_not_given(configuration: Configuration, key: PersonKey) -> list[str]:
    """Name the keys under which people were hashed, and that ``key`` neither is nor replaces."""
    given = {key.key_id, None if key.before is None else key.before.key_id}
    return sorted(configuration.people.keys() - given)


def forgotten_after(rulebook: Rulebook) -> int:
    """Days after which a former key is no longer needed: by then all that was counted under it is over, and so are visitors' links."""
    return max(rulebook.history_days, rulebook.visitors.age)


def still_needed(configuration: Configuration, key: PersonKey, days: int, now: int) -> str | None:
    """Warn where a former key was let go sooner than ``days`` after the first worker came with ``key``. ``now`` in ms."""
    former, until = keys_not_given(configuration, key), day_of(configuration.since.get(key.key_id, 0)) + days
    if not former or until <= day_of(now):
        return None
    return (
        f"until {iso_day(until)} people may be known under {former[-1]!r} alone: set "
        "MQA_PERSON_SECRET_BEFORE and MQA_PERSON_KEY_ID_BEFORE to that key"
    )


def _refuse_former(environment: Environment, partitions: int, key: PersonKey, people: Mapping[str, str], *, anew: bool = False) -> None:
    """Raise `Refused` where ``key`` replaces no key that the environment knows, and should, or another one."""
    name, before = f"environment {environment.prefix!r}", key.before
    if before is None:
        former = sorted(people.keys() - {key.key_id})
        if former and key.key_id not in people and not anew:
            msg = (
                f"{name}: the key {key.key_id!r} is new, and everybody who was hashed under {former[-1]!r} would be counted twice; set "
                "MQA_PERSON_SECRET_BEFORE and MQA_PERSON_KEY_ID_BEFORE to that key, or, where it is lost, say --people-anew"
            )
            raise Refused(msg)
    elif people.get(before.key_id) != _fingerprint(partitions, before):
        why = "nobody was hashed under a key of that id" if before.key_id not in people else "its secret is another one there"
        msg = (
            f"{name}: MQA_PERSON_KEY_ID_BEFORE is {before.key_id!r}, and {why}; set MQA_PERSON_SECRET_BEFORE and MQA_PERSON_KEY_ID_BEFORE "
            "to the key that the workers had, or neither where none is replaced"
        )
        raise Refused(msg)


async def _remember(
    connection: Connection, environment: Environment, partitions: int, key: PersonKey, delivery: Delivery, *, anew: bool
) -> None:
    """Write the fingerprint of the key that has this id: the one that is in use, else ours.

    Raises `Refused` as `_refuse_former` does, and what `Delivery.commit` raises.
    """
    producer = delivery.make_producer(connection, environment.transactional_id("people", 0))
    async with producer:  # fences whoever is about to write
        people = (await read_configuration(connection, environment)).people
        if key.key_id in people:
            return
        used = {**await _hashed_under(connection, environment, partitions), **people}
        _refuse_former(environment, partitions, key, used, anew=anew)
        fingerprint = used.get(key.key_id, _fingerprint(partitions, key))
        row = (PEOPLE_KEY + key.key_id.encode(), fingerprint.encode(), (), None)
        await delivery.commit(producer, {rulebooks_partition(environment): [row]}, {}, environment.group)


async def _hashed_under(connection: Connection, environment: Environment, partitions: int) -> Mapping[str, str]:
    positions = await read_intake_positions(connection, environment, partitions)
    return {key_id: fingerprint for position in positions for key_id, fingerprint in position.people.items()}


def _fingerprint(partitions: int, key: PersonKey) -> str:
    return make_identity(partitions=partitions, secret=key.secret, key_id=key.key_id).fingerprint
