"""Engagement: from raw counts to points, under every cap, on one rule day.

**A cell** (kind, day, person) earns ``(min(count, repeats_per_day) x points + seconds x per_minute / 60) x role multiplier x decay``,
floored once to a thousandth. Age is in whole UTC days, 0 for a signal dated after the rule day; from a kind's window on nothing is left.

**Buckets and kinds.** Every cell lies in one bucket: all third-party kinds together, all anonymous visitors together, or one
known person (people merged by coarsening count as one). A bucket may have a cap, and so may a kind per account; act-now kinds
stand outside all of these. A fill in some order would let a new signal *lower* the score: with a person capped at 60 and pages
at 20, a new page view would push a download out of the person's 60 and then be cut itself. So the score is **the most the caps
allow**: the maximum flow from buckets to kinds. For a set K of capped kinds, with r_b what the uncapped kinds leave of bucket b
and c_bk the points, max-flow min-cut gives

    F(K) = min over S within K of (sum of the caps of K - S  +  sum over b of min(r_b, sum over S of c_bk))

(for an uncapped kind only the bucket binds, so those fill the buckets first). F is the rank function of a polymatroid: no signal
ever lowers the score and silence never raises it, and the differences of F along a fixed order of the kinds (uncapped first,
then by points per signal, most first, then by name) are non-negative, unique, and add up to the score. They are the **factors**;
what a kind earned beyond its factor is *clipped*. The sum has 2^kinds terms, which is why few kinds may have an account cap.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from engagement.account import AccountState
from engagement.counts import ANONYMOUS, MERGED, Counts
from engagement.days import day_of
from engagement.decay import decay_table
from engagement.quantities import THOUSAND
from engagement.rulebook import Rulebook

_UNCAPPED = 1 << 60
_NO_SECONDS: Mapping[str, int] = {}
_NOBODY = frozenset({ANONYMOUS, MERGED})
THIRD_PARTY = "third party"  # the bucket of all third-party kinds; no person hash has a space


class Factor(msgspec.Struct, kw_only=True, frozen=True):
    """One kind's share of a score. The points of all factors add up to the score exactly."""

    kind: Annotated[str, Meta(description="One of the rulebook's signals.")]
    points: Annotated[int, Meta(ge=0, description="Thousandths that count.")]
    clipped: Annotated[int, Meta(ge=0, description="Thousandths that the caps cut off.")]
    count: Annotated[int, Meta(ge=0, description="Signals inside the kind's window.")]
    people: Annotated[int, Meta(ge=0, description="Known people among them.")]
    events: Annotated[tuple[str, ...], Meta(description="Ids of the newest, newest first.")]


class Tally(NamedTuple):
    """What an account's cells come to on one rule day."""

    earned: Mapping[str, Mapping[str, int]]  # kind -> bucket -> thousandths before caps
    points: Mapping[str, int]  # kind -> thousandths that count, in the order in which the caps are filled
    people: frozenset[str]  # known ones, active within the rulebook's window with a kind worth points
    days: frozenset[int]  # active
    first_party: bool
    act_now_age: int | None
    multipliers: Mapping[str, int]  # see `Scoring.multipliers`

    @property
    def score(self) -> int:
        """Thousandths of a point: the most the caps allow."""
        return sum(self.points.values())

    @property
    def excluded(self) -> frozenset[str]:
        """People whose role takes them out of everything, the anonymous among them where they are."""
        return frozenset(person for person, multiplier in self.multipliers.items() if multiplier == 0)


class Full(NamedTuple):
    """Whose caps are reached, so that further signals add nothing."""

    kinds: frozenset[str]  # by the account's cap of the kind
    buckets: frozenset[str]  # by the kinds that have none; it goes for these only


_NOTHING_FULL = Full(frozenset(), frozenset())


class _Kind(NamedTuple):
    """A kind compiled."""

    name: str
    worth: tuple[int, ...]  # of a signal, by age
    minute_worth: tuple[int, ...]  # of a second, by age; empty where time earns nothing
    whole: int  # so much worth, times a multiplier in thousandths, is a thousandth of a point
    act_now: bool
    third_party: bool
    cap: int | None


class Scoring:
    """A rulebook's weights, decay and caps as integer tables. Holds no account; every method is pure."""

    def __init__(self, rulebook: Rulebook) -> None:
        self.window = rulebook.window
        self._roles = rulebook.roles
        self._largest_multiplier = max(THOUSAND, *rulebook.roles.values(), 0)
        self._anonymous = rulebook.roles.get("anonymous", THOUSAND // 2)
        self._largest_without_role = max(THOUSAND, self._anonymous)
        caps = rulebook.caps
        self._repeats = _UNCAPPED if caps.repeats_per_day is None else caps.repeats_per_day
        self._person_cap = _UNCAPPED if caps.person is None else caps.person
        self._bucket_caps = {
            ANONYMOUS: _UNCAPPED if caps.anonymous is None else caps.anonymous,
            THIRD_PARTY: _UNCAPPED if caps.third_party is None else caps.third_party,
        }
        self._kinds: dict[str, _Kind] = {}
        for name, rule in sorted(rulebook.signals.items(), key=lambda each: (each[0] in caps.account, -each[1].points, each[0])):
            if rule.points or rule.per_minute or rule.act_now:
                left, scale = decay_table(window=rule.window or rulebook.window, half_life=rule.half_life, lifespan=rule.lifespan)
                self._kinds[name] = _Kind(
                    name=name,
                    worth=tuple(rule.points * 60 * factor for factor in left),
                    minute_worth=tuple(rule.per_minute * factor for factor in left) if rule.per_minute else (),
                    whole=60 * THOUSAND * scale,
                    act_now=rule.act_now,
                    third_party=rule.third_party,
                    cap=None if rule.act_now else caps.account.get(name),
                )
        self.horizon = max((self.window, *(len(kind.worth) for kind in self._kinds.values())))
        """From this age on a cell changes nothing that is tallied."""

    def worth(self, kind: str, person: str, age: int, seconds: int, full: Full, *, may_have_role: bool) -> int:
        """Thousandths that one signal of a person can add at most to the score of an account of which so much is ``full``.

        Where the person ``may_have_role``, it may be any.
        """
        rule = self._kinds.get(kind)
        if rule is None or age >= len(rule.worth) or kind in full.kinds:
            return 0
        if rule.cap is None and not rule.act_now and (THIRD_PARTY if rule.third_party else person) in full.buckets:
            return 0
        amount = rule.worth[age] + (seconds * rule.minute_worth[age] if rule.minute_worth else 0)
        return amount * (self._largest_multiplier if may_have_role else self._largest_without_role) // rule.whole + 1

    def counts(self, kind: str) -> bool:
        """Whether signals of this kind can change a tally."""
        return kind in self._kinds

    def multipliers(self, state: Counts) -> dict[str, int]:
        """Thousandths by person, the anonymous and the merged among them; 0 excludes."""
        of_role = self._roles.get
        multipliers = {person: THOUSAND if role is None else of_role(role, THOUSAND) for person, role in state.roles.items()}
        multipliers[ANONYMOUS] = self._anonymous
        multipliers[MERGED] = THOUSAND
        return multipliers

    def tally(self, state: Counts, day: int) -> Tally:
        """Go through the cells once."""
        earned: dict[str, dict[str, int]] = {}
        people: set[str] = set()
        days: set[int] = set()
        first_party = False
        act_now_age: int | None = None
        multipliers = self.multipliers(state)
        for kind in self._kinds.values():
            history = state.kinds.get(kind.name)
            if history is None:
                continue
            buckets = earned[kind.name] = {}
            for cell_day, cells in history.days.items():
                age = day - cell_day if cell_day < day else 0
                left = age < len(kind.worth)
                fresh = age < self.window
                if not (fresh or left):
                    continue
                worth = kind.worth[age] if left else 0
                minute_worth = kind.minute_worth[age] if left and kind.minute_worth else 0
                seconds = history.seconds.get(cell_day, _NO_SECONDS) if minute_worth else _NO_SECONDS
                counted = False
                for person, count in cells.items():
                    multiplier = multipliers[person]
                    if multiplier == 0:
                        continue
                    counted = True
                    if fresh:
                        people.add(person)
                    bucket = THIRD_PARTY if kind.third_party else person
                    amount = min(count, self._repeats) * worth + seconds.get(person, 0) * minute_worth
                    points = amount * multiplier // kind.whole
                    buckets[bucket] = buckets.get(bucket, 0) + points
                if counted and fresh:
                    days.add(cell_day)
                    first_party = first_party or not kind.third_party
                    if kind.act_now and (act_now_age is None or age < act_now_age):
                        act_now_age = age
        return Tally(earned, self._points(earned), frozenset(people - _NOBODY), frozenset(days), first_party, act_now_age, multipliers)

    def full(self, tally: Tally) -> Full:
        """Say what adds nothing more to the score, on that rule day or a later one.

        The score is never more than what the uncapped kinds fill of each bucket, and of each capped kind the lesser of its cap and what it
        earned. Where it is just that, a signal of a kind or bucket whose cap is reached does not raise that bound, and no signal lowers
        the score.
        """
        kinds: set[str] = set()
        filled: dict[str, int] = {}
        for name, buckets in tally.earned.items():
            kind = self._kinds[name]
            if kind.cap is not None:
                total = sum(buckets.values())
                if tally.points[name] < min(total, kind.cap):
                    return _NOTHING_FULL
                if total >= kind.cap:
                    kinds.add(name)
            elif not kind.act_now:
                for bucket, earned in buckets.items():
                    filled[bucket] = filled.get(bucket, 0) + earned
        return Full(frozenset(kinds), frozenset(bucket for bucket, earned in filled.items() if earned >= self._bucket_cap(bucket)))

    def _points(self, earned: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
        """Thousandths that count by kind, in the order in which the caps are filled; they add up to the score."""
        points: dict[str, int] = {}
        left: dict[str, int] = {}
        capped: list[_Kind] = []
        for name, buckets in earned.items():
            kind = self._kinds[name]
            if kind.act_now:
                points[name] = sum(buckets.values())
            elif kind.cap is None:
                points[name] = self._fill(buckets, left)
            else:
                capped.append(kind)
        if capped:
            points |= self._share(capped, earned, left)
        return points

    def factors(self, state: AccountState, day: int) -> tuple[Factor, ...]:
        """Explain the score kind by kind, the largest share first; kinds that earned nothing are left out."""
        tally = self.tally(state, day)
        factors = [self._factor(state, day, name, tally) for name in tally.points]
        return tuple(
            sorted((factor for factor in factors if factor.points or factor.clipped), key=lambda factor: (-factor.points, factor.kind))
        )

    def signals(self, state: AccountState, multipliers: Mapping[str, int], day: int, kinds: frozenset[str], span: int) -> tuple[int, int]:
        """Count signals of ``kinds`` younger than ``span`` days, and the known people among them; excluded people are left out."""
        total = 0
        people: set[str] = set()
        for kind in kinds:
            history = state.kinds.get(kind)
            if history is not None:
                for cell_day, cells in history.days.items():
                    if day - cell_day < span:
                        for person, count in cells.items():
                            if multipliers[person]:
                                total += count
                                people.add(person)
        return total, len(people - _NOBODY)

    def people_with(self, state: AccountState, tally: Tally, roles: frozenset[str], least: int) -> int:
        """Count the known people of ``roles`` (any, where empty) who have ``least`` thousandths each, as `points_by_person` has them."""
        points = self.points_by_person(state, tally)
        return sum(amount >= least for person, amount in points.items() if not roles or state.roles[person] in roles)

    def points_by_person(self, state: AccountState, tally: Tally) -> dict[str, int]:
        """Thousandths of each known person who is active or has some, under the person's cap but not those of kinds.

        What third parties report counts for nobody in particular.
        """
        capped: dict[str, int] = dict.fromkeys(tally.people, 0)
        exempt: dict[str, int] = {}
        for name, buckets in tally.earned.items():
            points = exempt if self._kinds[name].act_now else capped
            for person, earned in buckets.items():
                if person in state.roles:
                    points[person] = points.get(person, 0) + earned
        people = capped.keys() | exempt.keys()
        return {person: min(capped.get(person, 0), self._person_cap) + exempt.get(person, 0) for person in people}

    def last_activity(self, state: AccountState, multipliers: Mapping[str, int]) -> int | None:
        """Return the day of the newest signal of a kind worth points, however old; excluded people are left out."""
        newest: int | None = None
        for name in self._kinds.keys() & state.kinds.keys():
            history = state.kinds[name]
            for occurred_at, _, person in history.newest:
                if multipliers.get(person, THOUSAND) and (newest is None or day_of(occurred_at) > newest):
                    newest = day_of(occurred_at)
            for day, cells in history.days.items():
                if (newest is None or day > newest) and any(multipliers[person] for person in cells):
                    newest = day
        return newest

    def _bucket_cap(self, bucket: str) -> int:
        return self._bucket_caps.get(bucket, self._person_cap)

    def _fill(self, buckets: Mapping[str, int], left: dict[str, int]) -> int:
        """Fill the buckets with an uncapped kind; ``left`` is what remains of each bucket touched so far."""
        filled = 0
        for bucket, earned in buckets.items():
            room = left.get(bucket)
            if room is None:
                room = self._bucket_cap(bucket)
            taken = min(room, earned)
            left[bucket] = room - taken
            filled += taken
        return filled

    def _share(self, kinds: Sequence[_Kind], earned: Mapping[str, Mapping[str, int]], left: Mapping[str, int]) -> dict[str, int]:
        """Points of the capped kinds: differences of F along their order."""
        caps = [_UNCAPPED if kind.cap is None else kind.cap for kind in kinds]
        wanted: dict[str, int] = {}
        for kind in kinds:
            for bucket, points in earned[kind.name].items():
                wanted[bucket] = wanted.get(bucket, 0) + points
        rooms = {bucket: left[bucket] if bucket in left else self._bucket_cap(bucket) for bucket in wanted}
        if all(points <= rooms[bucket] for bucket, points in wanted.items()):  # no bucket binds: each kind stands under its own cap alone
            return {kind.name: min(cap, sum(earned[kind.name].values())) for kind, cap in zip(kinds, caps, strict=True)}
        columns = [[earned[kind.name].get(bucket, 0) for bucket in rooms] for kind in kinds]
        totals = [most_allowed(caps[:prefix], columns[:prefix], list(rooms.values())) for prefix in range(len(kinds) + 1)]
        return {kind.name: after - before for kind, before, after in zip(kinds, totals, totals[1:], strict=False)}

    def _factor(self, state: AccountState, day: int, name: str, tally: Tally) -> Factor:
        kind = self._kinds[name]
        history = state.kinds[name]
        points = tally.points[name]
        count = 0
        people: set[str] = set()
        for cell_day, cells in history.days.items():
            if day - cell_day < len(kind.worth):
                for person, repeats in cells.items():
                    if tally.multipliers[person]:
                        count += repeats
                        people.add(person)
        events = tuple(event for occurred_at, event, _ in history.newest if day - day_of(occurred_at) < len(kind.worth))
        clipped = sum(tally.earned[name].values()) - points
        return Factor(kind=name, points=points, clipped=clipped, count=count, people=len(people - _NOBODY), events=events)


def most_allowed(caps: Sequence[int], columns: Sequence[Sequence[int]], rooms: Sequence[int]) -> int:
    """F of the module's docstring: ``columns[k][b]`` flows from bucket b, which holds ``rooms[b]``, to kind k under ``caps[k]``."""
    least = sum(caps)
    for chosen in range(1, 1 << len(caps)):
        inside = [index for index in range(len(caps)) if chosen >> index & 1]
        outside = sum(cap for index, cap in enumerate(caps) if not chosen >> index & 1)
        through = sum(min(room, sum(columns[index][bucket] for index in inside)) for bucket, room in enumerate(rooms))
        least = min(least, outside + through)
    return least
