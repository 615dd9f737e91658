"""What an account lacks for a rung: the ways in which a condition could come to hold, the nearest first.

A *way* is a list of words that together are enough: ``all`` joins the ways of its parts, ``any`` offers them side by side, ``not``
turns both round. How far a way is away is the sum over its words that do not hold: the share that is lacking of those that count
something (10 points of 100 are a tenth), one of any other, and ten where nothing that the account does can meet it, but only what is
said of it (a list, a fit, a disposition). Sums only grow, so keeping the nearest few at every step finds the nearest of all without
listing the product of every choice.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from engagement.conditions import NUMBERS, Condition, Facts, Silence
from engagement.explain.wording import asked_of, has_of, rounded
from engagement.quantities import DAYS, THOUSAND
from engagement.rulebook import BOTTOMS, Rulebook

MOST_WAYS = 6


class Requirement(msgspec.Struct, kw_only=True, frozen=True):
    """One word of a condition, and what the account has of it."""

    word: str  # as in the rulebook: ``people``
    asks: str  # in plain words
    has: str
    met: bool
    lacks: str | None  # how much more is needed, where that can be counted: ``'15.8'``
    written: dict[str, Any]  # the rulebook's own spelling; with ``not`` around it where its contrary is asked for


class Way(msgspec.Struct, kw_only=True, frozen=True):
    """Requirements that together are enough."""

    missing: int  # how many of them are not met
    requirements: tuple[Requirement, ...]


class _Path(NamedTuple):
    distance: int  # thousandths of a word
    requirements: tuple[Requirement, ...]


def ways_to(condition: Condition, facts: Facts, rulebook: Rulebook) -> tuple[Way, ...]:
    """Find at most `MOST_WAYS` ways in which ``condition`` would hold, the nearest first; equally near ones in the rulebook's order."""
    return tuple(
        Way(missing=sum(not each.met for each in path.requirements), requirements=path.requirements)
        for path in _paths(condition, facts, rulebook, negated=False)
    )


def _paths(condition: Condition, facts: Facts, rulebook: Rulebook, *, negated: bool) -> list[_Path]:
    if condition.operator == "not":
        return _paths(condition.parts[0], facts, rulebook, negated=not negated)
    if not condition.parts:
        return [_leaf(condition, facts, rulebook, negated=negated)]
    branches = [_paths(part, facts, rulebook, negated=negated) for part in condition.parts]
    if (condition.operator == "any") != negated:
        side_by_side = _nearest(path for branch in branches for path in branch)
        return side_by_side[:1] if side_by_side[0].distance == 0 else side_by_side
    joined = [_Path(0, ())]
    for branch in branches:
        joined = _nearest(_Path(one.distance + other.distance, one.requirements + other.requirements) for one in joined for other in branch)
    return joined


def _nearest(paths: Iterable[_Path]) -> list[_Path]:
    return sorted(paths, key=lambda path: path.distance)[:MOST_WAYS]


def _leaf(word: Condition, facts: Facts, rulebook: Rulebook, *, negated: bool) -> _Path:
    met = word.holds(facts) != negated
    asks, written = asked_of(word, rulebook), word.canonical
    counted = None if met or negated else _counted(word, facts, rulebook)
    distance, lacks = 0 if met else _uncounted(word), None
    if counted is not None:
        have, need = counted
        distance = max(1, (need - have) * THOUSAND // need)
        lacks = _lack(word, need - have)
    requirement = Requirement(
        word=word.operator,
        asks=f"not: {asks}" if negated else asks,
        has=has_of(word, facts),
        met=met,
        lacks=lacks,
        written={"not": written} if negated else written,
    )
    return _Path(distance, (requirement,))


def _uncounted(word: Condition) -> int:
    is_said = word.silence == Silence.CONSTANT and word.operator not in BOTTOMS  # an earlier ladder's rung can be earned
    return 10 * THOUSAND if is_said else THOUSAND


_COUNTING = ("score", "people", "active_days", "roles", "surging", "rolled_up_score", "rolled_up_people", "committee")


def _counted(word: Condition, facts: Facts, rulebook: Rulebook) -> tuple[int, int] | None:
    """(what there is, what is needed) of a word that counts something and does not hold; None for others."""
    asked = word.canonical[word.operator]
    if word.operator in _COUNTING:
        quantity = NUMBERS[word.operator].quantity
        return quantity.read(word.shows(facts)), quantity.read(asked)
    if word.operator == "people_with":
        shown = word.shows(facts)
        assert isinstance(shown, int)
        return shown, asked["at_least"]
    if word.operator == "signals":
        within = DAYS.read(asked["within"]) if "within" in asked else rulebook.window
        count, _ = facts.signals(word.kinds, within)
        return (count, asked["at_least"]) if count < asked["at_least"] else None  # else it is people who are lacking
    return None


def _lack(word: Condition, amount: int) -> str:
    """How much more is needed; points and shares rounded up, so that it is enough."""
    match word.operator:
        case "score" | "rolled_up_score":
            tenth = THOUSAND // 10
            return rounded(-(-amount // tenth) * tenth)
        case "committee":
            return f"{-(-amount // 10)}%"
        case _:
            return f"{amount:,}"
