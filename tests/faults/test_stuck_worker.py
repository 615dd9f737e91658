"""A worker that will never fold does not go on looking alive."""

from random import Random
from types import SimpleNamespace
from typing import NoReturn

import pytest

from streams.delivery import EXACTLY_ONCE
from streams.topics import Environment
from streams.worker.metrics import Metrics
from streams.worker.ownership import BROKEN, STUCK_LOOKS, WATCH_SECONDS, Ownership
from streams.worker.unit import Limits
from tests.faults.simulation.broker import Broker
from tests.faults.simulation.clients import SimulatedConnection
from tests.faults.simulation.loop import SimulatedLoop
from tests.faults.simulation.network import Network


class Ended(Exception):  # noqa: N818 - it reads as what happened
    pass


def test_it_ends_and_says_so_where_nothing_comes_of_opening_its_units():
    loop = SimulatedLoop(Random(1), most_steps=10_000)
    said: list[tuple[int, str]] = []

    def end(status: int, words: str) -> NoReturn:
        said.append((status, words))
        raise Ended

    network = Network(Broker(lambda: 0), Random(1), latency=0.001, trouble=0.0)
    ownership = Ownership(
        SimpleNamespace(consumer=SimpleNamespace(join_error=lambda: None)),
        roles={},
        make_fold=lambda _: pytest.fail("nothing is assigned"),
        make_clock=None,
        connection=SimulatedConnection(network=network),
        environment=Environment("test-"),
        metrics=Metrics(),
        limits=Limits(),
        delivery=EXACTLY_ONCE,
        end_process=end,
    )
    loop.run_until_complete(ownership.on_assigned())
    with pytest.raises(Ended):
        loop.run_until_complete(ownership.watch())
    ((status, words),) = said
    assert (status, "nothing came of opening" in words) == (BROKEN, True)
    assert STUCK_LOOKS * WATCH_SECONDS <= loop.time() < STUCK_LOOKS * WATCH_SECONDS + 1
    loop.end()
