"""What is sent so that somebody is forgotten: events like any others, which the workers fold in their place in the log."""

import json
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple
from uuid import uuid4

from aiokafka.structs import TopicPartition

from engagement.contacts import CONTACTS
from engagement.days import iso_instant
from engagement.events import Family
from streams.forget.traces import Traces
from streams.identity import partition_of
from streams.topics import Environment
from streams.transaction import Row

REASON = "forgotten"


class _Request(NamedTuple):
    topic: str
    partition: int
    key: bytes
    value: bytes | None


def requests(traces: Traces, environment: Environment, partitions: int, now: int) -> dict[TopicPartition, list[Row]]:
    """Rows for the topics. ``now`` (ms) is when they occur: in an environment of a played clock its last day.

    Rows of contact lists are deleted; what accounts and visitors know is theirs, so they are asked by events.
    """
    rows: dict[TopicPartition, list[Row]] = {}
    for topic, number, key, value in _requests(traces, partitions, iso_instant(now)):
        rows.setdefault(TopicPartition(environment.topic(topic), number), []).append((key, value, (), now))
    return rows


def _requests(traces: Traces, partitions: int, occurred_at: str) -> Iterator[_Request]:
    for contact in traces.contacts:
        yield _Request(CONTACTS, contact.partition, contact.key, None)
    for visitor_id, number in traces.visitors:
        said = {"id": f"forget-{uuid4()}", "occurred_at": occurred_at, "type": "forget", "visitor_id": visitor_id}
        yield _Request(Family.WEB_VISITS.value, number, _key_in(number, visitor_id, partitions), json.dumps(said).encode())
    for account, person in traces.accounts:
        event = {"id": f"forget-{uuid4()}", "occurred_at": occurred_at, "account": account}
        retraction = {"person": person, "reason": REASON}
        key = account.encode()
        value = json.dumps(event | {"retract": retraction}).encode()
        yield _Request(Family.ACCOUNT_UPDATES.value, partition_of(key, partitions), key, value)


def _key_in(number: int, visitor_id: str, partitions: int) -> bytes:
    """Give the visitor's id, or where its events came under other keys, one of those that intake leaves in that partition."""
    keys = (visitor_id.encode() if n == 0 else f"forget-{n}".encode() for n in count())
    return next(key for key in keys if partition_of(key, partitions) == number)
