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

Silence
-------
Days pass and nothing happens: points only decay, people and active days only leave the window, spans only run out, dwells only
end; what updates said stays. So every condition is monotone in silence, from true to false and never back, and with it every
rung: silence never promotes, and "some ladder moves on day d" is false up to some day and true from there on. That first day is
the account's *due day*, found by bisection (`next_change_day`) rather than by judging every account every day. A plain signal can
only postpone it, so until then the old one stands as a lower bound: judged on that day, the account does not move and gets a new
one. A ladder that falls may let a later one fall on the same record, since that one asks for a rung that is no longer there.
"""

from collections.abc import Callable
from typing import NamedTuple

from engagement.conditions import Condition, Facts


class Rung(NamedTuple):
    """One step of a ladder above its bottom."""

    name: str
    enter: Condition
    keep: Condition | None  # None: only `enter` holds an account here
    dwell: int  # days before a demotion from here

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


def next_rung(ladder: Ladder, current: int, held: int, facts: Facts) -> int:
    """Number of the rung on which an account stands after a record.

    ``current`` is the rung's number before, ``held`` how many days it has been held.
    """
    if facts.suppressed:
        return 0
    for number in range(len(ladder.rungs), current, -1):
        if ladder.rungs[number - 1].enter.holds(facts):
            return number
    number = current
    while number > 0 and not ladder.rungs[number - 1].stays(facts):
        number -= 1
    if number < current and held < ladder.rungs[current - 1].dwell:
        return current
    return number


def next_change_day(moves_on: Callable[[int], bool], day: int, settled: int) -> int | None:
    """Return the first day after ``day`` on which silence moves an account; None where none does.

    ``moves_on(d)`` must be monotone (see *Silence* above) and constant from ``settled`` on, a day after ``day``.
    """
    if not moves_on(settled):
        return None
    low, high = day + 1, settled
    while low < high:
        middle = (low + high) // 2
        if moves_on(middle):
            high = middle
        else:
            low = middle + 1
    return low
