"""What people decide, as records of account-updates."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engagement.days import midnight, parse_day, to_ms
from engagement.events import AccountUpdate
from streams.serve.app import api_document
from streams.serve.problems import unavailable
from streams.serve.serving import Serving
from streams.serve.tokens import Tokens
from streams.serve.updates import Sent
from tests.streams.api.conftest import Client
from tests.streams.served import ALL, PEOPLE, READER, WRITER, Told

ACCOUNT = "quietbay.example"  # one that is known
ACME = f"/api/v1/accounts/{ACCOUNT}"
LAST_DAY = midnight(parse_day("2025-02-14"))

DECISIONS: list[tuple[str, str, Any, dict[str, Any]]] = [
    (
        "POST",
        "/pin",
        {"ladder": "tier", "rung": "tier_1", "reason": "board", "until": "2025-12-31"},
        {"pin": {"ladder": "tier", "rung": "tier_1", "reason": "board", "author": "writer", "until": "2025-12-31"}},
    ),
    ("DELETE", "/pin/stage", None, {"pin": {"ladder": "stage", "rung": None, "author": "writer"}}),
    ("POST", "/suppression", {"relationship": "competitor"}, {"relationship": "competitor"}),
    ("DELETE", "/suppression", None, {"relationship": None}),
    ("POST", "/disposition", {"status": "rejected", "author": "Jo"}, {"disposition": {"status": "rejected", "author": "Jo"}}),
    ("POST", "/retraction", {"person": "jane@acme.com"}, {"retract": {"person": "jane@acme.com", "author": "writer"}}),
    (
        "POST",
        "/retraction",
        {"events": [{"id": "e-1", "occurred_at": "2025-02-01T10:00:00Z", "kind": "webinar", "seconds": 60.0}], "reason": "test"},
        {
            "retract": {
                "events": [{"id": "e-1", "occurred_at": "2025-02-01T10:00:00Z", "kind": "webinar", "seconds": 60}],
                "reason": "test",
                "author": "writer",
            }
        },
    ),
]


@pytest.mark.parametrize("decision", DECISIONS)
async def test_a_decision_is_one_record_and_says_who_made_it(
    serving: Serving, client: Client, decision: tuple[str, str, Any, dict[str, Any]]
) -> None:
    method, path, body, said = decision
    async with client(WRITER) as api:
        answer = await api.request(method, ACME + path, json=body, headers={"idempotency-key": "k-1"})
    assert answer.status_code == 202, answer.text
    assert isinstance(serving.updates, Told)
    (update,) = serving.updates.updates
    assert update.id.startswith("api:writer:k-1:")
    assert answer.json() == {"id": update.id, "account": ACCOUNT, "topic": "account-updates", "partition": 0, "offset": 0}
    assert to_ms(update.occurred_at) == LAST_DAY
    sent = update.model_dump(mode="json", exclude_unset=True)
    assert sent == {"schema_version": 1, "id": update.id, "occurred_at": "2025-02-14T00:00:00Z", "account": ACCOUNT} | said
    assert AccountUpdate.model_validate_json(update.model_dump_json(exclude_unset=True)).model_dump() == update.model_dump()


async def test_two_requests_without_a_key_are_two_events(client: Client) -> None:
    async with client(WRITER) as api:
        ids = {(await api.delete(f"{ACME}/suppression")).json()["id"] for _ in range(2)}
    assert len(ids) == 2


async def test_a_key_makes_the_same_request_one_event_and_another_request_another(client: Client) -> None:
    asked = [(f"{ACME}/pin", {"ladder": "tier", "rung": "tier_1"}), (f"{ACME}/pin", {"ladder": "tier", "rung": "tier_2"})]
    asked += [("/api/v1/accounts/acme.com/pin", asked[0][1]), (f"{ACME}/suppression", {"relationship": "competitor"})]
    async with client(WRITER, headers={"idempotency-key": "board"}) as api:
        ids = [(await api.post(path, json=body)).json()["id"] for _ in range(2) for path, body in asked]
    assert ids[:4] == ids[4:]
    assert len(set(ids)) == 4


async def test_an_account_is_written_under_its_one_form(client: Client) -> None:
    async with client(WRITER) as api:
        answer = await api.delete("/api/v1/accounts/WWW.Bücher.de/suppression")
    assert answer.json()["account"] == "xn--bcher-kva.de"


@pytest.mark.parametrize(
    "refused",
    [
        ("acme.com/pin", {"ladder": "tier", "rung": "tier_9"}, 409, "pin.rung = 'tier_9': Input should be a rung of the ladder tier"),
        ("acme.com/pin", {"ladder": "tier", "rung": "tier_1", "until": "2999-01-01"}, 409, "pin.until = 2999-01-01: Input should be a day"),
        ("acme.com/pin", {"ladder": "tier", "rung": "tier_1", "ruleset": 1}, 422, "ruleset = 1: Extra inputs are not permitted"),
        ("acme.com/pin", {"ladder": "tier", "rung": 1}, 422, "rung = 1: Input should be a valid string"),
        ("acme.com/pin", {"ladder": "tier"}, 422, "rung: Field required"),
        ("acme.com/suppression", {"relationship": "friend"}, 409, "relationship = 'friend': is not suppressed by rulebook"),
        ("acme.com/pin", {"ladder": "tier", "rung": "tier_1", "until": "2025-02-13"}, 409, "until = 2025-02-13: is over, it is 2025-02-14"),
        ("acmee.com/disposition", {"status": "accepted"}, 404, "account = 'acmee.com': is not known"),
        ("quietbay.example/retraction", {"person": "jane"}, 409, "retract.person = 'jane': Input should be an e-mail address, or a hash"),
        ("acme.com/retraction", {}, 422, "names neither person nor events"),
        ("localhost/suppression", {"relationship": "competitor"}, 404, "account = 'localhost': is no domain"),
        ("gmail.com/suppression", {"relationship": "competitor"}, 409, "account = 'gmail.com': is no account by rulebook"),
    ],
)
async def test_what_intake_would_not_count_is_refused_and_not_sent(
    serving: Serving, client: Client, refused: tuple[str, Any, int, str]
) -> None:
    path, body, status, detail = refused
    async with client(WRITER) as api:
        answer = await api.post(f"/api/v1/accounts/{path}", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert detail in answer.json()["detail"]
    assert isinstance(serving.updates, Told)
    assert serving.updates.updates == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b'"x"', b"[" * 5_000])
async def test_a_body_that_is_no_object_is_refused(client: Client, content: bytes) -> None:
    async with client(WRITER) as api:
        answer = await api.post(f"{ACME}/pin", content=content, headers={"content-type": "application/json"})
        plain = await api.post(f"{ACME}/pin", content=content, headers={"content-type": "text/plain"})
    assert (answer.status_code, plain.status_code) == (422, 415)


async def test_nothing_is_pretended_while_kafka_is_away(client: Client) -> None:
    class Away(Told):
        async def send(self, update: AccountUpdate) -> Sent:
            raise unavailable(f"Kafka did not take {update.id}")

    async with client(WRITER, updates=Away()) as api:
        answer = await api.delete(f"{ACME}/suppression")
        detail = answer.json()["detail"]
        event, key = re.findall(r"take (\S+); send the same again with the header Idempotency-Key: (\S+),", detail)[0]
        again = await api.delete(f"{ACME}/suppression", headers={"idempotency-key": key})
        assert f"take {event};" in again.json()["detail"]
        metrics = (await api.get("/metrics")).text
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert 'mqa_api_updates_total{action="unsuppress",outcome="failed"} 2.0' in metrics


async def test_a_server_without_kafka_says_that_it_only_reads(client: Client) -> None:
    async with client(WRITER, updates=None) as api:
        assert (await api.delete(f"{ACME}/suppression")).status_code == 503
        assert (await api.get("/api/v1/me")).json() == {"name": "writer", "scopes": ["read", "write"], "writes": False}


_OPERATIONS = [(method.upper(), path) for path, methods in api_document()["paths"].items() for method in methods]


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE")


@pytest.mark.parametrize(
    ("token", "parts", "status"),
    [
        (READER, {}, 403),
        (PEOPLE, {}, 403),
        (None, {}, 401),
        ("nobodys-token-of-tests", {}, 401),
        (None, {"tokens": Tokens()}, 401),
        (WRITER, {"tokens": Tokens()}, 401),
    ],
)
async def test_no_request_without_a_token_that_may_write_writes(
    serving: Serving, client: Client, token: str | None, parts: dict[str, Any], status: int
) -> None:
    bodies = {path: body for _, path, body, _ in DECISIONS}
    async with client(token, **parts) as api:
        for path in api_document()["paths"]:
            body = bodies.get(path.removeprefix("/api/v1/accounts/{account}"))
            for method in _METHODS:
                answer = await api.request(method, path.format(account=ACCOUNT, ladder="tier", name="x.html"), json=body)
                if (method, path) in _OPERATIONS and method != "GET":
                    assert answer.status_code == status
    assert isinstance(serving.updates, Told)
    assert serving.updates.updates == []


async def test_a_token_that_may_write_writes_what_the_others_tried(client: Client) -> None:
    async with client(ALL) as api:
        answers = [await api.request(method, ACME + path, json=body) for method, path, body, _ in DECISIONS]
    assert {answer.status_code for answer in answers} == {202}
    written = {(method, path) for method, path in _OPERATIONS if method != "GET"}
    assert {(method, f"/api/v1/accounts/{{account}}{path.replace('stage', '{ladder}')}") for method, path, _, _ in DECISIONS} == written


async def test_by_the_wall_clock_a_decision_is_made_now(client: Client) -> None:
    class Wall(Told):
        async def now(self, rule_day: int) -> int:  # noqa: ARG002 - the protocol's signature
            return to_ms(datetime.now(UTC))

    told = Wall()
    async with client(WRITER, updates=told) as api:
        assert (await api.delete(f"{ACME}/suppression")).status_code == 202
    assert datetime.now(UTC) - told.updates[0].occurred_at < timedelta(minutes=1)
