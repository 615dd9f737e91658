"""Which account an event is of: found by which method, how sure that is, and why the other methods lost.

The methods are asked in the rulebook's order, and the first that knows an account wins:

- ``account``: the event names it;
- ``contact``: a contact list has the person;
- ``email``: the registrable domain of the e-mail address;
- ``visitor``: the visitor once said who they are (`engagement.visitor`);
- ``network``: the IP address is of a company. Which of its people that is, a network does not say: the signal is anonymous.

What an event says of its visitor only the first three can know. Aliases are applied to whatever a method knows; domains at which anyone
gets an address, for good or for ten minutes, are never accounts, and own staff move none, whatever account they name. A signal goes to the
accounts above its own as well.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec

from engagement.identity import Identity, Network, NetworkKind
from engagement.identity_rules import Method, ancestors
from engagement.rulebook import Rulebook

_REMEMBERED_NAMES = 32_768
BY_ITSELF: frozenset[str] = frozenset({"account", "contact", "email"})
"""Methods that need nothing but what the event says."""

OWN_DOMAIN = "own_domain"
FREE_MAIL = "free_mail"
DISPOSABLE_MAIL = "disposable_mail"
UNRESOLVED = "unresolved"


class Found(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An account, and all that a signal says of how it came to be that account's. Stands in the rows of visitors."""

    account: str
    person: str | None
    role: str | None  # where the event says none
    method: Method
    confidence: int
    above: tuple[str, ...] = ()  # accounts that get a copy, the nearest first
    was: str | None = None  # the person under the key that is being replaced


def accounts_of(found: Found | None) -> frozenset[str]:
    """Name every account that a credit counts for."""
    return frozenset() if found is None else frozenset((found.account, *found.above))


class Link(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Who a visitor is. Stands in the rows of visitors."""

    account: str | None  # None: own staff
    person: str | None
    role: str | None = None
    merged: tuple[tuple[str, tuple[str, ...]], ...] = ()  # further persons that are this one, and the accounts that were told so
    was: str | None = None  # the person under the key that is being replaced

    def knows(self, said: "Link") -> bool:
        """Whether ``said`` says nothing new."""
        return self.account == said.account and said.role in (None, self.role) and self.names(said) and not self.is_renamed_by(said)

    def names(self, said: "Link") -> bool:
        """Whether both are of one person, or of nobody, whichever key each of them was made under."""
        return self.person == said.person or not {self.person, self.was}.isdisjoint({said.person, said.was} - {None})

    def is_renamed_by(self, said: "Link") -> bool:
        """Whether ``said`` has this one's person under a later key, or tells a hash under the former one that was not known."""
        return said.was is not None and (self.person == said.was or (self.person == said.person and self.was is None))


class Evidence(NamedTuple):
    """What there is to find an account by."""

    account: str | None = None  # as the event names it
    email: str | None = None  # normalized
    person: str | None = None  # the e-mail's
    network: Network | None = None  # that the IP address is of
    link: Link | None = None  # the visitor's
    was: str | None = None  # the e-mail's person under the key that is being replaced


class Attempt(NamedTuple):
    """What one method says: an account, or why it knows none."""

    account: str | None
    why_not: str = ""


class Resolution(NamedTuple):
    """The account, or why there is none: ``own_domain``, ``disposable_mail``, ``free_mail`` or ``unresolved``."""

    found: Found | None
    why_not: str = ""


_NOTHING = Evidence()
_ABSENT = Attempt(None, "absent")
_UNRESOLVED = Resolution(None, UNRESOLVED)


class Resolver:
    """The rules of one rulebook about whose an event is."""

    def __init__(self, rulebook: Rulebook, identity: Identity) -> None:
        rule = rulebook.resolve
        place = rule.order.index("visitor") if "visitor" in rule.order else None
        self.order = rule.order
        self.remembers = place is not None  # whether it can matter later who a visitor is
        self.before = rule.order if place is None else rule.order[:place]
        self.after = () if place is None else rule.order[place + 1 :]
        self._by_itself = tuple(method for method in rule.order if method in BY_ITSELF)
        self._identity = identity
        self._confidence = rule.confidence
        self._aliases = _domains(rule.aliases, identity)
        self._parents = _domains(rule.parents, identity)
        self._anyones = {  # the more telling reason first: lists of free mail have disposable addresses as well
            DISPOSABLE_MAIL: _with(identity.disposable_mail, rulebook.intake.disposable_mail, identity),
            FREE_MAIL: _with(identity.free_mail, rulebook.intake.free_mail, identity),
        }
        self._own_domains = frozenset(map(identity.registrable, rulebook.intake.own_domains)) - {None}
        self._of_name = lru_cache(_REMEMBERED_NAMES)(self._look_up)
        self._asked = {
            "account": self._by_account,
            "contact": self._by_contact,
            "email": self._by_email,
            "visitor": self._by_link,
            "network": self._by_network,
        }

    def attempts(self, evidence: Evidence) -> Iterator[tuple[Method, Attempt]]:
        """What each method says, in order. The first with an account wins, unless one of them says ``own_domain``."""
        for method in self.order:
            yield method, self._asked[method](evidence)

    def resolve(self, evidence: Evidence, methods: tuple[Method, ...]) -> Resolution:
        """Find the account by some of the methods, in their order."""
        if evidence == _NOTHING:  # most page views
            return _UNRESOLVED
        if self._own_domains and self._is_own_staff(evidence):
            return Resolution(None, OWN_DOMAIN)
        why_not = UNRESOLVED
        for method in methods:
            attempt = self._asked[method](evidence)
            if attempt.account is not None:
                return Resolution(self._found(attempt.account, method, evidence))
            if attempt.why_not == OWN_DOMAIN:
                return Resolution(None, OWN_DOMAIN)
            if attempt.why_not in self._anyones:
                why_not = attempt.why_not
        return Resolution(None, why_not)

    def said(self, evidence: Evidence, role: str | None) -> Link | None:
        """Who the visitor is by what the event itself says; None where it does not say it."""
        if evidence.account is None and evidence.email is None:
            return None
        found, why_not = self.resolve(evidence, self._by_itself)
        if found is not None:
            return Link(found.account, found.person, role, was=found.was)
        return Link(None, evidence.person, role, was=evidence.was) if why_not == OWN_DOMAIN else None

    def why_nobody(self, evidence: Evidence) -> str:
        """Name the reason why an event, of which `said` knows nobody, does not say itself whose it is."""
        return self.resolve(evidence, self._by_itself).why_not

    def credited(self, link: Link | None, otherwise: Found | None) -> Found | None:
        """Say to whom a visit is credited that depends on who the visitor is; ``otherwise``: what the methods behind say."""
        if link is None:
            return otherwise
        if link.account is None:
            return None
        return self._found(self.current(link.account), "visitor", Evidence(link=link))

    def current(self, account: str) -> str:
        """Give the account as it is called now, by the aliases."""
        return self._aliases.get(account, account)

    def above(self, account: str) -> tuple[str, ...]:
        """Name the accounts above one, the nearest first."""
        return tuple(each for each in ancestors(account, self._parents) if each != account) if self._parents else ()

    def account_named(self, name: str) -> Attempt:
        """Say which account a domain is: its own, an alias's, or why it is none."""
        return self._of_name(name)

    def _found(self, account: str, method: Method, evidence: Evidence) -> Found:
        link = evidence.link if method == "visitor" else None
        whose = None if method == "network" else evidence if link is None else link
        return Found(
            account=account,
            person=None if whose is None else whose.person,
            role=None if link is None else link.role,
            method=method,
            confidence=self._confidence.of(method),
            above=self.above(account),
            was=None if whose is None else whose.was,
        )

    def _is_own_staff(self, evidence: Evidence) -> bool:
        """Whether the event names an own domain at all, beside whatever else it names."""
        return (evidence.account is not None and self._of_name(evidence.account).why_not == OWN_DOMAIN) or (
            evidence.email is not None and self._of_name(_host_of(evidence.email)).why_not == OWN_DOMAIN
        )

    def _by_account(self, evidence: Evidence) -> Attempt:
        return _ABSENT if evidence.account is None else self._of_name(evidence.account)

    def _by_contact(self, evidence: Evidence) -> Attempt:
        account = None if evidence.person is None else self._identity.contact(evidence.person)
        if account is None and evidence.was is not None:
            account = self._identity.contact(evidence.was)
        return _ABSENT if account is None else self._of_name(account)

    def _by_email(self, evidence: Evidence) -> Attempt:
        return _ABSENT if evidence.email is None else self._of_name(_host_of(evidence.email))

    def _by_link(self, evidence: Evidence) -> Attempt:
        if evidence.link is None:
            return _ABSENT
        account = evidence.link.account
        return Attempt(None, OWN_DOMAIN) if account is None else Attempt(self.current(account))

    def _by_network(self, evidence: Evidence) -> Attempt:
        network = evidence.network
        if network is None:
            return _ABSENT
        if network.kind is not NetworkKind.COMPANY or network.domain is None:
            return Attempt(None, network.kind.value)
        return self._of_name(network.domain)

    def _look_up(self, name: str) -> Attempt:
        host = self._identity.host(name)
        domain = None if host is None else self._identity.registrable(host)
        if host is None or domain is None:
            return Attempt(None, UNRESOLVED)
        account = self.current(domain)
        if domain in self._own_domains or account in self._own_domains:
            return Attempt(None, OWN_DOMAIN)
        for why_not, domains in self._anyones.items():
            if host in domains or domain in domains:
                return Attempt(None, why_not)
        return Attempt(account)


def _host_of(email: str) -> str:
    return email.rpartition("@")[2]


def _with(known: frozenset[str], said: Iterable[str], identity: Identity) -> frozenset[str]:
    """Put the rulebook's domains to the known ones; where it has none, all partitions of a worker share one set."""
    more = frozenset(filter(None, map(identity.host, said)))
    return known | more if more else known


def _domains(said: Mapping[str, str], identity: Identity) -> dict[str, str]:
    """Both sides in the form that accounts have; what has none can be no account's."""
    pairs = ((identity.registrable(one), identity.registrable(other)) for one, other in said.items())
    return {one: other for one, other in pairs if one is not None and other is not None}
