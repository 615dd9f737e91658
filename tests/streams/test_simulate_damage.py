"""What goes wrong on the way ends where the design says."""

from collections.abc import Callable

import pytest

from engagement.days import MS_PER_DAY, iso_instant
from engagement.events import Family
from engagement.intake import Intake
from engagement.machine import PlainRecord
from engagement.rulebook import default_rulebook_text, load_rulebook
from streams.history.lines import read_history
from streams.history.simulate_moves import Letter
from streams.history.simulate_transit import (
    DAMAGES,
    astray,
    dateless,
    delay,
    empty,
    from_tomorrow,
    keyless,
    mistyped,
    null,
    torn,
    unheard_of,
)
from streams.history.simulate_world import stream
from streams.identity import make_identity, partition_of

NINE = 1_735_722_000_000
PARTITIONS = 4
EMAIL = next(f"mei{n}@harbourpay.example" for n in range(99) if partition_of(f"mei{n}@harbourpay.example".encode(), PARTITIONS) == 1)
LETTER = Letter(Family.INTENT_SIGNALS, EMAIL, {"id": "s-1", "occurred_at": iso_instant(NINE), "kind": "download", "email": EMAIL})
FATES: dict[Callable[[Letter, int], bytes], str] = {
    torn: "dead:malformed_json",
    empty: "dead:empty_value",
    null: "dead:empty_value",
    mistyped: "dead:invalid",
    dateless: "dead:invalid",
    from_tomorrow: "dead:unknown_version",
    unheard_of: "dead:unknown_kind",
    keyless: "counted",
    astray: "rerouted",
}


def fate_of(text: bytes) -> str:
    (line,) = read_history([text], "history")
    key = line.key_bytes
    partition = line.partition
    if partition is None:
        partition = 1 if key is None else partition_of(key, PARTITIONS)
    intake = Intake(
        families={family.value: family for family in Family},
        partition=partition,
        rulebook=load_rulebook(default_rulebook_text(), "default.yaml"),
        identity=make_identity(partitions=PARTITIONS, secret=b"secret", key_id="k1"),
    )
    step = intake.step([PlainRecord(line.topic.value, partition, 0, line.received_ms, key, line.payload)], 1)
    (fate,) = set(step.position.fates) - {"in"}
    return fate


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_event_ends_where_the_design_says(damage: Callable[[Letter, int], bytes]) -> None:
    assert fate_of(damage(LETTER, NINE)) == FATES[damage]


def test_most_events_take_seconds_some_take_days_and_a_few_are_late_or_early() -> None:
    rng = stream("delays")
    delays = [delay(rng) / MS_PER_DAY for _ in range(20_000)]
    assert sum(0 < days < 0.001 for days in delays) > 19_500
    assert sum(1 <= days <= 6 for days in delays) > 50
    assert sum(days >= 100 for days in delays) > 10
    assert sum(days <= -1 for days in delays) > 5
