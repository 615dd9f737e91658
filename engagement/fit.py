"""Fit: who an account is, apart from what it does. Judged on what is known, with the known share beside it."""

from typing import Any, NamedTuple

from engagement.account import AccountState
from engagement.conditions import UNKNOWN
from engagement.quantities import THOUSAND
from engagement.rulebook import NO_GRADE, Criterion, Rulebook


class Fit(NamedTuple):
    """How well an account fits."""

    score: int | None  # 0-100 of the weights that are known, floored; None where none is
    known: int  # share of the weights in thousandths, floored
    grade: str


def fit_of(state: AccountState, rulebook: Rulebook) -> Fit:
    """Judge an account's attributes (and its region) by the rulebook's criteria.

    A criterion whose attribute is missing or of another sort (a text where a number is asked for) is unknown: it neither helps nor harms.
    """
    total = known = met = 0
    for name, criterion in rulebook.fit.items():
        total += criterion.weight
        attribute = state.region if name == "region" and name not in state.attributes else state.attributes.get(name)
        answer = _meets(criterion, attribute)
        if answer is not None:
            known += criterion.weight
            met += criterion.weight if answer else 0
    if known == 0 or rulebook.grades is None:
        return Fit(None, 0, UNKNOWN)
    score = 100 * met // known
    share = THOUSAND * known // total
    if known * THOUSAND < rulebook.grades.known * total:
        return Fit(score, share, UNKNOWN)
    return Fit(score, share, next((grade for grade, border in rulebook.grades.borders.items() if score >= border), NO_GRADE))


def value_of(state: AccountState, rulebook: Rulebook) -> str:
    """``high``, ``low`` or ``unknown``: what the account may be worth over its lifetime."""
    if rulebook.value is None or state.expected_ltv is None:
        return UNKNOWN
    return "high" if state.expected_ltv >= rulebook.value.high else "low"


def _meets(criterion: Criterion, attribute: Any) -> bool | None:
    if attribute is None:
        return None
    if criterion.between is not None:
        if isinstance(attribute, bool) or not isinstance(attribute, int | float):
            return None
        low, high = criterion.between
        return low <= attribute <= high
    owned = {_folded(each) for each in (attribute if isinstance(attribute, list) else [attribute])}
    wanted = criterion.in_ if criterion.in_ is not None else criterion.any
    assert wanted is not None  # `load_rulebook` saw to one test
    return not owned.isdisjoint(_folded(each) for each in wanted)


def _folded(attribute: Any) -> str:
    """Texts compare without regard to case; ``true`` and numbers as they are written in YAML."""
    return str(attribute).casefold()
