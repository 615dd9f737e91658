"""What a worker tells Prometheus."""

import asyncio
import re
import socket
from pathlib import Path
from time import monotonic
from urllib.request import urlopen

from engagement.events import Family
from streams.connection import Connection
from streams.history.arrivals import Arrival
from streams.history.player import open_player
from tests.streams.histories import FIRST_DAY, PARTITIONS
from tests.streams.live_runs import new_environment, working
from tests.streams.test_live_input import ACCOUNT, HOME, NOW, signal

LAG = re.compile(r'^mqa_lag_records\{.*role="qualify".*\} (\S+)$', re.MULTILINE)


def test_an_idle_worker_has_no_lag_although_transaction_markers_end_the_log(kafka: Connection, tmp_path: Path) -> None:
    environment = new_environment(kafka)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # with one record a fetch the marker after the last one always comes alone
    with working(kafka, environment, tmp_path, options=("--batch", "1", "--port", str(port))) as workers:

        async def feed() -> None:
            async with open_player(kafka, environment) as player:
                await player.begin(FIRST_DAY)
                await player.receive([Arrival(Family.INTENT_SIGNALS, HOME, NOW, ACCOUNT, signal(f"event {n}")) for n in range(5)])
                await player.settle()

        asyncio.run(feed())
        lags: list[str] = []
        deadline = monotonic() + 20
        while lags != ["0.0"] * PARTITIONS and monotonic() < deadline:
            assert workers["one"].status is None
            with urlopen(f"http://127.0.0.1:{port}/metrics") as metrics:
                lags = LAG.findall(metrics.read().decode())
    assert lags == ["0.0"] * PARTITIONS
