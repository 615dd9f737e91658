"""The folds of a worker without a broker: a log through Qualify, or input events through Intake and Qualify.

Nothing here decides anything: the folds are the worker's own, each step is accepted as soon as it is made, and borders
between steps do not show in the outcome. Everything is in memory; the log itself is not kept.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from engagement import account
from engagement.account import AccountState
from engagement.contacts import CONTACTS, Contacts
from engagement.days import midnight
from engagement.events import Family
from engagement.identity import Identity
from engagement.intake import Intake
from engagement.machine import Fold, Output, PlainRecord, Record, Table
from engagement.qualify import Qualify
from engagement.records import DAY_KEY, GENESIS_KEY, Day, Genesis, encode
from engagement.rulebook import Rulebook
from streams.history.arrivals import Arrival
from streams.topics import LOG, TIER_CHANGES

BATCH = 10_000
"""Records, and touched rows, of a step at most."""


class Unit:
    """One fold and the rows it has made."""

    def __init__(self, fold: Fold, batch: int) -> None:
        self.fold = fold
        self._table = Table()
        self._batch = batch

    @property
    def rows(self) -> Mapping[bytes, bytes]:
        """State as its changelog would hold it."""
        return self._table.rows

    def run(self, records: Sequence[Record]) -> list[Output]:
        """Fold all of ``records``; gives what the steps write."""
        outputs: list[Output] = []
        done = 0
        while done < len(records):
            step = self.fold.step(records[done : done + self._batch], self._batch)
            self.fold.accept(step)
            self._table.accept(step.changelog)
            outputs += step.outputs
            done += step.consumed
        return outputs


class LogReplay:
    """Qualify over every partition of an account log."""

    def __init__(self, *, partitions: int, topic: str = LOG, batch: int = BATCH) -> None:
        """``topic``: the log's full name."""
        self._units = [Unit(Qualify(topic=topic, partition=number), batch) for number in range(partitions)]

    def fold(self, partition: int, records: Sequence[Record]) -> list[Output]:
        """Fold records of one partition, in offset order; gives its tier changes."""
        return [output for output in self._units[partition].run(records) if output.topic == TIER_CHANGES]

    @property
    def fates(self) -> Counter[str]:
        """Qualify's counters over all partitions, ``changes:<ladder>:<from>:<to>`` among them."""
        return _fates(self._units)

    def rows(self, partition: int) -> Mapping[bytes, bytes]:
        """Accounts of one partition as the changelog has them."""
        return self._units[partition].rows

    def states(self) -> Iterator[tuple[str, AccountState]]:
        """Every account and its state."""
        for unit in self._units:
            for key, row in unit.rows.items():
                yield key.decode(), account.decode(row).state


class HistoryReplay:
    """An environment with a played clock, from its genesis on: for each day `begin` it, then `receive` its events."""

    def __init__(self, *, partitions: int, rulebook: Rulebook, identity: Identity, batch: int = BATCH) -> None:
        """``identity`` must be of that many partitions; its contact lists are those of the history itself."""
        self._contacts = Contacts()
        identity = replace(identity, contact=self._contacts.account_of)
        families = {family.value: family for family in Family}
        self.log = LogReplay(partitions=partitions, batch=batch)
        self._intake = [
            Unit(Intake(families=families, partition=number, rulebook=rulebook, identity=identity), batch) for number in range(partitions)
        ]
        self._offsets: Counter[tuple[str, int]] = Counter()
        genesis = Genesis(partitions=partitions, clock="played", day=None, rulebook=rulebook.canonical(), version=rulebook.version)
        self._append_everywhere(GENESIS_KEY, encode(genesis), 0)

    def begin(self, day: int) -> list[Output]:
        """``day`` begins; gives its tier changes."""
        return self._append_everywhere(DAY_KEY, encode(Day(day=day)), midnight(day))

    def receive(self, arrivals: Iterable[Arrival]) -> list[Output]:
        """Take in what was received on the day begun last, all of it at once; gives its tier changes."""
        resolved = self._resolve(arrivals)
        return [change for partition, records in enumerate(resolved) for change in self.log.fold(partition, records)]

    @property
    def fates(self) -> Counter[str]:
        """Intake's counters over all partitions."""
        return _fates(self._intake)

    def _append_everywhere(self, key: bytes, value: bytes, instant: int) -> list[Output]:
        entry = Output(LOG, key, value, timestamp=instant)
        partitions = range(len(self._intake))
        return [change for number in partitions for change in self.log.fold(number, [self._record(LOG, number, entry)])]

    def _resolve(self, arrivals: Iterable[Arrival]) -> list[list[Record]]:
        """Pass events through intake until none is re-appended any more; what it wrote to the log, by partition.

        Contact lists count from the next day on: within one, nothing says which partition comes first.
        """
        log: list[list[Record]] = [[] for _ in self._intake]
        lists: list[Output] = []
        waiting: list[list[Record]] = [[] for _ in self._intake]
        for family, partition, received_at, key, value in arrivals:
            event = Output(family.value, key, value, timestamp=received_at)
            waiting[partition].append(self._record(family.value, partition, event))
        while any(waiting):
            offered, waiting = waiting, [[] for _ in self._intake]
            for number, unit in enumerate(self._intake):
                for output in unit.run(offered[number]):
                    partition = number if output.partition is None else output.partition
                    if output.topic == LOG:
                        log[partition].append(self._record(LOG, partition, output))
                    elif output.topic in _INPUTS:
                        waiting[partition].append(self._record(output.topic, partition, output))
                    elif output.topic == CONTACTS:
                        lists.append(output)
        for row in lists:
            self._contacts.take(row.key, row.value)
        return log

    def _record(self, topic: str, partition: int, output: Output) -> PlainRecord:
        offset = self._offsets[topic, partition]
        self._offsets[topic, partition] += 1
        assert output.timestamp is not None, "everything that is appended to an input or the log says when it was received"
        return PlainRecord(topic, partition, offset, output.timestamp, output.key, output.value, output.headers)


_INPUTS = frozenset(family.value for family in Family)


def _fates(units: Iterable[Unit]) -> Counter[str]:
    total: Counter[str] = Counter()
    for unit in units:
        total.update(unit.fold.position.fates)
    return total
