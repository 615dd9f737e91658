"""Another rulebook is activated while events come in, and the workers are killed in the middle of judging every account anew."""

from pathlib import Path

from engagement.days import midnight
from engagement.rulebook import load_rulebook
from streams.activation import activate_rulebook, wait_until_judged
from streams.connection import Connection
from streams.history.player import open_player
from tests.faults.live.run import FIRST_DAY
from tests.faults.live.scenarios.masses import RULEBOOK
from tests.faults.live.scenarios.stage import Outcome, Tell, open_stage
from tests.streams.live_runs import signals_of_persons

OTHER = load_rulebook(
    """
    signals: {demo: {points: 60, half_life: 30d}, fair: {points: 10, half_life: 30d}}
    stage: {engaged: {enter: {score: 10}}, mqa: {enter: {score: 60}, keep: {score: 30}}}
    """,
    "other",
)
AT = midnight(FIRST_DAY) + 9 * 3_600_000
LATER = 10
"""One in so many comes in while the others are judged."""


async def restatement(connection: Connection, folder: Path, *, accounts: int, tell: Tell) -> Outcome:
    """All ``accounts`` are restated, once."""
    async with open_stage(connection, folder, "restatement", tell=tell, rulebook=RULEBOOK, workers=("new-1", "new-2")) as stage:
        async with open_player(connection, stage.environment) as player:
            await player.begin(FIRST_DAY)
            await player.receive(signals_of_persons("demo", range(accounts), AT))
            await player.settle()
            stage.tell(f"another rulebook for {accounts:,} accounts")
            await activate_rulebook(connection, stage.environment, stage.genesis, OTHER, place="other")
            await player.send(signals_of_persons("fair", range(accounts, accounts + accounts // LATER), AT))
            stage.outcome.figures["kills amid the activation"] = await stage.kill_on_the_way(accounts)
            await wait_until_judged(connection, stage.environment, stage.genesis, lambda _: None)
            await player.settle()
        await stage.verify()
        due = 2 * accounts + accounts // LATER
        if stage.outcome.figures["tier changes"] != due:
            stage.outcome.complaints.append(f"{stage.outcome.figures['tier changes']} tier changes, {due} were expected")
    return stage.outcome
