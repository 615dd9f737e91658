"""An account's score over the last days, kind by kind, as today's rulebook and today's knowledge say it.

A past day counts what had happened until then, and nothing dated later; the last day is today, and says what `explain` says. Who people
are, and what their roles are worth, is taken as it is known now, and what was retracted is gone from the past too: the trend explains
today's score, it is no record of what was shown on those days (tier changes are).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import msgspec

from engagement.account import AccountState
from engagement.counts import Cells, Counts, KindHistory
from engagement.days import iso_day
from engagement.judging import Judge
from engagement.together import as_one

MOST_DAYS = 366


class TrendDay(msgspec.Struct, kw_only=True, frozen=True):
    """One day. Points are integer thousandths; those of all kinds add up to the score exactly."""

    day: str
    score: int
    points: dict[str, int]  # kind -> its share, of those that have one; the largest first
    signals: dict[str, int]  # kind -> signals of that day; of those whose role is worth 0 none


class Trend(msgspec.Struct, kw_only=True, frozen=True):
    """The last days of an account, the oldest first."""

    account: str
    day: str  # the last one
    rulebook: str  # version
    exact_from: str  # on days before, signals would have counted too that are no longer kept: the score was at least this
    days: tuple[TrendDay, ...]


def trend(account: str, state: AccountState, day: int, judge: Judge, days: int) -> Trend:
    """Trace an account's score over the ``days`` (`MOST_DAYS` at most) that end with the rule day ``day``."""
    state = as_one(state)
    return Trend(
        account=account,
        day=iso_day(day),
        rulebook=judge.version,
        exact_from=iso_day(day - judge.rulebook.history_days + judge.scoring.horizon),
        days=tuple(_days(state, day - days + 1, day, judge)),
    )


def _days(state: AccountState, first: int, last: int, judge: Judge) -> Iterator[TrendDay]:
    """Count day by day what happened, and score what was counted so far."""
    scoring = judge.scoring
    multipliers = scoring.multipliers(state)
    so_far = Counts(roles=state.roles, kinds={kind: KindHistory() for kind in state.kinds})
    happened = _by_day(state)
    for day in sorted(each for each in happened if each < first):
        _count(so_far, happened[day], day)
    for day in range(first, last + 1):
        _count(so_far, happened.get(day, {}), day)
        points = scoring.tally(state if day == last else so_far, day).points  # today what is dated later counts as today's
        yield TrendDay(
            day=iso_day(day),
            score=sum(points.values()),
            points={kind: share for kind, share in sorted(points.items(), key=lambda each: (-each[1], each[0])) if share},
            signals=_signals(happened.get(day, {}), multipliers),
        )


_Happened = Mapping[str, tuple[Cells, Cells | None]]
"""Kind -> counts of one day by person, and seconds."""


def _by_day(state: Counts) -> Mapping[int, _Happened]:
    happened: dict[int, dict[str, tuple[Cells, Cells | None]]] = defaultdict(dict)
    for kind, history in state.kinds.items():
        for day, cells in history.days.items():
            happened[day][kind] = cells, history.seconds.get(day)
    return happened


def _count(counts: Counts, happened: _Happened, day: int) -> None:
    for kind, (cells, seconds) in happened.items():
        history = counts.kinds[kind]
        history.days[day] = cells
        if seconds is not None:
            history.seconds[day] = seconds


def _signals(happened: _Happened, multipliers: Mapping[str, int]) -> dict[str, int]:
    counts = {kind: sum(count for person, count in cells.items() if multipliers[person]) for kind, (cells, _) in happened.items()}
    return {kind: count for kind, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])) if count}
