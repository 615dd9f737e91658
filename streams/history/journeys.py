"""Named journeys: accounts whose story is always the same, whatever the seed, so that a demo can tell it.

A script is read as a diary: on day 8, Mei reads the blog and looks at the pricing. Days count from the start of the
history; the words are those of `simulate_moves`; a line without a name concerns the account itself. A history that is
shorter than a script holds its beginning.
"""

from dataclasses import dataclass

from engagement.days import midnight
from streams.history.simulate_crowd import reveal
from streams.history.simulate_moves import HOUR, Move, session
from streams.history.simulate_world import OWNERS, Company, make_person, stream

Script = tuple[tuple[int, str | None, str], ...]
_NETWORK = 0xF000  # above the networks of the crowd
_IDEAL: dict[str, object] = {"industry": "fintech", "employees": 280, "revenue": 32_000_000, "uses": ["kafka", "salesforce"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """One account's story. ``headline`` says in a sentence what a marketer should see happen."""

    domain: str
    headline: str
    company: Company
    script: Script

    def moves(self, start_day: int) -> list[Move]:
        """The script from ``start_day`` on. Everybody sits down at nine in Singapore, twenty minutes after the one before."""
        people = {person.name: person for person in self.company.people}
        moves = [Move(midnight(start_day) + HOUR // 2, None, "record")]
        for line, (day, name, words) in enumerate(self.script):
            person = None if name is None else people[name]
            moves += session(midnight(start_day + day) + HOUR + line * HOUR // 3 % (8 * HOUR), person, words.split())
        return list(reveal(sorted(moves, key=lambda move: move.at)))


def journey(
    number: int,
    domain: str,
    headline: str,
    people: dict[str, str],
    script: Script,
    *,
    attributes: dict[str, object] = _IDEAL,
    expected_ltv: int = 400_000,
    relationship: str = "prospect",
    strangers: bool = False,
) -> Journey:
    """A journey of an ideal prospect of low lifetime value where nothing else is said; ``people`` maps names to roles.

    Of ``strangers`` the site knows nothing, their network neither, until they fill in a form.
    """
    rng = stream("journey", domain)
    company = Company(
        domain=domain,
        name=domain.removesuffix(".example").title(),
        people=tuple(
            make_person(name, domain, role, network=_NETWORK + number, host=host, rng=rng, stranger=strangers)
            for host, (name, role) in enumerate(people.items(), 1)
        ),
        attributes=attributes,
        region="APAC",
        crm_id=f"001J{number:09d}",
        owner=OWNERS[number % len(OWNERS)],
        expected_ltv=expected_ltv,
        relationship=relationship,
        recognised=not strangers,
    )
    return Journey(domain=domain, headline=headline, company=company, script=script)


JOURNEYS: dict[str, Journey] = {
    "committee": journey(
        1,
        "harbourpay.example",
        "four people of a fitting fintech research, compare and ask: MQA, then Tier 2",
        {"Mei Tan": "c_level", "Arjun Nair": "vp", "Grace Lim": "director", "Kofi Mensah": "manager"},
        (
            (12, "Kofi Mensah", "blog product"),
            (15, "Kofi Mensah", "blog docs"),
            (19, "Grace Lim", "product customers"),
            (20, None, "surge"),
            (22, "Kofi Mensah", "pricing download"),
            (26, "Grace Lim", "pricing download"),
            (28, "Arjun Nair", "product pricing"),
            (33, "Mei Tan", "customers pricing webinar"),
            (34, "Arjun Nair", "webinar"),
            (40, None, "accepted"),
            (47, None, "open"),
            (54, "Grace Lim", "docs pricing"),
            (61, "Arjun Nair", "docs"),
            (82, None, "customer won"),
        ),
    ),
    "competitor": journey(
        2,
        "rivalstack.example",
        "a competitor studies the prices and asks for a demo: stays out",
        {"Victor Hale": "vp", "Ruth Kimani": "manager"},
        (
            (6, "Ruth Kimani", "product pricing pricing"),
            (9, "Victor Hale", "pricing customers download"),
            (17, "Victor Hale", "pricing demo_request"),
            (31, "Ruth Kimani", "webinar"),
        ),
        relationship="competitor",
    ),
    "enthusiast": journey(
        3,
        "solobrew.example",
        "one enthusiast reads everything, week after week: engaged, never qualified",
        {"Theo Brandt": "manager"},
        tuple((day, "Theo Brandt", "blog docs pricing" if day % 3 else "product pricing download") for day in range(5, 92, 4)),
    ),
    "fading": journey(
        4,
        "quietbay.example",
        "two people make it an MQA in a week, then nobody comes back: it falls on the day that was announced",
        {"Ines Duarte": "director", "Pavel Novak": "manager"},
        (
            (14, "Ines Duarte", "blog pricing"),
            (15, "Pavel Novak", "product pricing"),
            (17, "Ines Duarte", "customers pricing download"),
            (19, "Pavel Novak", "pricing"),
            (20, "Pavel Novak", "webinar"),  # the only act of its day: the order within a day is not the history's to say
        ),
    ),
    "strategic": journey(
        5,
        "crownmutual.example",
        "a fitting logo that sales calls strategic: Tier 1 on that day",
        {"Sofia Rahman": "c_level", "Daniel Kwok": "vp", "Lucia Prieto": "director", "Owen Bright": "manager", "Hana Seo": "other"},
        (
            (10, "Owen Bright", "blog product docs"),
            (16, "Lucia Prieto", "product pricing"),
            (21, "Hana Seo", "docs docs"),
            (24, "Daniel Kwok", "customers pricing download"),
            (29, None, "strategic"),
            (37, "Sofia Rahman", "customers pricing"),
            (44, "Lucia Prieto", "pricing webinar"),
            (45, "Sofia Rahman", "webinar"),
            (51, "Daniel Kwok", "pricing demo_request"),
        ),
        expected_ltv=2_500_000,
    ),
    "hearsay": journey(
        6,
        "echovale.example",
        "third parties report surge after surge, but nobody ever came to the site: intent alone never qualifies",
        {"Nils Aker": "director"},
        tuple((day, None, "surge surge" if day % 2 else "surge review_site") for day in range(8, 80, 9)),
    ),
    "latecomer": journey(
        7,
        "lanternworks.example",
        "a visitor whom nobody knows fills in a form: engaged, because the visits before it count",
        {"Nora Vance": "manager"},
        (
            (9, "Nora Vance", "product pricing"),
            (16, "Nora Vance", "docs pricing"),
            (32, "Nora Vance", "download"),  # neither this nor the visits are enough alone
        ),
        strangers=True,
    ),
}
"""Name -> journey."""
