"""Where an account stands: every transition between rungs is decided in this file and nowhere else.

Theory of operation
-------------------
A *ladder* is a list of rungs, the bottom one unconditional. Each rung above has *enter* (what earns it), optionally *keep* (what
holds it once earned; a rung without one is held by *enter* alone) and optionally *dwell* (days for which it is not lost).
``stage`` says how far an account has come, ``tier`` how much attention it may have. They are judged in order, and a later one may
ask for a rung of an earlier one.

An account is judged after every record that concerns it: a signal, an update, a day on which silence may move it. For each
ladder, in order:

1. The highest rung *above* the current one whose *enter* holds is taken. Rungs may be skipped; nothing in between is asked.
2. Else the current rung stays while its *keep* or its *enter* holds.
3. Else the account falls to the highest rung *below* of which that is true, the bottom being always so.
4. A fall (3) waits until the account has been on its rung for its *dwell*; a rise (1) waits for nothing.

So there is at most one change per ladder and record. Two words are judged differently in *enter* and *keep*: an unknown fit
earns nothing unless ``unknown`` is listed, but what was earned is not lost because an attribute was cleared.

*Suppression* (a competitor, a partner, own staff) makes every *enter* and *keep* false and does not wait for the dwell: such an
account is at the bottom of every ladder, at once. It is still scored, so that the day the relationship changes it stands where
it has earned.

A rung that was lost may have a *cool-down*: for so many days after the fall it is no candidate for 1.

A *pin* is a person's decision: while it is active the account stands where it says, and what the machine would do goes on beside it,
with its own rung and its own days held. Suppression beats a pin.

Silence
-------
Days pass and nothing happens: points only decay, people and active days only leave the window, spans only run out, dwells,
cool-downs and pins only end; what updates said stays. So each word of a condition changes at most once, and the first day on which
silence moves an account, its *due day*, is found without judging it on every day (`next_change_day`). What surges may come
and go: where a rulebook asks for that, an account with such signals is due every day (see `judging.Judge.due`). A ladder that moves may
let a later one move on the same record, since that one may ask for its rung.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

from engagement.conditions import Condition, Facts


class Rung(NamedTuple):
    """One step of a ladder above its bottom."""

    name: str
    enter: Condition
    keep: Condition | None  # None: only `enter` holds an account here
    dwell: int  # days before a demotion from here
    cool_down: int  # days after a fall from here before it can be entered again

    def stays(self, facts: Facts) -> bool:
        """Whether an account on this rung may stay."""
        return (self.keep is not None and self.keep.holds(facts)) or self.enter.holds(facts)


class Ladder(NamedTuple):
    """A ladder. A rung's number is its index in ``names``; 0 is the bottom."""

    name: str
    names: tuple[str, ...]  # from the bottom up
    rungs: tuple[Rung, ...]  # those above the bottom: ``rungs[number - 1]``

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Every condition of the ladder."""
        return tuple(condition for rung in self.rungs for condition in (rung.enter, rung.keep) if condition is not None)


def next_rung(ladder: Ladder, current: int, held: int, resting: Collection[str], facts: Facts) -> int:
    """Number of the rung on which an account stands after a record.

    ``current`` is the rung's number before, ``held`` how many days it has been held; ``resting`` names the rungs in their cool-down.
    """
    if facts.suppressed:
        return 0
    for number in range(len(ladder.rungs), current, -1):
        rung = ladder.rungs[number - 1]
        if rung.name not in resting and rung.enter.holds(facts):
            return number
    number = current
    while number > 0 and not ladder.rungs[number - 1].stays(facts):
        number -= 1
    if number < current and held < ladder.rungs[current - 1].dwell:
        return current
    return number


def next_change_day(moves_on: Callable[[int], bool], signature: Callable[[int], object], day: int, settled: int) -> int | None:
    """Return the first day after ``day`` on which silence moves an account; None where none does.

    ``signature(d)`` is whatever ``moves_on(d)`` depends on, made of parts each of which changes at most once as days pass: where two days
    have one signature, so have all days between. Both are constant from ``settled`` on, and the account does not move on ``day``.
    """

    def first(low: int, low_signature: object, high: int, high_signature: object) -> int | None:
        if low_signature == high_signature:
            return None
        if high == low + 1:
            return high if moves_on(high) else None
        middle = (low + high) // 2
        between = signature(middle)
        found = first(low, low_signature, middle, between)
        return first(middle, between, high, high_signature) if found is None else found

    return first(day, signature(day), settled, signature(settled))
