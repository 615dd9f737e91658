"""A small language for the tests: one log partition, written day by day, folded as the worker does it."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from engagement import records
from engagement.account import AccountState
from engagement.changes import TierChange
from engagement.days import MS_PER_DAY, midnight, parse_day
from engagement.judging import Judge, judge_by
from engagement.machine import POSITION_KEY, PlainRecord, Step
from engagement.qualify import Qualify
from engagement.records import Day, Genesis, Said, Signal, Update
from engagement.rulebook import Rulebook, default_rulebook_text, load_rulebook

TOPIC = "mqa.account-log"
FIRST_DAY = parse_day("2025-01-01")
DEFAULT = load_rulebook(default_rulebook_text(), "default.yaml")
FITTING = {"industry": "fintech", "employees": 250, "revenue": 20_000_000, "uses": ["salesforce"]}
CHANGE = msgspec.json.Decoder(TierChange)


DEFAULT_TEXT = DEFAULT.canonical()


def judge() -> Judge:
    """The one by the default rulebook."""
    return judge_by(DEFAULT_TEXT, DEFAULT.version)


class Log:
    """Writes records; days are numbered from 0 and begin when something happens on them."""

    def __init__(self, rulebook: Rulebook = DEFAULT) -> None:
        self.records: list[PlainRecord] = []
        self.signals: list[tuple[str, Signal]] = []  # account and signal, as they came
        self.day = -1
        canonical = DEFAULT_TEXT if rulebook is DEFAULT else rulebook.canonical()
        genesis = Genesis(partitions=1, clock="played", day=None, rulebook=canonical, version=rulebook.version)
        self.append(records.GENESIS_KEY, genesis, FIRST_DAY)
        self.until(0)

    def append(self, key: bytes | None, entry: object, day: int) -> None:
        value = entry if isinstance(entry, bytes) else records.encode(entry)
        offset = len(self.records) * 2  # offsets have holes, as after transactions
        self.records.append(PlainRecord(TOPIC, 0, offset, midnight(day), key, value))

    def until(self, day: int) -> "Log":
        for each in range(self.day + 1, day + 1):
            self.append(records.DAY_KEY, Day(day=FIRST_DAY + each), FIRST_DAY + each)
        self.day = max(day, self.day)
        return self

    def signal(
        self,
        day: int,
        kind: str,
        person: str | None = None,
        *,
        was: str | None = None,
        role: str | None = None,
        account: str = "acme.com",
        occurred: int | None = None,
        topic: str | None = None,
        seconds: int | None = None,
        via: str | None = None,
    ) -> "Log":
        """``occurred`` is the day of the event where it is another than that of its arrival."""
        self.until(day)
        number = len(self.records)
        entry = Signal(
            id=f"e{number}",
            kind=kind,
            occurred_at=midnight(FIRST_DAY + (day if occurred is None else occurred)) + MS_PER_DAY // 2,
            received_at=midnight(FIRST_DAY + day) + MS_PER_DAY // 2,
            person=person,
            was=was,
            role=role,
            topic=topic,
            seconds=seconds,
            via=via,
            source=("intent-signals", 0, number, 0),
            rulebook="r",
        )
        self.signals.append((account, entry))
        self.append(account.encode(), entry, FIRST_DAY + day)
        return self

    def undo(self, day: int, which: int = -1) -> "Log":
        """Take one of ``signals`` out again."""
        self.until(day)
        account, signal = self.signals[which]
        at, source = midnight(FIRST_DAY + day) + MS_PER_DAY // 2, ("intent-signals", 0, len(self.records), 0)
        self.append(account.encode(), msgspec.structs.replace(signal, received_at=at, source=source, undo=True), FIRST_DAY + day)
        return self

    def update(self, day: int, *, account: str = "acme.com", **fields: Any) -> "Log":
        self.until(day)
        number = len(self.records)
        at = midnight(FIRST_DAY + day) + MS_PER_DAY // 2
        entry = Update(
            id=f"u{number}",
            occurred_at=at,
            received_at=at,
            fields=cast("Said", fields),
            source=("account-updates", 0, number, 0),
            rulebook="r",
        )
        self.append(account.encode(), entry, FIRST_DAY + day)
        return self


class Run:
    """A fold to its end, and everything it gave."""

    def __init__(self, log: Sequence[PlainRecord], *, chunk: int = 1000, limit: int = 1000, restart: bool = False) -> None:
        self.fold = Qualify(topic=TOPIC, partition=0)
        self.changelog: dict[bytes, bytes | None] = {}
        self.steps: list[Step] = []
        done = 0
        while done < len(log):
            step = self.fold.step(log[done : done + chunk], limit)
            self.fold.accept(step)
            self.steps.append(step)
            self.changelog |= step.changelog
            done += step.consumed
            if restart:
                self.fold = restored(self.changelog)

    @property
    def outputs(self) -> list[Any]:
        return [output for step in self.steps for output in step.outputs]

    @property
    def changes(self) -> list[TierChange]:
        return [CHANGE.decode(output.value) for output in self.outputs if output.topic == "tier-changes"]

    @property
    def rows(self) -> dict[bytes, bytes | None]:
        return {key: value for key, value in self.changelog.items() if key != POSITION_KEY}

    def path(self, ladder: str) -> list[tuple[int, str]]:
        """(day, rung) of every change of the one account on a ladder."""
        return [(parse_day(change.effective_at[:10]) - FIRST_DAY, change.to) for change in self.changes if change.ladder == ladder]

    def state(self, account: str = "acme.com") -> AccountState:
        return dict(self.fold.accounts())[account]

    def rung(self, ladder: str, account: str = "acme.com") -> str | None:
        standing = self.state(account).standings.get(ladder)
        return None if standing is None else standing.rung


def restored(changelog: dict[bytes, bytes | None]) -> Qualify:
    fold = Qualify(topic=TOPIC, partition=0)
    for key, value in changelog.items():
        fold.load(key, value)
    fold.loaded()
    return fold


def run(log: Log, **options: Any) -> Run:
    return Run(log.records, **options)
