"""Fit: who an account is, apart from what it does. Judged on what is known, with the known share beside it."""

from typing import NamedTuple

from engagement.account import AccountState
from engagement.attributes import attribute_of
from engagement.conditions import UNKNOWN
from engagement.quantities import THOUSAND
from engagement.rulebook import NO_GRADE, Rulebook


class Fit(NamedTuple):
    """How well an account fits."""

    score: int | None  # 0-100 of the weights that are known, floored; None where none is
    known: int  # share of the weights in thousandths, floored
    grade: str


def fit_of(state: AccountState, rulebook: Rulebook) -> Fit:
    """Judge an account by the rulebook's criteria; one that is unknown neither helps nor harms."""
    total = known = met = 0
    for name, answer in answers(state, rulebook).items():
        weight = rulebook.fit[name].weight
        total += weight
        if answer is not None:
            known += weight
            met += weight if answer else 0
    if known == 0 or rulebook.grades is None:
        return Fit(None, 0, UNKNOWN)
    score = 100 * met // known
    share = THOUSAND * known // total
    if known * THOUSAND < rulebook.grades.known * total:
        return Fit(score, share, UNKNOWN)
    return Fit(score, share, next((grade for grade, border in rulebook.grades.borders.items() if score >= border), NO_GRADE))


def answers(state: AccountState, rulebook: Rulebook) -> dict[str, bool | None]:
    """Criterion -> whether the account meets it; None where that is unknown."""
    return {name: criterion.meets(attribute_of(state, criterion.attribute or name)) for name, criterion in rulebook.fit.items()}


def value_of(state: AccountState, rulebook: Rulebook) -> str:
    """``high``, ``low`` or ``unknown``: what the account may be worth over its lifetime."""
    rule = rulebook.value
    if rule is None:
        return UNKNOWN
    if rule.strategic and state.strategic:
        return "high"
    if state.expected_ltv is None:
        return UNKNOWN
    return "high" if state.expected_ltv >= rule.high else "low"
