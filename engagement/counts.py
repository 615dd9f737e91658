"""Raw counts of signals, never points: weights, caps and decay apply on evaluation, so the order of arrival does not matter.

A cell is (kind, UTC day, person) -> count, and beside it seconds where the signals had some; signals with a topic are counted by
(topic, day, person) too. At most `max_people` people and `max_topics` topics stand individually, those with the smallest hashes and
names; the rest are merged into `MERGED` and the counts are ``coarsened``: they are still scored, but exactness under order, retraction
and restatement is promised for the others only. What was merged cannot be taken out as a person or a topic.
"""

from collections.abc import Iterator

import msgspec

from engagement.days import day_of
from engagement.records import Signal

MAX_PEOPLE = 200
MAX_TOPICS = 64
NEWEST = 3
"""Event ids remembered per kind: the evidence that a tier change names."""
LONGEST_EVIDENCE = 64
"""Characters of an event id; longer ones are not remembered."""

ANONYMOUS = ""
MERGED = "*"
MERGED_TOPIC = ""
NEVER = 2**31 - 1
"""A day that does not come."""

Cells = dict[str, int]
"""Person -> count (or seconds) of one day."""


class KindHistory(msgspec.Struct, array_like=True):
    """One kind's cells and its newest events."""

    days: dict[int, Cells] = {}
    newest: list[tuple[int, str, str]] = []  # (occurred_at, event id, person), newest first
    seconds: dict[int, Cells] = {}  # of the signals that had some


class Counts(msgspec.Struct, array_like=True):
    """What was counted, and by whom."""

    kinds: dict[str, KindHistory] = {}
    topics: dict[str, dict[int, Cells]] = {}  # topic -> day -> person -> count
    roles: dict[str, str | None] = {}  # everyone who stands individually -> what was last said
    max_people: int = MAX_PEOPLE
    max_topics: int = MAX_TOPICS
    coarsened: bool = False
    oldest: int = NEVER  # the day of the earliest count

    def count(self, signal: Signal) -> bool:
        """Count a signal. True where it did more than add: a role became known or another, or something was merged."""
        history = self.kinds.get(signal.kind)
        if history is None:
            history = self.kinds[signal.kind] = KindHistory()
        day = day_of(signal.occurred_at)
        self.oldest = min(self.oldest, day)
        was_coarsened = self.coarsened
        person = self.counted_as(signal.person)
        self.coarsened |= person == MERGED
        add(history.days, day, person, 1)
        if signal.seconds:
            add(history.seconds, day, person, signal.seconds)
        if signal.topic is not None:
            add(self.topics.setdefault(signal.topic.casefold(), {}), day, person, 1)
        newest = history.newest
        if (len(newest) < NEWEST or signal.occurred_at >= newest[-1][0]) and len(signal.id) <= LONGEST_EVIDENCE:
            newest.append((signal.occurred_at, signal.id, person))
            newest.sort(reverse=True)
            del newest[NEWEST:]
        changed = person not in (ANONYMOUS, MERGED) and self.say_role(person, signal.role)
        return self.merge_beyond() or changed or self.coarsened != was_coarsened

    def counted_as(self, person: str | None) -> str:
        """Say under whom a person's signals are counted: the person, `ANONYMOUS`, or `MERGED` for one beyond the bound."""
        if person is None:
            return ANONYMOUS
        is_beyond = len(self.roles) >= self.max_people and person not in self.roles and person > max(self.roles, default="")
        return MERGED if is_beyond else person

    def say_role(self, person: str, role: str | None) -> bool:
        """Note a person and, where one is said, the role. True where that was not known before."""
        before = self.roles.setdefault(person, None)
        if role is None or role == before:
            return False
        self.roles[person] = role
        return True

    def take_out(self, event: str, *, kind: str, day: int, person: str | None, topic: str | None, seconds: int | None) -> bool:
        """Take one event out of its cells, as if it had not been counted. False, and nothing has changed, where none was counted there.

        The ids of older events do not come back as evidence, and whoever did it stays known.
        """
        history, counted_as = self.kinds.get(kind), self.counted_as(person)
        if history is None or counted_as not in history.days.get(day, {}):
            return False
        _subtract(history.days, day, counted_as, 1)
        _subtract(history.seconds, day, counted_as, seconds or 0)
        history.newest = [each for each in history.newest if each[1] != event]
        if not (history.days or history.newest):
            del self.kinds[kind]
        if topic is not None:
            name = topic.casefold() if topic.casefold() in self.topics else MERGED_TOPIC
            days = self.topics.get(name, {})
            _subtract(days, day, counted_as, 1)
            if not days:
                self.topics.pop(name, None)
        if day == self.oldest:
            self._find_oldest()
        return True

    def take_out_person(self, person: str) -> None:
        """Take out all that a person did, and the person."""
        for cells in self._cells():
            for day in list(cells):
                if cells[day].pop(person, None) is not None and not cells[day]:
                    del cells[day]
        for history in self.kinds.values():
            history.newest = [each for each in history.newest if each[2] != person]
        self.kinds = {kind: history for kind, history in self.kinds.items() if history.days or history.newest}
        self.topics = {topic: days for topic, days in self.topics.items() if days}
        self.roles.pop(person, None)
        self._find_oldest()

    def rename_person(self, was: str, person: str) -> bool:
        """Count for a person what was counted for ``was``, who is the same. False where ``was`` does not stand individually."""
        if was not in self.roles:
            return False
        role = self.roles.pop(was)
        if self.roles.get(person) is None:
            self.roles[person] = role
        self._move(was, person)
        for history in self.kinds.values():
            history.newest = [(at, event, person if each == was else each) for at, event, each in history.newest]
        return True

    def forget_before(self, day: int) -> None:
        """Drop the cells of earlier days; the newest event ids and what was said of people stay."""
        if self.oldest >= day:
            return
        for cells in self._cells():
            for each in [each for each in cells if each < day]:
                del cells[each]
        self.topics = {topic: days for topic, days in self.topics.items() if days}
        self._find_oldest()

    def merge_beyond(self) -> bool:
        """Keep the people with the smallest hashes and the topics with the smallest names, merge the rest. True where any was merged."""
        merged = len(self.roles) > self.max_people and self._merge_people()
        return (len(self.topics) > self.max_topics and self._merge_topics()) or merged

    @property
    def is_narrowest(self) -> bool:
        """Whether everybody and everything is merged that can be."""
        return self.max_people + self.max_topics == 0

    def narrow(self) -> bool:
        """Halve how many people, in the end how many topics, stand individually. True where any was merged by it."""
        if self.max_people > 0:
            self.max_people //= 2
        else:
            self.max_topics //= 2
        return self.merge_beyond()

    def _cells(self) -> Iterator[dict[int, Cells]]:
        for history in self.kinds.values():
            yield history.days
            yield history.seconds
        yield from self.topics.values()

    def _find_oldest(self) -> None:
        self.oldest = min((day for cells in self._cells() for day in cells), default=NEVER)

    def _merge_people(self) -> bool:
        merged = sorted(self.roles)[self.max_people :]
        for person in merged:
            del self.roles[person]
            self._move(person, MERGED)
        self.coarsened |= bool(merged)
        return bool(merged)

    def _move(self, person: str, to: str) -> None:
        for days in self._cells():
            for cells in days.values():
                if person in cells:
                    cells[to] = cells.get(to, 0) + cells.pop(person)

    def _merge_topics(self) -> bool:
        merged = sorted(self.topics.keys() - {MERGED_TOPIC})[self.max_topics :]
        for topic in merged:
            together = self.topics.setdefault(MERGED_TOPIC, {})
            for day, cells in self.topics.pop(topic).items():
                for person, count in cells.items():
                    add(together, day, person, count)
        self.coarsened |= bool(merged)
        return bool(merged)


def add(days: dict[int, Cells], day: int, person: str, more: int) -> None:
    """Add to a cell."""
    cells = days.get(day)
    if cells is None:
        cells = days[day] = {}
    cells[person] = cells.get(person, 0) + more


def _subtract(days: dict[int, Cells], day: int, person: str, less: int) -> None:
    """Take out of a cell; what becomes empty goes."""
    cells = days.get(day, {})
    left = cells.get(person, 0) - less
    if left > 0:
        cells[person] = left
    elif person in cells:
        del cells[person]
        if not cells:
            del days[day]
