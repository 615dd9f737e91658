"""Who lives in a simulated market: companies with what a CRM knows of them, and the people who decide.

Each company is drawn from a random stream of its own (seed and number), so a larger market holds the smaller one
unchanged. All domains are in ``.example`` (RFC 2606) and all addresses in documentation networks: nobody is real.
"""

from dataclasses import dataclass
from random import Random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SITE = "www.meridianflow.example"
OWN_DOMAIN = "meridianflow.example"

HEADS = _words(
    "amber arc atlas aurora banyan basin beacon birch blue bright canopy capital cedar cinder clear cobalt copper coral crest delta "
    "ember falcon fern first fjord flint garnet glacier granite harvest hazel helio indigo iron jade juniper keystone lark lotus lunar "
    "maple marble mesa mint monsoon nimbus north ochre onyx orchid pacific pearl pine quartz raven ridge river sable"
)
TAILS = _words(
    "bank bridge cargo cart cloud craft credit data dock field finance forge freight fund gate grid health hub lab ledger lend line "
    "link logic market media metal mile mobility motors networks pay point port power retail route scale sense share soft source stack "
    "supply systems trade vault ware works"
)
_GIVEN_NAMES = _words(
    "aiko amara ana arjun chen dara elena farid grace hana ines jonas kofi lena mei nadia omar priya rahul sofia tomas yuki"
)
_FAMILY_NAMES = _words(
    "adeyemi berg costa diaz evans fischer gupta haddad ito jansen kim lopez mori nair okafor park rossi santos tan vega wong"
)
NAMES = tuple(f"{given} {family}".title() for given in _GIVEN_NAMES for family in _FAMILY_NAMES)
OWNERS = ("dana.reyes", "liam.osei", "noor.haidari", "sam.whitlock")

REGION_HOURS = {"APAC": 8, "EMEA": 1, "NA": -6, "LATAM": -3}
"""Region -> hours its office clock is ahead of UTC."""
INDUSTRIES = ("fintech", "retail", "logistics", "healthcare", "manufacturing", "media", "software")
TECHNOLOGIES = ("hubspot", "kafka", "marketo", "salesforce", "sap", "segment", "snowflake", "workday")
ROLES = {"c_level": 1, "vp": 2, "director": 3, "manager": 5, "other": 5}
"""Role -> how often it occurs in a buying committee."""
BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile Safari/604.1",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody at a company. ``stranger``: the site does not know them until they fill in a form."""

    name: str
    email: str
    role: str
    visitor_id: str
    browser: str
    ip: str
    stranger: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """An account as the world has it. ``attributes`` holds only what is known; ``region`` is true whether known or not."""

    domain: str
    name: str
    people: tuple[Person, ...]
    attributes: dict[str, object]
    region: str
    crm_id: str
    owner: str
    expected_ltv: int | None = None
    relationship: str = "prospect"
    strategic: bool = False
    listed_tier: int | None = None
    sought: bool = False  # of the kind that sales cares for
    recognised: bool = False  # the producer knows the company's network, so anonymous visits name the account


def stream(*names: object) -> Random:
    """A random stream of its own for everything that has a name: what one draws never changes what another does."""
    return Random("/".join(map(str, names)))  # noqa: S311 - a simulation must be repeatable, not secret


def chance(rng: Random, percent: int) -> bool:
    """True in ``percent`` of a hundred draws."""
    return rng.random() * 100 < percent


def make_person(name: str, domain: str, role: str, *, network: int, host: int, rng: Random, stranger: bool = False) -> Person:
    """``name`` is "Given Family". The address is host ``host`` of the documentation network 2001:db8:``network``::/48."""
    return Person(
        name=name,
        email=f"{name.lower().replace(' ', '.')}@{domain}",
        role=role,
        visitor_id=f"v-{rng.getrandbits(48):012x}",
        browser=rng.choice(BROWSERS),
        ip=f"2001:db8:{network:x}::{host:x}",
        stranger=stranger,
    )


def domain_of(number: int) -> str:
    """Another domain for every number, the same in every market; number 0 is ourselves."""
    if number == 0:
        return OWN_DOMAIN
    tail, head = divmod(number, len(HEADS))
    edition, tail = divmod(tail, len(TAILS))
    suffix = "" if edition == 0 else str(edition + 1)
    return f"{HEADS[head]}{TAILS[(tail + head) % len(TAILS)]}{suffix}.example"


def make_company(number: int, relationship: str, rng: Random) -> Company:
    """Company ``number`` (0 is our own), with 1 to 10 people.

    About a third are of the kind the default rulebook looks for; every fact may be unknown.
    """
    domain = domain_of(number)
    sought = chance(rng, 35)
    region = "APAC" if sought and chance(rng, 70) else rng.choice(tuple(REGION_HOURS))
    employees = int(rng.uniform(100, 500) if sought else 10 ** rng.uniform(1, 3.8))
    facts: dict[str, object] = {
        "industry": "fintech" if sought and chance(rng, 80) else rng.choice(INDUSTRIES),
        "employees": employees,
        "revenue": int(employees * rng.uniform(60_000, 140_000)) // 10_000 * 10_000,
        "uses": sorted({*rng.sample(TECHNOLOGIES, rng.randint(1, 3)), *(["salesforce"] if sought and chance(rng, 60) else [])}),
    }
    roles = rng.choices(tuple(ROLES), tuple(ROLES.values()), k=min(10, 1 + int(rng.expovariate(0.35))))
    names = rng.sample(NAMES, len(roles))
    return Company(
        domain=domain,
        name=domain.removesuffix(".example").title(),
        people=tuple(
            make_person(name, domain, role, network=number, host=host, rng=rng, stranger=chance(rng, 40))
            for host, (name, role) in enumerate(zip(names, roles, strict=True), 1)
        ),
        attributes={fact: value for fact, value in facts.items() if chance(rng, 88)},
        region=region,
        crm_id=f"001{rng.getrandbits(40):010X}",
        owner=rng.choice(OWNERS),
        expected_ltv=int(10 ** rng.uniform(4.5, 6.5)) // 1000 * 1000 if chance(rng, 70) else None,
        relationship=relationship,
        strategic=chance(rng, 1),
        listed_tier=rng.choice((2, 3)) if chance(rng, 3) else None,
        sought=sought,
        recognised=chance(rng, 50),
    )
