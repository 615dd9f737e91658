"""What must be true when everything has come to rest, computed from the log alone by the pure folds."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from aiokafka.structs import TopicPartition

from engagement.days import iso_day, midnight
from engagement.events import Family
from engagement.fates import FILTERED, adds_up
from engagement.filtered import decode as decode_filtered
from engagement.intake import Intake, IntakePosition
from engagement.intake_records import SOURCE_HEADER
from engagement.machine import POSITION_KEY, RESERVED_KEYS, PlainRecord
from engagement.qualify import Qualify, QualifyPosition
from engagement.records import DAY_KEY, Day, LogRecord, Signal, Update, decode
from engagement.visitors import is_visitor_key
from streams.topics import CHANGELOGS, DEAD_LETTERS, FILTERED_EVENTS, INPUTS, LOG, TIER_CHANGES, Environment
from tests.faults.simulation.broker import Broker
from tests.faults.simulation.scenario import FIRST_DAY, IDENTITY, PARTITIONS, RULEBOOK, Event, Scenario

_PASSED_OVER = ("repeated", "skipped", "not_there")
"""Fates of log records that came again, or that take out of an account what it has not: with transactions there are none."""


def problems(broker: Broker, environment: Environment, told: Scenario) -> Iterator[str]:
    """Say everything that is not as it must be; nothing where all is well."""
    broker.expire_all()  # an open transaction of the clock would hide what intake committed behind it
    while broker.write_marker():
        pass  # what is decided shall be seen
    events = [event for day in told.days for event in day]
    logs = [list(broker.visible(TopicPartition(environment.topic(LOG), number))) for number in range(PARTITIONS)]
    yield from _fate_problems(broker, environment, events)
    made: Counter[_Made] = Counter()
    for number in range(PARTITIONS):
        yield from _intake_problems(broker, environment, number, made)
    yield from _output_problems(broker, environment, made)
    yield from _log_problems(logs, events, first_day=FIRST_DAY + told.is_wall)  # by the clock it is the genesis that begins the first
    for number, log in enumerate(logs):
        yield from _qualify_problems(broker, environment, number, log, is_wall=told.is_wall)  # by the clock days never end


_Made = tuple[str, int, bytes | None, bytes | None]
"""What intake appended: short topic, partition, key, value."""


def _fate_problems(broker: Broker, environment: Environment, events: Sequence[Event]) -> Iterator[str]:
    """Every event has its one fate."""
    fates: Counter[str] = Counter()
    for number in range(PARTITIONS):
        position = _intake_position(_state(broker, TopicPartition(environment.topic(CHANGELOGS["intake"]), number)))
        fates.update(position.fates)
        for short in INPUTS:
            at = TopicPartition(environment.topic(short), number)
            left, _ = broker.partition(at).read(position.next.get(at.topic, 0), 10**9, "read_committed")
            if left:
                yield f"intake/{number}: {len(left)} records of {at.topic} are not read"
    dead, repeated = sum(event.id is None for event in events), sum(event.is_repeat for event in events)
    found = fates["in"] + fates["identify"] + fates["unlink"] + fates["forget"] - fates["derived"]
    if not adds_up(fates) or (found, fates["dead:malformed_json"], fates["filtered:duplicate"]) != (len(events), dead, repeated):
        yield f"intake: fates {dict(fates)}, expected {len(events)} in, {dead} dead, {repeated} repeated"
    letters = sum(1 for number in range(PARTITIONS) for _ in broker.visible(TopicPartition(environment.topic(DEAD_LETTERS), number)))
    if letters != dead:
        yield f"dead letters: {letters}, expected {dead}"
    filtered: Counter[str] = Counter()
    for number in range(PARTITIONS):
        for record in broker.visible(TopicPartition(environment.topic(FILTERED_EVENTS), number)):
            event = decode_filtered(record.value or b"")
            filtered[FILTERED + event.reason] += -1 if event.undo else 1
    if filtered != Counter({fate: count for fate, count in fates.items() if fate.startswith(FILTERED)}):
        yield f"filtered events: {dict(filtered)}, but the counters are {dict(fates)}"


def _intake_problems(broker: Broker, environment: Environment, number: int, made: Counter[_Made]) -> Iterator[str]:
    """Counters and visitors are those of a fold that nothing ever disturbed; adds to ``made`` what that one appends."""
    state = _state(broker, TopicPartition(environment.topic(CHANGELOGS["intake"]), number))
    position = _intake_position(state)
    families = {environment.topic(family.value): family for family in Family}
    fold = Intake(families=families, partition=number, rulebook=RULEBOOK, identity=IDENTITY)
    visitors: dict[bytes, bytes | None] = {}
    records = [record for topic in families for record in broker.visible(TopicPartition(topic, number))]
    while records:
        step = fold.step(records, 1_000)
        made.update((each.topic, number if each.partition is None else each.partition, each.key, each.value) for each in step.outputs)
        visitors |= {key: row for key, row in step.changelog.items() if is_visitor_key(key)}
        fold.accept(step)
        records = records[step.consumed :]
    if position.fates != fold.position.fates:
        yield f"intake/{number}: fates {position.fates}, those of the inputs are {fold.position.fates}"
    if {key: row for key, row in state.items() if is_visitor_key(key)} != {key: row for key, row in visitors.items() if row is not None}:
        yield f"intake/{number}: the visitors differ from those of the inputs"


def _output_problems(broker: Broker, environment: Environment, made: Counter[_Made]) -> Iterator[str]:
    """The log, the inputs and the filtered events are what intake must have appended, once."""
    found: Counter[_Made] = Counter()
    for short in (LOG, FILTERED_EVENTS, *INPUTS):
        for number in range(PARTITIONS):
            for record in broker.visible(TopicPartition(environment.topic(short), number)):
                if _is_intakes(short, record):
                    found[short, number, record.key, record.value] += 1
    expected = Counter({each: count for each, count in made.items() if each[0] != DEAD_LETTERS})
    if found != expected:
        lost, double = (sorted(each.elements(), key=repr) for each in (expected - found, found - expected))
        yield f"appended by intake: lost {lost}, double {double}"


def _is_intakes(short: str, record: PlainRecord) -> bool:
    """Whether intake appended it, and nobody else."""
    if short == LOG:
        return isinstance(decode(record.value or b""), Signal | Update)
    return short == FILTERED_EVENTS or SOURCE_HEADER in dict(record.headers)


def _log_problems(logs: Sequence[Sequence[PlainRecord]], events: Sequence[Event], *, first_day: int) -> Iterator[str]:
    """Every signal is counted once, as far as that can be known without intake; and all partitions have the same days."""
    entries = [[decode(record.value or b"") for record in log] for log in logs]
    signals = {event.id for event in events if event.is_signal}
    found = Counter(entry.id for log in entries for entry in log if isinstance(entry, Signal) and entry.via is None and entry.id in signals)
    expected = Counter(event.id for event in events if event.is_signal and event.id is not None)
    if found != expected:
        yield f"log: lost {sorted((expected - found).elements())}, double {sorted((found - expected).elements())}"
    days = [[entry.day for entry in log if isinstance(entry, Day)] for log in entries]
    if any(each != days[0] for each in days):
        yield f"log: the partitions' days differ: {days}"
    for number, log in enumerate(entries):
        if days[number] != list(range(first_day, first_day + len(days[number]))):
            yield f"log/{number}: the days are not one after the other: {days[number]}"
        yield from (f"log/{number}: {late}" for late in _late(log))


def _late(log: Sequence[LogRecord]) -> Iterator[str]:
    """Say what stands behind a day that it came before. A re-appended copy too is waited for: it was received when its original was.

    A visit that its visitor moved is as old as it ever was.
    """
    day: int | None = None
    for entry in log:
        match entry:
            case Day():
                day = entry.day
            case Signal(method="visitor" | "network"):
                pass
            case Signal() | Update() if day is not None and entry.received_at < midnight(day):
                yield f"{entry.id} was received before {iso_day(day)}, and stands behind it"


def _qualify_problems(broker: Broker, environment: Environment, number: int, log: Sequence[PlainRecord], *, is_wall: bool) -> Iterator[str]:
    state = _state(broker, TopicPartition(environment.topic(CHANGELOGS["qualify"]), number))
    position = msgspec.json.decode(state.get(POSITION_KEY, b"{}"), type=QualifyPosition)
    reached = position.next.get(environment.topic(LOG), 0)
    fold = Qualify(topic=environment.topic(LOG), partition=number)
    expected: list[tuple[bytes | None, bytes | None]] = []
    expected_rows: dict[bytes, bytes | None] = {}  # of the whole changelog, in the order in which it is to be loaded
    records = [record for record in log if record.offset < reached]
    left = [record for record in log if record.offset >= reached and not (is_wall and record.key == DAY_KEY)]
    if left:
        yield f"qualify/{number}: {len(left)} log records are not folded"
    while records:
        step = fold.step(records, 1_000)
        expected += [(output.key, output.value) for output in step.outputs if output.topic == TIER_CHANGES]
        expected_rows |= step.changelog
        fold = Qualify(topic=environment.topic(LOG), partition=number)  # what the last one remembered beside its state must not show
        for key, value in expected_rows.items():
            fold.load(key, value)
        fold.loaded()
        records = records[step.consumed :]
    told = [(record.key, record.value) for record in broker.visible(TopicPartition(environment.topic(TIER_CHANGES), number))]
    if told != expected:
        lost, double = Counter(expected) - Counter(told), Counter(told) - Counter(expected)
        yield f"qualify/{number}: {len(told)} tier changes told, {len(expected)} expected: {lost.total()} lost, {double.total()} too many"
    rows = {key: value for key, value in state.items() if key not in RESERVED_KEYS}
    if rows != {key: value for key, value in expected_rows.items() if key not in RESERVED_KEYS}:
        yield f"qualify/{number}: the state differs from that of the log"
    passed_over = {fate: count for fate, count in fold.position.fates.items() if fate in _PASSED_OVER and count}
    if passed_over:
        yield f"qualify/{number}: records of the log say nothing: {passed_over}"
    kept = msgspec.structs.replace(position, next={})
    if kept != msgspec.structs.replace(fold.position, next={}):
        yield f"qualify/{number}: the position {kept} differs from that of the log {fold.position}"


def _intake_position(state: Mapping[bytes, bytes]) -> IntakePosition:
    return msgspec.json.decode(state.get(POSITION_KEY, b"{}"), type=IntakePosition)


def _state(broker: Broker, changelog: TopicPartition) -> dict[bytes, bytes]:
    rows: dict[bytes, bytes] = {}
    for record in broker.visible(changelog):
        assert record.key is not None, "a changelog is compacted"
        if record.value is None:
            rows.pop(record.key, None)
        else:
            rows[record.key] = record.value
    return rows
