"""What people decide about an account: one record of ``account-updates`` each, checked beforehand by what intake itself would say.

A request that is sent again with the same `Idempotency-Key` within 24 hours counts once: the event's id is made of the token's name, the
key and what is asked for, and intake drops repeats. So a key under which something else was asked for loses nothing.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from http import HTTPStatus
from typing import Annotated, Any, Literal, NamedTuple, TypeVar
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Depends, Header, Request
from fastapi import Path as InPath
from fastapi.responses import Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import to_json

from engagement.days import iso_day, to_ms
from engagement.decoding import Dead, Decoded
from engagement.events import AccountUpdate, Disposition, Family, Name, Pin, RetractedEvent, Retraction
from engagement.fates import COUNTED
from engagement.identity import Identity
from engagement.intake_verdict import Judge as IntakeJudge
from engagement.judging import Judge
from engagement.written import printable
from streams.identity import make_identity, registrable
from streams.serve.accounts import AccountName, find_account
from streams.serve.answers import JSON, KEEP_NOTHING
from streams.serve.problems import Refusal, complaint, unavailable
from streams.serve.serving import Asking, Served, Serving
from streams.serve.tokens import Caller

routes = APIRouter(tags=["decisions"])

M = TypeVar("M", bound=BaseModel)
LadderName = Literal["stage", "tier"]
MOST_RETRACTED = 500
"""Events of one retraction."""

_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PinRequest(Pin):
    """The account stands on this rung through the day `until`, whatever the numbers say."""

    model_config = _STRICT

    ladder: LadderName
    rung: Name


class SuppressionRequest(BaseModel):
    """The account stands at the bottom of every ladder, because of what it is to us."""

    model_config = _STRICT

    relationship: Annotated[Name, Field(description="One that the rulebook suppresses.", examples=["competitor"])]


class DispositionRequest(Disposition):
    """What sales said about the account."""

    model_config = _STRICT


def _whole(said: Any) -> Any:
    """To JSON Schema 60.0 is an integer."""
    return int(said) if isinstance(said, float) and said.is_integer() else said


class RetractedRequest(RetractedEvent):
    """An event as it was counted."""

    model_config = _STRICT

    seconds: Annotated[int, Field(ge=0, le=86_400), BeforeValidator(_whole)] | None = None


class RetractionRequest(Retraction):
    """What should never have counted: everything a person did so far, or single events."""

    model_config = _STRICT | ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["person"], "properties": {"person": {"type": "string"}}},
                {"required": ["events"], "properties": {"events": {"minItems": 1}}},
            ]
        }
    )

    events: list[RetractedRequest] = Field(default=[], max_length=MOST_RETRACTED)  # type: ignore[assignment]  # only narrower

    @model_validator(mode="after")
    def says_something(self) -> "RetractionRequest":
        """Refuse one that retracts nothing."""
        if self.person is None and not self.events:
            msg = "names neither person nor events; say what to retract"
            raise ValueError(msg)
        return self


class Accepted(msgspec.Struct, kw_only=True, frozen=True):
    """Kafka has it; it counts as soon as a worker has read it."""

    id: str  # the event's
    account: str
    topic: str  # where it lies
    partition: int
    offset: int


IdempotencyKey = Annotated[
    str | None,
    Header(pattern=r"^[!-~]{1,128}$", description="The same for a request that is sent again: it counts once within 24 hours."),
]


class Order(NamedTuple):
    """Who asks, and under which key."""

    caller: Caller
    key: str

    def event_id(self, account: str, fields: Mapping[str, Any]) -> str:
        """The same for the same request, and for no other."""
        asked = blake2b(to_json([account, fields]), digest_size=8).hexdigest()
        return f"api:{self.caller.name}:{self.key}:{asked}"


async def _order(caller: Asking, idempotency_key: IdempotencyKey = None) -> Order:
    return Order(caller, idempotency_key or uuid4().hex)


Ordered = Annotated[Order, Depends(_order)]


async def _pin(request: Request) -> PinRequest:
    return await _read(request, PinRequest)


async def _suppression(request: Request) -> SuppressionRequest:
    return await _read(request, SuppressionRequest)


async def _disposition(request: Request) -> DispositionRequest:
    return await _read(request, DispositionRequest)


async def _retraction(request: Request) -> RetractionRequest:
    return await _read(request, RetractionRequest)


async def _read(request: Request, model: type[M]) -> M:
    """Read a body as strictly as intake reads events: as JSON, not as what JSON was made into."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON:
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type: {printable(media_type, 80)!r}: must be {JSON}")
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        complaints = "; ".join(complaint(dict(each) | {"loc": ("body", *each["loc"])}) for each in error.errors())
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, complaints) from None


@routes.post("/accounts/{account}/pin")
async def pin(serving: Served, order: Ordered, account: AccountName, said: Annotated[PinRequest, Depends(_pin)]) -> Response:
    """Pin the account to a rung."""
    _, day = await _newest(serving)
    if said.until is not None and said.until.isoformat() < iso_day(day):
        raise Refusal(HTTPStatus.CONFLICT, f"until = {said.until}: is over, it is {iso_day(day)}; name this day or a later one")
    return await _send(serving, "pin", account, order, {"pin": Pin(**_said(said, order.caller))})


@routes.delete("/accounts/{account}/pin/{ladder}")
async def unpin(serving: Served, order: Ordered, account: AccountName, ladder: Annotated[LadderName, InPath()]) -> Response:
    """Take the account's pin on a ladder off."""
    return await _send(serving, "unpin", account, order, {"pin": Pin(ladder=ladder, rung=None, author=order.caller.name)})


@routes.post("/accounts/{account}/suppression")
async def suppress(
    serving: Served, order: Ordered, account: AccountName, said: Annotated[SuppressionRequest, Depends(_suppression)]
) -> Response:
    """Suppress the account: say that it is a competitor, or another whom the rulebook suppresses."""
    judge, _ = await _newest(serving)
    suppressed = judge.rulebook.suppress
    if said.relationship not in suppressed:
        remedy = f"use one of {', '.join(suppressed)}" if suppressed else "the rulebook suppresses none"
        detail = f"relationship = {printable(said.relationship, 80)!r}: is not suppressed by rulebook {judge.version}; {remedy}"
        raise Refusal(HTTPStatus.CONFLICT, detail)
    return await _send(serving, "suppress", account, order, {"relationship": said.relationship})


@routes.delete("/accounts/{account}/suppression")
async def unsuppress(serving: Served, order: Ordered, account: AccountName) -> Response:
    """Forget what the account's relationship is; what the rulebook itself lists stays suppressed."""
    return await _send(serving, "unsuppress", account, order, {"relationship": None})


@routes.post("/accounts/{account}/disposition")
async def dispose(
    serving: Served, order: Ordered, account: AccountName, said: Annotated[DispositionRequest, Depends(_disposition)]
) -> Response:
    """Say what sales makes of the account."""
    await find_account(serving, account)  # a misspelled one would become an account
    return await _send(serving, "disposition", account, order, {"disposition": Disposition(**_said(said, order.caller))})


@routes.post("/accounts/{account}/retraction")
async def retract(
    serving: Served, order: Ordered, account: AccountName, said: Annotated[RetractionRequest, Depends(_retraction)]
) -> Response:
    """Take out what should never have counted."""
    await find_account(serving, account)
    return await _send(serving, "retraction", account, order, {"retract": Retraction(**_said(said, order.caller))})


def _said(said: BaseModel, caller: Caller) -> dict[str, Any]:
    """What a body says, and who says it where it does not tell."""
    fields = {name: getattr(said, name) for name in said.model_fields_set}
    return fields if fields.get("author") is not None else fields | {"author": caller.name}


async def _newest(serving: Serving) -> tuple[Judge, int]:
    newest = await serving.newest()
    if newest is None or newest[1] is None:
        raise unavailable("the store of profiles knows no rulebook, or no day yet; ask again")
    return newest[0], newest[1]


async def _send(serving: Serving, action: str, said: str, order: Order, fields: dict[str, Any]) -> Response:
    account = registrable(said)
    if account is None:
        detail = f"account = {printable(said, 80)!r}: is no domain that a company can have; write it like acme.com"
        raise Refusal(HTTPStatus.NOT_FOUND, detail)
    if serving.updates is None:
        raise unavailable("this server has no Kafka to write to; start `mqa serve` with one")
    judge, day = await _newest(serving)
    at = await serving.updates.now(day)
    event = order.event_id(account, fields)
    update = AccountUpdate(schema_version=1, id=event, occurred_at=_EPOCH + timedelta(milliseconds=at), account=account, **fields)
    _check(update, judge)
    outcome = "failed"
    try:
        placed = await serving.updates.send(update)
        outcome = "sent"
    except Refusal as refusal:
        again = f"send the same again with the header Idempotency-Key: {order.key}, so that it counts once"
        raise Refusal(refusal.status, f"{refusal.detail}; {again}", refusal.headers) from None
    finally:
        serving.metrics.updates.labels(action, outcome).inc()
    accepted = Accepted(id=update.id, account=account, topic=placed.topic, partition=placed.partition, offset=placed.offset)
    return Response(msgspec.json.encode(accepted), HTTPStatus.ACCEPTED, {"cache-control": KEEP_NOTHING}, JSON)


def _check(update: AccountUpdate, judge: Judge) -> None:
    """Raise `Refusal` (409) for what intake would not count by today's rulebook."""
    at = to_ms(update.occurred_at)
    try:
        verdict = _intake(judge).judge(Family.ACCOUNT_UPDATES, Decoded(update, at), at, (Family.ACCOUNT_UPDATES.value, 0, 0, 0))
    except Dead as dead:
        raise Refusal(HTTPStatus.CONFLICT, f"{dead.detail} (rulebook {judge.version})") from None
    if verdict.fate != COUNTED:
        reason = verdict.fate.partition(":")[2].replace("_", " ")
        raise Refusal(HTTPStatus.CONFLICT, f"account = {update.account!r}: is no account by rulebook {judge.version} ({reason})")


@lru_cache(4)
def _intake(judge: Judge) -> IntakeJudge:
    return IntakeJudge(judge.rulebook, _identity())


@lru_cache(1)
def _identity() -> Identity:
    """Intake's own look-ups; nobody's hash is kept, so the key is no secret."""
    return make_identity(partitions=1, secret=b"checks only", key_id="check")
