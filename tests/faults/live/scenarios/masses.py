"""Very many accounts: a worker that is killed restores all of them, and a day on which most of them fall is killed midway."""

import re
from pathlib import Path
from time import monotonic

from engagement.days import midnight
from engagement.rulebook import load_rulebook
from streams.connection import Connection
from streams.history.player import Player, open_player
from tests.faults.live.run import FIRST_DAY
from tests.faults.live.scenarios.stage import Outcome, Stage, Tell, open_stage
from tests.streams.live_runs import signals_of_persons

RULEBOOK = load_rulebook(
    """
    signals: {demo: {points: 100, half_life: 30d}, fair: {points: 10, half_life: 30d}}
    stage: {hot: {enter: {score: 90}, keep: {score: 60}}}
    """,
    "masses",
)
FALL = FIRST_DAY + 23
"""100 points of half life 30 days are 60.2 after 22 days, and 58.8 after 23."""

CHUNK = 20_000
AT = midnight(FIRST_DAY) + 9 * 3_600_000
PATIENCE = 120.0
_RESTORED = re.compile(r"qualify/\d restored: (\d+) rows in ([0-9.]+) s")


async def masses(connection: Connection, folder: Path, *, accounts: int, falling: int, tell: Tell) -> Outcome:
    """``falling`` of ``accounts`` are hot, until silence lets them fall all on one day."""
    names = ("mass-1", "mass-2")
    async with open_stage(
        connection, folder, "masses", tell=tell, rulebook=RULEBOOK, workers=names, options=("--log-level", "INFO")
    ) as stage:
        async with open_player(connection, stage.environment, patience=PATIENCE) as player:
            await _fill(stage, player, accounts, falling)
            await stage.crew.dismiss(names[1])
            await _recover(stage, player)
            stage.crew.hire(names[1])
            await player.begin(FALL - 1)
            await player.settle()
            stage.tell(f"the day on which {falling:,} accounts fall")
            began = monotonic()
            await player.begin(FALL)
            stage.outcome.figures["kills amid the day"] = await stage.kill_on_the_way(falling)
            await player.settle()
            stage.outcome.figures["seconds of the day, kills included"] = round(monotonic() - began, 1)
        await stage.verify()
        due = 2 * falling
        if stage.outcome.figures["tier changes"] != due:
            stage.outcome.complaints.append(f"{stage.outcome.figures['tier changes']} tier changes, {due} were expected")
    return stage.outcome


async def _fill(stage: Stage, player: Player, accounts: int, falling: int) -> None:
    began = monotonic()
    await player.begin(FIRST_DAY)
    for kind, numbers in (("demo", range(falling)), ("fair", range(falling, accounts))):
        for first in range(numbers.start, numbers.stop, CHUNK):
            await player.send(signals_of_persons(kind, range(first, min(first + CHUNK, numbers.stop)), AT))
    await player.settle()
    stage.tell(f"{accounts:,} accounts after {monotonic() - began:.1f} s")


async def _recover(stage: Stage, player: Player) -> None:
    """The only worker is killed and started again: how long until it has restored everything and folds again?"""
    (name,) = stage.crew.names
    began = monotonic()
    stage.crew.kill(name)
    await player.begin(FIRST_DAY + 1)
    await player.settle()
    stage.outcome.figures["seconds to resume"] = round(monotonic() - began, 1)
    restored = [(int(rows), float(seconds)) for rows, seconds in _RESTORED.findall(stage.crew.said(name))]
    rows, seconds = sum(rows for rows, _ in restored), max(seconds for _, seconds in restored)
    stage.outcome.figures["rows restored"] = rows
    stage.outcome.figures["rows restored a second"] = int(rows / seconds)
    stage.tell(f"restored {rows:,} rows in {seconds:.1f} s, folds again after {stage.outcome.figures['seconds to resume']} s")
