"""What each role may do in Kafka: the least with which it works, as data. `mqa topics acls` says it as Kafka's tools take it.

Topics are named one by one: a right to all that begins with a prefix would hold in another environment whose prefix begins alike.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from engagement.contacts import CONTACTS
from engagement.errors import Refused
from engagement.events import Family
from streams.topics import (
    DEAD_LETTERS,
    FILTERED_EVENTS,
    INPUTS,
    RULEBOOKS,
    STATEFUL,
    TIER_CHANGES,
    TOPICS,
    WEBHOOKS_PARKED,
    Environment,
)

Resource = Literal["topic", "group", "transactional-id"]
Operation = Literal["Read", "Write", "Describe", "Create", "DescribeConfigs", "AlterConfigs"]


class Right(NamedTuple):
    """Operations on one resource; reading and writing include to describe it."""

    resource: Resource
    name: str
    operations: tuple[Operation, ...]
    is_prefix: bool = False  # on all whose names begin so


class Role(NamedTuple):
    """Short names of topics, and what follows the environment's prefix in the names of groups and transactional ids."""

    purpose: str
    reads: Sequence[str] = ()
    writes: Sequence[str] = ()
    groups: Sequence[str] = ()  # joined; one that ends in a hyphen is the beginning of many
    looks_at: Sequence[str] = ()  # groups whose positions are asked for
    transactions: Sequence[str] = ()  # as with groups
    configures: bool = False  # makes topics, and changes their settings
    sees_all: bool = True  # whoever checks that the environment is whole sees every topic of it


WORKERS = "mqa"
READ_SO_FAR = "mqa-read"  # where there are no transactions: see `streams.delivery.AtLeastOnce`

_BEGINNING = (*STATEFUL, RULEBOOKS)
"""What is read to check that an environment is whole."""

ROLES: Mapping[str, Role] = {
    "producer": Role("what sends visits, signals and updates", writes=INPUTS, sees_all=False),
    "worker": Role(
        "mqa worker",
        reads=(*INPUTS, CONTACTS, *_BEGINNING),
        writes=(*INPUTS, CONTACTS, TIER_CHANGES, DEAD_LETTERS, FILTERED_EVENTS, *_BEGINNING),
        groups=(WORKERS, READ_SO_FAR),
        transactions=("mqa-intake-", "mqa-qualify-", "mqa-clock-0", "mqa-people-0"),
    ),
    "projector": Role("mqa projector", reads=(TIER_CHANGES, CONTACTS, *_BEGINNING), groups=("mqa-projector",)),
    "serve": Role("mqa serve", reads=(TIER_CHANGES, CONTACTS, DEAD_LETTERS, *_BEGINNING), writes=(Family.ACCOUNT_UPDATES.value,)),
    "webhooks": Role(
        "mqa webhooks run", reads=(TIER_CHANGES,), writes=(WEBHOOKS_PARKED,), groups=("mqa-webhook-",), sees_all=False
    ),  # it talks to anybody's servers: the less it may read, the better
    "subscriber": Role("what reads tier changes, in a group of its own", reads=(TIER_CHANGES,), sees_all=False),
    "operator": Role(
        "whoever types the other commands; `mqa topics delete` it may not",
        reads=[each.short for each in TOPICS],
        writes=(*INPUTS, CONTACTS, DEAD_LETTERS, WEBHOOKS_PARKED, *_BEGINNING),
        looks_at=(WORKERS, READ_SO_FAR),
        transactions=("mqa-create-0", "mqa-activate-0", "mqa-clock-0", "mqa-retry-0"),
        configures=True,
    ),
}


def rights(role: str, environment: Environment, group: str | None = None) -> list[Right]:
    """Rights of a role of `ROLES`; ``group``: a subscriber's. Raises `Refused` for a subscriber without one, and another role with one."""
    its = ROLES[role]
    if (group is None) == (role == "subscriber"):
        remedy = "name its consumer group with --group" if group is None else "leave --group out, for subscribers alone choose theirs"
        raise Refused(f"{role}: {remedy}")
    topics = [each.short for each in TOPICS] if its.sees_all else []
    topics += [short for short in (*its.reads, *its.writes) if short not in topics]
    return [
        *(Right("topic", environment.topic(short), _on_topic(its, short)) for short in dict.fromkeys(topics)),
        *(_named("group", name, environment, "Read") for name in its.groups),
        *(_named("group", name, environment, "Describe") for name in its.looks_at),
        *([] if group is None else [Right("group", group, ("Read",))]),
        *(_named("transactional-id", name, environment, "Write") for name in its.transactions),
    ]


def _on_topic(role: Role, short: str) -> tuple[Operation, ...]:
    operations: list[Operation] = []
    if short in role.reads:
        operations.append("Read")
    if short in role.writes:
        operations.append("Write")
    if role.configures:
        operations += ["Create", "DescribeConfigs", "AlterConfigs"]
    return tuple(operations) or ("Describe",)


def _named(resource: Resource, name: str, environment: Environment, operation: Operation) -> Right:
    return Right(resource, environment.prefix + name, (operation,), is_prefix=name.endswith("-"))
