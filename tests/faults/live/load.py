"""A seeded history without end: each day's events, and in the id of every event the fate that it must come to.

An id is ``FATE-DAY-NUMBER``. Some events are sent twice, some come days late and are counted all the same, some lie in a wrong
partition or have no key; poison is dead for one reason each. All of them are shuffled.
"""

import re
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from engagement.days import MS_PER_DAY, iso_instant, midnight
from engagement.events import Family
from streams.history.arrivals import Arrival
from streams.identity import partition_of

COUNTED, ROBOT = "counted", "robot"
_FATE = re.compile(rb'\{"id":"([a-z_]+)-')

ALL = 1_000
DUPLICATED, DELAYED, ASTRAY, KEYLESS = 30, 40, 20, 20
"""Parts of `ALL`. A duplicate is sent again on the same day."""

POISON = {"malformed_json": 8, "late": 6, "future": 6, "unknown_kind": 6, ROBOT: 20}
"""Fate -> parts of `ALL`. The last is filtered, the others are dead."""

LARGE_EVERY = 40
"""Days from one oversized event to the next."""

_LARGE = 1_000_500
_KINDS = ("email_click", "email_click", "email_open", "review_site", "download", "webinar", "demo_request")
_PATHS = ("/", "/blog", "/pricing")
_STATUSES = ("accepted", "rejected", "recycled")


def fate_of(value: bytes) -> str:
    """Read the fate that an event of this load must come to from its bytes, torn ones too. Raises ValueError for any other event."""
    found = _FATE.match(value)
    if found is None:
        raise ValueError(value[:80])
    return found[1].decode()


class Load:
    """The same seed gives the same days."""

    def __init__(self, *, seed: int, accounts: int, events: int, partitions: int) -> None:
        """``events``: of a day, about."""
        self._seed, self._accounts, self._events, self._partitions = seed, accounts, events, partitions

    def day(self, day: int) -> list[Arrival]:
        """What is received on ``day``, in the order in which it is sent."""
        rng = Random(f"{self._seed}/{day}")
        arrivals = []
        for number in range(self._events):
            event = self._event(rng, day, number)
            arrivals += [event] * (2 if rng.randrange(ALL) < DUPLICATED else 1)
        if day % LARGE_EVERY == 0:
            arrivals.append(self._large(rng, day))
        rng.shuffle(arrivals)
        return arrivals

    def _event(self, rng: Random, day: int, number: int) -> Arrival:
        fates = (COUNTED, *POISON)
        fate = rng.choices(fates, (ALL - sum(POISON.values()), *POISON.values()))[0]
        at = midnight(day) + rng.randrange(MS_PER_DAY)
        make = _MAKERS.get(fate) or rng.choice((_visit, _intent, _update))
        family, key, event = make(rng, f"account-{rng.randrange(self._accounts)}.example")
        occurred_at = at - 2_000
        if fate == COUNTED and rng.randrange(ALL) < DELAYED:
            occurred_at -= rng.randint(1, 20) * MS_PER_DAY
        elif fate == "late":
            occurred_at -= rng.randint(100, 200) * MS_PER_DAY
        elif fate == "future":
            occurred_at += rng.randint(1, 20) * MS_PER_DAY
        elif fate == "unknown_kind":
            event["kind"] = "carrier_pigeon"
        value = msgspec.json.encode({"id": f"{fate}-{day}-{number}", "occurred_at": iso_instant(occurred_at)} | event)
        if fate == "malformed_json":
            value = value[: len(value) // 2]
        return self._placed(rng, family, at, key, value)

    def _placed(self, rng: Random, family: Family, at: int, key: bytes, value: bytes) -> Arrival:
        home = partition_of(key, self._partitions)
        chance = rng.randrange(ALL)
        if chance < ASTRAY:
            return Arrival(family, (home + 1) % self._partitions, at, key, value)
        return Arrival(family, home, at, None if chance < ASTRAY + KEYLESS else key, value)

    def _large(self, rng: Random, day: int) -> Arrival:
        event = {"id": f"too_large-{day}-0", "occurred_at": iso_instant(midnight(day)), "kind": "webinar", "topic": "x" * _LARGE}
        return Arrival(
            Family.INTENT_SIGNALS, rng.randrange(self._partitions), midnight(day), b"account-0.example", msgspec.json.encode(event)
        )


Made = tuple[Family, bytes, dict[str, Any]]


def _visit(rng: Random, account: str) -> Made:
    visitor = f"v-{rng.randrange(10_000)}"
    return (
        Family.WEB_VISITS,
        visitor.encode(),
        {"visitor_id": visitor, "account": account, "url": f"https://www.us.example{rng.choice(_PATHS)}"},
    )


def _robot(rng: Random, account: str) -> Made:
    family, key, event = _visit(rng, account)
    return family, key, event | {"user_agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}


def _intent(rng: Random, account: str) -> Made:
    event: dict[str, Any] = {"kind": rng.choice(_KINDS), "account": account, "email": f"p{rng.randrange(6)}@{account}"}
    return Family.INTENT_SIGNALS, account.encode(), event | {"role": rng.choice(("vp", "engineer"))}


def _update(rng: Random, account: str) -> Made:
    said: dict[str, Any] = {"account": account, "disposition": {"status": rng.choice(_STATUSES)}}
    if rng.randrange(2):
        attributes = {"industry": "fintech", "employees": rng.randrange(20, 900), "region": rng.choice(("APAC", "EMEA"))}
        said = {"account": account, "attributes": attributes, "expected_ltv": rng.randrange(2_000_000)}
    return Family.ACCOUNT_UPDATES, account.encode(), said


_MAKERS: dict[str, Callable[[Random, str], Made]] = {ROBOT: _robot, "unknown_kind": _intent}
"""Fates that only such an event can come to."""
