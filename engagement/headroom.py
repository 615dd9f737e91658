"""Headroom: which signals cannot move an account, told without judging it.

After an account was judged and stayed, a further signal can change a condition only by what it adds: its points, a new person, a new
active day. Of each condition that could move the account a few words are *watched*, such that it stays as it is while they do: of several
that must all hold, one that does not is enough. Until what is added reaches the nearest threshold of a watched word, nothing moves. On
the same rule day nothing else changes. On a later one, silence has only taken away since (`conditions.Silence`), if the rulebook's
conditions are all fading: what is true then was true on the day of the judgement, on which the account stayed. What is not certain is
judged.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import msgspec

from engagement.conditions import Condition, Facts, Silence
from engagement.days import day_of
from engagement.records import Signal
from engagement.scoring import Full


class Worth(Protocol):
    """What a signal adds at most."""

    def __call__(self, kind: str, person: str, age: int, seconds: int, full: Full, *, may_have_role: bool) -> int:
        """See `Scoring.worth`."""


class Headroom(msgspec.Struct, kw_only=True, gc=False):
    """What an account bears. Made by `judging.Judge.headroom`; each signal that it bears takes from it."""

    day: int  # of the judgement
    is_lasting: bool  # beyond that day
    kinds: frozenset[str]  # whose signals add points, a person and a day, and nothing else
    surges_since: int | None  # the oldest day, where surges matter: a signal of an earlier one or with a topic adds more than that
    points: int  # thousandths to the nearest threshold
    full: Full  # what adds none
    people: frozenset[str]  # who are nobody new
    people_with_below: frozenset[str]  # who are nobody new among those below
    people_left: int  # new people to the nearest threshold, here or with those below
    roles_left: int  # new people with a role to the nearest threshold
    days: frozenset[int]  # active already
    days_left: int  # new active days to the nearest threshold
    worth: Worth

    def bears(self, signal: Signal, person: str, day: int, *, may_have_role: bool) -> bool:
        """Whether a signal certainly moves nothing on the rule day ``day``.

        ``person`` is as whom its person is counted on evaluation (see `AccountState.who`); for the other see `AccountState.may_have_role`.
        """
        if day != self.day and not self.is_lasting:
            return False
        occurred = day_of(signal.occurred_at)
        if signal.via is not None:  # adds points and a person to what is rolled up, and nothing else
            if person not in self.people_with_below:
                self.people_with_below |= {person}
                self.people_left -= 1
        elif signal.kind not in self.kinds or (
            self.surges_since is not None and (signal.topic is not None or occurred < self.surges_since)
        ):
            return False
        else:
            if occurred not in self.days:
                self.days |= {occurred}
                self.days_left -= 1
            if person not in self.people:
                self.people |= {person}
                self.people_left -= 1
                self.roles_left -= may_have_role
        age = max(0, day - occurred)
        self.points -= self.worth(signal.kind, person, age, signal.seconds or 0, self.full, may_have_role=may_have_role)
        return self.points > 0 and min(self.people_left, self.roles_left, self.days_left) > 0


_COSTS = {"active_days": 1, "score": 2, "rolled_up_score": 2, "people": 3, "rolled_up_people": 3, "roles": 3, "idle_under": 9}
"""What it costs to watch a word: the more, the sooner it has the account judged. A new active day comes once a day; with `idle_under` no
signal is borne at all."""
_COST = 4
"""Of any other word."""

_SEEN_TO = frozenset({"act_now", "first_party", "idle", "surge", "surging", "segment"})
"""Words that no signal changes which is borne, whatever is watched.

``act_now`` and ``first_party``: such signals are not among the `Headroom.kinds`. ``idle``: only the signal of another day ends it, and
where a rulebook has that word, no new day is borne (`Headroom.is_lasting` is false, and then ``days_left`` is 1). ``surge``, ``surging``:
by `Headroom.surges_since`. ``segment``: the segments' own conditions are watched.
"""


class Watch(NamedTuple):
    """A condition, compiled to find the words to watch."""

    condition: Condition
    parts: "tuple[Watch, ...]"  # those that cost least first
    cost: int

    def words(self, facts: Facts, holds: bool) -> Iterator[Condition]:  # noqa: FBT001 - what the condition is
        """Yield the words to watch: a condition that ``holds``, or does not, stays so while they stay as they are."""
        if self.cost == 0:
            return
        operator = self.condition.operator
        if not self.parts:
            if not holds:  # signals make the words that are watched true, never false
                yield self.condition
        elif operator == "not":
            yield from self.parts[0].words(facts, not holds)
        elif holds == (operator == "any"):  # one part decides
            yield from next(part for part in self.parts if part.condition.holds(facts) == holds).words(facts, holds)
        else:
            for part in self.parts:
                yield from part.words(facts, holds)


def watch(condition: Condition) -> Watch:
    """Compile a condition."""
    if condition.parts:
        parts = sorted((watch(part) for part in condition.parts), key=lambda part: part.cost)
        return Watch(condition, tuple(parts), sum(part.cost for part in parts))
    is_changed = condition.silence != Silence.CONSTANT and condition.operator not in _SEEN_TO
    return Watch(condition, (), _COSTS.get(condition.operator, _COST) if is_changed else 0)
