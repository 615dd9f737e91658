"""Small histories and their replays, for tests."""

from collections.abc import Iterable

from engagement.account import AccountState
from engagement.days import parse_day
from engagement.judging import Judge
from engagement.rulebook import default_rulebook_text, load_rulebook
from streams.history.arrivals import Arrival, arrivals_by_day
from streams.history.engine import BATCH, HistoryReplay
from streams.history.lines import read_history
from streams.history.simulate import simulate_history
from streams.identity import make_identity
from streams.person_key import person_key

PARTITIONS = 4
FIRST_DAY = parse_day("2025-01-01")
RULEBOOK = load_rulebook(default_rulebook_text(), "default rulebook")
JUDGE = Judge(RULEBOOK, RULEBOOK.version)

Days = list[tuple[int, list[Arrival]]]
Scores = dict[str, tuple[int, int, int | None]]
"""Account -> score in thousandths, people, fit."""


def simulated_days(*, accounts: int, days: int) -> Days:
    lines = simulate_history(accounts=accounts, days=days, start_day=FIRST_DAY, seed=7)
    return list(arrivals_by_day(read_history(lines, "simulation"), PARTITIONS))


def new_replay(batch: int = BATCH) -> HistoryReplay:
    key = person_key("played")
    identity = make_identity(partitions=PARTITIONS, secret=key.secret, key_id=key.key_id)
    return HistoryReplay(partitions=PARTITIONS, rulebook=RULEBOOK, identity=identity, batch=batch)


def scores_on(day: int, states: Iterable[tuple[str, AccountState]]) -> Scores:
    scores: Scores = {}
    for account, state in states:
        evaluation = JUDGE.evaluate(account, state, day)
        scores[account] = (evaluation.facts.score, evaluation.facts.people, evaluation.fit.score)
    return scores
