"""What tier changes and states must be, from the account log alone.

Nothing of `streams` is asked but to read: the log is folded by `engagement.qualify.Qualify`, as anyone could.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from engagement.machine import RESERVED_KEYS, Record
from engagement.qualify import Qualify

BATCH = 5_000
TIER_CHANGES = "tier-changes"


class _Entry(msgspec.Struct):
    """The part of a signal or an update that says which event it is, and where it came in."""

    id: str
    source: tuple[str, int, int, int]


_entry = msgspec.json.Decoder(_Entry).decode


class Oracle:
    """One fold a partition, fed in offset order."""

    def __init__(self, topic: str, partitions: int) -> None:
        """``topic``: full name of the log."""
        self._folds = [Qualify(topic=topic, partition=number) for number in range(partitions)]
        self.rows: list[dict[bytes, bytes]] = [{} for _ in range(partitions)]
        self.changes: defaultdict[bytes, list[bytes]] = defaultdict(list)  # account -> bodies, in order
        self.events: Counter[str] = Counter()  # id -> from how many sources the log has it
        self.repeats = 0  # records that came again from a source that the log has
        self._sources: set[tuple[str, int, int, int]] = set()

    def fold(self, number: int, records: Sequence[Record]) -> None:
        """Take what comes next in partition ``number``."""
        fold = self._folds[number]
        for record in records:
            if record.key is not None and not record.key.startswith(b"__"):
                assert record.value is not None
                entry = _entry(record.value)
                if entry.source in self._sources:
                    self.repeats += 1
                else:
                    self._sources.add(entry.source)
                    self.events[entry.id] += 1
        done = 0
        while done < len(records):
            step = fold.step(records[done : done + BATCH], BATCH)
            fold.accept(step)
            done += step.consumed
            for output in step.outputs:
                if output.topic == TIER_CHANGES:
                    assert output.key is not None
                    assert output.value is not None
                    self.changes[output.key].append(output.value)
            for key, value in step.changelog.items():
                if key in RESERVED_KEYS:
                    continue
                if value is None:
                    self.rows[number].pop(key, None)
                else:
                    self.rows[number][key] = value

    def read_to(self, number: int, topic: str) -> int:
        """The offset behind the last record that was folded."""
        return self._folds[number].position.next.get(topic, 0)

    @property
    def due_changes(self) -> int:
        """How many tier changes there must be so far."""
        return sum(map(len, self.changes.values()))
