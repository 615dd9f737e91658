"""What the input topics hold, and what is due of it by the events' own word: nothing here knows how intake works."""

from collections import Counter, defaultdict

import msgspec

from engagement.events import Family
from engagement.machine import Record
from streams.identity import partition_of
from tests.faults.live.load import ANONYMOUS, COUNTED, IDENTIFY, ROBOT, UNLINK, fate_of

SENT_ON = "mqa-source"
"""Header of what intake wrote into an input topic: where the original lies of a copy, or the signal that it was derived of."""

_DEAD_WHERE_THEY_LIE = ("malformed_json", "too_large")
_NOT_DEAD = (COUNTED, ROBOT, ANONYMOUS, IDENTIFY, UNLINK)


class _Said(msgspec.Struct):
    id: str
    visitor_id: str | None = None
    account: str | None = None
    email: str | None = None


_said = msgspec.json.Decoder(_Said).decode


class Inputs:
    """Every record of the input topics, in any order of partitions, each in its order of offsets."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self.originals = 0
        self.countable: set[str] = set()  # counted once, whatever else is known
        self.anonymous: dict[str, str] = {}  # visit -> visitor
        self.accounts: defaultdict[str, set[str]] = defaultdict(set)  # visitor -> all that they ever said
        self.dead: Counter[str] = Counter()  # place and reason
        self.astray: Counter[str] = Counter()  # place
        self.copies: Counter[str] = Counter()  # place of the original
        self.telling: Counter[str] = Counter()  # signals that say who a visitor is
        self._derived: Counter[str] = Counter()  # place of the signal
        self._signals: dict[str, str] = {}  # place -> signal that says so
        self.fates: Counter[str] = Counter()  # of the originals that are not simply counted
        self._seen: set[str] = set()

    @property
    def derived(self) -> Counter[str]:
        """Signals of which intake wrote an ``identify``, and how often."""
        found: Counter[str] = Counter()
        for place, count in self._derived.items():
            found[self._signals.get(place, place)] += count
        return found

    def take(self, short: str, record: Record) -> None:
        """One record of an input topic."""
        assert record.value is not None
        source = dict(record.headers).get(SENT_ON)
        if source is not None:
            place = source.decode()
            (self.copies if place.startswith(f"{short}/") else self._derived)[place] += 1
            return
        self.originals += 1
        fate, place = fate_of(record.value), f"{short}/{record.partition}/{record.offset}"
        if fate not in _DEAD_WHERE_THEY_LIE and self._home(short, record) != record.partition:
            self.astray[place] += 1
        if fate in _NOT_DEAD:
            self._take_living(short, place, fate, _said(record.value))
        else:
            self.dead[f"{place} {fate}"] += 1
            self.fates[f"dead:{fate}"] += 1

    def _home(self, short: str, record: Record) -> int:
        """Where it belongs: in the partition of its key, or of the one that its event says."""
        assert record.value is not None
        key = record.key
        if key is None:
            said = _said(record.value)
            key = str(said.visitor_id if short == Family.WEB_VISITS.value else said.account).encode()
        return partition_of(key, self._partitions)

    def _take_living(self, short: str, place: str, fate: str, said: _Said) -> None:
        if fate == COUNTED and short == Family.INTENT_SIGNALS.value and said.visitor_id is not None:
            self._signals[place] = said.id  # of two that are the same either may have come first
        if said.id in self._seen:
            self.fates["filtered:duplicate"] += 1
            return
        self._seen.add(said.id)
        if fate == COUNTED:
            self.countable.add(said.id)
            if place in self._signals:
                self.telling[said.id] = 1
        elif fate == ANONYMOUS:
            assert said.visitor_id is not None
            self.anonymous[said.id] = said.visitor_id
        else:
            self.fates["filtered:robot" if fate == ROBOT else fate] += 1
        if said.visitor_id is not None and fate in (COUNTED, IDENTIFY):
            self.accounts[said.visitor_id].add(said.account or str(said.email).partition("@")[2])
