"""What a rulebook may say of methods and visitors, and how it is refused where it cannot be meant."""

import pytest

from engagement.errors import Refused
from tests.engagement.visitor_world import book


@pytest.mark.parametrize(
    ("resolve", "complaint"),
    [
        ("{order: [email, email]}", "resolve.order = ['email', 'email'] must name each method once; remove the second"),
        ("{order: []}", "resolve.order = [] must have an entry"),
        ("{order: [cookie]}", "resolve.order[0] = cookie must be 'account', 'contact', 'email', 'visitor' or 'network'"),
        ("{confidence: {network: 101}}", "resolve.confidence.network = 101 must be a whole number from 0 to 100"),
        ("{confidence: {cookie: 10}}", "resolve.confidence.cookie is no key known here"),
        ("{aliases: {a.com: b.com, b.com: c.com}}", "resolve.aliases.a.com = b.com must not be an alias itself; write c.com"),
        ("{parents: {a.com: b.com, b.com: a.com}}", "resolve.parents.a.com = b.com goes in a circle; remove one of its accounts"),
        ("{parents: {a.com: a.com}}", "resolve.parents.a.com = a.com goes in a circle"),
        (
            "{aliases: {a.de: a.com}, parents: {a.de: b.com}}",
            "resolve.parents.a.de = b.com names an alias; write a.com for a.de",
        ),
    ],
)
def test_methods_that_cannot_be_meant_are_refused(resolve: str, complaint: str) -> None:
    with pytest.raises(Refused) as refused:
        book(resolve=resolve)
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    ("visitors", "complaint"),
    [
        ("{visits: 1001}", "visitors.visits = 1001 must be a whole number from 0 to 1_000"),
        ("{age: 121d}", "visitors.age = 121d must not exceed history_days = 120; lower it"),
        (
            "{visits: 3}",
            "visitors.pages_a_minute = 60 must not exceed visitors.visits = 3, all that is remembered; lower it (0: no limit)",
        ),
        ("{two_accounts: both}", "visitors.two_accounts = both must be 'last' or 'first'"),
    ],
)
def test_bounds_that_cannot_be_meant_are_refused(visitors: str, complaint: str) -> None:
    with pytest.raises(Refused) as refused:
        book(visitors=visitors)
    assert complaint in str(refused.value)


def test_a_method_whose_confidence_is_not_said_has_its_own() -> None:
    confidence = book(resolve="{confidence: {network: 10}}").resolve.confidence
    assert (confidence.of("network"), confidence.of("email")) == (10, 90)
