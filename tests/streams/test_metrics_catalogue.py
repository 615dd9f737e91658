"""Every metric of the catalogue moves when what it tells of happens, and stands in the documentation."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiokafka.structs import TopicPartition

from engagement.events import Family
from streams.connection import Connection
from streams.profiles.metrics import ProjectorMetrics
from streams.serve.metrics import ServeMetrics
from streams.topics import CHANGELOGS
from streams.webhooks.metrics import WebhookMetrics
from streams.worker.metrics import Metrics
from tests.faults.simulation.world import simulate
from tests.streams.histories import PARTITIONS
from tests.streams.metrics_story import AHEAD_MS, Samples, Story, a_fence, event, some_traffic, story, total

ROOT = Path(__file__).parents[2]
ACCOUNT = b"acme.com"
BEHIND = 5
UNITS = {"_seconds": "s", "_bytes": "bytes", "_ratio": "0 to 1"}


def catalogue() -> dict[str, Any]:
    return {metric.name: metric for metric in Metrics().registry.collect()}


class Lived(NamedTuple):
    """What a worker told at the moments of its life."""

    told: Story
    restoring: Samples
    busy: Samples
    behind: Samples
    caught_up: Samples


@pytest.fixture(scope="module")
def lived(kafka: Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    async def live(told: Story) -> Lived:
        changelog = TopicPartition(told.environment.topic(CHANGELOGS["qualify"]), 0)
        async with told.held_back(changelog, b"__nothing__"):  # a restore waits for it to end
            restoring = await told.until(lambda samples: total(samples, "mqa_restored_ratio", role="qualify", partition="0") is not None)
        await told.until(lambda samples: total(samples, "mqa_units") == 2 * PARTITIONS)
        await some_traffic(told, "ann@acme.com", ACCOUNT)
        busy = await told.until(lambda samples: bool(total(samples, "mqa_day_delay_seconds")))
        signals = told.place(Family.INTENT_SIGNALS, ACCOUNT)
        async with told.held_back(signals, ACCOUNT):
            async with told.kafka.producer() as producer:
                for _ in range(BEHIND):
                    await producer.send_and_wait(signals.topic, event("wait", kind="download"), ACCOUNT, signals.partition)
            behind = await told.until(lambda samples: (total(samples, "mqa_lag_records") or 0.0) > BEHIND)
        await a_fence(told, ACCOUNT)
        return Lived(told, restoring, busy, behind, await told.until(lambda samples: not total(samples, "mqa_lag_records")))

    with story(kafka, tmp_path_factory.mktemp("worker")) as told:
        yield asyncio.run(asyncio.wait_for(live(told), 180))


@pytest.fixture(scope="module")
def simulated() -> set[str]:
    """What moved in a simulated worker: on a real broker no transaction is aborted, and no chunk lost, at will."""
    moved: set[str] = set()
    for seed in range(30):
        watched: list[Metrics] = []
        assert simulate(seed, watched.append).holds
        families = [family for metrics in watched for family in metrics.registry.collect()]
        moved.update(family.name for family in families for sample in family.samples if sample.value)
        if {"mqa_transaction_aborts", "mqa_reseeks"} <= moved:
            return moved
    return moved


def test_every_metric_moves(lived: Lived, simulated: set[str]) -> None:
    still = catalogue().keys() - lived.told.moved
    assert still <= {"mqa_transaction_aborts", "mqa_reseeks"}
    assert still <= simulated


def test_a_restore_under_way_tells_how_far_it_has_come(lived: Lived) -> None:
    assert 1 <= (total(lived.restoring, "mqa_restoring_units") or 0.0) <= 2 * PARTITIONS
    assert 0 <= (total(lived.restoring, "mqa_restored_ratio", role="qualify", partition="0") or 0.0) < 1
    assert total(lived.busy, "mqa_restored_ratio") == 2 * PARTITIONS
    assert total(lived.busy, "mqa_restoring_units") == 0


def test_events_are_told_by_kind_and_fate(lived: Lived) -> None:
    assert total(lived.busy, "mqa_events_total", family="web-visits", kind="pricing", fate="counted") == 1
    assert total(lived.busy, "mqa_events_total", family="web-visits", kind="page", fate="waiting") == 1
    assert total(lived.busy, "mqa_events_total", family="web-visits", kind="", fate="identify") == 1
    assert total(lived.busy, "mqa_events_total", family="web-visits", kind="", fate="dead:malformed_json") == 1
    assert total(lived.busy, "mqa_events_total", family="intent-signals", kind="demo_request", fate="counted") == 1


def test_tier_changes_are_told_by_step_and_reason(lived: Lived) -> None:
    assert total(lived.busy, "mqa_tier_changes_total", ladder="stage", to_rung="mqa", reason="signal") == 1


def test_lag_is_exact_while_a_unit_cannot_go_on_and_gone_when_it_has_gone_on(lived: Lived) -> None:
    signals = lived.told.place(Family.INTENT_SIGNALS, ACCOUNT)
    place = {"topic": signals.topic, "partition": str(signals.partition)}
    assert total(lived.behind, "mqa_lag_records", role="intake", **place) == BEHIND + 1
    assert total(lived.behind, "mqa_lag_records") == BEHIND + 1
    assert (total(lived.behind, "mqa_oldest_unprocessed_seconds", role="intake", partition=place["partition"]) or 0) >= AHEAD_MS / 1_000
    assert total(lived.behind, "mqa_oldest_unprocessed_seconds", role="qualify") == 0
    assert total(lived.caught_up, "mqa_oldest_unprocessed_seconds") == 0


def test_a_clock_that_is_a_day_ahead_is_told(lived: Lived) -> None:
    skew = total(lived.busy, "mqa_clock_skew_seconds")
    assert skew is not None
    assert abs(skew - AHEAD_MS / 1_000) < 60


def test_a_unit_taken_by_somebody_else_is_told_once(lived: Lived) -> None:
    assert total(lived.caught_up, "mqa_fences_total", role="qualify") == 1


def test_the_documentation_has_the_catalogue() -> None:
    lines = (ROOT / "docs" / "operations.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `mqa_")]
    documented = {name.strip("`"): set(re.findall(r"`(\w+)`", labels)) for name, labels, *_ in rows}
    declared = {
        f"{metric._name}_total" if metric._type == "counter" else metric._name: set(metric._labelnames)
        for catalogue in (Metrics(), ProjectorMetrics(), ServeMetrics(), WebhookMetrics())
        for metric in vars(catalogue).values()
        if hasattr(metric, "_labelnames")
    }
    assert documented == declared
    for name, _, unit, meaning, _ in rows:
        assert unit == next((unit for ending, unit in UNITS.items() if name.strip("`").endswith(ending)), unit), name
        assert meaning, name


def test_the_documentation_has_what_is_told_of_the_process() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    told = {f"{name}_total" if metric.type == "counter" else name for name, metric in catalogue().items() if not name.startswith("mqa_")}
    assert set(re.findall(r"`(process_\w+)`", text)) == told
