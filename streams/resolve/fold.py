"""Events through intake one by one, so that each is told as far as the events before it tell."""

from collections import Counter, deque
from collections.abc import Iterator, Sequence

import msgspec

from engagement.adapters.formats import format_of
from engagement.adapters.mapping import Mapping as FormatMapping
from engagement.contacts import CONTACTS, Contacts
from engagement.dead_letters import DEAD_LETTERS
from engagement.decoding import decode
from engagement.events import Family
from engagement.explain.resolved import Resolved, resolved
from engagement.fates import ADAPTED
from engagement.intake import Intake
from engagement.intake_records import arrival
from engagement.intake_verdict import Judge
from engagement.machine import Output, PlainRecord
from engagement.records import Signal, Source, Update
from engagement.records import decode as decode_entry
from engagement.rulebook import Rulebook
from engagement.visitor import RATE
from streams.genesis import PARTITIONS
from streams.history.arrivals import Arrival
from streams.identity import make_identity
from streams.networks.lookup import Networks
from streams.person_key import person_key
from streams.topics import LOG

_FAMILIES = {family.value: family for family in Family}


class Resolution:
    """An environment's intake, without a broker. What intake appends to its own inputs follows at once."""

    def __init__(self, rulebook: Rulebook, networks: Networks) -> None:
        key = person_key("played")
        self._contacts = Contacts()
        identity = make_identity(
            partitions=PARTITIONS, secret=key.secret, key_id=key.key_id, networks=networks, contact=self._contacts.account_of
        )
        self._judge = Judge(rulebook, identity)
        self._mapping = FormatMapping() if rulebook.adapters is None else rulebook.adapters
        self._intake = [Intake(families=_FAMILIES, partition=number, rulebook=rulebook, identity=identity) for number in range(PARTITIONS)]
        self._offsets: Counter[tuple[str, int]] = Counter()
        self.counted: Counter[str] = Counter()  # method, or ``update`` -> how many events are counted by it now

    @property
    def fates(self) -> Counter[str]:
        """Intake's counters over all partitions, but for where an event lay, which is no matter here."""
        total: Counter[str] = Counter()
        for intake in self._intake:
            total.update(intake.position.fates)
        del total["rerouted"]
        return total

    def take(self, event: Arrival) -> Iterator[Resolved]:
        """Take the next event; tells it, and those that intake makes of it."""
        came = Output(event.family.value, event.key, event.value, event.partition, timestamp=event.received_at)
        waiting = deque([self._record(came)])
        while waiting:
            record = waiting.popleft()
            intake = self._intake[record.partition]
            before = intake.position.fates
            step = intake.step([record], 1)
            intake.accept(step)
            waiting.extend(self._record(output) for output in step.outputs if output.topic in _FAMILIES)
            for output in step.outputs:
                if output.topic == CONTACTS:
                    self._contacts.take(output.key, output.value)
            ended = {fate for fate, count in intake.position.fates.items() if count > before.get(fate, 0)}
            if "rerouted" not in ended:  # else its copy is told
                yield msgspec.structs.replace(self._told(record, ended, step.outputs), moved=self._count(record, step.outputs))

    def _told(self, record: PlainRecord, ended: set[str], outputs: Sequence[Output]) -> Resolved:
        """Say what became of a record; ``ended`` are the counters that grew by it, ``outputs`` what it left behind."""
        family = _FAMILIES[record.topic]
        came = arrival(record, family)
        if ADAPTED in ended:
            return Resolved(topic=family.value, fate=ADAPTED)
        dead = next((dict(output.headers) for output in outputs if output.topic == DEAD_LETTERS), None)
        if dead is not None:
            return Resolved(topic=family.value, fate=f"dead:{dead['reason'].decode()}", detail=dead["detail"].decode())
        if not came.again and format_of(record.headers, family, self._mapping) is not None:  # the adapters left it out
            return Resolved(topic=family.value, fate=min(fate for fate in ended if fate.startswith("filtered:")))
        decoded = decode(family, record.value or b"")
        event = decoded.event
        for fate in ("filtered:duplicate", f"filtered:{RATE}"):  # which only the events before it tell
            if fate in ended:
                return Resolved(topic=family.value, id=event.id, fate=fate, visitor_id=getattr(event, "visitor_id", None))
        verdict = self._judge.judge(family, decoded, came.received_at, came.source)
        visitor_id = getattr(event, "visitor_id", None)
        link = None if visitor_id is None or family is not Family.WEB_VISITS else self._intake[record.partition].link(visitor_id)
        return resolved(self._judge, family, event, verdict, link)

    def _count(self, record: PlainRecord, outputs: Sequence[Output]) -> int:
        """Note what counts now; gives how many earlier visits the record moved."""
        source: Source = arrival(record, _FAMILIES[record.topic]).source
        moved = set()
        for output in outputs:
            entry = decode_entry(output.value or b"") if output.topic == LOG else None
            match entry:
                case Signal(via=None, method=str(method)):
                    self.counted[method] += -1 if entry.undo else 1
                    if entry.source[:3] != source[:3]:
                        moved.add(entry.source[:3])
                case Update() if entry.fields.keys().isdisjoint(("same", "differ")):
                    self.counted["update"] += 1
        return len(moved)

    def _record(self, output: Output) -> PlainRecord:
        assert output.partition is not None, "what goes into an input topic says where"
        assert output.timestamp is not None, "and when it was received"
        offset = self._offsets[output.topic, output.partition]
        self._offsets[output.topic, output.partition] += 1
        return PlainRecord(output.topic, output.partition, offset, output.timestamp, output.key, output.value, output.headers)
