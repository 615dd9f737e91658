"""What the intake tests share: a small rulebook, an identity without lists, and builders of input records."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Any
from zlib import crc32

import msgspec

from engagement.events import Family
from engagement.fates import FILTERED
from engagement.filtered import FILTERED_EVENTS, FilteredEvent
from engagement.filtered import decode as decode_filtered
from engagement.identity import Identity, Network, NetworkKind, person_hasher
from engagement.intake import Intake
from engagement.machine import Headers, Output, PlainRecord, Record, Step
from engagement.records import Signal, Update, decode
from engagement.rulebook import load_rulebook

NOON = 1_735_732_800_000  # 2025-01-01T12:00:00Z
HOUR = 3_600_000
DAY = 24 * HOUR
PARTITIONS = 4

RULEBOOK = load_rulebook(
    """
    signals:
      page:    {points: 1}
      pricing: {points: 15, urls: [/pricing*]}
      webinar: {points: 30}
      alert:   {points: 5, min_score: 60}
    ignore_urls: [/careers*]
    intake:
      horizon: 90d
      skew: 10m
      dedupe_window: 1h
      dedupe_count: 5
      free_mail: [freebie.example]
      disposable_mail: [Throwaway.example.]
      own_domains: [us.example]
    resolve:
      aliases: {acme.test: acme.example}
      parents: {labs.example: firm.example, firm.example: holding.example}
    visitors: {visits: 3, age: 2d, count: 4, pages_a_minute: 0}
    stage:
      mqa: {enter: {score: 100}}
    """,
    "test",
)


def _partition_of(key: bytes) -> int:
    return crc32(key) % PARTITIONS


def _host(text: str) -> str | None:
    return text.strip().lower().removesuffix(".") or None


def _registrable(host: str) -> str | None:
    labels = (_host(host) or "").split(".")
    return ".".join(labels[-2:]) if len(labels) > 1 and all(labels) else None


_person = person_hasher(b"secret", "k1")

IDENTITY = Identity(
    host=_host,
    registrable=_registrable,
    is_robot=lambda user_agent: "bot" in user_agent,
    partition_of=_partition_of,
    person=_person,
    key_id="k1",
    free_mail=frozenset({"gmail.example", "mail.beta.example", "minute.example"}),
    disposable_mail=frozenset({"minute.example"}),
    contact={_person("ann@gmail.example"): "beta.example"}.get,
    network={
        "10.0.0.1": Network(domain="acme.example", kind=NetworkKind.COMPANY, prefix="10.0.0.0/24"),
        "10.0.1.1": Network(domain="gamma.example", kind=NetworkKind.COMPANY, prefix="10.0.1.0/24"),
        "10.0.2.1": Network(domain=None, kind=NetworkKind.ISP, prefix="10.0.2.0/24"),
        "10.0.3.1": Network(domain=None, kind=NetworkKind.DATA_CENTRE, prefix="10.0.3.0/24"),
        "10.0.4.1": Network(domain=None, kind=NetworkKind.OWN, prefix="10.0.4.0/24"),
    }.get,
)


def key_in(partition: int, prefix: str = "key") -> str:
    """A key that belongs into ``partition``."""
    return next(key for key in (f"{prefix}-{n}" for n in range(1000)) if _partition_of(key.encode()) == partition)


KEY = key_in(0)
ELSEWHERE = key_in(1)


def new_intake(partition: int = 0, identity: Identity = IDENTITY) -> Intake:
    return Intake(families={f"t.{family.value}": family for family in Family}, partition=partition, rulebook=RULEBOOK, identity=identity)


def record(
    family: Family,
    value: bytes | None,
    *,
    key: str | None = KEY,
    offset: int = 0,
    received_at: int = NOON,
    partition: int = 0,
    headers: Headers = (),
) -> PlainRecord:
    return PlainRecord(f"t.{family.value}", partition, offset, received_at, None if key is None else key.encode(), value, headers)


def visit(**said: Any) -> bytes:
    return _encoded({"id": "e1", "occurred_at": "2025-01-01T11:59:00Z", "visitor_id": "v1", "email": "jane@acme.example", **said})


def intent(**said: Any) -> bytes:
    return _encoded({"id": "e1", "occurred_at": "2025-01-01T11:59:00Z", "kind": "webinar", "email": "jane@acme.example", **said})


def update(**said: Any) -> bytes:
    return _encoded({"id": "e1", "occurred_at": "2025-01-01T11:59:00Z", "account": "acme.example", **said})


def _encoded(said: dict[str, Any]) -> bytes:
    """JSON of what is said; `msgspec.UNSET` leaves a field out."""
    return json.dumps({name: value for name, value in said.items() if value is not msgspec.UNSET}).encode()


def entries(outputs: Iterable[Output]) -> list[tuple[str, Signal | Update]]:
    """What went into the account log, in order: account and entry."""
    found = []
    for output in outputs:
        if output.topic == "account-log":
            entry = decode(output.value or b"")
            assert isinstance(entry, Signal | Update)
            found.append(((output.key or b"").decode(), entry))
    return found


def counted(outputs: Iterable[Output]) -> int:
    """How many events the account log counts: copies for accounts above and who is the same as whom are none, and an undo is one less."""
    count = 0
    for _, entry in entries(outputs):
        if isinstance(entry, Signal):
            count += 0 if entry.via is not None else -1 if entry.undo else 1
        else:
            count += entry.fields.keys().isdisjoint(("same", "differ"))
    return count


def filtered_events(outputs: Iterable[Output]) -> list[FilteredEvent]:
    """What was recorded as filtered, or as filtered no longer, in order."""
    return [decode_filtered(output.value or b"") for output in outputs if output.topic == FILTERED_EVENTS]


def filtered(outputs: Iterable[Output]) -> Counter[str]:
    """Fate -> how many events the topic of filtered ones has by now."""
    found: Counter[str] = Counter()
    for event in filtered_events(outputs):
        found[FILTERED + event.reason] += -1 if event.undo else 1
    return found


def filtered_fates(fates: Mapping[str, int]) -> Counter[str]:
    """Likewise by the counters."""
    return Counter({fate: count for fate, count in fates.items() if fate.startswith(FILTERED)})


def run(intake: Intake, records: Sequence[Record], limits: Iterable[int] = ()) -> list[Output]:
    """Fold and accept everything, in steps of ``limits``, then in as few as can be."""
    outputs: list[Output] = []
    for step in steps(intake, records, limits):
        outputs += step.outputs
    return outputs


def steps(intake: Intake, records: Sequence[Record], limits: Iterable[int] = ()) -> Iterator[Step]:
    """The same, step by step, each accepted before it is given."""
    left = list(records)
    for limit in chain(limits, repeat(len(left) + 1)):
        step = intake.step(left, limit)
        intake.accept(step)
        left = left[step.consumed :]
        yield step
        if not left:
            break


def fate_of(*records: Record, partition: int = 0) -> tuple[str, list[Output]]:
    """The fate of the last of ``records``, and all outputs of that one."""
    intake = new_intake(partition)
    run(intake, records[:-1])
    before = dict(intake.position.fates)
    outputs = run(intake, records[-1:])
    (fate,) = [fate for fate, count in intake.position.fates.items() if fate != "in" and count != before.get(fate, 0)]
    return fate, outputs
