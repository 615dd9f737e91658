"""What is remembered of one visitor: who they are, and the visits whose account depends on that.

A visit is remembered where no method before ``visitor`` settled whose it is. It is credited to the account of the visitor's link; without
one, to whom the methods behind name (their network's company); else it waits. When the link comes, changes or goes, every remembered
visit moves: it is taken out where it was counted and counted where it belongs now, exactly as it was first. So what is counted depends
on the link alone, not on when it came.

A visitor known under two e-mail addresses of one account is one person, the one that was said first; the account is told so. Which of two
*accounts* a visitor belongs to is the rulebook's choice, the last or the first. Own staff are a link without an account: their visits are
credited to nobody.

A program opens more pages in a minute than a person does. The remembered visits of that minute, by when they occurred, tell it: with one
too many, all of them are taken out and forgotten, and the row notes the minute. So it makes no difference which of them came first or when
the visitor was known, and no link brings them back.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Literal, NamedTuple

import msgspec

from engagement.fates import COUNTED, WAITING
from engagement.identity_rules import VisitorsRule
from engagement.resolution import OWN_DOMAIN, Found, Link, Resolver

RATE = "rate"
"""Of a minute in which the visitor opened more pages than a person does."""

MOST_MERGED = 16
"""E-mail addresses beside the first. Whoever has more is a machine that many use, and the rest stay people of their own."""

_MOST_TOO_FAST = 16
"""Minutes that a row notes as a program's, the newest of them: visits of one minute seldom come far apart."""

_MS_PER_MINUTE = 60_000


FORGOTTEN = "forgotten"
"""Why a visit counts no longer whose visitor was to be forgotten."""


class Visit(msgspec.Struct, array_like=True, gc=False):
    """One visit: what a signal says of it, and whose it is."""

    id: str
    kind: str
    occurred_at: int  # ms, like the next
    received_at: int
    role: str | None
    seconds: int | None
    place: tuple[int, int]  # partition and offset of its source
    otherwise: Found | None  # whose it is while the visitor has no link
    credit: Found | None = None  # whose it is now

    @property
    def minute(self) -> int:
        """Minutes since 1970, UTC."""
        return self.occurred_at // _MS_PER_MINUTE


class Move(NamedTuple):
    """A visit that is taken out of where it was counted, and counted elsewhere; None: nowhere."""

    visit: Visit
    before: Found | None
    after: Found | None
    was: str  # its fate, and the new one
    now: str


class Same(NamedTuple):
    """What an account is told of which of its people are another one."""

    account: str
    key: Literal["same", "differ"]  # that they are, or that this visitor says so no longer
    people: Mapping[str, str]
    was: Mapping[str, str]  # who of them is known under the key that is being replaced, and as whom


class Joined(NamedTuple):
    """A visitor's link once an event has said who they are."""

    link: Link | None
    moves: bool  # whether visits are to be credited anew
    told: tuple[Same, ...] = ()


class Visitor(msgspec.Struct, array_like=True, gc=False):
    """One visitor, as the row in the state holds it."""

    link: Link | None = None
    visits: list[Visit] = []
    too_fast: tuple[int, ...] = ()  # the newest minutes that were a program's, ascending

    def fate(self, visit: Visit) -> str:
        """Where a remembered visit is counted now."""
        if visit.credit is not None:
            return COUNTED
        return WAITING if self.link is None else f"filtered:{OWN_DOMAIN}"

    @property
    def waiting(self) -> int:
        """How many visits wait."""
        return sum(self.fate(visit) == WAITING for visit in self.visits)

    def is_too_fast(self, visit: Visit) -> bool:
        """Whether a visit is of a minute that is known to be a program's."""
        return visit.minute in self.too_fast

    def outruns(self, visit: Visit, most: int) -> bool:
        """Whether a new visit is a program's: of such a minute, or one more than ``most`` (0: any number may be) in its minute."""
        if most == 0:
            return False
        if self.is_too_fast(visit):
            return True
        spare = len(self.visits) - most
        if spare < 0:
            return False
        # Visits of other minutes end the search: mostly the oldest are enough.
        minute = visit.minute
        others = (each for each in self.visits if each.occurred_at // _MS_PER_MINUTE != minute)
        return next(islice(others, spare, None), None) is None

    def forget_minute(self, minute: int) -> list[Move]:
        """Note that a minute is a program's, and forget the visits of it; gives what that changes for them."""
        if minute not in self.too_fast:
            self.too_fast = tuple(sorted((*self.too_fast, minute))[-_MOST_TOO_FAST:])
        gone = [visit for visit in self.visits if visit.minute == minute]
        if gone:
            self.visits = [visit for visit in self.visits if visit.minute != minute]
        return [Move(visit, visit.credit, None, self.fate(visit), f"filtered:{RATE}") for visit in gone]

    def remember(self, visit: Visit, resolver: Resolver) -> str:
        """Take a new visit, and credit it; gives its fate."""
        visit.credit = resolver.credited(self.link, visit.otherwise)
        self.visits.append(visit)
        return self.fate(visit)

    @property
    def people(self) -> set[str]:
        """Everybody whom the link or a remembered visit names."""
        founds = [found for visit in self.visits for found in (visit.credit, visit.otherwise) if found is not None]
        names = {name for found in founds for name in (found.person, found.was)}
        if self.link is not None:
            names |= {self.link.person, self.link.was, *(person for person, _ in self.link.merged)}
        return {name for name in names if name is not None}

    def forget(self) -> list[Move]:
        """Let every visit go, whosever it is; gives what that changes for them."""
        return [Move(visit, visit.credit, None, self.fate(visit), f"filtered:{FORGOTTEN}") for visit in self.visits]

    def relink(self, joined: Joined, resolver: Resolver) -> list[Move]:
        """Take another link; gives what that changes for the visits."""
        if not joined.moves:
            self.link = joined.link
            return []
        was = [(visit.credit, self.fate(visit)) for visit in self.visits]
        self.link = joined.link
        for visit in self.visits:
            visit.credit = resolver.credited(self.link, visit.otherwise)
        return [
            Move(visit, before, visit.credit, fate, self.fate(visit))
            for visit, (before, fate) in zip(self.visits, was, strict=True)
            if before != visit.credit or fate != self.fate(visit)
        ]


def join(known: Link | None, said: Link, rule: VisitorsRule, resolver: Resolver) -> Joined:
    """Put together who a visitor is known to be and what an event says."""
    if known is None:
        return Joined(said, moves=True)
    account = None if known.account is None else resolver.current(known.account)
    if account != said.account:
        return Joined(known, moves=False) if rule.two_accounts == "first" else Joined(said, moves=True, told=_untold(known))
    role = known.role if said.role is None else said.role
    person, was = (said.person, said.was) if known.is_renamed_by(said) else (known.person, known.was)
    joined = Link(account, person, role, known.merged, was)
    if said.person is None or known.names(said):
        return Joined(joined, moves=False)  # visits that were counted under a former key's hash stay so: their account knows whose it is
    if known.person is None:
        return Joined(Link(account, said.person, role, was=said.was), moves=True)
    is_merged = any(each in (said.person, said.was) for each, _ in known.merged)
    if account is None or is_merged or len(known.merged) == MOST_MERGED:
        return Joined(joined, moves=False)
    accounts = (account, *resolver.above(account))
    former = {each: before for each, before in ((said.person, said.was), (known.person, known.was)) if before is not None}
    told = tuple(Same(each, "same", {said.person: known.person}, former) for each in accounts)
    return Joined(Link(account, known.person, role, (*known.merged, (said.person, accounts)), known.was), moves=False, told=told)


def unlink(known: Link | None) -> Joined:
    """Take back who a visitor is."""
    return Joined(None, moves=known is not None, told=_untold(known))


def _untold(known: Link | None) -> tuple[Same, ...]:
    if known is None or known.person is None:
        return ()
    former = {} if known.was is None else {known.person: known.was}
    return tuple(Same(account, "differ", {person: known.person}, former) for person, accounts in known.merged for account in accounts)
