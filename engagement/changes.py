"""Tier changes: what leaves the engine, and why. One shape for both ladders, CloudEvents in binary mode.

The body depends on the log and the rulebook alone, so a replay gives the same bytes; where a record came from and which run
wrote it stand in headers.
"""

from hashlib import sha256
from typing import Literal

import msgspec

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

    computed: str  # the rung it would stand on
    reason: str | None
    author: str | None
    until: str | None  # the last day on which it holds


class TierChange(msgspec.Struct, kw_only=True, frozen=True, rename={"from_": "from"}):
    """An account went from one rung to another. Points are integer thousandths; ``factors`` add up to ``score`` exactly."""

    id: str
    account: str
    sequence: int  # 1..n per account, over both ladders
    ladder: str
    from_: str
    to: str
    passed: tuple[str, ...]  # rungs skipped, in the order of travel
    direction: Literal["promotion", "demotion"]
    qualified: bool  # on the way up to or past ``mqa`` with that rung's own enter holding
    reason: Reason
    cause: str
    effective_at: str
    expires_at: str | None  # midnight of the day it falls from here if nothing more happens
    score: int
    rolled_up_score: int | None  # with the signals of the accounts below; None where there are none
    fit: int | None  # 0-100
    fit_known: int  # share of the criteria's weights in thousandths
    grade: str
    value: str
    people: int
    surges: tuple[str, ...]  # topics and needs
    segments: tuple[str, ...]
    cluster: str | None
    pin: Pinned | None  # on this ladder
    factors: tuple[Factor, ...]
    crm_id: str | None
    owner: str | None
    region: str | None
    rulebook: str  # version


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
