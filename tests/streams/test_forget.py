"""``mqa forget``: a person or a visitor leaves nothing behind in what lasts."""

import asyncio
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition
from click.testing import CliRunner, Result

from engagement.contacts import CONTACTS
from engagement.days import iso_instant, midnight, parse_day
from engagement.events import Family
from streams.connection import Connection
from streams.delivery import EXACTLY_ONCE
from streams.forget.command import forget
from streams.forget.traces import Sought, Traces, find_traces
from streams.genesis import create_environment
from streams.history.arrivals import Arrival
from streams.identity import make_identity, partition_of
from streams.people import agree_on_people
from streams.person_key import PersonKey, person_key
from streams.reading import read_to_end, reader
from streams.topics import CHANGELOGS, Environment
from tests.streams.histories import PARTITIONS
from tests.streams.live_runs import Live, new_environment, play, working
from tests.streams.test_live_contacts import arrival

DAY = parse_day("2025-03-03")
KEY = person_key("played")
hashed = make_identity(partitions=1, secret=KEY.secret, key_id=KEY.key_id).person
JANE, JOE, KIM, WES = (f"{name}@acme.com" for name in ("jane", "joe", "kim", "wes"))
ELSEWHERE = next(key for key in (f"k{n}" for n in count()) if partition_of(key.encode(), PARTITIONS) != partition_of(b"vw", PARTITIONS))
"""A key under which a visitor's events do not lie where the visitor's id belongs."""

Said = tuple[Family, dict[str, object]]


def history() -> list[Said]:
    """Jane is on a list, known to two accounts, and two visitors are her; the others have one odd thing each."""
    return [
        (Family.ACCOUNT_UPDATES, {"id": "crm", "account": "acme.com", "contacts": [{"email": JANE, "name": "Jane"}, {"email": JOE}]}),
        (Family.INTENT_SIGNALS, {"id": "i1", "kind": "download", "email": JANE}),
        (Family.INTENT_SIGNALS, {"id": "i2", "kind": "webinar", "email": JOE}),
        (Family.INTENT_SIGNALS, {"id": "i3", "kind": "webinar", "account": "beta.com", "email": JANE}),
        (Family.WEB_VISITS, {"id": "w1", "visitor_id": "v1", "url": "/pricing"}),
        (Family.WEB_VISITS, {"id": "w2", "visitor_id": "v1", "type": "identify", "email": JANE}),
        (Family.WEB_VISITS, {"id": "w3", "visitor_id": "v2", "type": "identify", "email": JANE}),
        (Family.WEB_VISITS, {"id": "w4", "visitor_id": "v3", "url": "/pricing"}),
        (Family.WEB_VISITS, {"id": "w5", "visitor_id": "v4", "type": "identify", "email": JOE}),
        (Family.INTENT_SIGNALS, {"id": "i4", "kind": "webinar", "email": KIM}),
        (Family.ACCOUNT_UPDATES, {"id": "crm2", "account": "kims.com", "attributes": {"champion": hashed(KIM)}}),
        (Family.WEB_VISITS, {"id": "w6", "visitor_id": "vw", "type": "identify", "email": WES}),
        (Family.WEB_VISITS, {"id": "w7", "visitor_id": "rob@rob.com", "url": "/pricing"}),
    ]


def arrivals() -> Iterator[Arrival]:
    at = iso_instant(midnight(DAY) + 1000)
    for number, (family, said) in enumerate(history()):
        came = arrival(family, DAY, number % PARTITIONS, {"occurred_at": at, **said})
        if said.get("visitor_id") == "vw":
            came = came._replace(partition=partition_of(ELSEWHERE.encode(), PARTITIONS), key=ELSEWHERE.encode())
        yield came


@pytest.fixture(scope="module")
def live(kafka: Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """An environment with that history, and a worker. Each test forgets somebody else."""
    environment = new_environment(kafka)
    with working(kafka, environment, tmp_path_factory.mktemp("forget")):
        play(kafka, environment, [(DAY, list(arrivals())), (DAY + 1, [])])
        yield Live(kafka=kafka, environment=environment)


def run(live: Live, *arguments: str) -> Result:
    where = ["--prefix", live.environment.prefix, "--bootstrap", live.kafka.bootstrap]
    return CliRunner().invoke(forget, [*arguments, *where])


def person(email: str) -> Sought:
    return Sought(people=frozenset((hashed(email),)))


def visitor(visitor_id: str) -> Sought:
    return Sought(visitor_ids=frozenset((visitor_id,)))


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


async def send(live: Live, topic: str, key: bytes, value: bytes, partition: int = 0) -> None:
    async with AIOKafkaProducer(**live.kafka.client_options()) as producer:
        await producer.send_and_wait(live.environment.topic(topic), value, key, partition, timestamp_ms=midnight(DAY))


def test_a_person_is_told_first_and_then_forgotten(live: Live) -> None:
    told = run(live, "Jane@ACME.com")
    assert told.stdout.splitlines() == [
        f"person {hashed(JANE)}",
        "  on a contact list",
        "  known to 2 accounts: acme.com, beta.com",
        "2 visitors: v1, v2",
    ]
    assert "add --yes" in str(told.exception)
    before = live.fates()
    assert traces(live, person(JANE))

    done = run(live, JANE, "--yes")
    assert done.stdout.splitlines()[-1].startswith("forgotten. What was sent of that person in clear stays in the input topics")
    assert not traces(live, person(JANE))
    lasting = asyncio.run(values(live, [CONTACTS, *CHANGELOGS.values()]))
    assert hashed(JANE).encode() not in lasting
    assert b"jane" not in lasting.lower()
    assert b"joe@acme.com" in lasting
    assert live.fates() == before | {"forget": 2, "counted": before["counted"] + 2 - 1, "in": before["in"] + 2, "filtered:forgotten": 1}
    assert live.compared().holds
    assert run(live, JANE, "--yes").stdout == f"environment {live.environment.prefix!r} keeps nothing of jane@acme.com\n"


def test_a_visitor_is_forgotten_and_who_it_was_is_not(live: Live) -> None:
    assert run(live, "--visitor", "v4", "--yes").stdout.splitlines()[0] == "1 visitor: v4"
    assert not traces(live, visitor("v4"))
    assert traces(live, person(JOE)).accounts == (("acme.com", hashed(JOE)),)
    assert [name for name, _ in traces(live, visitor("v3")).visitors] == ["v3"]


def test_a_visitor_whose_events_came_under_another_key_is_found_where_it_lies(live: Live) -> None:
    assert run(live, WES, "--yes").stdout.splitlines()[-1].startswith("forgotten")
    assert not traces(live, visitor("vw"))


def test_a_visitor_whose_id_is_the_address_is_forgotten_with_the_person(live: Live) -> None:
    assert run(live, "rob@rob.com", "--yes").stdout.splitlines()[0] == "1 visitor: rob@rob.com"


def test_what_an_update_says_is_told_and_left_to_whoever_sends_it(live: Live) -> None:
    told = run(live, KIM, "--yes").stdout.splitlines()
    assert told[-1] == "updates said that hash of kims.com (in attributes, an owner or the like): who sends them must change it"
    assert traces(live, person(KIM)).accounts == ()


def test_a_contact_is_found_by_the_address_under_whatever_key_and_wherever_it_lies(live: Live) -> None:
    row = json.dumps({"email": "zoe@beta.com", "account": "beta.com"}).encode()
    for number in range(PARTITIONS):
        asyncio.run(send(live, CONTACTS, b"\xff\xfe", row, number))
    assert run(live, "zoe@beta.com", "--yes").stdout.splitlines()[-1].startswith("forgotten")
    assert b"zoe" not in asyncio.run(values(live, [CONTACTS]))


def test_a_former_hash_finds_the_contact_under_the_new_one(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    was = make_identity(partitions=1, secret=b"former", key_id="k0").person
    asyncio.run(send(live, CONTACTS, hashed("ann@gmail.com").encode(), b'{"email": "ann@gmail.com", "account": "acme.com"}'))
    sought = Sought(people=frozenset((was("ann@gmail.com"),)), hashes=lambda email: (hashed(email), was(email)))
    assert [row.key.decode() for row in traces(live, sought).contacts] == [hashed("ann@gmail.com")]
    monkeypatch.setenv("MQA_PERSON_SECRET_BEFORE", "former")
    monkeypatch.setenv("MQA_PERSON_KEY_ID_BEFORE", "k0")
    refused = str(run(live, was("ann@gmail.com")).exception)
    assert "MQA_PERSON_KEY_ID_BEFORE is 'k0', and nobody was hashed under a key of that id" in refused


def test_a_person_may_be_named_by_hash(live: Live) -> None:
    assert run(live, hashed(JOE)).stdout.splitlines()[0] == f"person {hashed(JOE)}"


@pytest.mark.parametrize("who", ["jane", "k1.xyz", ""])
def test_what_is_neither_address_nor_hash_is_refused(live: Live, who: str) -> None:
    assert "is no e-mail address and no person's hash; a visitor is named with --visitor" in str(run(live, who).exception)


def test_with_another_secret_nobody_would_be_found_so_it_is_refused(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQA_PERSON_SECRET", "another")
    assert "people were hashed under another key" in str(run(live, JANE).exception)


def test_what_lies_unread_is_waited_for_even_where_no_day_has_begun(kafka: Connection, tmp_path: Path) -> None:
    """An intent signal in a wrong partition, of which intake derives who a visitor is, one partition after another."""
    live = Live(kafka=kafka, environment=new_environment(kafka))
    signal = {"id": "i", "kind": "webinar", "email": JANE, "visitor_id": "v1", "occurred_at": iso_instant(midnight(DAY))}
    asyncio.run(send(live, Family.INTENT_SIGNALS.value, JANE.encode(), json.dumps(signal).encode(), 0))
    with working(kafka, live.environment, tmp_path):
        assert run(live, JANE, "--yes").stdout.splitlines()[-1].startswith("forgotten")
    assert not traces(live, person(JANE))
    assert live.fates()["identify"] == 1


async def test_while_a_former_key_may_still_be_needed_an_address_is_not_looked_for_without_it(
    kafka: Connection, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = Environment(prefix)
    await create_environment(kafka, environment, partitions=1, clock="wall")
    former = PersonKey(b"former", "k1")
    for key in (former, PersonKey(b"new", "k2", former)):
        await agree_on_people(kafka, environment, 1, key, EXACTLY_ONCE)
    monkeypatch.setenv("MQA_PERSON_SECRET", "new")
    monkeypatch.setenv("MQA_PERSON_KEY_ID", "k2")
    where = ["--prefix", prefix, "--bootstrap", kafka.bootstrap]
    refused = await asyncio.to_thread(CliRunner().invoke, forget, [JANE, *where])
    assert "people may be known under 'k1' alone: set MQA_PERSON_SECRET_BEFORE and MQA_PERSON_KEY_ID_BEFORE to that key, or name" in str(
        refused.exception
    )
    told = await asyncio.to_thread(CliRunner().invoke, forget, [former_hash(former), *where])
    assert told.stdout.endswith("that can be found\n")


def former_hash(key: PersonKey) -> str:
    return make_identity(partitions=1, secret=key.secret, key_id=key.key_id).person(JANE)
