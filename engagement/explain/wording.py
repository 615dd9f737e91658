"""The words of a rulebook as a marketer says them: what a condition or a test asks, what an account has of it."""

from collections.abc import Callable, Iterable
from typing import Any

from engagement.attributes import attribute_of
from engagement.conditions import Condition, Facts
from engagement.quantities import THOUSAND
from engagement.rulebook import Rulebook

NONE = "none"


def rounded(thousandths: int) -> str:
    """``132417`` -> ``'132.4'``; cut, not rounded up: 99.96 are not 100 points."""
    ones, rest = divmod(thousandths, THOUSAND)
    return f"{ones:,}" if rest < THOUSAND // 10 else f"{ones:,}.{rest // (THOUSAND // 10)}"


def exact(thousandths: int) -> str:
    """``132417`` -> ``'132.417'``, always with three decimals, so that columns add up."""
    ones, rest = divmod(thousandths, THOUSAND)
    return f"{ones:,}.{rest:03d}"


def plain(name: str) -> str:
    """``demo_request`` -> ``'demo request'``."""
    return name.replace("_", " ")


def several(count: int, one: str, many: str) -> str:
    """``1, 'day', 'days'`` -> ``'1 day'``."""
    return f"{count:,} {one if count == 1 else many}"


def listed(names: Iterable[str], joined_by: str) -> str:
    """``a, b, c`` -> ``'a, b or c'``."""
    *first, last = names
    return f"{', '.join(first)} {joined_by} {last}" if first else last


def asked_of(condition: Condition, rulebook: Rulebook) -> str:
    """What a word asks for: ``'2 active people'``."""
    operand = condition.canonical[condition.operator]
    if condition.operator == "act_now":
        kinds = [plain(kind) for kind, rule in rulebook.signals.items() if rule.act_now]
        return f"{listed(kinds, 'or') if kinds else 'a signal that is act_now'} within {_days(operand)}"
    phrase = _PHRASES.get(condition.operator)
    return f"{condition.operator} {plain(listed(operand, 'or'))} or above" if phrase is None else phrase(operand)  # an earlier ladder


def has_of(condition: Condition, facts: Facts) -> str:
    """What the account has of a word: ``'1'``, ``'84.2'``, ``'yes'``."""
    if condition.operator == "score":
        return rounded(facts.score)
    if condition.operator == "rolled_up_score":
        return rounded(facts.rolled_up_score)
    if condition.operator == "attributes":
        names = condition.canonical["attributes"]
        return ", ".join(f"{plain(name)} {told(attribute_of(facts.state, name))}" for name in names)
    shown = condition.shows(facts)
    if shown is None:
        return NONE
    return ("yes" if shown else "no") if isinstance(shown, bool) else str(shown).replace("d ago", " days ago")


def told(attribute: Any) -> str:
    """An attribute's value for people to read."""
    match attribute:
        case None | []:
            return "unknown"
        case bool():
            return "yes" if attribute else "no"
        case list():
            return ", ".join(map(str, attribute))
        case int():
            return _amount(attribute)
        case _:
            return str(attribute)


def asks_of_test(test: dict[str, Any]) -> str:
    """What a test of an attribute asks for, as `AttributeTest` is written: ``{'between': [100, 500]}`` -> ``'100 to 500'``."""
    ((word, operand),) = test.items()
    return _TESTS[word](operand)


def _amount(amount: int) -> str:
    """``20000000`` -> ``'20M'``; a year stays a year."""
    for size, suffix in ((10**9, "G"), (10**6, "M")):
        if amount >= size and amount % (size // 10) == 0:
            ones, tenths = divmod(amount // (size // 10), 10)
            return f"{ones}{suffix}" if tenths == 0 else f"{ones}.{tenths}{suffix}"
    return str(amount)


def _days(span: str) -> str:
    return several(int(span.removesuffix("d")), "day", "days")


def _points(amount: str | int) -> str:
    return f"{amount} points"


def _signals(asked: dict[str, Any]) -> str:
    kinds = f"{plain(listed(asked['kind'], 'or'))} " if "kind" in asked else ""
    span = f" within {_days(asked['within'])}" if "within" in asked else ""
    people = f" by {several(asked['people'], 'person', 'different people')}" if asked["people"] else ""
    return f"{several(asked['at_least'], f'{kinds}signal', f'{kinds}signals')}{span}{people}"


def _people_with(asked: dict[str, Any]) -> str:
    roles = f" who are {plain(listed(asked['roles'], 'or'))}" if "roles" in asked else ""
    return f"{several(asked['at_least'], 'person', 'people')}{roles} with {_points(asked['score'])} each"


_TESTS: dict[str, Callable[[Any], str]] = {
    "in": lambda wanted: listed(wanted, "or"),
    "any": lambda wanted: listed(wanted, "or"),
    "all": lambda wanted: listed(wanted, "and"),
    "matches": lambda patterns: f"like {listed(patterns, 'or')}",
    "between": lambda borders: " to ".join(map(_amount, borders)),
    "at_least": lambda least: f"{_amount(least)} or more",
    "at_most": lambda most: f"{_amount(most)} or less",
    "is": told,
}
_PHRASES: dict[str, Callable[[Any], str]] = {
    "score": _points,
    "people": lambda least: several(least, "active person", "active people"),
    "active_days": lambda least: f"activity on {several(least, 'day', 'days')}",
    "roles": lambda least: several(least, "role among them", "different roles among them"),
    "first_party": lambda wanted: "activity on our own channels" if wanted else "no activity on our own channels",
    "idle_under": lambda span: f"activity within {_days(span)}",
    "idle": lambda span: f"{_days(span)} of silence",
    "surging": lambda least: several(least, "topic that surges", "topics that surge"),
    "rolled_up_score": lambda amount: f"{_points(amount)} together with the accounts below it",
    "rolled_up_people": lambda least: f"{several(least, 'active person', 'active people')} together with the accounts below it",
    "committee": lambda share: f"{share} of the buying committee known",
    "blocked": lambda wanted: "somebody who may block" if wanted else "nobody who may block",
    "strategic": lambda wanted: "marked as strategic" if wanted else "not marked as strategic",
    "listed": lambda tier: f"on the list for tier {tier}",
    "value": lambda wanted: f"value {listed(wanted, 'or')}",
    "disposition": lambda wanted: f"{plain(listed(wanted, 'or'))} by sales",
    "opportunity": lambda wanted: f"an opportunity that is {listed(wanted, 'or')}",
    "relationship": lambda wanted: f"relationship {plain(listed(wanted, 'or'))}",
    "fit": lambda wanted: f"fit {listed(wanted, 'or')}",
    "surge": lambda wanted: f"a surge in {plain(listed(wanted, 'or'))}",
    "segment": lambda wanted: f"segment {plain(listed(wanted, 'or'))}",
    "signals": _signals,
    "people_with": _people_with,
    "attributes": lambda tests: " and ".join(f"{plain(name)} {asks_of_test(test)}" for name, test in tests.items()),
}
"""Word -> what it asks for, from its canonical operand."""
