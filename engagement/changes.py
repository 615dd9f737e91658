"""Tier changes: what leaves the engine, and why. One shape for both ladders, CloudEvents in binary mode.

The body depends on the log and the rulebook alone, so a replay gives the same bytes; where a record came from and which run
wrote it stand in headers.
"""

from hashlib import sha256
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engagement.account import AccountState, Pin
from engagement.days import iso_day, iso_instant, midnight
from engagement.judging import Evaluation, Judge, Move, is_fall
from engagement.machine import Output
from engagement.scoring import Factor

Reason = Literal["signal", "update", "retraction", "reattribution", "silence", "suppression", "pin", "restatement"]
"""``reattribution``: a signal was found to be another account's, or nobody's."""

Mode = Literal["live", "baseline"]
"""``baseline``: a history is being played; nobody is to be alerted."""


class Cause(msgspec.Struct, kw_only=True, frozen=True):
    """The log record that caused a change."""

    name: str  # ``<input family>:<event id>``, ``day:2025-01-01`` or ``activation:<rulebook version>``
    reason: Reason
    effective_at: int  # ms
    offset: int  # in the log partition


class Pinned(msgspec.Struct, kw_only=True, frozen=True):
    """A person's decision, beside what the machine computed."""

    computed: Annotated[str, Meta(description="The rung on which the account would stand.")]
    reason: Annotated[str | None, Meta(description="Why, in words.")]
    author: Annotated[str | None, Meta(description="Who decided.")]
    until: Annotated[str | None, Meta(description="The last day on which it holds; null: until it is taken off.")]


_Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
_Count = Annotated[int, Meta(ge=0)]


class TierChange(msgspec.Struct, kw_only=True, frozen=True, rename={"from_": "from"}):
    """An account went from one rung to another. Points are integer thousandths; ``factors`` add up to ``score`` exactly."""

    id: Annotated[str, Meta(description="32 hex digits, the same in every replay: what comes twice has it twice.")]
    account: Annotated[str, Meta(description="Domain; the record's key.")]
    sequence: Annotated[int, Meta(ge=1, description="1, 2, 3 ... of the account, over all ladders, without a gap.")]
    ladder: Annotated[str, Meta(description="By the default rulebook `stage` or `tier`.")]
    from_: Annotated[str, Meta(description="The rung before; the rulebook names the rungs.")]
    to: Annotated[str, Meta(description="The rung now.")]
    passed: Annotated[tuple[str, ...], Meta(description="Rungs skipped, in the order of travel.")]
    direction: Annotated[Literal["promotion", "demotion"], Meta(description="Up or down the ladder.")]
    qualified: Annotated[bool, Meta(description="On the way up to or past `mqa`, with what that rung itself asks for fulfilled.")]
    reason: Annotated[Reason, Meta(description="What sort of cause. Further values may come.")]
    cause: Annotated[
        str, Meta(description="`web-visits:<event id>` (or another input), `day:2025-01-01` or `activation:<rulebook version>`.")
    ]
    effective_at: Annotated[_Instant, Meta(description="When the cause came in; of a day, its midnight (UTC).")]
    expires_at: Annotated[_Instant | None, Meta(description="When it falls from here if nothing more happens; null: never.")]
    score: Annotated[_Count, Meta(description="Thousandths of a point.")]
    rolled_up_score: Annotated[
        _Count | None, Meta(description="With the signals of the accounts below, in thousandths; null: there are none.")
    ]
    fit: Annotated[Annotated[int, Meta(ge=0, le=100)] | None, Meta(description="0-100; null: nothing is known.")]
    fit_known: Annotated[int, Meta(ge=0, le=1000, description="Share of the criteria's weights that is known, in thousandths.")]
    grade: Annotated[str, Meta(description="Of the fit; `unknown` where too little is known.")]
    value: Annotated[str, Meta(description="Of the account.")]
    people: Annotated[_Count, Meta(description="Known people who were active.")]
    surges: Annotated[tuple[str, ...], Meta(description="Topics and needs of which there is more than usual.")]
    segments: Annotated[tuple[str, ...], Meta(description="Of the rulebook, in which the account is.")]
    cluster: Annotated[str | None, Meta(description="Accounts that are alike have the same; null: none.")]
    pin: Annotated[Pinned | None, Meta(description="On this ladder.")]
    factors: Annotated[tuple[Factor, ...], Meta(description="What the score is made of, to the thousandth.")]
    crm_id: Annotated[str | None, Meta(description="As account updates say it.")]
    owner: Annotated[str | None, Meta(description="As account updates say it.")]
    region: Annotated[str | None, Meta(description="As account updates say it.")]
    rulebook: Annotated[str, Meta(description="Version of the rulebook that judged.")]


_encode = msgspec.json.Encoder().encode
QUALIFIED_RUNG = "mqa"


def tier_change(
    *, account: str, state: AccountState, move: Move, evaluation: Evaluation, judge: Judge, cause: Cause, expires: int | None
) -> TierChange:
    """Word one move. ``state`` already stands on the new rungs and has this change's sequence."""
    ladder, facts = move.ladder, evaluation.facts
    target = ladder.names.index(move.target)
    origin = ladder.names.index(move.origin) if move.origin in ladder.names else 0  # a rung that the rulebook no longer has
    between = ladder.names[origin + 1 : target] if target >= origin else ladder.names[origin - 1 : target : -1]
    identity = "\0".join((account, ladder.name, str(state.sequence), judge.version, cause.name))
    return TierChange(
        id=sha256(identity.encode()).hexdigest()[:32],
        account=account,
        sequence=state.sequence,
        ladder=ladder.name,
        from_=move.origin,
        to=move.target,
        passed=tuple(between),
        direction="demotion" if is_fall(move) else "promotion",
        qualified=any(rung.name == QUALIFIED_RUNG and rung.enter.holds(facts) for rung in ladder.rungs[origin:target]),
        reason=_reason(move, facts.suppressed, cause),
        cause=cause.name,
        effective_at=iso_instant(cause.effective_at),
        expires_at=None if expires is None else iso_instant(midnight(expires)),
        score=facts.score,
        rolled_up_score=facts.rolled_up_score if state.has_below else None,
        fit=evaluation.fit.score,
        fit_known=evaluation.fit.known,
        grade=evaluation.fit.grade,
        value=facts.value,
        people=facts.people,
        surges=facts.surges,
        segments=tuple(facts.segments),
        cluster=evaluation.cluster,
        pin=None if move.pin is None else _pinned(move, move.pin),
        factors=evaluation.factors,
        crm_id=state.crm_id,
        owner=state.owner,
        region=state.region,
        rulebook=judge.version,
    )


def _reason(move: Move, suppressed: bool, cause: Cause) -> Reason:  # noqa: FBT001 - it has one caller
    if cause.reason == "restatement":
        return cause.reason
    if suppressed:
        return "suppression"
    is_persons = move.pin is not None or (move.own_target == move.own_origin and move.target == move.own_target)
    return "pin" if is_persons else cause.reason


def _pinned(move: Move, pin: Pin) -> Pinned:
    until = None if pin.until is None else iso_day(pin.until)
    return Pinned(computed=move.own_target, reason=pin.reason, author=pin.author, until=until)


def change_output(change: TierChange, partition: int, cause: Cause, mode: Mode) -> Output:
    """Wrap a change as a record of ``tier-changes``: the body, and around it the CloudEvents and log coordinates."""
    headers = {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": change.id,
        "ce_source": "/mqa",
        "ce_type": "mqa.tier-change.v1",
        "ce_subject": change.account,
        "ce_time": change.effective_at,
        "mode": mode,
        "mqa-log": f"{partition}/{cause.offset}",
    }
    return Output(
        topic="tier-changes",
        key=change.account.encode(),
        value=_encode(change),
        headers=tuple((name, value.encode()) for name, value in headers.items()),
        timestamp=cause.effective_at,
    )
