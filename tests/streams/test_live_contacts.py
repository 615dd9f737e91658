"""Contact lists in running workers: written by one, known to all, also after a restart."""

import json
from pathlib import Path

from engagement.days import iso_instant, midnight, parse_day
from engagement.events import Family
from streams.connection import Connection
from streams.history.arrivals import Arrival
from tests.streams.histories import PARTITIONS
from tests.streams.live_runs import Live, new_environment, play, working

FIRST = parse_day("2025-03-03")


def arrival(family: Family, day: int, partition: int, said: dict[str, object]) -> Arrival:
    at = midnight(day) + 3_600_000
    value = json.dumps({"id": f"{family}-{day}-{partition}", "occurred_at": iso_instant(at), **said}).encode()
    return Arrival(family, partition, at, None, value)


def listed(day: int) -> list[Arrival]:
    contacts = [{"email": f"ann{number}@gmail.com", "role": "vp"} for number in range(8)]
    return [arrival(Family.ACCOUNT_UPDATES, day, 0, {"account": "acme.com", "contacts": contacts})]


def clicks(day: int) -> list[Arrival]:
    return [
        arrival(
            Family.INTENT_SIGNALS,
            day,
            number % PARTITIONS,
            {"id": f"{day}-{number}", "kind": "download", "email": f"ann{number}@gmail.com"},
        )
        for number in range(8)
    ]


def test_every_worker_knows_a_list_and_still_does_after_a_restart(kafka: Connection, tmp_path: Path) -> None:
    environment = new_environment(kafka)
    live = Live(kafka=kafka, environment=environment)
    with working(kafka, environment, tmp_path, names=("one", "two")):
        play(kafka, environment, [(FIRST, clicks(FIRST)), (FIRST + 1, listed(FIRST + 1)), (FIRST + 2, clicks(FIRST + 2))])
    assert {fate: count for fate, count in live.fates().items() if ":" in fate} == {"filtered:free_mail": 8}
    with working(kafka, environment, tmp_path):
        play(kafka, environment, [(FIRST + 3, clicks(FIRST + 3))])
    fates = live.fates()
    assert (fates["counted"], fates["filtered:free_mail"]) == (1 + 8 + 8, 8)
    assert live.compared().holds
