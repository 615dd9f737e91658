"""A Kafka in memory: logs with transactions, fencing, last stable offsets and committed group offsets.

No time passes in it, and no call waits.
What it does is held against a real Kafka by `tests.faults.test_broker_contract`. Like that one it answers a commit before it has written
the transaction's markers (`Broker.write_marker` does, whenever the network lets it), and until then readers see none of it.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from aiokafka.errors import ConcurrentTransactions, InvalidProducerEpoch, InvalidTxnState, UnknownTopicOrPartitionError
from aiokafka.structs import TopicPartition

from engagement.machine import PlainRecord
from streams.transaction import Row

Isolation = Literal["read_committed", "read_uncommitted"]


@dataclass(eq=False, slots=True)
class Transaction:
    """What one producer does between begin and end."""

    producer: str  # transactional id
    epoch: int
    partitions: set[TopicPartition] = field(default_factory=set)
    offsets: dict[str, dict[TopicPartition, int]] = field(default_factory=dict)  # group -> next offsets
    committed: bool | None = None  # None: open


@dataclass(slots=True)
class Entry:
    """One offset of a log: a record, or a transaction's marker (``record`` None)."""

    record: PlainRecord | None
    transaction: Transaction | None


@dataclass(slots=True)
class Partition:
    """One log. Offsets are places in ``entries``."""

    log_append_time: bool = False
    first: int = 0  # what lies before was deleted
    entries: list[Entry] = field(default_factory=list)
    open: dict[Transaction, int] = field(default_factory=dict)  # transactions without a marker yet -> first offset

    def end(self, isolation: Isolation) -> int:
        """The offset after the last, or for read_committed the last stable offset: that of the first open transaction."""
        return min(self.open.values(), default=len(self.entries)) if isolation == "read_committed" else len(self.entries)

    def read(self, start: int, most: int, isolation: Isolation) -> tuple[list[PlainRecord], int]:
        """Return at most ``most`` visible records from ``start`` on, and the offset to read on from, markers passed over."""
        records: list[PlainRecord] = []
        offset, end = start, self.end(isolation)
        while offset < end and len(records) < most:
            entry = self.entries[offset]
            is_aborted = entry.transaction is not None and entry.transaction.committed is False and isolation == "read_committed"
            if entry.record is not None and not is_aborted:
                records.append(entry.record)
            offset += 1
        return records, offset


class Broker:
    """See the module. ``now`` gives milliseconds."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self.topics: dict[str, list[Partition]] = {}
        self._epochs: defaultdict[str, int] = defaultdict(lambda: -1)
        self._ongoing: dict[str, Transaction] = {}
        self._last: dict[str, Transaction] = {}  # ended ones: an end that is asked for again is answered alike
        self._markers: deque[tuple[Transaction, TopicPartition | None]] = deque()  # to be written; None: the group's offsets
        self._committed: defaultdict[str, dict[TopicPartition, int]] = defaultdict(dict)

    def create(self, topic: str, partitions: int, *, log_append_time: bool = False) -> None:
        """Make an empty topic."""
        self.topics[topic] = [Partition(log_append_time=log_append_time) for _ in range(partitions)]

    def partition(self, at: TopicPartition) -> Partition:
        """Raise `UnknownTopicOrPartitionError` where there is none."""
        try:
            found: Partition = self.topics[at.topic][at.partition]
        except (KeyError, IndexError):
            raise UnknownTopicOrPartitionError(str(at)) from None
        return found

    def visible(self, at: TopicPartition) -> Iterator[PlainRecord]:
        """All that a read_committed reader sees."""
        yield from self.partition(at).read(self.partition(at).first, len(self.partition(at).entries), "read_committed")[0]

    # producers

    def init_producer(self, producer: str) -> int:
        """Give a new epoch, which fences all before it; raises `ConcurrentTransactions` until the last one's markers are written."""
        ongoing = self._ongoing.get(producer)
        if ongoing is not None:
            self._epochs[producer] += 1
            self._end(ongoing, committed=False)
        if self._is_ending(producer):
            raise ConcurrentTransactions
        self._epochs[producer] += 1
        return self._epochs[producer]

    def produce(self, at: TopicPartition, rows: Sequence[Row], *, producer: str | None = None, epoch: int = 0) -> tuple[int, int]:
        """Append; returns the first offset and the append time in ms, -1 where producers say the time.

        Raises `InvalidProducerEpoch` for one that was fenced, `ConcurrentTransactions` while its last transaction's markers are missing.
        """
        transaction = None if producer is None else self._transaction(producer, epoch)
        log = self.partition(at)
        base, now = len(log.entries), self._now()
        if transaction is not None:
            transaction.partitions.add(at)
            log.open.setdefault(transaction, base)
        for number, (key, value, headers, created_at) in enumerate(rows):
            stamp = now if log.log_append_time or created_at is None else created_at
            record = PlainRecord(at.topic, at.partition, base + number, stamp, key, value, tuple(headers))
            log.entries.append(Entry(record, transaction))
        return base, now if log.log_append_time else -1

    def add_offsets(self, group: str, offsets: Mapping[TopicPartition, int], *, producer: str, epoch: int) -> None:
        """Let ``group`` have read so far once the transaction commits."""
        self._transaction(producer, epoch).offsets.setdefault(group, {}).update(offsets)

    def end(self, producer: str, epoch: int, *, committed: bool) -> None:
        """Decide the transaction; asked again, give the same answer."""
        self._check(producer, epoch)
        ongoing = self._ongoing.get(producer)
        if ongoing is not None:
            self._end(ongoing, committed=committed)
            return
        last = self._last.get(producer)
        if last is None or last.epoch != epoch or last.committed is not committed:
            raise InvalidTxnState

    def expire(self, producer: str, transaction: Transaction) -> None:
        """Its time is over: aborted, and its producer fenced."""
        if self._ongoing.get(producer) is transaction:
            self._epochs[producer] += 1
            self._end(transaction, committed=False)

    def expire_all(self) -> None:
        """As if so much time had passed that no transaction is open any more."""
        for producer, transaction in list(self._ongoing.items()):
            self.expire(producer, transaction)

    def ongoing(self, producer: str) -> Transaction | None:
        """The open transaction of a producer."""
        return self._ongoing.get(producer)

    def write_marker(self) -> bool:
        """Write one of the markers that are owed, of which the oldest; False where none is."""
        if not self._markers:
            return False
        transaction, at = self._markers.popleft()
        if at is None:
            for group, offsets in transaction.offsets.items():
                self._committed[group].update(offsets if transaction.committed else {})
        else:
            log = self.partition(at)
            log.entries.append(Entry(None, transaction))
            del log.open[transaction]
        return True

    def owed_markers(self) -> int:
        """How many are to be written."""
        return len(self._markers)

    def shuffle_markers(self, shuffle: Callable[[list[tuple[Transaction, TopicPartition | None]]], None]) -> None:
        """Have them written in another order."""
        owed = list(self._markers)
        shuffle(owed)
        self._markers = deque(owed)

    def _transaction(self, producer: str, epoch: int) -> Transaction:
        self._check(producer, epoch)
        if self._is_ending(producer):
            raise ConcurrentTransactions
        if producer not in self._ongoing:
            self._ongoing[producer] = Transaction(producer, epoch)
        return self._ongoing[producer]

    def _check(self, producer: str, epoch: int) -> None:
        if epoch != self._epochs[producer]:
            raise InvalidProducerEpoch

    def _is_ending(self, producer: str) -> bool:
        return any(transaction.producer == producer for transaction, _ in self._markers)

    def _end(self, transaction: Transaction, *, committed: bool) -> None:
        transaction.committed = committed
        del self._ongoing[transaction.producer]
        self._last[transaction.producer] = transaction
        self._markers += [(transaction, at) for at in sorted(transaction.partitions)]
        if transaction.offsets:
            self._markers.append((transaction, None))

    # groups

    def committed_offset(self, group: str, at: TopicPartition) -> int:
        """The next offset that a group committed, -1 where it did not."""
        return self._committed[group].get(at, -1)

    # time

    def offset_at(self, at: TopicPartition, instant_ms: int) -> int | None:
        """The first offset whose record is of that instant or later."""
        entries = self.partition(at).entries
        return next((offset for offset, each in enumerate(entries) if each.record and each.record.timestamp >= instant_ms), None)
