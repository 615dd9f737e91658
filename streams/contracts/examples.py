"""Examples of every message, which tell one story: what producers send below is folded, and what comes of it are the others.

So an example is never made up, and never out of date.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from engagement.contacts import CONTACTS
from engagement.days import midnight, parse_day
from engagement.events import Family
from engagement.intake import Intake
from engagement.machine import Output, PlainRecord
from engagement.rulebook import default_rulebook_text, load_rulebook
from streams.history.arrivals import Arrival
from streams.history.engine import BATCH, HistoryReplay, Unit
from streams.identity import make_identity
from streams.topics import DEAD_LETTERS, FILTERED_EVENTS, TIER_CHANGES

_DAY = parse_day("2026-03-02")
_NINE = midnight(_DAY) + 9 * 3_600_000
_MINUTE = 60_000

_SENT: tuple[tuple[str, Family, str, dict[str, Any]], ...] = (
    (
        "Who the account is",
        Family.ACCOUNT_UPDATES,
        "acme.example",
        {
            "id": "crm-2026-03-02-17",
            "occurred_at": "2026-03-02T09:00:00Z",
            "account": "acme.example",
            "crm_id": "001J000000042",
            "owner": "ana.lim",
            "region": "APAC",
            "attributes": {"industry": "fintech", "employees": 320, "uses": ["salesforce"]},
            "contacts": [{"email": "jane@acme.example", "role": "vp", "name": "Jane Doe"}],
        },
    ),
    (
        "A visitor says who she is",
        Family.WEB_VISITS,
        "v-81f3",
        {
            "id": "w-1001",
            "occurred_at": "2026-03-02T09:01:00Z",
            "type": "identify",
            "visitor_id": "v-81f3",
            "email": "jane@acme.example",
            "role": "vp",
        },
    ),
    (
        "A page view",
        Family.WEB_VISITS,
        "v-81f3",
        {
            "id": "w-1002",
            "occurred_at": "2026-03-02T09:02:00Z",
            "visitor_id": "v-81f3",
            "url": "https://www.example.com/pricing",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        },
    ),
    (
        "A form",
        Family.INTENT_SIGNALS,
        "acme.example",
        {
            "id": "form-55",
            "kind": "demo_request",
            "occurred_at": "2026-03-02T09:03:00+00:00",
            "account": "acme.example",
            "email": "jane@acme.example",
        },
    ),
    (
        "A robot's visit",
        Family.WEB_VISITS,
        "v-0b07",
        {
            "id": "w-1003",
            "occurred_at": "2026-03-02T09:04:00Z",
            "visitor_id": "v-0b07",
            "url": "https://www.example.com/pricing",
            "user_agent": "Googlebot/2.1",
        },
    ),
)
_UNUSABLE = (Family.INTENT_SIGNALS, "acme.example", {"id": "form-56", "kind": "seance", "occurred_at": "2026-03-02T09:05:00Z"})


class Example(NamedTuple):
    """One record of a topic."""

    name: str
    key: str | None
    payload: Any  # JSON; of a dead letter the text of the original
    headers: dict[str, str]


def examples() -> dict[str, list[Example]]:
    """Short names of public topics -> their examples. Reads the default rulebook alone: always the same."""
    found: dict[str, list[Example]] = {}
    for name, family, key, said in _SENT:
        found.setdefault(family.value, []).append(Example(name, key, said, {}))
    for output in _written():
        found.setdefault(output.topic, []).append(_example(output))
    return found


def _written() -> Iterable[Output]:
    """What mqa writes into public topics."""
    rulebook = load_rulebook(default_rulebook_text(), "default rulebook")
    identity = make_identity(partitions=1, secret=b"a secret of the examples", key_id="k1")
    sent = [*((family, key, said) for _, family, key, said in _SENT), _UNUSABLE]
    arrivals = [
        Arrival(family, 0, _NINE + number * _MINUTE, key.encode(), json.dumps(said).encode())
        for number, (family, key, said) in enumerate(sent)
    ]
    replay = HistoryReplay(partitions=1, rulebook=rulebook, identity=identity)
    yield from replay.begin(_DAY)
    yield from replay.receive(arrivals)
    families = {family.value: family for family in Family}
    intake = Unit(Intake(families=families, partition=0, rulebook=rulebook, identity=identity), BATCH)
    records = [
        PlainRecord(family.value, partition, number, received_at, key, value)
        for number, (family, partition, received_at, key, value) in enumerate(arrivals)
    ]
    yield from (output for output in intake.run(records) if output.topic in {CONTACTS, DEAD_LETTERS, FILTERED_EVENTS})


_NAMES = {
    CONTACTS: "Whose contact she is",
    DEAD_LETTERS: "An event of an unknown kind",
    FILTERED_EVENTS: "The robot's visit",
}


def _example(output: Output) -> Example:
    value = output.value or b""
    payload: Any = value.decode() if output.topic == DEAD_LETTERS else msgspec.json.decode(value)
    return Example(
        name=f"From {payload['from']} to {payload['to']}" if output.topic == TIER_CHANGES else _NAMES[output.topic],
        key=None if output.key is None else output.key.decode(),
        payload=payload,
        headers={name: said.decode() for name, said in output.headers},
    )
