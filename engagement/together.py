"""Who counts as one: people who are the same, and an account with those below it.

Raw counts stay under each person and each account, so that what was put together can be taken apart again; here they are put together for
an evaluation. Who is the same as another is counted as that one: one person under the caps, with the role of the one whom they are,
or where nobody said one, of another of them.
"""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from engagement.account import AccountState
from engagement.counts import Cells, Counts, KindHistory
from engagement.sayings import whoever

_Days = Mapping[int, Cells]
C = TypeVar("C", bound=Counts)


def as_one(state: AccountState) -> AccountState:
    """Put those together who are the same person, here and below. The state itself where nobody is."""
    if not state.same:
        return state
    who = {person: one for person in state.same if (one := whoever(person, state.same)) != person}
    below = None if state.below is None else _counts_by(who, state.below)
    return msgspec.structs.replace(_counts_by(who, state), same={}, below=below)


def rolled_up(state: AccountState) -> Counts:
    """Put an account's signals and those from below together. A person has the role that is known here, else that from below."""
    if state.below is None:
        return state
    here, below = state.kinds, state.below.kinds
    kinds = {
        name: KindHistory(
            days=_added(here[name].days, below[name].days),
            seconds=_added(here[name].seconds, below[name].seconds),
        )
        for name in here.keys() & below.keys()
    }
    known = {person: role for person, role in state.roles.items() if role is not None}
    return Counts(kinds=here | below | kinds, roles={**state.roles, **state.below.roles, **known})


def _counts_by(who: Mapping[str, str], counts: C) -> C:
    kinds = {
        kind: KindHistory(
            days=_days_by(who, history.days),
            newest=[(at, event, who.get(person, person)) for at, event, person in history.newest],
            seconds=_days_by(who, history.seconds),
        )
        for kind, history in counts.kinds.items()
    }
    topics = {topic: _days_by(who, days) for topic, days in counts.topics.items()}
    return msgspec.structs.replace(counts, kinds=kinds, topics=topics, roles=_roles_by(who, counts.roles))


def _days_by(who: Mapping[str, str], days: _Days) -> dict[int, Cells]:
    return {day: cells if who.keys().isdisjoint(cells) else _sum(cells, who) for day, cells in days.items()}


def _sum(cells: Cells, who: Mapping[str, str]) -> Cells:
    total: Cells = {}
    for person, count in cells.items():
        one = who.get(person, person)
        total[one] = total.get(one, 0) + count
    return total


def _roles_by(who: Mapping[str, str], roles: Mapping[str, str | None]) -> dict[str, str | None]:
    joined: dict[str, str | None] = {}
    for person in sorted(roles, key=lambda person: (person in who, person)):  # whom others are comes before them
        one = who.get(person, person)
        if joined.get(one) is None:
            joined[one] = roles[person]
    return joined


def _added(here: _Days, below: _Days) -> dict[int, Cells]:
    return {**here, **{day: _both(here[day], cells) if day in here else cells for day, cells in below.items()}}


def _both(one: Cells, other: Cells) -> Cells:
    return one | {person: one.get(person, 0) + count for person, count in other.items()}
