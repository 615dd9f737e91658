"""How companies behave over a season: most are silent, some are curious, a few buy, and some must never count.

A *temperament* turns a company into its moves of the season. Moves outside the season are left out by who asks for them.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random

from engagement.days import midnight
from streams.history.simulate_moves import FORMS, HOUR, MINUTE, Move, session
from streams.history.simulate_world import OWN_DOMAIN, REGION_HOURS, Company, Person, chance

_MONDAY = 4  # 1970-01-05, the first Monday there was
_WEEK = 7
_SATURDAY = 5  # days after Monday


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """Days ``start`` to before ``end``, and what marketing does in them. The calendar depends on ``start`` alone."""

    start: int
    end: int

    @property
    def newsletters(self) -> range:
        """Every second Tuesday."""
        first_tuesday = self.start + (_MONDAY + 1 - self.start) % _WEEK
        return range(first_tuesday, self.end, 2 * _WEEK)

    @property
    def webinars(self) -> range:
        """A Thursday in every fourth week, from the third."""
        first_thursday = self.start + (_MONDAY + 3 - self.start) % _WEEK
        return range(first_thursday + 2 * _WEEK, self.end, 4 * _WEEK)

    @property
    def trade_show(self) -> int:
        """The one day of the booth: the Wednesday of the ninth week."""
        return self.start + (_MONDAY + 2 - self.start) % _WEEK + 8 * _WEEK

    def any_day(self, rng: Random) -> int:
        """One of its days."""
        return rng.randrange(self.start, self.end)


def office_time(day: int, company: Company, rng: Random) -> int:
    """An instant on ``day`` (or, for most of a weekend, on the Monday after) while the company's offices are open, in UTC ms."""
    weekday = (day - _MONDAY) % _WEEK
    if weekday >= _SATURDAY and chance(rng, 85):
        day += _WEEK - weekday
    return midnight(day) + int(rng.triangular(7.5, 19, 10.5) * HOUR) - REGION_HOURS[company.region] * HOUR


def visits(company: Company, people: tuple[Person, ...], season: Season, rng: Random, *, a_week: float, pages: str) -> Iterator[Move]:
    """Sittings of one to four pages by one of ``people``, ``a_week`` of them in the mean; ``pages`` are the words to choose from."""
    choice = pages.split()
    day = season.start + rng.expovariate(a_week / _WEEK)
    while day < season.end:
        words = rng.choices(choice, k=rng.randint(1, 4))
        if chance(rng, 5):
            words.append("asset")
        yield from session(office_time(int(day), company, rng), rng.choice(people), words)
        day += rng.expovariate(a_week / _WEEK)


def newsletters(company: Company, season: Season, rng: Random) -> Iterator[Move]:
    """Everybody whose address is known gets every newsletter; a third open it within two days, few click."""
    for day in season.newsletters:
        for person in company.people:
            if person.stranger or chance(rng, 65):
                continue
            at = midnight(day) + 8 * HOUR + int(rng.expovariate(1 / 9) * HOUR)
            yield Move(at, person, "email_open")
            if chance(rng, 12):
                yield from session(at + MINUTE, person, ("email_click", "blog"))


def quiet(company: Company, season: Season, rng: Random) -> Iterator[Move]:
    """Somebody drops by once or twice a quarter."""
    yield from visits(company, company.people, season, rng, a_week=0.1, pages="home blog product careers")


def curious(company: Company, season: Season, rng: Random) -> Iterator[Move]:
    """Reads along, comes to a webinar perhaps, takes a brochure at the trade show perhaps; a topic surges now and then."""
    yield from visits(company, company.people[:3], season, rng, a_week=0.9, pages="home blog blog product docs customers careers")
    for day in season.webinars:
        if chance(rng, 20):
            yield Move(midnight(day) + 15 * HOUR, rng.choice(company.people), "webinar")
    if chance(rng, 30):
        for person in company.people:  # a booth burst: everybody in one afternoon, nothing before or after
            yield Move(office_time(season.trade_show, company, rng), person, "download")
    if chance(rng, 30):
        yield Move(office_time(season.any_day(rng), company, rng), None, "surge")


def buying(company: Company, season: Season, rng: Random) -> Iterator[Move]:
    """Quiet months and one or two bursts: research, pricing, a form, a demo; then sales, and a deal that is won, lost or still open."""
    yield from quiet(company, season, rng)
    day = min(season.any_day(rng), season.any_day(rng))  # rather early, so that most stories end within the season
    for _ in range(rng.choice((1, 1, 1, 2))):
        committee = company.people[: rng.randint(1, len(company.people))]
        length = rng.randint(14, 28)
        yield from burst(company, committee, day, length, rng)
        if chance(rng, 80 if company.sought and len(committee) > 1 else 5):
            yield from sales(company, day + length + rng.randint(1, 6), rng)
        day += length + rng.randint(20, 40)


def burst(company: Company, committee: tuple[Person, ...], day: int, length: int, rng: Random) -> Iterator[Move]:
    """A committee at work for ``length`` days, one after the other, each further along the way than the one before."""
    if chance(rng, 50):
        for _ in range(rng.randint(1, 3)):
            yield Move(office_time(day + rng.randint(-7, length), company, rng), None, rng.choice(("surge", "surge", "review_site")))
    for person in committee:
        joins = day + rng.randint(0, length // 2)
        for stage in ("blog product", "docs customers", "product pricing", "pricing download", "webinar blog"):
            if chance(rng, 65):
                at = office_time(joins + rng.randint(0, length // 2), company, rng)
                yield from session(at, person, stage.split())
    if chance(rng, 30):
        yield from session(office_time(day + length, company, rng), committee[0], ("pricing", "demo_request"))


def sales(company: Company, day: int, rng: Random) -> Iterator[Move]:
    """Some days after the interest: accepted, rejected or recycled; what is accepted may become an opportunity, and that a customer."""
    verdict = rng.choices(("accepted", "rejected", "recycled"), (6, 2, 2))[0]
    yield Move(office_time(day, company, rng), None, verdict)
    if verdict != "accepted" or chance(rng, 30):
        return
    opened = day + rng.randint(2, 9)
    yield Move(office_time(opened, company, rng), None, "open")
    outcome = rng.choice(("won", "lost", "undecided"))
    if outcome == "undecided":
        return
    closed = opened + rng.randint(7, 35)
    yield from session(office_time(closed, company, rng), None, ("customer", "won") if outcome == "won" else ("lost",))


def enthusiast(company: Company, season: Season, rng: Random) -> Iterator[Move]:
    """One person who is nearly always there, and nobody else."""
    person = company.people[:1]
    yield from visits(company, person, season, rng, a_week=5, pages="blog blog blog docs docs product pricing customers")
    for day in season.webinars:
        yield Move(midnight(day) + 15 * HOUR, person[0], "webinar")


def customer(company: Company, season: Season, rng: Random) -> Iterator[Move]:
    """Logs in, reads the manual."""
    yield from visits(company, company.people, season, rng, a_week=4, pages="login login docs docs blog")


def competitor(company: Company, season: Season, rng: Random) -> Iterator[Move]:
    """Knows the prices by heart."""
    yield from visits(company, company.people[:2], season, rng, a_week=1.5, pages="pricing pricing product docs customers")
    if chance(rng, 30):
        yield Move(office_time(season.any_day(rng), company, rng), company.people[0], "demo_request")


def partner(company: Company, season: Season, rng: Random) -> Iterator[Move]:
    """Downloads what it hands on."""
    yield from visits(company, company.people, season, rng, a_week=1.5, pages="docs customers pricing blog")
    yield Move(office_time(season.any_day(rng), company, rng), company.people[0], "download")


def own_staff(company: Company, season: Season, rng: Random) -> Iterator[Move]:
    """Looks at every page all day."""
    yield from visits(company, company.people, season, rng, a_week=20, pages="home product blog docs pricing customers careers")


Temperament = Callable[[Company, Season, Random], Iterator[Move]]
TEMPERAMENTS: dict[Temperament, int] = {quiet: 50, curious: 18, buying: 20, enthusiast: 3, customer: 5, competitor: 2, partner: 2}
"""Of a hundred companies. `own_staff` is one more, and there is only one."""
RELATIONSHIPS: dict[Temperament, str] = {customer: "customer", competitor: "competitor", partner: "partner", own_staff: "own_staff"}


def draw_temperament(rng: Random) -> Temperament:
    """What the next company is like."""
    return rng.choices(tuple(TEMPERAMENTS), tuple(TEMPERAMENTS.values()))[0]


def plan(company: Company, temperament: Temperament, season: Season, rng: Random) -> list[Move]:
    """Everything a company does in the season, in order: its CRM record (most on the first night), the newsletters, and its own ways."""
    synced = season.start if chance(rng, 85) else season.any_day(rng)
    moves = [Move(midnight(synced) + 2 * HOUR + rng.randrange(HOUR), None, "record")]
    if company.domain != OWN_DOMAIN:
        moves.extend(newsletters(company, season, rng))
    moves.extend(temperament(company, season, rng))
    moves.sort(key=lambda move: move.at)
    return list(reveal(moves))


def reveal(moves: Iterable[Move]) -> Iterator[Move]:
    """A stranger says who they are with their first form (ten seconds before it); until then their visits are anonymous."""
    known: set[str] = set()
    for move in moves:
        person = move.person
        if person is None or not person.stranger or person.email in known:
            yield move
        elif move.word in FORMS:
            known.add(person.email)
            yield Move(move.at - 10_000, person, "identify")
            yield move
        else:
            yield move._replace(known=False)
