"""Clusters: each account in exactly one group of similar ones, for plays that address a few at once.

Segments, of which an account may be in any number, are conditions like those of the ladders: see `engagement.conditions`.
"""

from typing import Any

from engagement.account import AccountState
from engagement.attributes import attribute_of
from engagement.conditions import UNKNOWN
from engagement.rulebook import ClusterRule


def cluster_of(state: AccountState, rule: ClusterRule | None) -> str | None:
    """The account's cluster, ``fintech / apac / 100 to 499``; None where the rulebook has none."""
    if rule is None:
        return None
    return " / ".join(_value(attribute_of(state, name), borders) for name, borders in rule.dimensions)


def _value(attribute: Any, borders: tuple[int, ...]) -> str:
    if attribute is None or attribute == []:
        return UNKNOWN
    if not borders:
        return ", ".join(sorted(str(each).casefold() for each in attribute)) if isinstance(attribute, list) else str(attribute).casefold()
    if isinstance(attribute, bool) or not isinstance(attribute, int | float):
        return UNKNOWN
    passed = sum(attribute >= border for border in borders)
    if passed == 0:
        return f"under {borders[0]}"
    if passed == len(borders):
        return f"{borders[-1]} and more"
    return f"{borders[passed - 1]} to {borders[passed] - 1}"
