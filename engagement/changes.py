"""Tier changes: what leaves the engine, and why. One shape for both ladders, CloudEvents in binary mode.

The body depends on the log and the rulebook alone, so a replay gives the same bytes; where a record came from and which run
wrote it stand in headers.
"""

from hashlib import sha256
from typing import Literal

import msgspec

from engagement.account import AccountState
from engagement.days import iso_instant, midnight
from engagement.judging import Evaluation, Judge, Move
from engagement.machine import Output
from engagement.scoring import Factor

Reason = Literal["signal", "update", "silence", "suppression"]


class Cause(msgspec.Struct, kw_only=True, frozen=True):
    """The log record that caused a change."""

    name: str  # ``<input family>:<event id>`` or ``day:2025-01-01``
    reason: Reason
    effective_at: int  # ms
    offset: int  # in the log partition


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
    fit: int | None  # 0-100
    fit_known: int  # share of the criteria's weights in thousandths
    grade: str
    value: str
    people: int
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
    ladder, origin, target = move
    up = target > origin
    between = ladder.names[origin + 1 : target] if up else ladder.names[origin - 1 : target : -1]
    identity = "\0".join((account, ladder.name, str(state.sequence), judge.version, cause.name))
    return TierChange(
        id=sha256(identity.encode()).hexdigest()[:32],
        account=account,
        sequence=state.sequence,
        ladder=ladder.name,
        from_=ladder.names[origin],
        to=ladder.names[target],
        passed=tuple(between),
        direction="promotion" if up else "demotion",
        qualified=any(rung.name == QUALIFIED_RUNG and rung.enter.holds(evaluation.facts) for rung in ladder.rungs[origin:target]),
        reason="suppression" if evaluation.facts.suppressed else cause.reason,
        cause=cause.name,
        effective_at=iso_instant(cause.effective_at),
        expires_at=None if expires is None else iso_instant(midnight(expires)),
        score=evaluation.facts.score,
        fit=evaluation.fit.score,
        fit_known=evaluation.fit.known,
        grade=evaluation.fit.grade,
        value=evaluation.facts.value,
        people=evaluation.facts.people,
        factors=evaluation.factors,
        crm_id=state.crm_id,
        owner=state.owner,
        region=state.region,
        rulebook=judge.version,
    )


def change_output(change: TierChange, partition: int, cause: Cause) -> Output:
    """Wrap a change as a record of ``tier-changes``: the body, and around it the CloudEvents and log coordinates."""
    headers = {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": change.id,
        "ce_source": "/mqa",
        "ce_type": "mqa.tier-change.v1",
        "ce_subject": change.account,
        "ce_time": change.effective_at,
        "mode": "live",
        "mqa-log": f"{partition}/{cause.offset}",
    }
    return Output(
        topic="tier-changes",
        key=change.account.encode(),
        value=_encode(change),
        headers=tuple((name, value.encode()) for name, value in headers.items()),
        timestamp=cause.effective_at,
    )
