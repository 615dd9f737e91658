"""A rulebook applied to an account on a rule day: facts, rungs, and when silence moves it next."""

from functools import lru_cache
from typing import NamedTuple

import msgspec

from engagement.account import AccountState, Standing
from engagement.conditions import Facts
from engagement.fit import Fit, fit_of, value_of
from engagement.ladders import Ladder, next_change_day, next_rung
from engagement.rulebook import Rulebook, load_rulebook
from engagement.scoring import Factor, Scoring


class Move(NamedTuple):
    """A ladder on which an account goes from one rung number to another."""

    ladder: Ladder
    origin: int
    target: int


class Evaluation(NamedTuple):
    """Everything that is said of an account on one rule day. Points are thousandths; the factors add up to the score."""

    day: int
    facts: Facts
    factors: tuple[Factor, ...]
    fit: Fit


class Judge:
    """One rulebook, compiled. Holds no account, and no method changes a state."""

    def __init__(self, rulebook: Rulebook, version: str) -> None:
        self.rulebook = rulebook
        self.version = version  # as the log names it
        self._scoring = Scoring(rulebook)
        spans = [days for ladder in rulebook.ladders for condition in ladder.conditions for _, days in condition.spans]
        dwells = [rung.dwell for ladder in rulebook.ladders for rung in ladder.rungs]
        self._horizon = max(self._scoring.horizon, *spans, *dwells, 1)
        self._suppressed = frozenset(rulebook.suppress)

    def facts(self, state: AccountState, day: int) -> Facts:
        """Gather what conditions look at; ``rungs`` is empty until ladders are judged."""
        scoring = self._scoring
        tally = scoring.tally(state, day)
        active = scoring.last_activity(state)
        return Facts(
            score=scoring.score(tally),
            people=len(tally.people),
            active_days=tally.active_days,
            first_party=tally.first_party,
            roles=len({state.roles[person] for person in tally.people} - {None}),
            act_now_age=tally.act_now_age,
            idle=None if active is None else max(0, day - active),
            grade=fit_of(state, self.rulebook).grade,
            value=value_of(state, self.rulebook),
            relationship=state.relationship,
            disposition=state.disposition,
            opportunities=frozenset(each["stage"] for each in state.opportunities.values()),
            listed=state.listed_tier,
            strategic=state.strategic is True,
            suppressed=state.relationship in self._suppressed,
            rungs={},
        )

    def evaluate(self, state: AccountState, day: int) -> Evaluation:
        """Evaluate an account as it is judged on ``day``; ``facts.rungs`` says where it would then stand."""
        facts = self.facts(state, day)
        self.moves(state, day, facts)
        return self.explain(state, day, facts)

    def is_worthless(self, kind: str) -> bool:
        """Whether signals of this kind are counted and change no fact."""
        return not self._scoring.counts(kind)

    def explain(self, state: AccountState, day: int, facts: Facts) -> Evaluation:
        """Put beside the facts of ``day`` what explains them."""
        return Evaluation(day, facts, self._scoring.factors(state, day), fit_of(state, self.rulebook))

    def moves(self, state: AccountState, day: int, facts: Facts) -> list[Move]:
        """Judge every ladder in order; a later one sees the earlier one's new rung. Fills ``facts.rungs``."""
        moves = []
        for ladder in self.rulebook.ladders:
            standing = state.standings.get(ladder.name)
            current, held = (0, 0) if standing is None else (ladder.names.index(standing.rung), day - standing.since)
            target = facts.rungs[ladder.name] = next_rung(ladder, current, held, facts)
            if target != current:
                moves.append(Move(ladder, current, target))
        return moves

    def due(self, state: AccountState, day: int) -> int | None:
        """Return the first day after ``day`` on which silence moves the account on some ladder; None where none does."""
        if not state.standings:
            return None  # at the bottom of every ladder
        newest = self._scoring.last_activity(state)
        settled = max(day, day if newest is None else newest) + self._horizon
        return next_change_day(lambda later: bool(self.moves(state, later, self.facts(state, later))), day, settled)

    def expiry(self, state: AccountState, day: int, ladder: Ladder) -> int | None:
        """Return the day on which the account falls on this ladder if nothing more happens; None where it never does.

        Falls of the other ladder on the way are played through, since this one may ask for a rung there.
        """
        silent = msgspec.structs.replace(state, standings=dict(state.standings))
        while (due := self.due(silent, day)) is not None:
            day = due
            moves = self.moves(silent, day, self.facts(silent, day))
            if any(move.ladder is ladder for move in moves):
                return day
            stand(silent, moves, day)
        return None


@lru_cache(maxsize=8)
def judge_by(text: str, version: str) -> Judge:
    """Return the judge by a rulebook's text as the log names it; the partitions of a worker share one.

    Raises `Refused` where this version of the code cannot use the rulebook.
    """
    return Judge(load_rulebook(text, f"rulebook {version}"), version)


def stand(state: AccountState, moves: list[Move], day: int) -> None:
    """Put the account on the rungs to which it moves."""
    for ladder, _, target in moves:
        if target == 0:
            del state.standings[ladder.name]
        else:
            state.standings[ladder.name] = Standing(ladder.names[target], day)
