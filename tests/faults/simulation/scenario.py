"""What a seed stands for: a history, a number of workers, and what happens to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

import msgspec

from engagement.days import MS_PER_DAY, iso_instant, midnight, parse_day
from engagement.events import Family
from engagement.rulebook import Rulebook, load_rulebook
from streams.history.arrivals import Arrival
from streams.identity import make_identity, partition_of
from streams.person_key import person_key

PARTITIONS = 2
FIRST_DAY = parse_day("2025-01-01")
_KEY = person_key("played")
IDENTITY = make_identity(partitions=PARTITIONS, secret=_KEY.secret, key_id=_KEY.key_id)
_TEXT = """
    window: 4d
    history_days: 105
    intake: {dedupe_window: 90d}
    signals:
      page: {points: 1, half_life: 1d}
      pricing: {points: 5, half_life: 2d}
      download: {points: 12, half_life: 1d}
    roles: {anonymous: 1}
    resolve: {parents: {zeta.com: acme.com}}
    visitors: {visits: 3, age: 2d, count: 3, pages_a_minute: 1}
    stage:
      engaged: {enter: {score: %s}, keep: {score: 2}}
      mqa: {enter: {score: 15, people: 2}, keep: {score: 6}, dwell: 1d}
    tier:
      tier_3: {enter: {stage: mqa}, keep: {score: 1}}
    """
RULEBOOK, OTHER_RULEBOOK = load_rulebook(_TEXT % 5, "first"), load_rulebook(_TEXT % 4, "activated")
_ACTIVATIONS = ((), (OTHER_RULEBOOK,), (OTHER_RULEBOOK, RULEBOOK))
_PROGRAM = "v8"
"""A visitor who opens all pages of a day in one minute."""
ACCOUNTS = ("acme.com", "beta.com", "core.com", "delta.com", "epsilon.com", "zeta.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One input record, and what must become of it."""

    arrival: Arrival
    id: str | None  # None: it can only be a dead letter
    is_repeat: bool  # an event of that id came before
    is_signal: bool = False  # counted by itself, whatever else is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything that is decided before the simulation begins."""

    seed: int
    days: tuple[tuple[Event, ...], ...]
    workers: int
    batch: int
    activations: Mapping[int, Rulebook]  # day -> what is activated on it; between two there are new accounts
    is_wall: bool  # days come from the clock of whoever owns intake's unit 0, not from a player
    latency: float  # seconds that a request or an answer takes, on average
    trouble: float  # how likely one is lost
    kill_every: float  # seconds of the simulation, on average; likewise
    freeze_every: float
    clock_every: float  # where it is a wall: what meets whoever has the clock, in the middle of a day's transaction
    outage_every: float
    storm_every: float  # workers that come and go
    seconds: float  # for which faults happen


def scenario(seed: int) -> Scenario:
    """Draw one."""
    random = Random(seed)
    days = tuple(_day(random, number) for number in range(random.randint(3, 6)))
    return Scenario(
        seed=seed,
        days=days,
        workers=random.choice((1, 2, 2, 3)),
        batch=random.choice((1, 2, 3, 7, 50)),
        activations=_activations(random, len(days)),
        is_wall=random.random() < 1 / 3,
        latency=random.choice((0.001, 0.01, 0.1)),
        trouble=random.choice((0.0, 0.02, 0.1)),
        kill_every=random.choice((2.0, 6.0, 20.0)),
        freeze_every=random.choice((4.0, 12.0, 60.0)),
        clock_every=random.choice((4.0, 12.0)),
        outage_every=random.choice((15.0, 60.0, 1000.0)),
        storm_every=random.choice((8.0, 40.0, 1000.0)),
        seconds=random.choice((20.0, 60.0)),
    )


def _activations(random: Random, days: int) -> Mapping[int, Rulebook]:
    activated = random.choice(_ACTIVATIONS)
    return dict(zip(sorted(random.sample(range(days), len(activated))), activated, strict=True))


def _day(random: Random, number: int) -> tuple[Event, ...]:
    events: list[Event] = []
    at = midnight(FIRST_DAY + number)
    for nth in range(random.randint(0, 14)):
        received = at + (nth + 1) * MS_PER_DAY // 20
        earlier = [each for each in events if each.id is not None]
        if earlier and random.random() < 0.1:
            again = random.choice(earlier)
            events.append(Event(arrival=again.arrival._replace(received_at=received), id=again.id, is_repeat=True))
        elif random.random() < 0.08:
            partition = random.randrange(PARTITIONS)
            events.append(
                Event(arrival=Arrival(random.choice(list(Family)), partition, received, b"acme.com", b"{"), id=None, is_repeat=False)
            )
        else:
            make = random.choice((_signal, _visit))
            events.append(make(random, f"e{number}-{nth}", received))
    return tuple(events)


def _signal(random: Random, name: str, received: int) -> Event:
    said: dict[str, str] = {"kind": random.choice(("page", "page", "pricing", "download"))}
    knows = random.choices(("email", "both", "visitor"), (7, 3, 2))[0]
    if knows != "visitor":
        said["email"] = _address(random)
    if knows != "email":
        said["visitor_id"] = _visitor(random)
    arrival = _arrival(random, Family.INTENT_SIGNALS, received, said.get("email", "a tracker"), said | {"id": name})
    return Event(arrival=arrival, id=name, is_repeat=False, is_signal=knows != "visitor")


def _visit(random: Random, name: str, received: int) -> Event:
    """Mostly of nobody known; some say who the visitor is, and that may come before, between or after the others."""
    visitor = _visitor(random)
    said: dict[str, str] = {"visitor_id": visitor, "url": "/"}
    if visitor == _PROGRAM:
        said["occurred_at"] = iso_instant(received - received % MS_PER_DAY)
    match random.choices(("nothing", "email", "identify", "unlink", "forget"), (12, 1, 3, 1, 1))[0]:
        case "email":
            said["email"] = _address(random)
        case "identify":
            said |= {"type": "identify", "email": _address(random)}
        case "unlink" | "forget" as type_:
            said["type"] = type_
    arrival = _arrival(random, Family.WEB_VISITS, received, visitor, said | {"id": name})
    return Event(arrival=arrival, id=name, is_repeat=False)


def _arrival(random: Random, family: Family, received: int, key: str, said: dict[str, str]) -> Arrival:
    partition = partition_of(key.encode(), PARTITIONS)
    if random.random() < 0.15:
        partition = (partition + 1) % PARTITIONS
    value = {"occurred_at": iso_instant(received - random.randint(0, MS_PER_DAY))} | said
    return Arrival(family, partition, received, key.encode(), msgspec.json.encode(value))


def _address(random: Random) -> str:
    return f"{random.choice('abc')}@{random.choice(ACCOUNTS)}"


def _visitor(random: Random) -> str:
    return _PROGRAM if random.random() < 0.25 else f"v{random.randrange(8)}"  # more than are remembered
