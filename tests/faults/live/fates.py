"""Every event that lies in an input topic against its one fate: in the log once, dead once, or counted and recorded as filtered.

Where delivery is at least once the log and the dead letters may hold it again: that is counted, and is no fault.
"""

from collections import Counter
from dataclasses import dataclass, field

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from engagement.fates import FILTERED
from engagement.filtered import FilteredEvent
from engagement.filtered import decode as decode_filtered
from engagement.intake import IntakePosition
from engagement.machine import POSITION_KEY, Record
from streams.connection import Connection
from streams.delivery import Promise
from streams.identity import partition_of
from streams.reading import read_to_end, reader
from streams.topics import CHANGELOGS, DEAD_LETTERS, FILTERED_EVENTS, INPUTS, Environment
from tests.faults.live.load import COUNTED, ROBOT, fate_of
from tests.faults.live.oracle import Oracle

SENT_ON = "mqa-source"
"""Header of a copy that intake sent on to the right partition: where its original lies."""

_NOT_DEAD = (COUNTED, ROBOT)
_DEAD_WHERE_THEY_LIE = ("malformed_json", "too_large")


class _Named(msgspec.Struct):
    id: str


_named = msgspec.json.Decoder(_Named).decode
_decode_position = msgspec.json.Decoder(IntakePosition).decode


@dataclass(kw_only=True)
class Fates:
    """What was found; of the second block everything is 0 when all is well."""

    events: int = 0  # originals in the input topics
    counted: int = 0
    dead: int = 0
    filtered: int = 0
    rerouted: int = 0
    repeats: int = 0  # records there again where that is allowed

    lost: int = 0
    double: int = 0
    mismatch: int = 0  # another fate than was due, or counters that do not say what lies in the topics
    found: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        return self.lost + self.double + self.mismatch

    def compare(self, what: str, due: Counter[str], found: Counter[str], *, may_repeat: bool = False) -> None:
        """By name and how often."""
        lost, more = due - found, found - due
        if may_repeat:
            again = Counter({name: count for name, count in more.items() if name in due})
            self.repeats += again.total()
            more -= again
        self.lost += lost.total()
        self.double += sum(count for name, count in more.items() if name in due)
        self.mismatch += sum(count for name, count in more.items() if name not in due)
        for sort, names in (("lost", lost), ("too many", more)):
            if names:
                self.found.append(f"{what}, {sort}: {sorted(names.items())[:5]}")

    def compare_filtered(self, records: Counter[FilteredEvent], counters: Counter[str], *, may_repeat: bool) -> None:
        """By reason, the records less those that undo are the counters.

        Where delivery is at least once the different records that do not undo are at least as many as are counted: whoever died after
        the state was written leaves a counter behind that says less, or that does not say what was undone.
        """
        due = Counter({fate: count for fate, count in counters.items() if fate.startswith(FILTERED)})
        found: Counter[str] = Counter()
        for event, count in records.items():
            if may_repeat:
                found[FILTERED + event.reason] += not event.undo
                self.repeats += count - 1
            else:
                found[FILTERED + event.reason] += -count if event.undo else count
        self.compare("filtered events", due, found & due if may_repeat else found)


async def check_fates(
    connection: Connection, environment: Environment, partitions: int, oracle: Oracle, promise: Promise = "exactly_once"
) -> Fates:
    """At rest. ``oracle``: has folded the whole log."""
    fates, may_repeat = Fates(), promise == "at_least_once"
    inputs = _Inputs(partitions)
    dead: Counter[str] = Counter()
    filtered: Counter[FilteredEvent] = Counter()
    counters: Counter[str] = Counter()
    async with reader(connection) as consumer:
        for number in range(partitions):
            for short in INPUTS:
                async for records in read_to_end(consumer, TopicPartition(environment.topic(short), number)):
                    for record in records:
                        inputs.take(short, record)
            async for records in read_to_end(consumer, TopicPartition(environment.topic(DEAD_LETTERS), number)):
                dead.update(_death(record) for record in records)
            async for records in read_to_end(consumer, TopicPartition(environment.topic(FILTERED_EVENTS), number)):
                filtered.update(decode_filtered(record.value or b"") for record in records)
            position = await _position(consumer, environment, number, may_be_older=may_repeat)
            counters.update(position.fates)
            for short in INPUTS:
                fates.mismatch += await _left(consumer, TopicPartition(environment.topic(short), number), position)
    fates.events, fates.rerouted = inputs.originals, inputs.copies.total()
    fates.counted, fates.dead = len(inputs.countable), inputs.dead.total()
    fates.filtered = fates.events - fates.counted - fates.dead
    fates.compare("in the log", Counter(inputs.countable), oracle.events)
    if may_repeat:
        fates.repeats += oracle.repeats
    else:
        fates.double += oracle.repeats
        fates.found += [f"in the log again, from the same place: {oracle.repeats}"] * (oracle.repeats > 0)
    fates.compare("dead letters", inputs.dead, dead, may_repeat=may_repeat)
    fates.compare("sent on to the right partition", inputs.astray, inputs.copies, may_repeat=may_repeat)
    fates.compare_filtered(filtered, counters, may_repeat=may_repeat)
    due = inputs.counters() | {"in": fates.events, COUNTED: fates.counted, "rerouted": fates.rerouted}
    if may_repeat:  # a copy that was sent on twice is a duplicate, and counted so
        due, counters = {COUNTED: fates.counted}, Counter({COUNTED: counters[COUNTED]})
    fates.compare("counters", Counter(due), counters)
    return fates


class _Inputs:
    """What the input topics hold, and what is due of it."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self.originals = 0
        self.countable: set[str] = set()
        self.dead: Counter[str] = Counter()  # place and reason
        self.astray: Counter[str] = Counter()  # place
        self.copies: Counter[str] = Counter()  # place of the original
        self._fates: Counter[str] = Counter()
        self._seen: set[str] = set()

    def take(self, short: str, record: Record) -> None:
        """One record of an input topic."""
        assert record.value is not None
        source = dict(record.headers).get(SENT_ON)
        if source is not None:
            self.copies[source.decode()] += 1
            return
        self.originals += 1
        fate, place = fate_of(record.value), f"{short}/{record.partition}/{record.offset}"
        if fate not in _DEAD_WHERE_THEY_LIE and record.key is not None and partition_of(record.key, self._partitions) != record.partition:
            self.astray[place] += 1
        if fate not in _NOT_DEAD:
            self.dead[f"{place} {fate}"] += 1
            self._fates[f"dead:{fate}"] += 1
            return
        identity = _named(record.value).id
        if identity in self._seen:
            self._fates["filtered:duplicate"] += 1
        elif fate == ROBOT:
            self._fates["filtered:robot"] += 1
        else:
            self.countable.add(identity)
        self._seen.add(identity)

    def counters(self) -> dict[str, int]:
        """How intake must have counted what is not simply counted."""
        return dict(self._fates)


def _death(record: Record) -> str:
    """Where the original of a dead letter lies, and why it is dead."""
    said = {name: value.decode() for name, value in record.headers}
    return f"{said['source-topic']}/{said['source-partition']}/{said['source-offset']} {said['reason']}"


async def _position(consumer: AIOKafkaConsumer, environment: Environment, number: int, *, may_be_older: bool) -> IntakePosition:
    """``may_be_older``: a worker that was replaced may have written the last one; then that counts which got furthest."""
    position = IntakePosition()
    async for records in read_to_end(consumer, TopicPartition(environment.topic(CHANGELOGS["intake"]), number)):
        for record in records:
            if record.key == POSITION_KEY and record.value is not None:
                read = _decode_position(record.value)
                if not (may_be_older and sum(read.next.values()) < sum(position.next.values())):
                    position = read
    return position


async def _left(consumer: AIOKafkaConsumer, partition: TopicPartition, position: IntakePosition) -> int:
    """How many records intake has not read."""
    start = position.next.get(partition.topic, 0)
    return sum([len(records) async for records in read_to_end(consumer, partition, start=start)])
