"""Which account an event is of: the first method in the rulebook's order that knows one, and why the others lost."""

from typing import Any

import pytest

from engagement.events import Family
from engagement.identity import Network, NetworkKind
from engagement.records import Signal
from engagement.resolution import Attempt, Evidence, Found, Link, Resolver
from tests.engagement.intake_world import IDENTITY, entries, fate_of, intent, record, update
from tests.engagement.visitor_world import BOB, JANE, book

EVERYTHING = Evidence(
    account="Gamma.example.",
    email="jane@acme.example",
    person=JANE,
    network=Network(domain="delta.example", kind=NetworkKind.COMPANY, prefix="10.0.0.0/8"),
    link=Link("beta.example", BOB, "vp"),
)
NOTHING = Evidence()


def found(evidence: Evidence, resolve: str = "{}") -> Found | None:
    resolver = Resolver(book(resolve=resolve), IDENTITY)
    return resolver.resolve(evidence, resolver.order).found


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("[account, email, visitor, network]", Found("gamma.example", JANE, None, "account", 100)),
        ("[email, account]", Found("acme.example", JANE, None, "email", 90)),
        ("[visitor, account]", Found("beta.example", BOB, "vp", "visitor", 80)),
        ("[network, account]", Found("delta.example", None, None, "network", 50)),
        ("[contact, network]", Found("delta.example", None, None, "network", 50)),
    ],
)
def test_the_first_method_that_knows_an_account_wins(order: str, expected: Found) -> None:
    assert found(EVERYTHING, f"{{order: {order}}}") == expected


def test_a_contact_list_knows_people_whatever_their_address() -> None:
    ann = IDENTITY.person("ann@gmail.example")
    assert found(Evidence(email="ann@gmail.example", person=ann)) == Found("beta.example", ann, None, "contact", 95)


def test_confidence_is_the_rulebooks() -> None:
    signal = found(EVERYTHING, "{confidence: {account: 70}}")
    assert signal is not None
    assert signal.confidence == 70


def test_an_alias_is_the_account_however_it_is_found() -> None:
    aliases = "{aliases: {WWW.Gamma.example: acme.example, beta.example: acme.example, delta.example: acme.example}, order: [%s]}"
    for method in ("account", "visitor", "network"):
        signal = found(EVERYTHING, aliases % method)
        assert signal is not None
        assert signal.account == "acme.example"


def test_accounts_above_are_named_the_nearest_first_and_a_circle_ends() -> None:
    parents = "{parents: {gamma.example: one.example, one.example: two.example, www.two.example: gamma.example}}"
    signal = found(EVERYTHING, parents)
    assert signal is not None
    assert signal.above == ("one.example", "two.example")


@pytest.mark.parametrize("staff", [{"account": "us.example"}, {"email": "me@eu.us.example"}, {"link": Link(None, None)}])
def test_own_staff_move_no_account_whatever_else_is_known(staff: dict[str, Any]) -> None:
    evidence = EVERYTHING._replace(**staff)
    resolver = Resolver(book(resolve="{order: [visitor, account, email]}"), IDENTITY)
    assert resolver.resolve(evidence, resolver.order) == (None, "own_domain")


def test_each_method_says_why_it_knows_none() -> None:
    resolver = Resolver(book(), IDENTITY)
    isp = Network(domain=None, kind=NetworkKind.ISP, prefix="10.0.2.0/24")
    said = Evidence(account="Acme Inc", email="x@gmail.example", person="k1.0", network=isp, link=Link(None, None))
    assert dict(resolver.attempts(said)) == {
        "account": Attempt(None, "unresolved"),
        "contact": Attempt(None, "absent"),
        "email": Attempt(None, "free_mail"),
        "visitor": Attempt(None, "own_domain"),
        "network": Attempt(None, "isp"),
    }
    assert {attempt for _, attempt in resolver.attempts(NOTHING)} == {Attempt(None, "absent")}
    assert resolver.resolve(NOTHING, resolver.order) == (None, "unresolved")


def test_a_signal_says_how_its_account_was_found_and_goes_to_those_above() -> None:
    _, outputs = fate_of(record(Family.INTENT_SIGNALS, intent(account="labs.example"), offset=7))
    signals = [(account, entry) for account, entry in entries(outputs) if isinstance(entry, Signal)]
    assert [(account, entry.via, entry.source) for account, entry in signals] == [
        ("labs.example", None, ("intent-signals", 0, 7, 0)),
        ("firm.example", "labs.example", ("intent-signals", 0, 7, 1)),
        ("holding.example", "labs.example", ("intent-signals", 0, 7, 2)),
    ]
    assert {(entry.method, entry.confidence, entry.person) for _, entry in signals} == {("account", 100, JANE)}


def test_an_update_is_of_the_account_itself_only_and_knows_aliases() -> None:
    assert [account for account, _ in entries(fate_of(record(Family.ACCOUNT_UPDATES, update(account="labs.example")))[1])] == [
        "labs.example"
    ]
    assert [account for account, _ in entries(fate_of(record(Family.ACCOUNT_UPDATES, update(account="acme.test")))[1])] == ["acme.example"]
