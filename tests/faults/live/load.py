"""A seeded history without end: each day's events, and in the id of every event the fate that it must come to.

An id is ``FATE-DAY-NUMBER``. Some events are sent twice, some come days late and are counted all the same, some lie in a wrong
partition or have no key, some come from a producer with librdkafka's default partitioner; poison is dead for one reason each. All of them
are shuffled.

Some hundred visitors come again and again and say now and then who they are: by a form, by a page view with an address, by an intent
signal. Most stay with their account; some say another one next time, or another address, and some take it back. What becomes of their
anonymous visits depends on all that and on the bounds of `RULEBOOK`, so small that visits and visitors are forgotten for each reason.
"""

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any
from zlib import crc32

import msgspec

from engagement.days import MS_PER_DAY, iso_instant, midnight
from engagement.events import Family
from engagement.rulebook import default_rulebook_text, load_rulebook
from streams.history.arrivals import Arrival
from streams.identity import partition_of

_BOUNDS = {
    "resolve": {"parents": {"account-1.example": "account-0.example"}},
    "visitors": {"visits": 4, "age": "4d", "count": 120},
}
_DEFAULT = json.loads(load_rulebook(default_rulebook_text(), "default rulebook").canonical())
_PATIENT = {"intake": _DEFAULT["intake"] | {"dedupe_window": "90d"}}
"""A day is over in seconds here: what a worker that stood still sends on once more may come days later, and is a duplicate all the same."""
RULEBOOK = load_rulebook(json.dumps(_DEFAULT | _BOUNDS | _PATIENT), "rulebook of the fault runs")

COUNTED, ROBOT = "counted", "robot"
ANONYMOUS, IDENTIFY, UNLINK = "anonymous", "identify", "unlink"
"""The first is a visit whose fate depends on its visitor; the others say who that is."""

_FATE = re.compile(rb'\{"id":"([a-z_]+)-')

ALL = 1_000
DUPLICATED, DELAYED, ASTRAY, KEYLESS, LIBRDKAFKA = 30, 40, 20, 20, 150
"""Parts of `ALL`. A duplicate is sent again on the same day."""

VISITORS = {ANONYMOUS: 180, IDENTIFY: 40, UNLINK: 10}
"""Fate -> parts of `ALL`."""

POISON = {"malformed_json": 8, "late": 6, "future": 6, "unknown_kind": 6, ROBOT: 20}
"""Fate -> parts of `ALL`. The last is filtered, the others are dead."""

LARGE_EVERY = 40
"""Days from one oversized event to the next."""

_LARGE = 1_000_500
_KINDS = ("email_click", "email_click", "email_open", "review_site", "download", "webinar", "demo_request")
_PATHS = ("/", "/blog", "/pricing")
_STATUSES = ("accepted", "rejected", "recycled")
_REGULARS = 300
"""Visitors who come again and again."""

_FAITHFUL = 0.8
"""How often one of them says the account that is theirs."""


def librdkafka_partition(rng: Random, key: bytes | None, partitions: int) -> int:
    """Place a record as librdkafka's default partitioner does (``consistent_random``), which is not that of the Java client."""
    return rng.randrange(partitions) if not key else crc32(key) % partitions


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
        others = VISITORS | POISON
        fate = rng.choices((COUNTED, *others), (ALL - sum(others.values()), *others.values()))[0]
        at = midnight(day) + rng.randrange(MS_PER_DAY)
        make = _MAKERS.get(fate) or rng.choice(_COUNTED)
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
        said = None if chance < ASTRAY + KEYLESS else key
        if rng.randrange(ALL) < LIBRDKAFKA:
            return Arrival(family, librdkafka_partition(rng, said, self._partitions), at, said, value)
        return Arrival(family, home, at, said, value)

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


def _regular(rng: Random, account: str) -> tuple[str, str]:
    """Draw a visitor, and the account that they say, be it mostly their own or now and then ``account``."""
    number = rng.randrange(_REGULARS)
    return f"regular-{number}", f"account-{number}.example" if rng.random() < _FAITHFUL else account


def _anonymous(rng: Random, account: str) -> Made:
    visitor, _ = _regular(rng, account)
    return Family.WEB_VISITS, visitor.encode(), {"visitor_id": visitor, "url": f"https://www.us.example{rng.choice(_PATHS)}"}


def _identify(rng: Random, account: str) -> Made:
    visitor, said = _regular(rng, account)
    return Family.WEB_VISITS, visitor.encode(), {"visitor_id": visitor, "type": "identify", "email": _address(rng, said)}


def _unlink(rng: Random, account: str) -> Made:
    visitor, _ = _regular(rng, account)
    return Family.WEB_VISITS, visitor.encode(), {"visitor_id": visitor, "type": "unlink"}


def _mail_click(rng: Random, account: str) -> Made:
    """Make a visit that is counted by itself, and says who the visitor is."""
    visitor, said = _regular(rng, account)
    url = f"https://www.us.example{rng.choice(_PATHS)}"
    return Family.WEB_VISITS, visitor.encode(), {"visitor_id": visitor, "email": _address(rng, said), "url": url}


def _telling_intent(rng: Random, account: str) -> Made:
    """Make an intent signal that says who a visitor is."""
    visitor, said = _regular(rng, account)
    family, key, event = _intent(rng, said)
    return family, key, event | {"visitor_id": visitor}


def _address(rng: Random, account: str) -> str:
    return f"p{rng.randrange(6)}@{account}"


def _intent(rng: Random, account: str) -> Made:
    event: dict[str, Any] = {"kind": rng.choice(_KINDS), "account": account, "email": _address(rng, account)}
    return Family.INTENT_SIGNALS, account.encode(), event | {"role": rng.choice(("vp", "engineer"))}


def _update(rng: Random, account: str) -> Made:
    said: dict[str, Any] = {"account": account, "disposition": {"status": rng.choice(_STATUSES)}}
    if rng.randrange(2):
        attributes = {"industry": "fintech", "employees": rng.randrange(20, 900), "region": rng.choice(("APAC", "EMEA"))}
        said = {"account": account, "attributes": attributes, "expected_ltv": rng.randrange(2_000_000)}
    return Family.ACCOUNT_UPDATES, account.encode(), said


_COUNTED = (_visit, _visit, _intent, _intent, _update, _update, _mail_click, _telling_intent)
_MAKERS: dict[str, Callable[[Random, str], Made]] = {
    ROBOT: _robot,
    "unknown_kind": _intent,
    ANONYMOUS: _anonymous,
    IDENTIFY: _identify,
    UNLINK: _unlink,
}
"""Fates that only such an event can come to."""
