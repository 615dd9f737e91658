"""All accounts in numbers."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from engagement.days import iso_day
from engagement.judging import Judge
from engagement.ladders import Ladder
from streams.profiles import store
from streams.serve.answers import JSON, encode, tagged
from streams.serve.serving import Served

routes = APIRouter(tags=["overview"])

SPANS = (1, 7, 30)
"""Days over which moves are added up."""


class Move(msgspec.Struct, kw_only=True, frozen=True, rename={"from_": "from"}):
    """How many accounts went from one rung to another."""

    ladder: str
    from_: str
    to: str
    direction: Literal["promotion", "demotion"]
    changes: int


class RungNow(msgspec.Struct, kw_only=True, frozen=True):
    """One rung."""

    rung: str
    accounts: int


class LadderNow(msgspec.Struct, kw_only=True, frozen=True):
    """One ladder, its lowest rung first."""

    ladder: str
    rungs: tuple[RungNow, ...]


class Overview(msgspec.Struct, kw_only=True, frozen=True):
    """All accounts in numbers."""

    day: str | None  # the rule day that every partition has reached; null: none has begun
    rulebook: str | None  # version; null: nothing is known yet
    is_complete: bool  # false: profiles are being rebuilt, and there are more accounts
    accounts: int
    ladders: tuple[LadderNow, ...]
    moves: dict[str, tuple[Move, ...]]  # days, the rule day included (``"1"``, ``"7"``, ``"30"``) -> what moved, the most first
    segments: dict[str, int]  # those of the rulebook, in its order, then others
    owners: dict[str, int]  # most accounts first; ``""`` for those without one
    suppress: tuple[str, ...]  # relationships by which the rulebook keeps an account at the bottom


@routes.get("/overview")
async def overview(request: Request, serving: Served) -> Response:
    """Count accounts by rung, segment and owner, and what moved lately."""
    marks, counted, newest = await serving.marks(), await serving.overview(), await serving.newest()
    judge = None if newest is None else newest[0]
    body = serving.numbers((marks, counted, judge), lambda: encode(_told(marks, counted, judge)))
    return tagged(request, body, JSON)


def _told(marks: Mapping[int, store.Mark], counted: store.Overview, judge: Judge | None) -> Overview:
    days = [mark.rule_day for mark in marks.values() if mark.rule_day is not None]
    today = min(days, default=None)
    ladders = () if judge is None else judge.rulebook.ladders
    segments = dict.fromkeys(() if judge is None else judge.rulebook.conditions_by_segment, 0)
    return Overview(
        day=None if today is None else iso_day(today),
        rulebook=None if judge is None else judge.version,
        is_complete=store.is_complete(marks),
        accounts=counted.accounts,
        ladders=tuple(_ladder(ladder, counted) for ladder in ladders),
        moves={str(span): tuple(_moves(ladders, counted.moves, iso_day(max(days, default=0) - span + 1))) for span in SPANS},
        segments={**segments, **counted.segments},
        owners=dict(sorted(counted.owners.items(), key=lambda each: (-each[1], each[0]))),
        suppress=() if judge is None else tuple(judge.rulebook.suppress),
    )


def _ladder(ladder: Ladder, counted: store.Overview) -> LadderNow:
    accounts: Mapping[str, int] = counted.rungs.get(ladder.name, {})
    return LadderNow(ladder=ladder.name, rungs=tuple(RungNow(rung=rung, accounts=accounts.get(rung, 0)) for rung in ladder.names))


def _moves(ladders: Sequence[Ladder], moves: Mapping[str, Mapping[str, int]], first: str) -> Iterator[Move]:
    """What moved from the day ``first`` on. A rung that the rulebook no longer has is below all others."""
    names = {ladder.name: ladder.names for ladder in ladders}
    total: Counter[str] = Counter()
    for day, counts in moves.items():
        if day >= first:
            total.update(counts)
    for move, changes in total.most_common():
        ladder, origin, target = move.split("|")
        low, high = (_height(names.get(ladder, ()), rung) for rung in (origin, target))
        yield Move(ladder=ladder, from_=origin, to=target, direction="promotion" if low < high else "demotion", changes=changes)


def _height(names: Sequence[str], rung: str) -> int:
    return names.index(rung) if rung in names else -1
