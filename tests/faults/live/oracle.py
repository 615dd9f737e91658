"""What must have come out: tier changes and states, from the account log alone; the log itself, from the inputs alone.

Nothing of `streams` is asked but to read and to look up: the log is folded by `engagement.qualify.Qualify` and the inputs by
`engagement.intake.Intake`, as anyone could, and nothing ever disturbs these folds.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from engagement.events import Family
from engagement.identity import Identity
from engagement.intake import Intake
from engagement.machine import RESERVED_KEYS, Record
from engagement.qualify import Qualify
from engagement.records import Signal, Update, decode
from engagement.rulebook import Rulebook
from engagement.visitors import is_visitor_key
from streams.topics import INPUTS, LOG, Environment

BATCH = 5_000
TIER_CHANGES = "tier-changes"


PASSED_OVER = ("repeated", "skipped", "not_there")
"""Fates of log records. This load retracts nothing, and no visit is so late that its account's history has forgotten it."""


class Appended(NamedTuple):
    """One record that intake wrote, as short as it can be told from every other."""

    topic: str  # short, like the next
    partition: int
    event: str  # its id
    digest: str  # of key and value


class _Named(msgspec.Struct):
    id: str


_named = msgspec.json.Decoder(_Named).decode


def appended(topic: str, partition: int, key: bytes | None, value: bytes | None) -> Appended:
    """Name a record that intake wrote into the log or into an input topic: it has a key and a value."""
    assert key is not None
    assert value is not None
    return Appended(topic, partition, _named(value).id, blake2b(b"%b %b" % (key, value), digest_size=12).hexdigest())


class Oracle:
    """The log: one fold a partition, fed in offset order."""

    def __init__(self, topic: str, partitions: int) -> None:
        """``topic``: full name of the log."""
        self._folds = [Qualify(topic=topic, partition=number) for number in range(partitions)]
        self.rows: list[dict[bytes, bytes]] = [{} for _ in range(partitions)]
        self.changes: defaultdict[bytes, list[bytes]] = defaultdict(list)  # account -> bodies, in order
        self.appended: Counter[Appended] = Counter()  # what intake wrote there
        self.credits: Counter[tuple[str, str]] = Counter()
        """(event, account) -> how often it is counted there and not taken out again. What merges people is no event's."""
        self.undone = 0

    def fold(self, number: int, records: Sequence[Record]) -> None:
        """Take what comes next in partition ``number``."""
        fold = self._folds[number]
        for record in records:
            if record.key is not None and not record.key.startswith(b"__"):
                self._note(number, record.key, record.value)
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

    def _note(self, number: int, key: bytes, value: bytes | None) -> None:
        assert value is not None
        name = appended(LOG, number, key, value)
        self.appended[name] += 1
        if self.appended[name] > 1:
            return
        match decode(value):
            case Signal(via=None) as signal:
                self.credits[signal.id, key.decode()] += -1 if signal.undo else 1
                self.undone += signal.undo
            case Update() as update if update.fields.keys().isdisjoint(("same", "differ")):
                self.credits[update.id, key.decode()] += 1

    def read_to(self, number: int, topic: str) -> int:
        """The offset behind the last record that was folded."""
        return self._folds[number].position.next.get(topic, 0)

    @property
    def passed_over(self) -> int:
        """How many records of the log said nothing: what came again, and what took out of an account that which it had not."""
        fates = (fold.position.fates for fold in self._folds)
        return sum(each.get(fate, 0) for each in fates for fate in PASSED_OVER)

    @property
    def due_changes(self) -> int:
        """How many tier changes there must be so far."""
        return sum(map(len, self.changes.values()))


class IntakeOracle:
    """The inputs: one fold a partition, fed topic after topic (their order among each other means nothing), each in offset order."""

    def __init__(self, environment: Environment, partitions: int, rulebook: Rulebook, identity: Identity) -> None:
        families = {environment.topic(family.value): family for family in Family}
        self._folds = [Intake(families=families, partition=number, rulebook=rulebook, identity=identity) for number in range(partitions)]
        self.visitors: list[dict[bytes, bytes]] = [{} for _ in range(partitions)]  # their rows
        self.appended: Counter[Appended] = Counter()  # to the log and to the inputs

    def fold(self, number: int, records: Sequence[Record]) -> None:
        """Take what comes next in one topic of partition ``number``."""
        fold, rows = self._folds[number], self.visitors[number]
        done = 0
        while done < len(records):
            step = fold.step(records[done : done + BATCH], BATCH)
            fold.accept(step)
            done += step.consumed
            self.appended.update(
                appended(output.topic, number if output.partition is None else output.partition, output.key, output.value)
                for output in step.outputs
                if output.topic in (LOG, *INPUTS)
            )
            rows |= {key: row for key, row in step.changelog.items() if row is not None and is_visitor_key(key)}
            for key in [key for key, row in step.changelog.items() if row is None]:
                rows.pop(key, None)

    @property
    def fates(self) -> Mapping[str, int]:
        """Its counters over all partitions."""
        total: Counter[str] = Counter()
        for fold in self._folds:
            total.update(fold.position.fates)
        return total
