"""The dead letters of an environment that somebody asks for, and which of them were sent again."""

import re
from collections import Counter
from dataclasses import dataclass
from heapq import nlargest
from typing import NamedTuple

from engagement.dead_letters import DEAD_LETTERS, DeadLetter, read_letter
from engagement.errors import Refused
from engagement.machine import Record
from engagement.written import printable
from streams.connection import Connection
from streams.scanning import Place, scan
from streams.topics import Environment

_PLACE = re.compile(r"((?P<topic>[^/]+)/)?(?P<partition>[0-9]{1,9})/(?P<offset>[0-9]{1,18})")

Sort = tuple[str, str]
"""Reason, and the short name of the topic that the original came in on."""


def full(place: Place, environment: Environment) -> str:
    """Spell where a letter lies as `read_place` reads it: ``demo-dead-letters/3/17``."""
    return f"{environment.topic(DEAD_LETTERS)}/{place}"


def read_place(text: str, environment: Environment) -> Place:
    """Read where a letter lies: ``demo-dead-letters/3/17``, or ``3/17``. Raises `Refused` for anything else."""
    said = _PLACE.fullmatch(text)
    if said is not None and said["topic"] in {None, environment.topic(DEAD_LETTERS)}:
        return Place(int(said["partition"]), int(said["offset"]))
    example = full(Place(3, 17), environment)
    raise Refused(f"PLACE: {printable(text, 80)!r} is where no dead letter lies; write it as `mqa dead-letters list` does, like {example}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which letters are asked for; None is all."""

    reason: str | None = None
    topic: str | None = None  # short name of the source's
    since: int | None = None  # ms; received then or later
    until: int | None = None  # ms; received before
    places: frozenset[Place] | None = None

    def takes(self, place: Place, letter: DeadLetter) -> bool:
        """Whether it is one of them. ``place``: where the letter lies, of a note too."""
        return (
            self.reason in {None, letter.reason}
            and self.topic in {None, letter.source[0]}
            and (self.since is None or self.since <= letter.received_at)
            and (self.until is None or letter.received_at < self.until)
            and (self.places is None or place in self.places)
        )


class Found(NamedTuple):
    """One letter. In the order of when the original came in."""

    received_at: int  # ms
    place: Place
    died_at: int  # ms
    key: bytes | None
    letter: DeadLetter

    @property
    def sort(self) -> Sort:
        """What it is counted under."""
        return self.letter.reason, self.letter.source[0]


class Letters:
    """What a topic holds of the letters that are wanted, gathered batch by batch."""

    def __init__(self, partitions: int, wanted: Wanted, last: int) -> None:
        """``partitions``: of the environment. ``last``: how many are kept."""
        self._partitions, self._wanted, self._last = partitions, wanted, last
        self._newest: list[Found] = []
        self._begins: dict[int, int] = {}  # partition -> offset of its first record
        self.ends: dict[int, int] = {}  # partition -> offset behind its last record
        self.sorts: Counter[Sort] = Counter()
        self.retried_sorts: Counter[Sort] = Counter()
        self.retried: dict[Place, int] = {}  # ms; when each was sent again
        self.foreign = 0  # records that somebody else wrote

    @property
    def newest(self) -> list[Found]:
        """The last ones, the newest last."""
        return self._newest[::-1]

    def take(self, batch: list[Record]) -> None:
        """Read records that follow those before in their partition. What is no letter and no note is counted and left out."""
        found = []
        for record in batch:
            self._begins.setdefault(record.partition, record.offset)
            self.ends[record.partition] = record.offset + 1
            letter = read_letter(record, self._partitions)
            if letter is None:
                self.foreign += 1
                continue
            place = Place(record.partition, record.offset if letter.retried is None else letter.retried)
            if not self._wanted.takes(place, letter):
                continue
            each = Found(letter.received_at, place, record.timestamp, record.key, letter)
            if letter.retried is None:
                self.sorts[each.sort] += 1
                found.append(each)
            elif place not in self.retried and self._begins[place.partition] <= place.offset:  # else the letter is gone, the note not yet
                self.retried[place] = record.timestamp
                self.retried_sorts[each.sort] += 1
        self._newest = nlargest(self._last, [*self._newest, *found])


async def find_letters(connection: Connection, environment: Environment, partitions: int, wanted: Wanted, last: int) -> Letters:
    """Read the whole topic; ``last``: how many to keep of those that are wanted."""
    letters = Letters(partitions, wanted, last)
    await scan(connection, environment, DEAD_LETTERS, partitions, letters.take)
    return letters
