"""Every event that lies in an input topic against its one fate: in the log once, dead once, waiting, or counted and recorded as filtered.

It is looked at twice: by what each event says itself (`tests.faults.live.inputs`), and by what a fold of intake that nothing disturbed
makes of the same topics. The second knows where every visit of a visitor must be, to the byte; the first, which knows nothing of how visits
move, sees that none is counted twice, nor for an account that its visitor never named.

Where delivery is at least once the log and the dead letters may hold records again: that is counted, and is no fault.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from engagement.fates import COUNTED, FILTERED, WAITING, adds_up
from engagement.filtered import FilteredEvent
from engagement.filtered import decode as decode_filtered
from engagement.intake import IntakePosition
from engagement.machine import POSITION_KEY, Record
from engagement.rulebook import load_rulebook
from engagement.visitors import BEYOND_BOUND, EXPIRED, is_visitor_key, read_at
from streams.connection import Connection
from streams.delivery import Promise
from streams.genesis import read_genesis
from streams.identity import make_identity
from streams.person_key import person_key
from streams.reading import read_to_end, reader
from streams.topics import CHANGELOGS, DEAD_LETTERS, FILTERED_EVENTS, INPUTS, Environment
from tests.faults.live.inputs import SENT_ON, Inputs
from tests.faults.live.load import IDENTIFY, UNLINK
from tests.faults.live.oracle import Appended, IntakeOracle, Oracle, appended

LET_GO = (f"filtered:{EXPIRED}", f"filtered:{BEYOND_BOUND}")
"""Fates of visits that waited with a visitor until they were too old or too many."""

OF_VISITORS = "visitors:"
"""Begins the names of counters of visitors, which are no fates of events."""

Name = TypeVar("Name", str, Appended)
_decode_position = msgspec.json.Decoder(IntakePosition).decode


@dataclass(kw_only=True)
class Fates:
    """What was found; of the last block everything is 0 when all is well."""

    events: int = 0  # originals in the input topics
    counted: int = 0  # by themselves
    dead: int = 0
    filtered: int = 0  # likewise
    rerouted: int = 0
    repeats: int = 0  # records there again where that is allowed

    visits: int = 0  # that depend on who the visitor is
    credited: int = 0  # of these, those that an account has in the end
    waiting: int = 0  # those whose visitor may still say it
    undone: int = 0  # how often one was taken out of an account again
    identified: int = 0  # times that a visitor said something of itself, those that intake derived of intent signals included
    derived: int = 0
    forgotten: int = 0  # visitors

    lost: int = 0
    double: int = 0
    mismatch: int = 0  # another fate than was due, or counters that do not say what lies in the topics
    visitors: int = 0  # rows of visitors that are not those of the fold
    found: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        return self.lost + self.double + self.mismatch + self.visitors

    def compare(self, what: str, due: Counter[Name], found: Counter[Name], *, may_repeat: bool = False) -> None:
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

    def note(self, words: str) -> None:
        """Something is otherwise than it must be."""
        self.mismatch += 1
        self.found.append(words)

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
    inputs, undisturbed = Inputs(partitions), await _undisturbed(connection, environment, partitions)
    dead: Counter[str] = Counter()
    filtered: Counter[FilteredEvent] = Counter()
    counters: Counter[str] = Counter()
    written = Counter(oracle.appended)
    async with reader(connection) as consumer:
        for number in range(partitions):
            for short in INPUTS:
                async for records in read_to_end(consumer, TopicPartition(environment.topic(short), number)):
                    undisturbed.fold(number, records)
                    for record in records:
                        inputs.take(short, record)
                        if SENT_ON in dict(record.headers):
                            written[appended(short, number, record.key, record.value)] += 1
            async for records in read_to_end(consumer, TopicPartition(environment.topic(DEAD_LETTERS), number)):
                dead.update(_death(record) for record in records)
            async for records in read_to_end(consumer, TopicPartition(environment.topic(FILTERED_EVENTS), number)):
                filtered.update(decode_filtered(record.value or b"") for record in records)
            position, visitors = await _state(consumer, environment, number, may_be_older=may_repeat)
            counters.update(position.fates)
            _compare_visitors(fates, number, undisturbed.visitors[number], visitors)
            for short in INPUTS:
                fates.mismatch += await _left(consumer, TopicPartition(environment.topic(short), number), position)
    fates.compare("written by intake", undisturbed.appended, written, may_repeat=may_repeat)
    fates.compare("dead letters", inputs.dead, dead, may_repeat=may_repeat)
    fates.compare("sent on to the right partition", inputs.astray, inputs.copies, may_repeat=may_repeat)
    fates.compare_filtered(filtered, counters, may_repeat=may_repeat)
    fates.compare("identify events derived", inputs.telling, inputs.derived, may_repeat=may_repeat)
    if oracle.passed_over and not may_repeat:
        fates.note(f"the accounts pass over {oracle.passed_over} records of the log")
    _compare_credits(fates, inputs, oracle)
    _compare_counters(fates, inputs, undisturbed.fates, counters, may_repeat=may_repeat)
    return fates


async def _undisturbed(connection: Connection, environment: Environment, partitions: int) -> IntakeOracle:
    genesis = await read_genesis(connection, environment)
    key = person_key(genesis.clock)
    identity = make_identity(partitions=partitions, secret=key.secret, key_id=key.key_id)
    return IntakeOracle(environment, partitions, load_rulebook(genesis.rulebook, "the genesis"), identity)


def _compare_credits(fates: Fates, inputs: Inputs, oracle: Oracle) -> None:
    """What is counted by itself is counted once; a visit at most once, for an account that its visitor has named."""
    counted: Counter[str] = Counter()
    held: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (event, account), times in oracle.credits.items():
        if event not in inputs.anonymous:
            counted[event] += times
        elif times:
            held[event][account] = times
    fates.compare("counted", Counter(inputs.countable), counted)
    fates.credited, fates.undone = len(held), oracle.undone
    for event, by_account in held.items():
        (account, times), *others = by_account.items()
        if others or times != 1 or account not in inputs.accounts[inputs.anonymous[event]]:
            fates.note(f"{event} of {inputs.anonymous[event]} is counted so often: {by_account}")


def _compare_counters(fates: Fates, inputs: Inputs, due: Mapping[str, int], counters: Counter[str], *, may_repeat: bool) -> None:
    """Hold intake's counters against those of the fold, and those against the events' own word."""
    fates.events, fates.rerouted = inputs.originals, counters["rerouted"]
    fates.counted, fates.dead, fates.visits = len(inputs.countable), inputs.dead.total(), len(inputs.anonymous)
    saying = inputs.fates[IDENTIFY] + inputs.fates[UNLINK]
    fates.filtered = fates.events - fates.counted - fates.dead - fates.visits - saying
    fates.waiting, fates.derived = counters[WAITING], counters["derived"]
    fates.identified = counters[IDENTIFY] + counters[UNLINK]
    fates.forgotten = sum(count for fate, count in counters.items() if fate.startswith(OF_VISITORS))
    if not adds_up(counters):
        fates.note(f"the counters do not add up: {dict(counters)}")
    if may_repeat:
        fates.compare("counters", _merged(due, COUNTED, *LET_GO), _merged(counters, COUNTED, *LET_GO))
        return
    fates.compare("counters", Counter(due), +counters)
    word = {"in": fates.events - saying, COUNTED: fates.counted + fates.credited, WAITING: fates.visits - fates.credited}
    word |= {"rerouted": inputs.astray.total(), "derived": inputs.telling.total()}
    word[IDENTIFY] = inputs.fates[IDENTIFY] + inputs.telling.total()
    fates.compare("counters, by the events' own word", Counter(inputs.fates | word), _merged(counters, WAITING, *LET_GO))


def _merged(counters: Mapping[str, int], *alike: str) -> Counter[str]:
    """Count as one the fates that cannot be told apart; nothing is said of visitors who were forgotten.

    Without transactions, of a visit that a row ahead of its position had let go, nobody knows any more that it was not counted.
    """
    merged: Counter[str] = Counter()
    for fate, count in counters.items():
        if not fate.startswith(OF_VISITORS):
            merged[alike[0] if fate in alike else fate] += count
    return +merged


def _compare_visitors(fates: Fates, number: int, due: Mapping[bytes, bytes], found: Mapping[bytes, bytes]) -> None:
    others = sorted(key for key in due.keys() | found.keys() if due.get(key) != found.get(key))
    fates.visitors += len(others)
    if others:
        fates.found.append(f"intake/{number}, {len(others)} visitors, {others[0]!r}: {found.get(others[0])!r}, due {due.get(others[0])!r}")


def _death(record: Record) -> str:
    """Where the original of a dead letter lies, and why it is dead."""
    said = {name: value.decode() for name, value in record.headers}
    return f"{said['source-topic']}/{said['source-partition']}/{said['source-offset']} {said['reason']}"


async def _state(
    consumer: AIOKafkaConsumer, environment: Environment, number: int, *, may_be_older: bool
) -> tuple[IntakePosition, dict[bytes, bytes]]:
    """Read a partition's position and its visitors. ``may_be_older``: a worker that was replaced may have written the last of each."""
    position = IntakePosition()
    visitors: dict[bytes, bytes] = {}
    async for records in read_to_end(consumer, TopicPartition(environment.topic(CHANGELOGS["intake"]), number)):
        for record in records:
            if record.key == POSITION_KEY and record.value is not None:
                read = _decode_position(record.value)
                if not (may_be_older and sum(read.next.values()) < sum(position.next.values())):
                    position = read
            elif record.key is not None and is_visitor_key(record.key):
                held = visitors.get(record.key)
                if record.value is None:
                    visitors.pop(record.key, None)
                elif not (may_be_older and held is not None and read_at(record.value) < read_at(held)):
                    visitors[record.key] = record.value
    return position, visitors


async def _left(consumer: AIOKafkaConsumer, partition: TopicPartition, position: IntakePosition) -> int:
    """How many records intake has not read."""
    start = position.next.get(partition.topic, 0)
    return sum([len(records) async for records in read_to_end(consumer, partition, start=start)])
