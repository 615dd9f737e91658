"""What is sent so that somebody is forgotten: events like any others, which the workers fold in their place in the log."""

import json
from collections.abc import Iterator
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


def requests(traces: Traces, environment: Environment, partitions: int, now: int) -> dict[TopicPartition, list[Row]]:
    """Rows for the topics. ``now`` (ms) is when they occur: in an environment of a played clock its last day.

    Rows of contact lists are deleted; what accounts and visitors know is theirs, so they are asked by events.
    """
    rows: dict[TopicPartition, list[Row]] = {}
    for topic, key, value in _rows(traces, iso_instant(now)):
        partition = TopicPartition(environment.topic(topic), partition_of(key, partitions))
        rows.setdefault(partition, []).append((key, value, (), now))
    return rows


def _rows(traces: Traces, occurred_at: str) -> Iterator[tuple[str, bytes, bytes | None]]:
    """Topic, key and value."""
    for person in traces.contacts:
        yield CONTACTS, person.encode(), None
    for visitor_id in traces.visitors:
        said = {"id": f"forget-{uuid4()}", "occurred_at": occurred_at, "type": "forget", "visitor_id": visitor_id}
        yield Family.WEB_VISITS.value, visitor_id.encode(), json.dumps(said).encode()
    for account, person in traces.accounts:
        event = {"id": f"forget-{uuid4()}", "occurred_at": occurred_at, "account": account}
        retraction = {"person": person, "reason": REASON}
        yield Family.ACCOUNT_UPDATES.value, account.encode(), json.dumps(event | {"retract": retraction}).encode()
