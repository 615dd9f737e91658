"""What the tests of visitors share: rulebooks with other bounds, and an intake whose accounts can be counted."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from engagement.events import Family
from engagement.fates import adds_up
from engagement.identity import Identity
from engagement.intake import Intake
from engagement.machine import Output, PlainRecord, Step
from engagement.records import Signal, Update
from engagement.rulebook import Rulebook, load_rulebook
from engagement.visitors import is_visitor_key, waiting
from tests.engagement.intake_world import IDENTITY, NOON, counted, entries, filtered, filtered_fates, record, steps, visit

JANE, JOE, BOB = (IDENTITY.person(email) for email in ("jane@acme.example", "joe@acme.example", "bob@beta.example"))


def book(
    *,
    resolve: str = "{}",
    visitors: str = "{}",
    data_centres: str = "named_only",
    stage: str = "{mqa: {enter: {score: 100}}}",
    others: str = "",
) -> Rulebook:
    return load_rulebook(
        f"""
        signals: {{page: {{points: 1}}, pricing: {{points: 15, urls: [/pricing*]}}, webinar: {{points: 30}}}}
        ignore_urls: [/login*]
        intake: {{own_domains: [us.example], dedupe_window: 90d, data_centres: {data_centres}}}
        resolve: {resolve}
        visitors: {visitors}
        stage: {stage}
        {others}
        """,
        "test",
    )


def seen(event_id: str, **said: Any) -> bytes:
    """A page view of nobody known, unless something is said."""
    return visit(**{"id": event_id, "email": msgspec.UNSET, "occurred_at": "2025-01-01T10:00:00Z", **said})


def known(event_id: str, email: str | None = "jane@acme.example", **said: Any) -> bytes:
    return seen(event_id, type="identify", **({} if email is None else {"email": email}), **said)


def unlinked(event_id: str, **said: Any) -> bytes:
    return seen(event_id, type="unlink", **said)


def arriving(values: Iterable[bytes], *, after: int = 0, offset: int = 0, apart: int = 0) -> list[PlainRecord]:
    """Web visits in one partition, the first received ``after`` ms past noon, each ``apart`` ms behind the one before."""
    return [record(Family.WEB_VISITS, value, offset=offset + n, received_at=NOON + after + n * apart) for n, value in enumerate(values)]


class World:
    """One partition's intake and all that it wrote. The counters are looked at after every step."""

    def __init__(self, rulebook: Rulebook | None = None, identity: Identity = IDENTITY) -> None:
        self.rulebook = book() if rulebook is None else rulebook
        self.identity = identity
        self.intake = self._new()
        self.outputs: list[Output] = []
        self.changelog: dict[bytes, bytes] = {}
        self._offset = 0

    def _new(self) -> Intake:
        families = {f"t.{family.value}": family for family in Family}
        return Intake(families=families, partition=0, rulebook=self.rulebook, identity=self.identity)

    def visit(self, *values: bytes, after: int = 0) -> "World":
        """Take web visits, all received ``after`` ms past noon."""
        self.fold(arriving(values, after=after, offset=self._offset))
        self._offset += len(values)
        return self

    def fold(self, records: Sequence[PlainRecord], limits: Iterable[int] = ()) -> None:
        for step in steps(self.intake, records, limits):
            self._note(step)

    def _note(self, step: Step) -> None:
        self.outputs += step.outputs
        for key, row in step.changelog.items():
            self.changelog.pop(key, None)
            if row is not None:
                self.changelog[key] = row
        fates = Counter(step.position.fates)
        assert adds_up(fates), fates
        assert all(count >= 0 for count in fates.values()), fates
        assert fates["counted"] == counted(self.outputs)
        assert filtered_fates(fates) == filtered(self.outputs)
        assert fates["waiting"] == sum(map(waiting, self.visitors().values()))

    def restart(self, identity: Identity | None = None) -> None:
        """Go on from what the changelog holds, under another key where ``identity`` has one."""
        self.identity = self.identity if identity is None else identity
        self.intake = self._new()
        for key, row in self.changelog.items():
            self.intake.load(key, row)
        self.intake.loaded()

    def visitors(self) -> dict[bytes, bytes]:
        return {key: row for key, row in self.changelog.items() if is_visitor_key(key)}

    @property
    def fates(self) -> dict[str, int]:
        return {fate: count for fate, count in self.intake.position.fates.items() if count}

    def counts(self) -> Counter[tuple[str | None, ...]]:
        """(account, whose copy it is, event, person) -> how often it is counted; nothing is taken out that was not counted."""
        return counts_of(self.outputs)

    def same(self) -> dict[tuple[str, str], str]:
        """(account, person) -> the person that it is; nothing is taken back that was not said."""
        said: Counter[tuple[str, str, str]] = Counter()
        for account, entry in entries(self.outputs):
            if isinstance(entry, Update):
                said.update((account, *people) for people in entry.fields.get("same", {}).items())
                said.subtract((account, *people) for people in entry.fields.get("differ", {}).items())
        assert min(said.values(), default=0) >= 0
        return {(account, person): other for account, person, other in +said}


def counts_of(outputs: Iterable[Output]) -> Counter[tuple[str | None, ...]]:
    found: Counter[tuple[str | None, ...]] = Counter()
    for account, entry in entries(outputs):
        if isinstance(entry, Signal):
            found[account, entry.via, entry.id, entry.person] += -1 if entry.undo else 1
            assert found[account, entry.via, entry.id, entry.person] in (0, 1)
    return +found
