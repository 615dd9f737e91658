"""Histories of visitors who say who they are, say another account next time, and take it back.

No two of them name the same account. So what becomes of an account depends on the order of one visitor's events alone, which their key
keeps, and never on what lies in other partitions.
"""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import msgspec

from engagement.days import iso_instant, midnight
from engagement.events import Family
from streams.history.arrivals import Arrival
from streams.identity import partition_of
from tests.streams.histories import FIRST_DAY, PARTITIONS, Days

VISITORS = 40
DAYS = 12
SECOND = 1_000
Place = Callable[[bytes | None], int]
Event = tuple[Family, str, dict[str, Any]]
"""Family, key, and what it says but for when it occurred."""


def as_java(key: bytes | None) -> int:
    """Place a record as the Java client does."""
    assert key is not None
    return partition_of(key, PARTITIONS)


def story(seed: int, visitor: int, *, day: int) -> list[Event]:
    """What one visitor does on a day, under its key: visits, and now and then who they are, by one account or another, or are not."""
    rng = Random(f"{seed}/{visitor}/{day}")
    name = f"v-{visitor}"
    events: list[Event] = []
    for number in range(rng.randrange(5)):
        said: dict[str, Any] = {"id": f"{name}-{day}-{number}", "visitor_id": name, "url": rng.choice(("/", "/pricing"))}
        match rng.choices(("nothing", "identify", "mail", "unlink"), (8, 2, 1, 1))[0]:
            case "identify":
                said |= {"type": "identify", "email": address(rng, visitor)}
            case "mail":
                said["email"] = address(rng, visitor)
            case "unlink":
                said["type"] = "unlink"
        events.append((Family.WEB_VISITS, name, said))
    return events


def address(rng: Random, visitor: int) -> str:
    """One of two people at one of two accounts; no other visitor has these."""
    return f"{rng.choice('ab')}@{rng.choice(('old', 'new'))}-{visitor}.example"


def arriving(events: Iterable[Event], start: int, place: Place) -> list[Arrival]:
    """A second between each and the next."""
    arrivals = []
    for number, (family, key, said) in enumerate(events):
        at = start + number * SECOND
        value = msgspec.json.encode(said | {"occurred_at": iso_instant(at)})
        arrivals.append(Arrival(family, place(key.encode()), at, key.encode(), value))
    return arrivals


def history(seed: int, place: Place = as_java) -> Days:
    """Everybody's stories, all mixed, each in its order; the same ``seed`` gives the same."""
    days: Days = []
    for day in range(DAYS):
        rng = Random(f"{seed}/{day}")
        stories = {visitor: story(seed, visitor, day=day) for visitor in range(VISITORS)}
        turns = [visitor for visitor, events in stories.items() for _ in events]
        rng.shuffle(turns)
        days.append((FIRST_DAY + day, arriving((stories[visitor].pop(0) for visitor in turns), midnight(FIRST_DAY + day), place)))
    return days
