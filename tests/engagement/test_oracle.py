"""The engine against the oracle, on random rulebooks and histories.

``MQA_ORACLE_PAIRS`` says how many pairs are tried (a few hundred each minute), ``MQA_ORACLE_SEED`` with which seed they begin. The first
pair that differs is made smaller and shown: its rulebook, its records, and both sides of the first change that differs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from os import environ
from random import Random
from typing import Any, NamedTuple

import pytest
import yaml

from engagement import records
from engagement.days import MS_PER_DAY, iso_day, midnight, parse_day
from engagement.errors import Refused
from engagement.rulebook import Rulebook, load_rulebook
from tests.engagement.log_world import FIRST_DAY, Log, Run
from tests.engagement.oracle import BOTTOMS, Change, Day, Record, Signal, Update, recompute
from tests.engagement.random_histories import random_history
from tests.engagement.random_rulebooks import random_rulebook, spelled

PAIRS = int(environ.get("MQA_ORACLE_PAIRS", "120"))
FIRST_SEED = int(environ.get("MQA_ORACLE_SEED", "0"))
ATTEMPTS = 400
"""How often a pair that differs is made smaller at most."""


class Difference(NamedTuple):
    """The first thing on which the two sides disagree about an account."""

    account: str
    day: int  # of the earlier side
    what: str


def test_engine_and_oracle_agree_on_random_rulebooks_and_histories() -> None:
    for seed in range(FIRST_SEED, FIRST_SEED + PAIRS):
        random = Random(seed)
        text = random_rulebook(random)
        history = random_history(random, text)
        try:
            difference = compared(text, history)
            small = None if difference is None else smaller(text, history, difference)
        except Exception as error:
            error.add_note(f"seed {seed}\n{text}")
            raise
        if small is not None:
            pytest.fail(explained(seed, *small), pytrace=False)


def test_random_rulebooks_and_histories_move_accounts() -> None:
    """Where nothing moved, agreement would say nothing."""
    moved = 0
    for seed in range(20):
        random = Random(seed)
        text = random_rulebook(random)
        moved += bool(recompute(text, random_history(random, text)).changes)
    assert moved > 10


# Both sides of a pair


def compared(text: str, history: Sequence[Record]) -> Difference | None:
    """None where they agree. Accounts do not meet, so each is compared alone; raises `Refused` where the engine takes no such rulebook."""
    run = engine(load_rulebook(text, "random"), history)
    oracle = recompute(text, history)
    said = [from_engine(change) for change in run.changes]
    first: list[Difference] = []
    for account, stands in oracle.stands.items():
        ours = [change for change in oracle.changes if change.account == account]
        theirs = [change for change in said if change.account == account]
        for here, there in zip(ours, theirs, strict=False):
            if here != there:
                first.append(Difference(account, min(here.day, there.day), both(here, there)))
                break
        else:
            for surplus, side in ((ours, "oracle"), (theirs, "engine")):
                if len(surplus) > min(len(ours), len(theirs)):
                    only = surplus[min(len(ours), len(theirs))]
                    first.append(Difference(account, only.day, f"only the {side} has\n    {only}"))
        in_the_end = {ladder: run.rung(ladder, account) or BOTTOMS[ladder] for ladder in stands}
        if ours == theirs and in_the_end != stands:
            first.append(Difference(account, day_of_last(history), f"in the end: oracle {stands}, engine {in_the_end}"))
    return min(first, key=lambda difference: difference.day, default=None)


def engine(rulebook: Rulebook, history: Sequence[Record]) -> Run:
    """Fold the history as a worker does."""
    log = Log(rulebook)
    for number, entry in enumerate(history):
        at = midnight(FIRST_DAY + log.day) + MS_PER_DAY // 2
        match entry:
            case Day():
                log.until(entry.day - FIRST_DAY)
            case Signal():
                signal = records.Signal(
                    id=entry.id,
                    kind=entry.kind,
                    occurred_at=midnight(entry.day) + MS_PER_DAY // 2,
                    received_at=at,
                    person=entry.person,
                    role=entry.role,
                    topic=entry.topic,
                    seconds=entry.seconds,
                    via=entry.via,
                    undo=entry.undo,
                    source=("intent-signals", 0, number, 0),
                    rulebook="r",
                )
                log.append(entry.account.encode(), signal, FIRST_DAY + log.day)
            case Update():
                log.update(log.day, account=entry.account, **entry.fields)
    return Run(log.records)


def from_engine(change: Any) -> Change:
    return Change(
        day=parse_day(change.effective_at[:10]),
        account=change.account,
        ladder=change.ladder,
        origin=change.from_,
        to=change.to,
        score=change.score,
        rolled_up_score=change.rolled_up_score,
        people=change.people,
        fit=change.fit,
        grade=change.grade,
        value=change.value,
        segments=tuple(sorted(change.segments)),
        cluster=change.cluster,
        surges=tuple(sorted(change.surges)),
        factors={factor.kind: (factor.points, factor.clipped) for factor in change.factors if factor.points or factor.clipped},
    )


def both(oracle: Change, engine: Change) -> str:
    """The change, and the fields in which the two sides differ."""
    lines = [f"{oracle.ladder}: {oracle.origin} -> {oracle.to}"]
    for each in fields(Change):
        ours, theirs = getattr(oracle, each.name), getattr(engine, each.name)
        if ours != theirs:
            lines.append(f"    {each.name}: oracle {ours!r}, engine {theirs!r}")
    return "\n".join(lines)


def day_of_last(history: Sequence[Record]) -> int:
    return max(record.day for record in history if isinstance(record, Day))


# A smaller pair that differs as well


def smaller(text: str, history: Sequence[Record], difference: Difference) -> tuple[str, list[Record], Difference]:
    """Leave out what the difference does not need: later days, other accounts, records, parts of the rulebook."""
    attempts = iter(range(ATTEMPTS))

    def still(text: str, history: Sequence[Record]) -> Difference | None:
        try:
            return compared(text, history)
        except (Refused, KeyError):  # a part that another part names
            return None

    kept = [record for record in until(history, difference.day) if isinstance(record, Day) or record.account == difference.account]
    kept, difference = (kept, found) if (found := still(text, kept)) is not None else (list(history), difference)
    size = len(kept) // 2
    while size > 0:
        for start in range(0, len(kept), size):
            trial = consistent(
                [record for place, record in enumerate(kept) if isinstance(record, Day) or not start <= place < start + size]
            )
            if len(trial) < len(kept) and next(attempts, None) is not None and (found := still(text, trial)) is not None:
                kept, difference = trial, found
        size //= 2
    for path in paths(yaml.load(text, Loader=yaml.BaseLoader)):
        trial_text = without(text, path)
        if trial_text != text and next(attempts, None) is not None and (found := still(trial_text, kept)) is not None:
            text, difference = trial_text, found
    return text, kept, difference


def until(history: Sequence[Record], day: int) -> Iterator[Record]:
    for record in history:
        if isinstance(record, Day) and record.day > day:
            return
        yield record


def consistent(history: Sequence[Record]) -> list[Record]:
    """Retractions take out only what is still there to be taken out."""
    seen: set[str] = set()
    kept: list[Record] = []
    for record in history:
        if isinstance(record, Signal):
            if record.undo and record.id not in seen:
                continue
            seen.add(record.id)
        if isinstance(record, Update) and "events" in record.fields.get("retract", {}):
            events = [event for event in record.fields["retract"]["events"] if event["id"] in seen]
            if events:
                kept.append(Update(account=record.account, fields={"retract": {"events": events}}))
        else:
            kept.append(record)
    return kept


def paths(part: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Everything in a rulebook, the outer before the inner, and of a list the last first."""
    entries: list[tuple[str | int, Any]] = []
    if isinstance(part, dict):
        entries = list(part.items())
    elif isinstance(part, list):
        entries = list(reversed(list(enumerate(part))))
    for key, inner in entries:
        yield (*path, key)
        yield from paths(inner, (*path, key))


def without(text: str, path: tuple[str | int, ...]) -> str:
    """The rulebook without one entry; as it is where that is gone already."""
    raw: Any = yaml.load(text, Loader=yaml.BaseLoader)
    part = raw
    try:
        for key in path[:-1]:
            part = part[key]
        del part[path[-1]]
    except (KeyError, IndexError, TypeError):
        return text
    return spelled(raw)


def explained(seed: int, text: str, history: Sequence[Record], difference: Difference) -> str:
    lines = [f"seed {seed}: {difference.account} on {iso_day(difference.day)}: {difference.what}", "", text, "Records:"]
    today = 0
    for record in history:
        if isinstance(record, Day):
            today = record.day
        else:
            lines.append(f"    on {today}: {record}")
    return "\n".join(lines)
