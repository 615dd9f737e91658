"""Headroom: which signals cannot move an account, told without judging it.

After an account was judged and stayed, a further signal can make a condition true only by what it adds: its points, a new person, a new
active day. Until these reach the nearest threshold above, no word that was false becomes true. On the same rule day nothing else
changes. On a later one, silence has only taken away since (`conditions.Silence`), if the rulebook's conditions are all fading: what is true
then was true on the day of the judgement, on which the account stayed. What is not certain is judged.
"""

from collections.abc import Callable

import msgspec

from engagement.days import day_of
from engagement.records import Signal
from engagement.scoring import Full


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
    worth: Callable[[str, str, int, int, Full], int]  # see `Scoring.worth`

    def bears(self, signal: Signal, person: str, day: int, *, has_role: bool) -> bool:
        """Whether a signal certainly moves nothing on the rule day ``day``.

        ``person`` is as whom its person is counted on evaluation (see `AccountState.who`), and may have a role only where ``has_role``.
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
                self.roles_left -= has_role
        self.points -= self.worth(signal.kind, person, max(0, day - occurred), signal.seconds or 0, self.full)
        return self.points > 0 and min(self.people_left, self.roles_left, self.days_left) > 0
