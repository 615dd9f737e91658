"""``mqa forget``: a person or a visitor leaves nothing behind in what lasts."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.structs import TopicPartition
from click.testing import CliRunner, Result

from engagement.contacts import CONTACTS
from engagement.days import iso_instant, midnight, parse_day
from engagement.events import Family
from streams.connection import Connection
from streams.forget.command import forget
from streams.forget.traces import Sought, Traces, find_traces
from streams.history.arrivals import Arrival
from streams.identity import make_identity
from streams.person_key import person_key
from streams.reading import read_to_end, reader
from streams.topics import CHANGELOGS
from tests.streams.histories import PARTITIONS
from tests.streams.live_runs import Live, new_environment, play, working
from tests.streams.test_live_contacts import arrival

DAY = parse_day("2025-03-03")
JANE, JOE = "jane@acme.com", "joe@acme.com"
KEY = person_key("played")
HASH = make_identity(partitions=1, secret=KEY.secret, key_id=KEY.key_id).person(JANE)


def history() -> list[tuple[int, list[Arrival]]]:
    """Jane is on a list, known to two accounts, and two visitors are her; a third one is nobody known."""
    at = iso_instant(midnight(DAY) + 1000)
    said: list[tuple[Family, dict[str, object]]] = [
        (Family.ACCOUNT_UPDATES, {"id": "crm", "account": "acme.com", "contacts": [{"email": JANE, "name": "Jane"}, {"email": JOE}]}),
        (Family.INTENT_SIGNALS, {"id": "i1", "kind": "download", "email": JANE}),
        (Family.INTENT_SIGNALS, {"id": "i2", "kind": "webinar", "email": JOE}),
        (Family.INTENT_SIGNALS, {"id": "i3", "kind": "webinar", "account": "beta.com", "email": JANE}),
        (Family.WEB_VISITS, {"id": "w1", "visitor_id": "v1", "url": "/pricing"}),
        (Family.WEB_VISITS, {"id": "w2", "visitor_id": "v1", "type": "identify", "email": JANE}),
        (Family.WEB_VISITS, {"id": "w3", "visitor_id": "v2", "type": "identify", "email": JANE}),
        (Family.WEB_VISITS, {"id": "w4", "visitor_id": "v3", "url": "/pricing"}),
    ]
    first = [arrival(family, DAY, number % PARTITIONS, {"occurred_at": at, **each}) for number, (family, each) in enumerate(said)]
    return [(DAY, first), (DAY + 1, [])]


@pytest.fixture
def live(kafka: Connection, tmp_path: Path) -> Iterator[Live]:
    """An environment with that history, and a worker."""
    environment = new_environment(kafka)
    with working(kafka, environment, tmp_path):
        play(kafka, environment, history())
        yield Live(kafka=kafka, environment=environment)


def run(live: Live, *arguments: str) -> Result:
    where = ["--prefix", live.environment.prefix, "--bootstrap", live.kafka.bootstrap]
    return CliRunner().invoke(forget, [*arguments, *where])


def traces(live: Live, sought: Sought) -> Traces:
    return asyncio.run(find_traces(live.kafka, live.environment, PARTITIONS, sought, lambda _: None))


async def values(live: Live, topics: list[str]) -> bytes:
    """All rows of some topics as they are now, one after another."""
    rows: dict[tuple[str, bytes | None], bytes | None] = {}
    async with reader(live.kafka) as consumer:
        for topic in topics:
            for number in range(PARTITIONS):
                async for batch in read_to_end(consumer, TopicPartition(live.environment.topic(topic), number)):
                    rows.update({(topic, record.key): record.value for record in batch})
    return b"\n".join((key or b"") + b" " + value for (_, key), value in rows.items() if value is not None)


def test_a_person_is_told_first_and_then_forgotten(live: Live) -> None:
    told = run(live, "Jane@ACME.com")
    assert told.stdout.splitlines() == [
        f"person {HASH}",
        "  on a contact list",
        "  known to 2 accounts: acme.com, beta.com",
        "2 visitors: v1, v2",
    ]
    assert "add --yes" in str(told.exception)
    before = live.fates()
    assert traces(live, Sought(people=frozenset((HASH,))))

    done = run(live, JANE, "--yes")
    assert done.stdout.splitlines()[-1].startswith("forgotten. What was sent of that person in clear stays in the input topics")
    assert not traces(live, Sought(people=frozenset((HASH,))))
    lasting = asyncio.run(values(live, [CONTACTS, *CHANGELOGS.values()]))
    assert HASH.encode() not in lasting
    assert b"jane" not in lasting.lower()
    assert b"joe@acme.com" in lasting
    assert live.fates() == before | {"forget": 2, "counted": before["counted"] + 2 - 1, "in": before["in"] + 2, "filtered:forgotten": 1}
    assert live.compared().holds
    assert run(live, JANE, "--yes").stdout == f"environment {live.environment.prefix!r} keeps nothing of jane@acme.com\n"


def test_a_visitor_is_forgotten_and_who_it_was_is_not(live: Live) -> None:
    assert run(live, "--visitor", "v1", "--yes").stdout.splitlines()[0] == "1 visitor: v1"
    assert not traces(live, Sought(visitor_ids=frozenset(("v1",))))
    assert [name for name, _ in traces(live, Sought(people=frozenset((HASH,)))).visitors] == ["v2"]
    assert [name for name, _ in traces(live, Sought(visitor_ids=frozenset(("v3",)))).visitors] == ["v3"]
    assert live.compared().holds


def test_a_person_may_be_named_by_hash(live: Live) -> None:
    assert run(live, HASH).stdout.splitlines()[0] == f"person {HASH}"


@pytest.mark.parametrize("who", ["jane", "k1.xyz", ""])
def test_what_is_neither_address_nor_hash_is_refused(live: Live, who: str) -> None:
    assert "is no e-mail address and no person's hash; a visitor is named with --visitor" in str(run(live, who).exception)


def test_with_another_secret_nobody_would_be_found_so_it_is_refused(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQA_PERSON_SECRET", "another")
    assert "people were hashed under another key" in str(run(live, JANE).exception)
