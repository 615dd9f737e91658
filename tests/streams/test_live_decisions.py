"""Pins and retractions on a real Kafka, a worker killed in the middle: what was told is what a replay of the log tells."""

import asyncio
from pathlib import Path

from engagement.days import iso_instant, midnight
from engagement.events import Family
from streams.connection import Connection
from streams.demo.processes import WorkerProcess
from streams.history.arrivals import arrivals_by_day
from streams.history.lines import encode_line, read_history
from tests.streams.histories import FIRST_DAY, PARTITIONS, Days
from tests.streams.live_runs import Live, new_environment, play, working

ACCOUNTS = 40
KILLED = {FIRST_DAY + 3: "one", FIRST_DAY + 6: "two"}


def decided_days() -> Days:
    """Forty accounts ask for demos through a scanner and a person; half are pinned, then everything of the scanner's is taken out."""
    lines: list[tuple[int, bytes]] = []

    def say(day: int, family: Family, account: str, number: int, **said: object) -> None:
        at = midnight(FIRST_DAY + day) + number * 1000
        value = {"id": f"{family.value}-{account}-{day}-{number}", "occurred_at": iso_instant(at), "account": account, **said}
        lines.append((at, encode_line(family, at, account, value=value)))

    for number in range(ACCOUNTS):
        account = f"company-{number}.example"
        for day in range(5):
            say(day, Family.INTENT_SIGNALS, account, number, kind="webinar", email=f"scanner@{account}")
        say(2, Family.INTENT_SIGNALS, account, number, kind="demo_request", email=f"scanner@{account}")
        say(4, Family.INTENT_SIGNALS, account, number + 100, kind="download", email=f"jane@{account}")
        if number % 2:
            pin = {"ladder": "tier", "rung": "tier_1", "reason": "board", "author": "ana", "until": "2025-01-08"}
            say(3, Family.ACCOUNT_UPDATES, account, number, pin=pin)
        say(6, Family.ACCOUNT_UPDATES, account, number, retract={"person": f"scanner@{account}", "reason": "mail scanner"})
    history = [line for _, line in sorted(lines)]
    return list(arrivals_by_day(read_history(history, "decisions"), PARTITIONS))


def test_pins_and_retractions_survive_kills_and_equal_the_replay(kafka: Connection, tmp_path: Path) -> None:
    environment = new_environment(kafka)
    with working(kafka, environment, tmp_path, names=("one", "two")) as workers:

        def replace(name: str) -> None:
            workers[name].kill()
            workers[name] = WorkerProcess(kafka, environment, name, folder=tmp_path)

        def kill(day: int) -> None:
            if day in KILLED:
                asyncio.get_running_loop().call_later(0.05, replace, KILLED[day])

        days = decided_days()
        quiet: Days = [(FIRST_DAY + 7 + later, []) for later in range(15)]
        play(kafka, environment, [*days, *quiet], on_day=kill)
        comparison = Live(kafka=kafka, environment=environment).compared()
    assert comparison.holds, "\n".join(comparison.lines())
    # Each is engaged, then an MQA by the scanner; engaged again when the dwell is over (Jane's 20 points, 12 days old, are 15.2), and
    # the day after (14.8) not even that. Half are put into Tier 1 and leave it when the pin ends.
    assert comparison.live == 4 * ACCOUNTS + 2 * (ACCOUNTS // 2)
    assert comparison.unfolded == 0
