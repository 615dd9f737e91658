"""Whose an event is, and what each method of the rulebook said: made of what intake itself decides."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import msgspec

from engagement.events import Family, WebVisit
from engagement.fates import COUNTED, FILTERED, WAITING
from engagement.identity_rules import Method
from engagement.intake_verdict import OPTED_OUT, Judge, Verdict
from engagement.records import Signal
from engagement.resolution import BY_ITSELF, FREE_MAIL, OWN_DOMAIN, UNRESOLVED, Attempt, Evidence, Found, Link
from engagement.visitor import Visitor

LATER = "later"
"""Why a method lost that knows an account: one before it in the rulebook's order knew one."""

SAYS_ITSELF = "says_itself"
"""Why who the visitor is was not asked: the event itself says it."""

_WITHOUT_ACCOUNT = (UNRESOLVED, FREE_MAIL, OWN_DOMAIN, OPTED_OUT, "data_centre")
_ASKED = frozenset({COUNTED, WAITING, "identify", *(f"filtered:{reason}" for reason in _WITHOUT_ACCOUNT)})
"""Fates before which methods are asked; robots, duplicates and the like end sooner."""


class Answer(msgspec.Struct, kw_only=True, frozen=True):
    """What one method said."""

    method: Method
    by: str | None  # what it looked up; None: the event has nothing that it could
    account: str | None
    lost: str | None  # None: it found the account; else why not, `LATER`, `SAYS_ITSELF`, or a reason why it counts for nobody


class Resolved(msgspec.Struct, kw_only=True, frozen=True):
    """One event, as far as the events before it tell."""

    line: int | None = None  # in its file
    topic: str
    id: str | None = None  # None: it cannot be read
    fate: str  # as intake counts it
    detail: str | None = None  # what is wrong with a dead one
    visitor_id: str | None = None
    account: str | None = None  # the event's; of an identify, the visitor's from now on
    person: str | None = None  # keyed hash
    method: Method | None = None
    confidence: int | None = None  # 0-100
    above: tuple[str, ...] = ()  # further accounts that get a copy
    moved: int = 0  # earlier visits that it credits to another account, or to nobody
    answers: tuple[Answer, ...] = ()  # in the rulebook's order; none where nobody was asked


def resolved(judge: Judge, family: Family, event: Any, verdict: Verdict, link: Link | None) -> Resolved:
    """Say whose an event is. ``verdict`` is ``judge``'s of it, ``link`` who its visitor is once it was taken in."""
    fate, found = _outcome(judge, verdict, link)
    told = Resolved(topic=family.value, id=event.id, fate=fate, visitor_id=getattr(event, "visitor_id", None))
    if fate == "identify" and link is not None:
        told = msgspec.structs.replace(told, account=link.account, person=link.person)
    if found is not None:
        told = msgspec.structs.replace(
            told, account=found.account, person=found.person, method=found.method, confidence=found.confidence, above=found.above
        )
    if family is Family.ACCOUNT_UPDATES:
        return msgspec.structs.replace(told, account=verdict.account)
    if fate not in _ASKED:
        return told
    evidence, is_visit = judge.evidence(family, event), family is Family.WEB_VISITS
    attempts = judge.resolver.attempts(evidence._replace(link=link) if is_visit else evidence)
    not_asked = _not_asked(judge, event, evidence, verdict) if is_visit else {}
    return msgspec.structs.replace(told, answers=tuple(_answers(attempts, _looked_up(event, evidence, is_visit=is_visit), not_asked, told)))


def _outcome(judge: Judge, verdict: Verdict, link: Link | None) -> tuple[str, Found | None]:
    """The event's fate, and the account that is found for it."""
    if verdict.visit is not None:
        return Visitor(link=link).remember(verdict.visit, judge.resolver), verdict.visit.credit
    entry = verdict.entry
    if not isinstance(entry, Signal) or verdict.account is None:
        return verdict.fate, None
    method, confidence = cast("Method", entry.method), cast("int", entry.confidence)
    return verdict.fate, Found(verdict.account, entry.person, entry.role, method, confidence, verdict.above)


def _answers(
    attempts: Iterable[tuple[Method, Attempt]], by: Mapping[Method, str | None], not_asked: Mapping[Method, str], told: Resolved
) -> Iterator[Answer]:
    """What each method says, in order."""
    is_first = True
    for method, (account, why_not) in attempts:
        if told.fate == "identify" and method not in BY_ITSELF:
            continue
        if method in not_asked:
            yield Answer(method=method, by=by[method], account=None, lost=not_asked[method])
        elif account is None:
            yield Answer(method=method, by=by[method], account=None, lost=why_not)
        else:
            lost = _why_nobodys(told.fate) if told.account is None else None if is_first else LATER
            yield Answer(method=method, by=by[method], account=account, lost=lost)
            is_first = False


def _why_nobodys(fate: str) -> str:
    """Name the reason why an event is nobody's although it names an account; an ``identify`` that counts is own staff's then."""
    return fate.removeprefix(FILTERED) if fate.startswith(FILTERED) else OWN_DOMAIN


def _looked_up(event: Any, evidence: Evidence, *, is_visit: bool) -> dict[Method, str | None]:
    """What each method has to look up, None being nothing."""
    address = event.ip if is_visit else None
    return {
        "account": event.account,
        "contact": evidence.email,
        "email": evidence.email,
        "visitor": event.visitor_id if is_visit else None,
        "network": address if evidence.network is None else evidence.network.prefix,
    }


def _not_asked(judge: Judge, visit: WebVisit, evidence: Evidence, verdict: Verdict) -> dict[Method, str]:
    """Methods that are not asked of a visit, and why."""
    match judge.why_forgotten(visit, evidence.network):
        case None:
            return {"visitor": SAYS_ITSELF} if verdict.said is not None and verdict.visit is None else {}
        case "opted_out":
            return {"visitor": OPTED_OUT, "network": OPTED_OUT}
        case reason:
            return {"visitor": reason}
