"""Under which key an environment's people are hashed: the same for all who hash them, or one person would be counted as two.

The environment remembers a fingerprint of the key of each id, in ``rulebooks``, from its first worker on. So all partitions have one key,
and a worker with another is refused before it joins. Intake's state knows of each key under which its partition hashed somebody:
where ``rulebooks`` was lost, the next worker writes again what stands there.
"""

from collections.abc import Mapping

from engagement.errors import Refused
from streams.configuration import PEOPLE_KEY, read_configuration, rulebooks_partition
from streams.connection import Connection
from streams.delivery import Delivery
from streams.history.live import read_intake_positions
from streams.identity import make_identity
from streams.person_key import PersonKey
from streams.topics import Environment
from streams.transaction import Ambiguous, Fenced

ATTEMPTS = 20


async def agree_on_people(connection: Connection, environment: Environment, partitions: int, key: PersonKey, delivery: Delivery) -> None:
    """Have the environment remember ``key``, where it knows none of its id. Raises `Refused` where it knows another."""
    for _ in range(ATTEMPTS):
        known = (await read_configuration(connection, environment)).people.get(key.key_id)
        if known is not None:
            break
        try:
            await _remember(connection, environment, partitions, key, delivery)
        except (Fenced, Ambiguous):
            continue  # another worker starts at the same moment, and one of all is the last: look again what is there
    else:
        msg = f"environment {environment.prefix!r}: the broker did not say whether it remembers the key of people's hashes; try again"
        raise Refused(msg)
    if known != _fingerprint(partitions, key):
        msg = (
            f"environment {environment.prefix!r}: MQA_PERSON_SECRET is another one than that of the id {key.key_id!r} there, and people "
            "would be counted twice; set it as the other workers have it, or name a new key with MQA_PERSON_KEY_ID"
        )
        raise Refused(msg)


async def refuse_other_people(connection: Connection, environment: Environment, partitions: int, key: PersonKey) -> None:
    """Raise `Refused` where the workers have another key than ``key``; where none ever ran, there is nothing to compare."""
    people = (await read_configuration(connection, environment)).people or await _hashed_under(connection, environment, partitions)
    if people and people.get(key.key_id) != _fingerprint(partitions, key):
        msg = (
            f"environment {environment.prefix!r}: people were hashed under another key than that of MQA_PERSON_SECRET (and "
            "MQA_PERSON_KEY_ID) here; give the workers the same as this command, and play the history into a new environment"
        )
        raise Refused(msg)


async def _remember(connection: Connection, environment: Environment, partitions: int, key: PersonKey, delivery: Delivery) -> None:
    """Write the fingerprint of the key that has this id: the one that is in use, else ours. Raises what `Delivery.commit` raises."""
    producer = delivery.make_producer(connection, environment.transactional_id("people", 0))
    async with producer:  # fences whoever is about to write
        if key.key_id in (await read_configuration(connection, environment)).people:
            return
        used = await _hashed_under(connection, environment, partitions)
        fingerprint = used.get(key.key_id, _fingerprint(partitions, key))
        row = (PEOPLE_KEY + key.key_id.encode(), fingerprint.encode(), (), None)
        await delivery.commit(producer, {rulebooks_partition(environment): [row]}, {}, environment.group)


async def _hashed_under(connection: Connection, environment: Environment, partitions: int) -> Mapping[str, str]:
    positions = await read_intake_positions(connection, environment, partitions)
    return {key_id: fingerprint for position in positions for key_id, fingerprint in position.people.items()}


def _fingerprint(partitions: int, key: PersonKey) -> str:
    return make_identity(partitions=partitions, secret=key.secret, key_id=key.key_id).fingerprint
