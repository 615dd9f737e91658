"""The fault run in its short form, on a broker of its own: nothing lost, nothing double, and nobody hangs."""

import asyncio
from pathlib import Path

import pytest

from engagement.errors import Refused
from streams.broker.kafka import Kafka
from streams.broker.libraries import java, libraries
from streams.broker.local import LocalBroker
from streams.connection import Connection
from streams.delivery import Promise
from tests.faults.live.failpoints import POINTS, POINTS_IN_ORDER
from tests.faults.live.injector import Plan
from tests.faults.live.run import FaultRun

PLAN = Plan(kills=2, zombies=1, guests=2, outages=1, each_point=1, points_at_once=3)


def fault_run(kafka: Connection, folder: Path, promise: Promise) -> FaultRun:
    """What a run of the plan came to; nothing was lost in it, and nobody hung."""
    try:
        java()
        libraries()
    except Refused as refusal:
        pytest.skip(f"Kafka is at {kafka.bootstrap}, but none can be stopped and started here: {refusal}")
    with LocalBroker(Kafka()) as broker:
        run = FaultRun(broker, folder, plan=PLAN, seed=1, tell=print, promise=promise)
        asyncio.run(run.run())
    assert run.complaints == [], "\n".join(run.lines())
    assert (run.verdict.faults, run.fates.faults) == (0, 0)
    assert min(run.verdict.changes, run.verdict.looks, run.fates.dead, run.fates.rerouted) > 0
    assert min(run.fates.credited, run.fates.waiting, run.fates.undone, run.fates.derived, run.fates.forgotten) > 0
    injected = run.injector.resumes.injected
    points = POINTS if promise == "exactly_once" else POINTS_IN_ORDER
    assert sum(injected.values()) >= PLAN.kills + PLAN.zombies + PLAN.guests + PLAN.outages + len(points)
    return run


def test_kills_a_zombie_guests_an_outage_and_every_fail_point_lose_nothing_and_double_nothing(kafka: Connection, tmp_path: Path) -> None:
    fault_run(kafka, tmp_path, "exactly_once")


def test_without_transactions_the_same_faults_lose_nothing_and_what_comes_again_is_the_same_to_the_byte(
    kafka: Connection, tmp_path: Path
) -> None:
    run = fault_run(kafka, tmp_path, "at_least_once")
    assert run.fates.repeats + run.verdict.repeats > 0
