"""Accounts: lists of them, and one with all that is known of it."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Literal, cast

import msgspec
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from engagement.account import decode
from engagement.changes import TierChange
from engagement.contacts import read_contact
from engagement.days import EARLIEST, LATEST, iso_instant, parse_day, to_ms
from engagement.errors import Refused
from engagement.events import LONGEST_NAME, Name
from engagement.explain.account import LAST_CHANGES, explain
from engagement.explain.explanation import Explanation
from engagement.explain.trend import MOST_DAYS, trend
from engagement.judging import Judge
from engagement.rulebook import BOTTOMS
from engagement.written import printable
from streams.identity import registrable
from streams.profiles import store
from streams.profiles.store import KEPT_CHANGES, Account, Change, Listed
from streams.serve.answers import JSON, KEEP_NOTHING, Body, answer, encode, tagged
from streams.serve.problems import Refusal, unavailable
from streams.serve.serving import Asking, Served, Serving

routes = APIRouter(tags=["accounts"])

LONGEST_CURSOR = 4_096
"""Characters."""
MOST_ACCOUNTS = 500
_MOST_NEAR = 3

AccountName = Annotated[str, Path(max_length=LONGEST_NAME, description="Its domain, in any spelling.", examples=["acme.com"])]
Cursor = Annotated[str, Field(min_length=1, max_length=LONGEST_CURSOR, description="`next` of the answer before.")]


class Accounts(msgspec.Struct, kw_only=True, frozen=True):
    """Part of a list."""

    accounts: tuple[Listed, ...]  # may be fewer than the limit although more come
    next: str | None  # give it as ``after`` to go on; null: that was all
    is_complete: bool  # false: profiles are being rebuilt, and there may be more accounts


class Contact(msgspec.Struct, kw_only=True, frozen=True):
    """Who a person is, as a contact list has it."""

    email: str
    name: str | None
    role: str | None


class ExplainedAccount(Explanation, kw_only=True, frozen=True):
    """One account explained, as of its rule day."""

    contacts: dict[str, Contact] | None = None  # person's hash -> who it is; null: the token has not the scope ``people``


class Timeline(msgspec.Struct, kw_only=True, frozen=True):
    """An account's tier changes."""

    account: str
    changes: tuple[TierChange, ...]  # newest first


def _spelled(said: object) -> object:
    """Refuse a bare number, which pydantic takes for seconds since 1970."""
    if isinstance(said, str) and said.strip("+-.0123456789") == "":
        msg = "must be an instant; write it like 2025-01-31T00:00:00Z"
        raise ValueError(msg)
    return said


class AccountsWanted(BaseModel):
    """Which accounts, all conditions together."""

    model_config = ConfigDict(extra="forbid")

    stage: Name | None = None
    tier: Name | None = None
    segment: Name | None = None
    owner: Annotated[str, Field(max_length=LONGEST_NAME, description="Empty: those without one.")] | None = None
    min_score: Annotated[int, Field(ge=0, le=2**53, description="Thousandths of a point.")] | None = None
    max_score: Annotated[int, Field(ge=0, le=2**53, description="Thousandths of a point.")] | None = None
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, description="Part of domain, name or CRM id.")] | None = None
    changed_since: Annotated[AwareDatetime, BeforeValidator(_spelled), Field(description="With a tier change then or later.")] | None = None
    sort: Annotated[Literal["score", "changed"], Field(description="Highest score, or newest change first.")] = "score"
    limit: Annotated[int, Field(ge=1, le=MOST_ACCOUNTS)] = 50
    after: Cursor | None = None


class TrendWanted(BaseModel):
    """How many days."""

    model_config = ConfigDict(extra="forbid")

    days: Annotated[int, Field(ge=1, le=MOST_DAYS)] = 90


class TimelineWanted(BaseModel):
    """How many tier changes."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=KEPT_CHANGES)] = KEPT_CHANGES


@routes.get("/accounts")
async def accounts(request: Request, serving: Served, wanted: Annotated[AccountsWanted, Query()]) -> Response:
    """List accounts, the highest score first. One that stays as it is while pages are turned comes exactly once."""
    question = ("accounts", request.scope["query_string"])
    return tagged(request, await serving.lists(question, lambda: _listed(serving, wanted)), JSON)


async def _listed(serving: Serving, wanted: AccountsWanted) -> Body:
    rungs = {ladder: rung for ladder in BOTTOMS if (rung := getattr(wanted, ladder)) is not None}
    if rungs:
        _check_rungs(rungs, await serving.newest())
    page = await serving.store.find(
        store.Query(
            rungs=rungs,
            segment=wanted.segment,
            owner=wanted.owner,
            least_score=wanted.min_score,
            most_score=wanted.max_score,
            text=wanted.text,
            changed_since=None if wanted.changed_since is None else iso_instant(min(max(to_ms(wanted.changed_since), EARLIEST), LATEST)),
            order=wanted.sort,
            limit=wanted.limit,
            after=wanted.after,
        )
    )
    is_complete = await serving.is_complete()  # afterwards: the store may have been flushed meanwhile
    return encode(Accounts(accounts=page.accounts, next=page.next, is_complete=is_complete))


@routes.get("/accounts/{account}")
async def account(request: Request, serving: Served, caller: Asking, account: AccountName) -> Response:
    """Explain one account: where it stands, what earned its points, when they fade, what it lacks for more."""
    kept, changes = await _find_with_timeline(serving, account, LAST_CHANGES)
    judge, day = await _as_judged(serving, kept)
    told = explain(kept.profile.account, decode(kept.row).state, day, judge, [_decode_change(change.body) for change in changes])
    contacts = None
    if "people" in caller.scopes:
        contacts = await _contacts(serving, told)
    whole = ExplainedAccount(**{name: getattr(told, name) for name in Explanation.__struct_fields__}, contacts=contacts)
    return answer(request, whole) if contacts is None else answer(request, whole, cache=KEEP_NOTHING)


@routes.get("/accounts/{account}/timeline")
async def timeline(request: Request, serving: Served, account: AccountName, wanted: Annotated[TimelineWanted, Query()]) -> Response:
    """List an account's tier changes, the newest first."""
    kept, changes = await _find_with_timeline(serving, account, wanted.limit)
    newest_first = tuple(_decode_change(change.body) for change in reversed(changes))
    return answer(request, Timeline(account=kept.profile.account, changes=newest_first))


@routes.get("/accounts/{account}/trend")
async def score_trend(request: Request, serving: Served, account: AccountName, wanted: Annotated[TrendWanted, Query()]) -> Response:
    """Trace the score of each of the last days, kind by kind, as today's rulebook says it."""
    kept = await find_account(serving, account)
    judge, day = await _as_judged(serving, kept)
    return answer(request, trend(kept.profile.account, decode(kept.row).state, day, judge, wanted.days))


def one_form(said: str) -> str:
    """An account's name as it is kept; what none can have stays as it is."""
    return registrable(said) or said


async def find_account(serving: Serving, said: str) -> Account:
    """Find an account in any spelling of its domain. Raises `Refusal` where there is none: 404 with names that are near."""
    return await _known(serving, said, await serving.store.account(one_form(said)))


async def _find_with_timeline(serving: Serving, said: str, most: int) -> tuple[Account, Sequence[Change]]:
    """`find_account`, and the newest of its tier changes."""
    kept, changes = await serving.store.with_timeline(one_form(said), most)
    return await _known(serving, said, kept), changes


async def _known(serving: Serving, said: str, kept: Account | None) -> Account:
    if kept is None and not await serving.is_complete():
        raise unavailable(f"account = {printable(said, 80)!r}: is not known yet, profiles are being rebuilt; ask again")
    if kept is None:
        near = await _near(serving, one_form(said))
        remedy = f"did you mean {' or '.join(near)}?" if near else "look at its spelling; `text=` of /api/v1/accounts finds parts"
        raise Refusal(HTTPStatus.NOT_FOUND, f"account = {printable(said, 80)!r}: is not known; {remedy}")
    return kept


async def _near(serving: Serving, name: str) -> list[str]:
    """Accounts that are written nearly so; a cheap guess."""
    label = name.partition(".")[0]
    if registrable(name) is None:
        return []
    try:
        page = await serving.store.find(store.Query(text=label[: max(3, len(label) * 2 // 3)], limit=_MOST_NEAR))
    except Refused:  # too many
        return []
    return [each.profile.account for each in page.accounts]


async def _as_judged(serving: Serving, kept: Account) -> tuple[Judge, int]:
    """Who judges an account, and the rule day. Of a partition whose mark is on its way, as its profile has it."""
    mark = (await serving.marks()).get(kept.partition)
    if mark is None:
        mark = store.Mark(rule_day=parse_day(kept.profile.day), rulebook=kept.profile.rulebook)
    if mark.rule_day is None:
        raise unavailable(f"{kept.profile.account}: no day has begun in its partition, so nothing is judged yet; ask again")
    return await serving.judge(mark), mark.rule_day


async def _contacts(serving: Serving, told: Explanation) -> dict[str, Contact]:
    rows: Mapping[str, bytes] = await serving.store.contacts([each.person for each in told.people.known])
    known = {person: row for person, value in rows.items() if (row := read_contact(value)) is not None}
    return {person: Contact(email=row.email, name=row.name, role=row.role) for person, row in known.items()}


def _check_rungs(rungs: Mapping[str, str], newest: tuple[Judge, int | None] | None) -> None:
    if newest is None:
        return
    judge, _ = newest
    ladders = {ladder.name: ladder.names for ladder in judge.rulebook.ladders}
    for ladder, rung in rungs.items():
        names = ladders.get(ladder, ())
        if rung not in names:
            remedy = f"use one of {', '.join(names)}" if names else "the rulebook has no such ladder"
            raise Refusal(HTTPStatus.BAD_REQUEST, f"{ladder} = {printable(rung, 80)!r}: is no rung of rulebook {judge.version}; {remedy}")


_decode_change = cast("msgspec.json.Decoder[TierChange]", msgspec.json.Decoder(TierChange)).decode
