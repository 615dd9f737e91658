"""Intent surge: whether an account lately looks into a topic more than it used to.

The score of a topic is ``50 + 25 log2((recent + 1) / (baseline + 1))``, floored and clamped to 0-100: *recent* is the weekly mean of
its signals of the last 3 weeks (ages 0 to 20 days), *baseline* that of the 12 weeks before (ages 21 to 104), after Bombora's
published comparison of 3 weeks with 12. Computed with whole numbers only, so it is the same on every machine.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from engagement.account import AccountState
from engagement.counts import ANONYMOUS, MERGED, MERGED_TOPIC, Cells
from engagement.quantities import THOUSAND
from engagement.rulebook import Rulebook, SurgeRule

RECENT_DAYS = 21
REMEMBERED_DAYS = 105
"""From this age on a signal is in neither mean."""

_MOST = 100
_STEPS = 25  # of the score to a doubling


class Interest(NamedTuple):
    """What an account showed for a topic, or for a need's topics together."""

    recent: int  # signals
    baseline: int
    people: int  # known ones, recently

    @property
    def score(self) -> int:
        """0-100."""
        # floor(25 log2((recent/3 + 1) / (baseline/12 + 1))) is the largest n with 2**n <= ratio**25
        above, below = (4 * (self.recent + 3)) ** _STEPS, (self.baseline + 12) ** _STEPS
        return min(max(_MOST // 2 + _floor_log2(above, below), 0), _MOST)


class Surging(NamedTuple):
    """What surges."""

    topics: frozenset[str]
    needs: frozenset[str]

    def names(self, rulebook: Rulebook) -> tuple[str, ...]:
        """Both, sorted; a topic that has the name of a need is not told apart from it, and left out."""
        return tuple(sorted(self.needs | (self.topics - {need.casefold() for need in rulebook.needs})))


def surging(state: AccountState, day: int, rulebook: Rulebook, excluded: Collection[str]) -> Surging:
    """Find the topics and needs that surge on ``day``; people in ``excluded`` are left out."""
    if weeks_known(state, day, rulebook.history_days) < rulebook.surge.weeks:
        return NOTHING
    found = {topic for topic in state.topics if topic != MERGED_TOPIC and _surges(interest(state, [topic], day, excluded), rulebook.surge)}
    needs: set[str] = set()
    for name, need in rulebook.needs.items():
        topics = {topic.casefold() for topic in need.topics}
        if need.share is None:
            is_surging = _surges(interest(state, topics, day, excluded), rulebook.surge)
        else:
            is_surging = len(topics & found) * THOUSAND >= need.share * len(topics)
        if is_surging:
            needs.add(name)
    return Surging(frozenset(found), frozenset(needs))


def interest(state: AccountState, topics: Iterable[str], day: int, excluded: Collection[str]) -> Interest:
    """Count the signals of ``topics`` (casefolded) together."""
    recent = baseline = 0
    people: set[str] = set()
    for topic in topics:
        for cell_day, cells in state.topics.get(topic, _NONE).items():
            age = max(0, day - cell_day)
            if age >= REMEMBERED_DAYS:
                continue
            count = sum(count for person, count in cells.items() if person not in excluded)
            if age < RECENT_DAYS:
                recent += count
                people.update(person for person in cells if person not in excluded)
            else:
                baseline += count
    return Interest(recent, baseline, len(people - {ANONYMOUS, MERGED}))


def is_remembered(state: AccountState, day: int) -> bool:
    """Whether days alone can change what surges: some signal with a topic is in one of the means, or not dated before them."""
    return any(day - cell_day < REMEMBERED_DAYS for days in state.topics.values() for cell_day in days)


def _surges(shown: Interest, rule: SurgeRule) -> bool:
    return shown.recent >= rule.events and shown.people >= rule.people and shown.score >= rule.score


def weeks_known(state: AccountState, day: int, history_days: int) -> int:
    """Whole weeks since the oldest signal that is kept."""
    ages = (day - cell_day for history in state.kinds.values() for cell_day in history.days)
    return max((age for age in ages if age < history_days), default=0) // 7


def _floor_log2(above: int, below: int) -> int:
    """Floor of log2(above / below), both positive."""
    guess = above.bit_length() - below.bit_length()
    shifted = below << guess if guess >= 0 else below
    return guess if (above if guess >= 0 else above << -guess) >= shifted else guess - 1


_NONE: Mapping[int, Cells] = {}
NOTHING = Surging(frozenset(), frozenset())
