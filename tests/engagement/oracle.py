"""The rulebook recomputed plainly: every account is judged anew from all its counts after every record and on every day.

Written from the words of ``docs/rulebook.md``, never from the engine's code, and sharing none of it: slow, without sums kept or days
foreseen, and exact (integers and fractions only). Where both agree on many random rulebooks and histories, either is right or both
misread the same sentence. Where the words leave a choice, the choice stands here as *Read as*.

Points are whole thousandths; days are days since any one day.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from functools import cache, cached_property
from math import floor
from re import escape, fullmatch
from typing import Any

import yaml

UNBOUNDED = 10**30
BOTTOMS = {"stage": "watch", "tier": "untiered"}
CAPPED_TOGETHER = "third party"
ANONYMOUS = None
UNKNOWN = "unknown"
RECENT = range(21)  # ages in days
BASELINE = range(21, 105)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """An act of an account, or of the account ``via`` below it; ``day`` is the day it occurred. ``undo`` takes it out again."""

    account: str
    id: str
    kind: str
    day: int
    person: str | None
    role: str | None = None
    topic: str | None = None
    seconds: int | None = None
    via: str | None = None
    undo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What was said about an account: the fields of an account update, with pins and retractions."""

    account: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The rule day steps to ``day``."""

    day: int


Record = Signal | Update | Day


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An account went to another rung, with all that was known at that moment."""

    day: int
    account: str
    ladder: str
    origin: str
    to: str
    score: int
    rolled_up_score: int | None  # None where no signal from below is kept
    people: int
    fit: int | None
    grade: str
    value: str
    segments: tuple[str, ...]  # sorted
    cluster: str | None
    surges: tuple[str, ...]  # topics and needs, sorted
    factors: Mapping[str, tuple[int, int]]  # kind -> points that count, points clipped; without kinds that earned nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """All changes in the order of the records, and where each account stands in the end."""

    changes: list[Change]
    stands: dict[str, dict[str, str]]  # account -> ladder -> rung


def recompute(rulebook: str, history: Iterable[Record]) -> Recomputed:
    """Judge every account after each of its records and on every day. ``rulebook`` is YAML that the engine accepts; a day comes first."""
    book = Book(rulebook)
    accounts: dict[str, Account] = {}
    changes: list[Change] = []
    today = 0
    for record in history:
        if isinstance(record, Day):
            today = record.day
            judged = sorted(accounts)
        else:
            account = accounts.setdefault(record.account, Account(name=record.account))
            if isinstance(record, Signal):
                account.hear(record)
            else:
                for name, said in record.fields.items():
                    account.say(name, said)
            judged = [record.account]
        for name in judged:
            changes += judge(book, accounts[name], today)
    stands = {
        name: {ladder: rungs[account.stands.get(ladder, 0)] for ladder, rungs in book.rungs.items()} for name, account in accounts.items()
    }
    return Recomputed(changes=changes, stands=stands)


# Quantities


@cache
def number(text: str) -> Fraction:
    """``10M``, ``250k``, ``1.5``."""
    scale = {"k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9}.get(text[-1])
    return Fraction(text) if scale is None else Fraction(text[:-1]) * scale


@cache
def thousandths(text: str) -> int:
    """Points and multipliers."""
    return int(number(text) * 1000)


@cache
def days(text: str) -> int:
    """``14d``, ``2w``."""
    return int(text[:-1]) * {"d": 1, "w": 7}[text[-1]]


@cache
def share(text: str) -> Fraction:
    """``60%``."""
    return Fraction(text.rstrip("%")) / 100


def several(written: Any) -> list[Any]:
    """One or a list of them."""
    return written if isinstance(written, list) else [written]


# What a rulebook says


class Book:
    """A rulebook as YAML has it, with what is asked most often already looked up. Conditions stay as written."""

    def __init__(self, text: str) -> None:
        self.raw: dict[str, Any] = yaml.load(text, Loader=yaml.BaseLoader)
        self.window = days(self.raw.get("window", "90d"))
        self.history_days = int(self.raw.get("history_days", "120"))
        self.signals: dict[str, dict[str, Any]] = self.raw["signals"]
        self.roles: dict[str, str] = self.raw.get("roles", {})
        self.caps: dict[str, Any] = self.raw.get("caps", {})
        self.surge = {"score": "60", "people": "2", "events": "6", "weeks": "8"} | self.raw.get("surge", {})
        self.needs: dict[str, dict[str, Any]] = self.raw.get("needs", {})
        self.committee: dict[str, list[str]] = self.raw.get("committee", {})
        self.ladders: dict[str, dict[str, Any]] = {name: self.raw[name] for name in BOTTOMS if name in self.raw}
        self._earned: dict[tuple[str, int, int, int, int], int] = {}  # asked for again on every record
        self.rungs = {name: [BOTTOMS[name], *rungs] for name, rungs in self.ladders.items()}

    def says(self, kind: str, flag: str) -> bool:
        return bool(self.signals[kind].get(flag) == "true")

    def points(self, kind: str, key: str = "points") -> int:
        return thousandths(self.signals[kind].get(key, "0"))

    def worth(self, kind: str) -> bool:
        """Read as: a kind makes people and days active where it may earn points or is act-now; e-mail opens for nothing do not."""
        return kind in self.signals and (self.points(kind) > 0 or self.points(kind, "per_minute") > 0 or self.says(kind, "act_now"))

    def multiplier(self, person: str | None, role: str | None) -> int:
        """Read as: where ``anonymous`` is not among the roles, it is 0.5, as the design has it."""
        if person is ANONYMOUS:
            return thousandths(self.roles.get("anonymous", "0.5"))
        return 1000 if role is None else thousandths(self.roles.get(role, "1"))

    def cap(self, name: str) -> int:
        return thousandths(self.caps[name]) if name in self.caps else UNBOUNDED

    def bucket_cap(self, bucket: str | None) -> int:
        return self.cap("third_party" if bucket == CAPPED_TOGETHER else "anonymous" if bucket is ANONYMOUS else "person")

    def kind_cap(self, kind: str) -> int:
        return thousandths(self.caps["account"][kind]) if kind in self.caps.get("account", {}) else UNBOUNDED

    def earned(self, kind: str, count: int, seconds: int, multiplier: int, age: int) -> int:
        """Points of one kind, person and day."""
        asked = kind, count, seconds, multiplier, age
        if asked not in self._earned:
            self._earned[asked] = self._left(kind, self._whole(kind, count, seconds, multiplier), age)
        return self._earned[asked]

    def _whole(self, kind: str, count: int, seconds: int, multiplier: int) -> Fraction:
        counted = min(count, int(self.caps.get("repeats_per_day", UNBOUNDED)))
        return (counted * self.points(kind) + Fraction(seconds * self.points(kind, "per_minute"), 60)) * Fraction(multiplier, 1000)

    def _left(self, kind: str, whole: Fraction, age: int) -> int:
        rule = self.signals[kind]
        if age >= (days(rule["window"]) if "window" in rule else self.window):
            return 0
        if "lifespan" in rule:
            return floor(whole * Fraction(max(0, days(rule["lifespan"]) - age), days(rule["lifespan"])))
        return halved(whole, age, days(rule["half_life"])) if "half_life" in rule else floor(whole)


@cache
def halved(whole: Fraction, age: int, half_life: int) -> int:
    """``whole`` times ``2^(-age / half_life)``, the factor floored to 40 binary digits: n / 2^40 with the largest n of
    ``n^half_life x 2^age <= 2^(40 half_life)``."""

    def fits(left: int) -> bool:
        return bool(left**half_life * 2**age <= 2 ** (40 * half_life))

    left = int(Decimal(2) ** (40 + Decimal(-age) / Decimal(half_life)))
    while not fits(left):
        left -= 1
    while fits(left + 1):
        left += 1
    return floor(whole * left / 2**40)


# What is known of an account


@dataclass(kw_only=True)
class Account:
    """Raw counts and what was said; then where the machine has it, and where it stands."""

    name: str
    counts: Counter[tuple[str, int, str | None]] = field(default_factory=Counter)  # (kind, day, person)
    seconds: Counter[tuple[str, int, str | None]] = field(default_factory=Counter)
    topics: Counter[tuple[str, int, str | None]] = field(default_factory=Counter)  # (topic, day, person)
    roles: dict[str, str | None] = field(default_factory=dict)  # every person ever seen or named
    said: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    opportunities: dict[str, str] = field(default_factory=dict)
    pins: dict[str, tuple[str | None, int | None]] = field(default_factory=dict)  # ladder -> rung, last day
    retracted: set[str] = field(default_factory=set)
    machine: dict[str, int] = field(default_factory=dict)  # ladder -> rung that the numbers say
    since: dict[str, int] = field(default_factory=dict)  # ladder -> day of the machine's last move
    stands: dict[str, int] = field(default_factory=dict)
    fell: dict[tuple[str, int], int] = field(default_factory=dict)  # (ladder, rung) -> day of the last fall from or through it
    sayings: Counter[tuple[str, str]] = field(default_factory=Counter)  # (person, who that is) -> how many say so
    below: "Account | None" = None  # all accounts below as one

    def hear(self, signal: Signal) -> None:
        if signal.via is not None and self.below is None:
            self.below = Account(name=signal.via)
        account = self if signal.via is None or self.below is None else self.below
        if not signal.undo:
            account.count(signal)
        elif signal.id in self.retracted:
            self.retracted.remove(signal.id)
        else:
            account.subtract(signal.kind, signal.day, signal.person, signal.topic, signal.seconds)

    def count(self, signal: Signal) -> None:
        cell = signal.kind, signal.day, signal.person
        self.counts[cell] += 1
        self.seconds[cell] += signal.seconds or 0
        if signal.topic is not None:
            self.topics[signal.topic.casefold(), signal.day, signal.person] += 1
        if signal.person is not None:
            self._know(signal.person, signal.role)

    def say(self, name: str, said: Any) -> None:
        match name:
            case "attributes":
                merged = {} if said is None else self.attributes | said
                self.attributes = {key: here for key, here in merged.items() if here is not None}
            case "contacts":
                for person, role in (said or {}).items():
                    self._know(person, role)
            case "opportunity":
                self.opportunities = {} if said is None else self.opportunities | {said["id"]: said["stage"]}
            case "disposition":
                self.said[name] = None if said is None else said["status"]
            case "pin":
                self.pins[said["ladder"]] = said["rung"], said["until"]
            case "retract":
                self._retract(said)
            case "same" | "differ":
                self._hear(said, 1 if name == "same" else -1)
            case _:
                self.said[name] = said

    def _hear(self, said: Mapping[str, str], more: int) -> None:
        """Read as: what nobody said cannot be taken back, and whoever is said to be themself is."""
        for who in said.items():
            self.sayings[who] = max(0, self.sayings[who] + more) if who[0] != who[1] else 0

    def _know(self, person: str, role: str | None) -> None:
        """Read as: who says no role leaves the one said before."""
        self.roles[person] = self.roles.get(person) if role is None else role

    def _retract(self, said: Mapping[str, Any]) -> None:
        if "person" in said:
            self.remove(said["person"])
            if self.below is not None:
                self.below.remove(said["person"])
        for event in said.get("events", []):
            cell = event["kind"], event["day"], event["person"], event["topic"], event["seconds"]
            if event["id"] not in self.retracted and (self.subtract(*cell) or (self.below is not None and self.below.subtract(*cell))):
                self.retracted.add(event["id"])

    def remove(self, person: str) -> None:
        """Read as: who somebody was goes with the person."""
        for counter in (self.counts, self.seconds, self.topics):
            for cell in [cell for cell in counter if cell[2] == person]:
                del counter[cell]
        self.roles.pop(person, None)
        self.sayings = Counter({who: count for who, count in self.sayings.items() if person not in who})

    def subtract(self, kind: str, day: int, person: str | None, topic: str | None, seconds: int | None) -> bool:
        """Whether something was counted there, which is no more."""
        cell = kind, day, person
        if self.counts[cell] == 0:
            return False
        self.counts[cell] -= 1
        self.seconds[cell] = max(0, self.seconds[cell] - (seconds or 0))
        if topic is not None:
            about = topic.casefold(), day, person
            self.topics[about] = max(0, self.topics[about] - 1)
        return True

    @property
    def same(self) -> dict[str, str]:
        """Read as: whom most say somebody to be; of several the one with the smallest hash."""
        said = sorted(((count, person, one) for (person, one), count in self.sayings.items() if count), key=lambda each: (each[0], each[2]))
        best: dict[str, tuple[int, str]] = {}
        for count, person, one in said:
            known = best.get(person)
            if known is None or count > known[0]:
                best[person] = count, one
        return {person: one for person, (_, one) in best.items()}

    def with_people_as_one(self) -> "Account":
        """Everybody counted as who they are. Read as: they have the role of that one, else of the first of the others who has any."""
        if not self.same:
            return self
        counts, seconds, topics = (
            summed({(what, day, self.one(person)): count} for (what, day, person), count in counter.items())
            for counter in (self.counts, self.seconds, self.topics)
        )
        roles: dict[str, str | None] = {}
        for one in {self.one(person) for person in self.roles}:
            group = sorted((person for person in self.roles if self.one(person) == one), key=lambda person: (person != one, person))
            assert one is not None
            roles[one] = next((role for person in group if (role := self.roles[person]) is not None), None)
        return replace(self, counts=counts, seconds=seconds, topics=topics, roles=roles)

    def one(self, person: str | None) -> str | None:
        """Read as: whoever is said to be somebody is that one, and so on; where that goes round, all are the one with the smallest hash."""
        walk = [person]
        while person is not None and person in self.same and len(walk) <= 2 * len(self.same) + 1:
            person = self.same[person]
            walk.append(person)
        if person is None or person not in self.same:
            return person
        return min(each for each in walk[len(self.same) :] if each is not None)

    def with_below(self) -> "Account":
        """The account and those below as one account, whose people have the role known here, else there."""
        assert self.below is not None
        roles = self.below.roles | {
            person: role for person, role in self.roles.items() if role is not None or person not in self.below.roles
        }
        counts, seconds = summed([self.counts, self.below.counts]), summed([self.seconds, self.below.seconds])
        return replace(self, counts=counts, seconds=seconds, roles=roles, below=None)

    def attribute(self, name: str) -> Any:
        return self.said.get(name) if name in {"region", "relationship"} and name not in self.attributes else self.attributes.get(name)


def summed(counters: Iterable[Mapping[Any, int]]) -> Counter[Any]:
    total: Counter[Any] = Counter()
    for counter in counters:
        total.update(counter)
    return total


# Caps: the most that they let through


def most(points: Mapping[tuple[str, str | None], int], book: Book) -> int:
    """How many of the points of (kind, bucket) fit under the caps of kinds and buckets at once: a maximum flow by augmenting paths."""
    kind_room = {kind: book.kind_cap(kind) for kind, _ in points}
    bucket_room = {bucket: book.bucket_cap(bucket) for _, bucket in points}
    flow = dict.fromkeys(points, 0)

    def push(bucket: str | None, want: int, tried: set[str | None]) -> int:
        """Find room for up to ``want`` more of this bucket, if need be by moving what other buckets have in a kind to another kind."""
        tried.add(bucket)
        for kind, origin in points:
            left = min(want, points[kind, origin] - flow[kind, origin])
            if origin != bucket or left == 0:
                continue
            moved = min(left, kind_room[kind])
            kind_room[kind] -= moved
            for other in bucket_room:
                there = flow.get((kind, other), 0)
                if moved == 0 and there > 0 and other not in tried:
                    moved = push(other, min(left, there), tried)
                    flow[kind, other] -= moved
            flow[kind, bucket] += moved
            if moved > 0:
                return moved
        return 0

    for bucket, room in bucket_room.items():
        left = room
        while left > 0 and (moved := push(bucket, left, set())) > 0:
            left -= moved
    return sum(flow.values())


# An account on a day


class View:
    """Everything conditions ask of an account on a day, each computed where it is asked for. A rule word ``w`` is the method ``is_w``."""

    def __init__(self, book: Book, account: Account, today: int) -> None:
        below = None if account.below is None else replace(account.below, sayings=account.sayings).with_people_as_one()
        self.book, self.account, self.today = book, replace(account.with_people_as_one(), below=below), today
        self.stands: dict[str, int] = {}  # ladders judged so far
        self.segments: list[str] = []
        for name, condition in book.raw.get("segments", {}).items():
            if self.holds(condition):
                self.segments.append(name)

    def age(self, day: int) -> int:
        return max(0, self.today - day)

    def takes_part(self, person: str | None) -> bool:
        """0 takes the person out of everything."""
        return self.book.multiplier(person, self.account.roles.get(person) if person is not None else None) > 0

    # Conditions

    def holds(self, condition: Mapping[str, Any], *, keeping: bool = False) -> bool:
        return all(self._word(word, asked, keeping) for word, asked in condition.items())

    def _word(self, word: str, asked: Any, keeping: bool) -> bool:
        match word:
            case "all":
                return all(self.holds(each, keeping=keeping) for each in asked)
            case "any":
                return any(self.holds(each, keeping=keeping) for each in asked)
            case "not":
                return not self.holds(asked)
            case "fit":
                return self.grade in several(asked) or (keeping and self.grade == UNKNOWN)
            case _:
                question: Callable[[Any], bool] = getattr(self, f"is_{word}")
                return question(asked)

    def is_score(self, asked: str) -> bool:
        return self.score >= thousandths(asked)

    def is_people(self, asked: str) -> bool:
        return len(self.people) >= number(asked)

    def is_active_days(self, asked: str) -> bool:
        return len({day for _, day, _ in self.active}) >= number(asked)

    def is_roles(self, asked: str) -> bool:
        return len({self.account.roles[person] for person in self.people} - {None}) >= number(asked)

    def is_first_party(self, asked: str) -> bool:
        return (asked == "true") == any(not self.book.says(kind, "third_party") for kind, _, _ in self.active)

    def is_act_now(self, asked: str) -> bool:
        return any(self.book.says(kind, "act_now") and self.age(day) < days(asked) for kind, day, _ in self.active)

    def is_idle_under(self, asked: str) -> bool:
        return any(self.age(day) < days(asked) for _, day, _ in self._worth())

    def is_idle(self, asked: str) -> bool:
        return not self.is_idle_under(asked)

    def is_signals(self, asked: Mapping[str, Any]) -> bool:
        """Counts are raw: no cap holds them, and kinds that are worth nothing count as well."""
        kinds = several(asked["kind"]) if "kind" in asked else list(self.book.signals)
        within = days(asked["within"]) if "within" in asked else self.book.window
        those = [cell for cell in self.seen if cell[0] in kinds and self.age(cell[1]) < within]
        enough = sum(self.account.counts[cell] for cell in those) >= number(asked.get("at_least", "1"))
        return enough and len({person for _, _, person in those} - {ANONYMOUS}) >= number(asked.get("people", "0"))

    def is_rolled_up_score(self, asked: str) -> bool:
        return self.together.score >= thousandths(asked)

    def is_rolled_up_people(self, asked: str) -> bool:
        return len(self.together.people) >= number(asked)

    def is_people_with(self, asked: Mapping[str, Any]) -> bool:
        """Read as: a person's points are those under the cap ``person``, and act-now ones, which no cap holds; no third-party ones."""
        those = 0
        for person, role in self.account.roles.items():
            capped = sum(points for (_, bucket), points in self.capped.items() if bucket == person)
            own = {cell: points for cell, points in self.act_now.items() if not self.book.says(cell[0], "third_party")}
            uncapped = sum(points for (_, origin), points in own.items() if origin == person)
            reaches = min(capped, self.book.cap("person")) + uncapped >= thousandths(asked["score"])
            those += reaches and ("roles" not in asked or role in several(asked["roles"]))
        return those >= number(asked.get("at_least", "1"))

    def is_committee(self, asked: str) -> bool:
        required = set(self.book.committee["required"])
        return Fraction(len(required & self.known_roles), len(required)) >= share(asked)

    def is_blocked(self, asked: str) -> bool:
        return (asked == "true") == bool(set(self.book.committee["blockers"]) & self.known_roles)

    def is_surge(self, asked: Any) -> bool:
        return any(name in self.surging_needs or name.casefold() in self.surging_topics for name in several(asked))

    def is_surging(self, asked: str) -> bool:
        return len(self.surging_topics) >= number(asked)

    def is_value(self, asked: Any) -> bool:
        return self.value in several(asked)

    def is_strategic(self, asked: str) -> bool:
        return (asked == "true") == (self.account.said.get("strategic") is True)

    def is_listed(self, asked: str) -> bool:
        return self.account.said.get("listed_tier") == number(asked)

    def is_relationship(self, asked: Any) -> bool:
        return self.account.said.get("relationship") in several(asked)

    def is_disposition(self, asked: Any) -> bool:
        return self.account.said.get("disposition") in several(asked)

    def is_opportunity(self, asked: Any) -> bool:
        return any(stage in several(asked) for stage in self.account.opportunities.values())

    def is_attributes(self, asked: Mapping[str, Any]) -> bool:
        return all(meets(self.account.attribute(name), test) is True for name, test in asked.items())

    def is_segment(self, asked: Any) -> bool:
        return any(name in self.segments for name in several(asked))

    def is_stage(self, asked: str) -> bool:
        return self.stands["stage"] >= self.book.rungs["stage"].index(asked)

    # Engagement

    def _worth(self) -> list[tuple[str, int, str | None]]:
        """All cells of kinds that are worth something, however old."""
        cells = [cell for cell, count in self.account.counts.items() if count > 0 and self.book.worth(cell[0])]
        return [cell for cell in cells if self.takes_part(cell[2])]

    @cached_property
    def seen(self) -> list[tuple[str, int, str | None]]:
        """The cells that are still kept and whose person takes part."""
        kept = [cell for cell, count in self.account.counts.items() if count > 0 and self.age(cell[1]) < self.book.history_days]
        return [cell for cell in kept if self.takes_part(cell[2])]

    @cached_property
    def active(self) -> list[tuple[str, int, str | None]]:
        return [cell for cell in self._worth() if self.age(cell[1]) < self.book.window]

    @cached_property
    def people(self) -> set[str]:
        return {person for _, _, person in self.active if person is not None}

    @cached_property
    def known_roles(self) -> set[str]:
        return {role for person, role in self.account.roles.items() if role is not None and self.takes_part(person)}

    def _points(self, *, act_now: bool) -> dict[tuple[str, str | None], int]:
        points: dict[tuple[str, str | None], int] = defaultdict(int)
        for kind, day, person in self.seen:
            if kind in self.book.signals and self.book.says(kind, "act_now") == act_now:
                together = self.book.says(kind, "third_party") and not act_now
                multiplier = self.book.multiplier(person, self.account.roles.get(person) if person is not None else None)
                cell = kind, day, person
                earned = self.book.earned(kind, self.account.counts[cell], self.account.seconds[cell], multiplier, self.age(day))
                points[kind, CAPPED_TOGETHER if together else person] += earned
        return {cell: earned for cell, earned in points.items() if earned > 0}

    @cached_property
    def capped(self) -> dict[tuple[str, str | None], int]:
        """(kind, bucket) -> points before caps; a bucket is a person, all anonymous visitors or all third-party kinds."""
        return self._points(act_now=False)

    @cached_property
    def act_now(self) -> dict[tuple[str, str | None], int]:
        """(kind, person) -> points that no cap holds."""
        return self._points(act_now=True)

    @cached_property
    def score(self) -> int:
        return most(self.capped, self.book) + sum(self.act_now.values())

    @cached_property
    def factors(self) -> dict[str, tuple[int, int]]:
        """What each kind adds to the score: uncapped kinds first, then those worth most for a signal, then by name; and what is clipped."""
        earned: Counter[str] = Counter()
        for (kind, _), points in (self.capped | self.act_now).items():
            earned[kind] += points
        factors: dict[str, tuple[int, int]] = {}
        filled: set[str] = set()
        for kind in sorted(earned, key=lambda kind: (self.book.kind_cap(kind) < UNBOUNDED, -self.book.points(kind), kind)):
            added = earned[kind]
            if not self.book.says(kind, "act_now"):
                below = most({cell: points for cell, points in self.capped.items() if cell[0] in filled}, self.book)
                filled.add(kind)
                added = most({cell: points for cell, points in self.capped.items() if cell[0] in filled}, self.book) - below
            factors[kind] = added, earned[kind] - added
        return factors

    @property
    def hears_from_below(self) -> bool:
        below = self.account.below
        return below is not None and any(
            count > 0 and self.age(day) < self.book.history_days for (_, day, _), count in below.counts.items()
        )

    @cached_property
    def together(self) -> "View":
        """The account and those below as one."""
        return View(self.book, self.account.with_below(), self.today) if self.hears_from_below else self

    # Intent

    @cached_property
    def watched(self) -> int:
        """Age of the oldest signal that is kept, whosever it is."""
        ages = {self.age(day) for (_, day, _), count in self.account.counts.items() if count > 0}
        return max((age for age in ages if age < self.book.history_days), default=0)

    def _surges(self, topics: set[str]) -> bool:
        cells = [
            (self.age(day), person, count)
            for (topic, day, person), count in self.account.topics.items()
            if topic in topics and count > 0 and self.takes_part(person)
        ]
        recent = sum(count for age, _, count in cells if age in RECENT)
        people = {person for age, person, _ in cells if age in RECENT} - {ANONYMOUS}
        baseline = sum(count for age, _, count in cells if age in BASELINE)
        asked = {word: int(written) for word, written in self.book.surge.items()}
        if recent < asked["events"] or self.watched < 7 * asked["weeks"]:
            return False
        return surge_score(recent, baseline) >= asked["score"] and len(people) >= asked["people"]

    @cached_property
    def surging_topics(self) -> set[str]:
        return {topic for topic in {topic for topic, _, _ in self.account.topics} if self._surges({topic})}

    @cached_property
    def surging_needs(self) -> set[str]:
        surging: set[str] = set()
        for name, need in self.book.needs.items():
            topics = {topic.casefold() for topic in need["topics"]}
            surging_share = Fraction(len(topics & self.surging_topics), len(topics))
            if surging_share >= share(need["share"]) if "share" in need else self._surges(topics):
                surging.add(name)
        return surging

    # Fit and value

    @cached_property
    def fit(self) -> tuple[int | None, str]:
        total = known = met = 0
        for name, criterion in self.book.raw.get("fit", {}).items():
            weight = int(number(criterion["weight"]))
            meeting = meets(self.account.attribute(criterion.get("attribute", name)), criterion)
            total += weight
            known += 0 if meeting is None else weight
            met += weight if meeting is True else 0
        if known == 0:
            return None, UNKNOWN
        score = 100 * met // known
        if Fraction(known, total) < share(self.book.raw["grades"]["known"]):
            return score, UNKNOWN
        reached = (grade for grade, lowest in self.book.raw["grades"].items() if grade != "known" and score >= number(lowest))
        return score, next(reached, "none")

    @property
    def grade(self) -> str:
        return self.fit[1]

    @property
    def value(self) -> str:
        rule, worth = self.book.raw.get("value"), self.account.said.get("expected_ltv")
        if rule is not None and rule.get("strategic") == "true" and self.is_strategic("true"):
            return "high"
        if rule is None or worth is None:
            return UNKNOWN
        return "high" if worth >= number(rule["high"]) else "low"

    @property
    def cluster(self) -> str | None:
        if "cluster" not in self.book.raw:
            return None
        return " / ".join(self._cluster_part(part) for part in self.book.raw["cluster"]["by"])

    def _cluster_part(self, part: Any) -> str:
        """Read as: a text as it is written, anything else that has no borders as JSON spells it, lists joined by commas."""
        if isinstance(part, str):
            here = self.account.attribute(part)
            return UNKNOWN if here is None else spelled(here)
        ((name, borders),) = part.items()
        here = self.account.attribute(name)
        if not is_number(here):
            return UNKNOWN
        marks = [int(number(border)) for border in borders]
        below = [mark for mark in marks if mark <= here]
        above = [mark for mark in marks if mark > here]
        if not below:
            return f"under {above[0]}"
        return f"{below[-1]} to {above[0] - 1}" if above else f"{below[-1]} and more"


@cache
def surge_score(recent: int, baseline: int) -> int:
    """Floor of ``50 + 25 log2(ratio)`` between 0 and 100, compared as ``ratio^25 >= 2^(score - 50)``."""
    ratio = (Fraction(recent, 3) + 1) / (Fraction(baseline, 12) + 1)
    return max((score for score in range(1, 101) if ratio**25 >= Fraction(2) ** (score - 50)), default=0)


def is_number(here: Any) -> bool:
    return isinstance(here, (int, float)) and not isinstance(here, bool)


def spelled(here: Any) -> str:
    if isinstance(here, list):
        return ", ".join(sorted(each.casefold() for each in here)) or UNKNOWN
    return str(here).casefold()


def meets(here: Any, test: Mapping[str, Any]) -> bool | None:
    """Whether an attribute meets a test of fit; None where it is missing or of another sort.

    Read as: texts are a text or a list of texts, whichever the test; ``matches`` is without regard to case too.
    """
    if "is" in test:
        return here is (test["is"] == "true") if isinstance(here, bool) else None
    if {"between", "at_least", "at_most"} & test.keys():
        lowest, highest = test.get("between", [test.get("at_least"), test.get("at_most")])
        if not is_number(here):
            return None
        return (lowest is None or here >= number(lowest)) and (highest is None or here <= number(highest))
    return None if here is None else compares([str(each).casefold() for each in several(here)], test)


def compares(texts: list[str], test: Mapping[str, Any]) -> bool:
    """Whether texts meet a test of texts."""
    if "matches" in test:
        return any(fullmatch(regular(pattern.casefold()), text) is not None for pattern in test["matches"] for text in texts)
    if "all" in test:
        return all(wanted.casefold() in texts for wanted in test["all"])
    return any(wanted.casefold() in texts for wanted in test["in" if "in" in test else "any"])


def regular(pattern: str) -> str:
    return "(?s:" + "".join({"*": ".*", "?": "."}.get(character, escape(character)) for character in pattern) + ")"


# Ladders


def judge(book: Book, account: Account, today: int) -> list[Change]:
    """Let an account take at most one step on each ladder."""
    view = View(book, account, today)
    related = account.said.get("relationship") in book.raw.get("suppress", [])
    suppressed = related or account.name in book.raw.get("suppress_accounts", [])
    changes: list[Change] = []
    for ladder in book.ladders:
        machine, stood = account.machine.get(ladder, 0), account.stands.get(ladder, 0)
        meant = 0 if suppressed else machine_rung(view, ladder, machine)
        stands = 0 if suppressed else pinned(view, ladder, meant)
        view.stands[ladder] = stands
        for rung in range(meant + 1, machine + 1):
            account.fell[ladder, rung] = today
        if meant != machine:
            account.machine[ladder], account.since[ladder] = meant, today
        if stands != stood:
            account.stands[ladder] = stands
            changes.append(change(view, ladder, stood, stands))
    return changes


def machine_rung(view: View, ladder: str, current: int) -> int:
    """Say where the numbers have it, no pin or suppression regarded."""
    names, rules, account = view.book.rungs[ladder], view.book.ladders[ladder], view.account

    def cooling(rung: int) -> bool:
        fell, span = account.fell.get((ladder, rung)), rules[names[rung]].get("cool_down")
        return fell is not None and span is not None and view.today - fell < days(span)

    def held(rung: int) -> bool:
        rule = rules[names[rung]]
        return view.holds(rule["enter"]) or ("keep" in rule and view.holds(rule["keep"], keeping=True))

    for rung in range(len(names) - 1, current, -1):
        if not cooling(rung) and view.holds(rules[names[rung]]["enter"]):
            return rung
    target = current
    while target > 0 and not held(target):
        target -= 1
    dwelling = target < current and view.today - account.since[ladder] < days(rules[names[current]].get("dwell", "0d"))
    return current if dwelling else target


def pinned(view: View, ladder: str, meant: int) -> int:
    """Read as: a pin of a rung that is not there has no effect but to replace the one before."""
    rung, until = view.account.pins.get(ladder, (None, None))
    active = rung in view.book.rungs[ladder] and (until is None or view.today <= until)
    return view.book.rungs[ladder].index(rung) if rung is not None and active else meant


def change(view: View, ladder: str, origin: int, to: int) -> Change:
    names = view.book.rungs[ladder]
    return Change(
        day=view.today,
        account=view.account.name,
        ladder=ladder,
        origin=names[origin],
        to=names[to],
        score=view.score,
        rolled_up_score=view.together.score if view.hears_from_below else None,
        people=len(view.people),
        fit=view.fit[0],
        grade=view.grade,
        value=view.value,
        segments=tuple(sorted(view.segments)),
        cluster=view.cluster,
        surges=tuple(sorted(view.surging_topics | view.surging_needs)),
        factors=view.factors,
    )
