"""The parts of a rulebook that say whose an event is: the methods in their order, and what is remembered of visitors."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from engagement.parts import Days, Part, Percent, Remembered, Text, Visits

Method = Literal["account", "contact", "email", "visitor", "network"]
METHODS: tuple[Method, ...] = ("account", "contact", "email", "visitor", "network")


def _each_once(order: tuple[Method, ...]) -> tuple[Method, ...]:
    if len(set(order)) != len(order):
        raise ValueError("must name each method once; remove the second")
    return order


class Confidence(Part):
    """How sure each method is, 0-100."""

    account: Percent = 100
    contact: Percent = 95
    email: Percent = 90
    visitor: Percent = 80
    network: Percent = 50

    def of(self, method: Method) -> int:
        """Return that of ``method``."""
        confidence: int = getattr(self, method)
        return confidence


class ResolveRule(Part):
    """How an account is found; see `engagement.resolution`."""

    order: Annotated[tuple[Method, ...], Field(min_length=1), AfterValidator(_each_once)] = METHODS
    confidence: Confidence = Confidence()
    aliases: dict[Text, Text] = Field(default_factory=dict)  # another domain of an account -> the account
    parents: dict[Text, Text] = Field(default_factory=dict)  # account -> the one it belongs to


class VisitorsRule(Part):
    """What is remembered of visitors, by each partition; see `engagement.visitors`."""

    visits: Visits = 100  # of one visitor
    age: Days = 90  # since a visit was received, and since a visitor was seen
    count: Remembered = 250_000  # visitors
    two_accounts: Literal["last", "first"] = "last"  # which of them a visitor belongs to
    pages_a_minute: Visits = 60  # more of one visitor are a program's; 0: any number may be a person's


def identity_complaints(resolve: ResolveRule, visitors: VisitorsRule, history_days: int) -> Iterator[str]:
    """Find what no single part can know is wrong."""
    for alias, account in resolve.aliases.items():
        if account in resolve.aliases:
            yield f"resolve.aliases.{alias} = {account} must not be an alias itself; write {resolve.aliases[account]}"
    for child, parent in resolve.parents.items():
        for domain in (child, parent):
            if domain in resolve.aliases:
                yield f"resolve.parents.{child} = {parent} names an alias; write {resolve.aliases[domain]} for {domain}"
        if child in ancestors(child, resolve.parents):
            yield f"resolve.parents.{child} = {parent} goes in a circle; remove one of its accounts"
    if visitors.pages_a_minute > visitors.visits:
        pages = f"visitors.pages_a_minute = {visitors.pages_a_minute}"
        yield f"{pages} must not exceed visitors.visits = {visitors.visits}, all that is remembered; lower it (0: no limit)"
    if visitors.age > history_days:
        yield f"visitors.age = {visitors.age}d must not exceed history_days = {history_days}; lower it"


def ancestors(account: str, parents: Mapping[str, str]) -> tuple[str, ...]:
    """Name the accounts above one, the nearest first. Ends where a circle closes: ``account`` is then the last of them."""
    above: list[str] = []
    parent = parents.get(account)
    while parent is not None and parent not in above:
        above.append(parent)
        parent = parents.get(parent)
    return tuple(above)
