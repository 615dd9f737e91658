"""The vocabulary of a simulated market: a *move* is one word somebody says or does, and becomes one input event.

Journeys and crowd speak the same words: pages of the site (`PAGES`), first-party signals (`SIGNALS`), third-party ones
(`THIRD_PARTY`), ``identify`` (a visitor says who they are) and what the CRM reports (`CRM`).
"""

from collections.abc import Iterable, Iterator
from random import Random
from typing import NamedTuple

from engagement.days import iso_instant
from engagement.events import Family
from streams.history.simulate_world import SITE, Company, Person

MINUTE = 60_000
HOUR = 60 * MINUTE

PAGES = {
    "home": ("/",),
    "product": ("/product", "/product/orchestration", "/product/analytics"),
    "blog": ("/blog/account-based-basics", "/blog/buying-committees", "/blog/five-mistakes", "/blog/intent-explained"),
    "customers": ("/customers", "/customers/harbour-lines", "/customers/first-mutual"),
    "docs": ("/docs/quickstart", "/docs/connectors", "/docs/security"),
    "pricing": ("/pricing", "/pricing/enterprise"),
    "careers": ("/careers", "/careers/platform-engineer"),
    "login": ("/login",),
    "asset": ("/static/site.css", "/static/app.js", "/img/logo.png", "/favicon.ico"),
}
FORMS = frozenset({"download", "webinar", "demo_request"})
"""Signals by which a stranger becomes known."""
SIGNALS = FORMS | {"email_open", "email_click"}
THIRD_PARTY = {"surge": "intentwire", "review_site": "stackreview"}
"""Third-party kinds and who reports them."""
TOPICS = ("account-based marketing", "buyer intent", "event streaming", "lead scoring", "marketing automation")
DISPOSITIONS = {"accepted": None, "rejected": "no budget this year", "recycled": "come back next quarter"}
"""What sales says of an account, and why."""
CRM = frozenset({"record", "strategic", "customer", "open", "won", "lost", *DISPOSITIONS})
REFERRERS = (None, None, "https://www.google.com/", "https://www.linkedin.com/", "https://duckduckgo.com/")


class Move(NamedTuple):
    """One word, said at ``at`` (ms, when it is received). ``person`` None: nobody in particular, or the account itself."""

    at: int
    person: Person | None
    word: str
    known: bool = True  # False while the site does not know who this visitor is


class Letter(NamedTuple):
    """An input event before it is sent."""

    family: Family
    key: str | None
    value: dict[str, object]


def session(at: int, person: Person | None, words: Iterable[str]) -> Iterator[Move]:
    """One sitting: the words in order, four minutes apart."""
    return (Move(at + turn * 4 * MINUTE, person, word) for turn, word in enumerate(words))


def write(company: Company, move: Move, occurred_at: int, rng: Random) -> Letter:
    """The event a move becomes. Its id is drawn from ``rng``, the company's own stream."""
    event: dict[str, object] = {"id": f"{rng.getrandbits(64):016x}", "occurred_at": iso_instant(occurred_at)}
    if move.word in PAGES:
        return write_visit(company, move, event, rng)
    if move.word == "identify":
        person = move.person
        assert person is not None, "only a person can say who they are"
        event |= {"type": "identify", "visitor_id": person.visitor_id, "email": person.email, "role": person.role}
        return Letter(Family.WEB_VISITS, person.visitor_id, event)
    if move.word in CRM:
        return Letter(Family.ACCOUNT_UPDATES, company.domain, event | {"account": company.domain} | crm_fields(company, move.word))
    return write_signal(company, move, event, rng)


def write_visit(company: Company, move: Move, event: dict[str, object], rng: Random) -> Letter:
    """A page view: with the e-mail of a known person, else with the account where its network is recognised, else with neither."""
    person = move.person if move.person is not None else rng.choice(company.people)
    event |= {
        "visitor_id": person.visitor_id,
        "url": f"https://{SITE}{rng.choice(PAGES[move.word])}",
        "user_agent": person.browser,
        "ip": person.ip,
        "seconds": 5 + int(rng.expovariate(1 / 60)),
    }
    referrer = rng.choice(REFERRERS)
    if referrer is not None:
        event["referrer"] = referrer
    if move.person is not None and move.known:
        event["email"] = person.email
    elif company.recognised:
        event["account"] = company.domain
    return Letter(Family.WEB_VISITS, person.visitor_id, event)


def write_signal(company: Company, move: Move, event: dict[str, object], rng: Random) -> Letter:
    """First-party signals name a person, third-party ones an account and a topic."""
    event["kind"] = move.word
    if move.word in THIRD_PARTY:
        event |= {"account": company.domain, "topic": rng.choice(TOPICS), "provider": THIRD_PARTY[move.word], "score": rng.randint(40, 95)}
        return Letter(Family.INTENT_SIGNALS, company.domain, event)
    person = move.person
    assert person is not None, f"somebody must {move.word}"
    event |= {"email": person.email, "role": person.role}
    if move.word in FORMS:
        event["visitor_id"] = person.visitor_id
    return Letter(Family.INTENT_SIGNALS, person.email, event)


def crm_fields(company: Company, word: str) -> dict[str, object]:
    """What one word of the CRM changes on the account."""
    if word == "record":
        return crm_record(company)
    if word == "strategic":
        return {"strategic": True}
    if word == "customer":
        return {"relationship": "customer"}
    if word in DISPOSITIONS:
        disposition = {"status": word, "author": company.owner}
        reason = DISPOSITIONS[word]
        return {"disposition": disposition if reason is None else disposition | {"reason": reason}}
    amount = company.expected_ltv // 4 if company.expected_ltv is not None else 50_000
    return {"opportunity": {"id": f"006{company.crm_id[3:]}", "stage": word, "amount": amount}}


def crm_record(company: Company) -> dict[str, object]:
    """The whole account as the CRM has it, with the contacts it knows."""
    record: dict[str, object] = {
        "crm_id": company.crm_id,
        "name": company.name,
        "owner": company.owner,
        "region": company.region,
        "attributes": company.attributes,
        "relationship": company.relationship,
        "contacts": [{"email": person.email, "role": person.role, "name": person.name} for person in company.people if not person.stranger],
    }
    if company.strategic:
        record["strategic"] = True
    if company.listed_tier is not None:
        record["listed_tier"] = company.listed_tier
    if company.expected_ltv is not None:
        record["expected_ltv"] = company.expected_ltv
    return record
