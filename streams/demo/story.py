"""What a marketer hears of the named journeys, from the tier changes themselves; everything else is counted.

A line is told only where an event says so, and `complaints` names what should have been told and was not: a demo
that shows something else than it promises has failed.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping

from engagement.account import AccountState
from engagement.changes import TierChange
from engagement.judging import Evaluation
from streams.history.journeys import JOURNEYS

COMMITTEE, COMPETITOR, ENTHUSIAST, FADING, STRATEGIC, HEARSAY, LATECOMER = (
    JOURNEYS[name].domain for name in ("committee", "competitor", "enthusiast", "fading", "strategic", "hearsay", "latecomer")
)
_NAMED = frozenset(journey.domain for journey in JOURNEYS.values())


class Story:
    """Hears every tier change once, in order per account."""

    def __init__(self) -> None:
        self.heard = 0
        self._changes: defaultdict[str, list[TierChange]] = defaultdict(list)  # of the named accounts
        self._others: set[str] = set()
        self._told_of_others = 0

    def hear(self, change: TierChange) -> str | None:
        """Take a tier change; gives a line where it belongs to the story."""
        self.heard += 1
        if change.account not in _NAMED:
            self._told_of_others += 1
            self._others.add(change.account)
            return None
        changes = self._changes[change.account]
        changes.append(change)
        words = _WORDS.get((change.account, change.direction, change.to))
        return None if words is None else f"{change.effective_at[:10]}  {change.account} {words(change, changes)}"

    def epilogue(self, accounts: Mapping[str, tuple[AccountState, Evaluation]]) -> list[str]:
        """Tell who stayed where they were, and count the rest; ``accounts`` as they stand in the end."""
        lines = []
        competitor, evaluation = accounts[COMPETITOR]
        asked = sum(sum(cells.values()) for cells in competitor.kinds["demo_request"].days.values())
        if not self._changes[COMPETITOR]:
            lines.append(
                f"{COMPETITOR} has {points(evaluation.facts.score)} points and asked for {asked} demo, "
                f"but is a {competitor.relationship}: stays out"
            )
        for account, why in ((ENTHUSIAST, "all of one person"), (HEARSAY, "all hearsay of third parties")):
            state, evaluation = accounts[account]
            if not self._ever(account, "mqa"):
                rung = state.standings["stage"].rung if "stage" in state.standings else "watch"
                lines.append(f"{account} ends as {rung} with {points(evaluation.facts.score)} points, {why}: never an MQA")
        lines.append(f"and {self._told_of_others} tier changes of {len(self._others)} other accounts")
        return lines

    def complaints(self) -> list[str]:
        """Name what the events should have told and did not."""
        fell = next((change for change in self._changes[FADING] if change.ladder == "stage" and change.direction == "demotion"), None)
        promises = {
            f"{COMMITTEE} becomes an MQA, then Tier 2": self._ever(COMMITTEE, "mqa") and self._ever(COMMITTEE, "tier_2"),
            f"{STRATEGIC} becomes Tier 1": self._ever(STRATEGIC, "tier_1"),
            f"{FADING} falls on the day that was announced": fell is not None and announced(fell, self._changes[FADING]),
            f"{COMPETITOR} stays out": not self._changes[COMPETITOR],
            f"{ENTHUSIAST} is engaged and no more": self._ever(ENTHUSIAST, "engaged") and not self._ever(ENTHUSIAST, "mqa"),
            f"{HEARSAY} never becomes an MQA": not self._ever(HEARSAY, "mqa"),
            f"{LATECOMER} is engaged by its form and by its anonymous visits before it": any(
                change.to == "engaged" and {factor.kind for factor in change.factors} == {"download", "pricing", "page"}
                for change in self._changes[LATECOMER]
            ),
            "the factors of every change add up to its score": all(
                sum(factor.points for factor in change.factors) == change.score for changes in self._changes.values() for change in changes
            ),
        }
        return [f"this did not come true: {promise}" for promise, is_true in promises.items() if not is_true]

    def _ever(self, account: str, rung: str) -> bool:
        return any(change.to == rung for change in self._changes[account])


def points(thousandths: int) -> str:
    """``104846`` -> ``104.846``: exact, so that sums can be checked by eye."""
    return f"{thousandths // 1000}.{thousandths % 1000:03d}"


def announced(fall: TierChange, changes: list[TierChange]) -> bool:
    """Whether the last change on that ladder before ``fall`` said that it would come on that very instant."""
    before = [change for change in changes if change.ladder == fall.ladder and change.sequence < fall.sequence]
    return bool(before) and before[-1].expires_at == fall.effective_at


def _sum(change: TierChange) -> str:
    return f"{change.people} people, fit {change.grade}, {_terms(change)}"


def _terms(change: TierChange) -> str:
    terms = " + ".join(f"{factor.kind} {points(factor.points)}" for factor in change.factors)
    return f"{points(change.score)} points = {terms}"


def _credited(change: TierChange) -> str:
    before = sum(factor.count for factor in change.factors if factor.kind != "download")
    return f"is engaged: a form says who came {before} times before, and these visits count too: {_terms(change)}"


def _fall(change: TierChange, changes: list[TierChange]) -> str:
    when = "this is the announced day" if announced(change, changes) else "this day was not announced"
    return f"falls from {change.from_} to {change.to}: nobody came back, and {when}"


_WORDS: dict[tuple[str, str, str], Callable[[TierChange, list[TierChange]], str]] = {
    (COMMITTEE, "promotion", "mqa"): lambda change, _: f"is an MQA: {_sum(change)}",
    (COMMITTEE, "promotion", "tier_2"): lambda change, _: f"is Tier 2: {_sum(change)}",
    (COMMITTEE, "promotion", "accepted"): lambda change, _: f"is accepted by sales ({change.owner})",
    (STRATEGIC, "promotion", "tier_1"): lambda change, _: f"is called strategic and fits (fit {change.grade}): Tier 1 on the spot",
    (FADING, "promotion", "mqa"): lambda change, _: (
        f"is an MQA of {change.people} people; if nobody comes back it falls on {str(change.expires_at)[:10]}"
    ),
    (FADING, "demotion", "engaged"): _fall,
    (ENTHUSIAST, "promotion", "engaged"): lambda change, _: f"is engaged: {points(change.score)} points, all of one person",
    (LATECOMER, "promotion", "engaged"): lambda change, _: _credited(change),
    (HEARSAY, "promotion", "engaged"): lambda change, _: (
        f"is engaged by hearsay: {points(change.score)} points, nobody ever came to the site"
    ),
}
"""(account, direction, rung) -> what is said of it."""
