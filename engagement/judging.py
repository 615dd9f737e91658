"""A rulebook applied to an account on a rule day: facts, rungs, and when silence moves it next."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from typing import NamedTuple

import msgspec

from engagement import surge
from engagement.account import AccountState, Pin, Standing
from engagement.conditions import Condition, Facts, Silence
from engagement.counts import ANONYMOUS, MERGED
from engagement.days import day_of
from engagement.fit import Fit, fit_of, value_of
from engagement.headroom import Headroom, Watch, watch
from engagement.ladders import Ladder, next_change_day, next_rung
from engagement.quantities import THOUSAND
from engagement.records import Signal
from engagement.rulebook import BOTTOMS, Rulebook, load_rulebook
from engagement.scoring import Factor, Full, Scoring, Tally
from engagement.segments import cluster_of
from engagement.together import as_one, rolled_up


class Move(NamedTuple):
    """What one record does to an account on one ladder. Rungs are names.

    Where a pin is or was, the rung on which it stands (``origin`` to ``target``) and the machine's own differ.
    """

    ladder: Ladder
    origin: str
    target: str
    own_origin: str
    own_target: str
    pin: Pin | None  # the active one

    @property
    def is_seen(self) -> bool:
        """Whether the account stands elsewhere after it."""
        return self.origin != self.target


class Evaluation(NamedTuple):
    """Everything that is said of an account on one rule day. Points are thousandths; the factors add up to the score."""

    day: int
    facts: Facts
    factors: tuple[Factor, ...]
    fit: Fit
    cluster: str | None


class Tallies(NamedTuple):
    """What facts were made from."""

    own: Tally
    rolled_up: Tally  # the same where there is nothing from below

    def full(self, scoring: Scoring) -> Full:
        """Say what adds nothing more to either."""
        own = scoring.full(self.own)
        if self.rolled_up is self.own:
            return own
        both = scoring.full(self.rolled_up)
        return Full(own.kinds & both.kinds, own.buckets & both.buckets)


class Judge:
    """One rulebook, compiled. Holds no account, and no method changes a state."""

    def __init__(self, rulebook: Rulebook, version: str) -> None:
        self.rulebook = rulebook
        self.version = version  # as the log names it
        self._scoring = Scoring(rulebook)
        known = {ladder.name: ladder for ladder in rulebook.ladders}
        self._ladders = tuple(known.get(name) or Ladder(name, (bottom,), ()) for name, bottom in BOTTOMS.items())
        conditions = [
            *rulebook.conditions_by_segment.values(),
            *(condition for ladder in rulebook.ladders for condition in ladder.conditions),
        ]
        rungs = [rung for ladder in rulebook.ladders for rung in ladder.rungs]
        self._words = tuple(word for condition in conditions for word in condition.words if word.silence != Silence.CONSTANT)
        self._watches_of_segments = [watch(condition) for condition in rulebook.conditions_by_segment.values()]
        self._watches: dict[str, list[tuple[Watch, Watch | None]]] = {
            ladder.name: [(watch(rung.enter), None if rung.keep is None else watch(rung.keep)) for rung in ladder.rungs]
            for ladder in self._ladders
        }
        self._silence = max((condition.silence for ladder in rulebook.ladders for condition in ladder.conditions), default=Silence.CONSTANT)
        self._rolls_up = any(word.operator in _ROLLED_UP for word in self._words)
        self._asked = frozenset(kind for word in self._words for kind in word.kinds)
        self._spans = [word.span or 0 for word in self._words] + [rung.dwell for rung in rungs] + [rung.cool_down for rung in rungs]
        self._horizon = max(self._scoring.horizon, *self._spans, 1)
        self._plain_kinds = frozenset(kind for kind, rule in rulebook.signals.items() if not rule.act_now)
        self._third_party_kinds = frozenset(kind for kind, rule in rulebook.signals.items() if rule.third_party)
        self._suppressed = frozenset(rulebook.suppress)
        self._suppressed_accounts = frozenset(rulebook.suppress_accounts)

    def facts(self, account: str, state: AccountState, day: int) -> Facts:
        """Gather what conditions look at; ``rungs`` is empty until ladders are judged."""
        return self.tallied(account, state, day)[0]

    def tallied(self, account: str, state: AccountState, day: int) -> tuple[Facts, Tallies]:
        """Gather what conditions look at, and what it was made from."""
        return self._tallied_by_day(account, state)(day)

    def _tallied_by_day(self, account: str, state: AccountState) -> Callable[[int], tuple[Facts, Tallies]]:
        """Give `tallied` for one day after another. What days do not change is found once, where an account stands may change between."""
        state = as_one(state)
        scoring, rulebook = self._scoring, self.rulebook
        both = rolled_up(state) if state.has_below else None
        multipliers = scoring.multipliers(state)
        active = scoring.last_activity(state, multipliers)
        grade, value = fit_of(state, rulebook).grade, value_of(state, rulebook)
        suppressed = state.relationship in self._suppressed or account in self._suppressed_accounts
        committee = self._committee(state)
        blocked = rulebook.committee is not None and not self._known_roles(state).isdisjoint(rulebook.committee.blockers)

        def tallied(day: int) -> tuple[Facts, Tallies]:
            tally = scoring.tally(state, day)
            together = tally if both is None else scoring.tally(both, day)
            surging = surge.surging(state, day, rulebook, tally.excluded) if state.topics else surge.NOTHING
            facts = Facts(
                score=tally.score,
                people=len(tally.people),
                active_days=len(tally.days),
                first_party=tally.first_party,
                roles=len({state.roles[person] for person in tally.people} - {None}),
                act_now_age=tally.act_now_age,
                idle=None if active is None else max(0, day - active),
                grade=grade,
                value=value,
                suppressed=suppressed,
                committee=committee,
                blocked=blocked,
                surges=surging.names(rulebook),
                surging_topics=len(surging.topics),
                rolled_up_score=together.score,
                rolled_up_people=len(together.people),
                state=state,
                signals=lambda kinds, span: scoring.signals(state, multipliers, day, kinds, span),
                people_with=lambda roles, least: scoring.people_with(state, tally, roles, least),
                segments=[],
                rungs={},
            )
            for name, condition in rulebook.conditions_by_segment.items():
                if condition.holds(facts):
                    facts.segments.append(name)
            return facts, Tallies(tally, together)

        return tallied

    def headroom(self, state: AccountState, day: int, facts: Facts, tallies: Tallies) -> Headroom:
        """Say which signals the account bears from ``day`` on, where it was judged as ``facts`` and did not move."""
        asked = [*self._watched(state, facts)]
        operators = {word.operator for word in asked}
        is_lasting = self.is_fading(state)
        kinds = self._plain_kinds if facts.first_party else self._plain_kinds & self._third_party_kinds
        if "idle_under" in operators:
            kinds = frozenset()
        tally = tallies.own
        some_people = _NONE if "people_with" in operators else tally.people
        new_people = min(_least(asked, "people") - facts.people, _least(asked, "rolled_up_people") - facts.rolled_up_people)
        return Headroom(
            day=day,
            is_lasting=is_lasting,
            kinds=kinds.difference(*(word.kinds for word in asked)),
            surges_since=state.oldest if self._silence == Silence.RESTLESS else None,
            points=min(_least(asked, "score") - facts.score, _least(asked, "rolled_up_score") - facts.rolled_up_score),
            full=tallies.full(self._scoring),
            people=some_people | {ANONYMOUS, MERGED},
            people_with_below=tallies.rolled_up.people | {ANONYMOUS, MERGED},
            people_left=new_people if is_lasting and "people_with" not in operators else 1,
            roles_left=_least(asked, "roles") - facts.roles,
            days=tally.days,
            days_left=_least(asked, "active_days") - len(tally.days) if is_lasting else 1,
            worth=self._scoring.worth,
        )

    def _watched(self, state: AccountState, facts: Facts) -> Iterator[Condition]:
        """Yield words such that no signal moves the account while each of them stays true or false, as it is."""
        for each in self._watches_of_segments:
            yield from each.words(facts, each.condition.holds(facts))
        for ladder in self._ladders:
            own = state.computed.get(ladder.name, state.standings.get(ladder.name))
            current = 0 if own is None or own.rung not in ladder.names else ladder.names.index(own.rung)
            for enter, _ in self._watches[ladder.name][current:]:
                if not enter.condition.holds(facts):
                    yield from enter.words(facts, holds=False)
            for held in self._watches[ladder.name][current - 1] if current else ():
                if held is not None and held.condition.holds(facts):
                    yield from held.words(facts, holds=True)

    def evaluate(self, account: str, state: AccountState, day: int) -> Evaluation:
        """Evaluate an account as it is judged on ``day``; ``facts.rungs`` says where it would then stand."""
        facts = self.facts(account, state, day)
        self.moves(state, day, facts)
        return self.explain(state, day, facts)

    @property
    def scoring(self) -> Scoring:
        """The rulebook's weights, decay and caps."""
        return self._scoring

    def is_worthless(self, signal: Signal, state: AccountState) -> bool:
        """Whether a signal that ``state`` has counted, or taken out again, changed no fact.

        It is worth nothing, no condition counts its kind or topic, and what surges is not known for longer by it (`surge.weeks_known`).
        """
        if signal.via is not None:
            return not (self._rolls_up and self._scoring.counts(signal.kind))
        silent = self._silence != Silence.RESTLESS or (signal.topic is None and day_of(signal.occurred_at) > state.oldest)
        return silent and signal.kind not in self._asked and not self._scoring.counts(signal.kind)

    def explain(self, state: AccountState, day: int, facts: Facts) -> Evaluation:
        """Put beside the facts of ``day`` what explains them."""
        rulebook, factors = self.rulebook, self._scoring.factors(as_one(state), day)
        return Evaluation(day, facts, factors, fit_of(state, rulebook), cluster_of(state, rulebook.cluster))

    def moves(self, state: AccountState, day: int, facts: Facts) -> list[Move]:
        """Judge every ladder in order; a later one sees where the account stands on the earlier one then. Fills ``facts.rungs``."""
        moves = []
        for ladder in self._ladders:
            bottom = ladder.names[0]
            standing = state.standings.get(ladder.name)
            own = state.computed.get(ladder.name, standing)
            origin = bottom if standing is None else standing.rung
            own_origin = bottom if own is None else own.rung
            current, held = (0, 0) if own is None or own.rung not in ladder.names else (ladder.names.index(own.rung), day - own.since)
            own_target = ladder.names[next_rung(ladder, current, held, self._resting(state, ladder, day), facts)]
            pin = self._pin(state, ladder, day, facts)
            target = own_target if pin is None else pin.rung
            facts.rungs[ladder.name] = ladder.names.index(target)
            was_pinned = ladder.name in state.computed
            if (origin, own_origin, was_pinned) != (target, own_target, pin is not None):
                moves.append(Move(ladder, origin, target, own_origin, own_target, pin))
        return moves

    def due(self, account: str, state: AccountState, day: int) -> int | None:
        """Return the first day after ``day`` on which silence may move the account on some ladder; None where none does."""
        if self._silence == Silence.RESTLESS and surge.is_remembered(state, day):
            return day + 1
        if self.is_at_rest(state):
            return None
        is_fading = self.is_fading(state) and not state.pins
        state = as_one(state)
        counts = (state,) if state.below is None else (state, state.below)
        days = (each for counted in counts for history in counted.kinds.values() for each in history.days)
        ends = [pin.until + 1 for pin in state.pins.values() if pin.until is not None]
        settled = max([day, *ends, *days]) + self._horizon  # a signal may be dated ahead

        tallied = self._tallied_by_day(account, state)

        @cache
        def moves_on(later: int) -> bool:
            return bool(self.moves(state, later, tallied(later)[0]))

        def signature(later: int) -> object:
            return self._signature(state, later, tallied(later)[0])

        return next_change_day(moves_on, moves_on if is_fading else signature, day, settled)

    def is_fading(self, state: AccountState) -> bool:
        """Whether silence can only take away from the account, so that a plain signal can only put off its due day."""
        return self._silence <= Silence.FADING and not state.falls

    def is_at_rest(self, state: AccountState) -> bool:
        """Whether neither silence nor fewer signals can move the account: it is at the bottom of every ladder, and less lifts nobody."""
        return not state.standings and not state.pins and self.is_fading(state)

    def forget(self, state: AccountState, day: int) -> None:
        """Drop what no longer matters on ``day`` or later: counts beyond the history, and pins and cool-downs that are over."""
        state.forget_before(day - self.rulebook.history_days + 1)
        if state.pins and any(pin.until is not None and pin.until < day for pin in state.pins.values()):
            state.pins = {ladder: pin for ladder, pin in state.pins.items() if pin.until is None or pin.until >= day}
        if state.falls:
            resting = {ladder.name: self._resting(state, ladder, day) for ladder in self._ladders}
            state.falls = {
                ladder: {rung: fell for rung, fell in falls.items() if rung in resting[ladder]}
                for ladder, falls in state.falls.items()
                if resting.get(ladder)
            }

    def expiry(self, account: str, state: AccountState, due: int | None, ladder: Ladder) -> int | None:
        """Return the day on which the account falls on this ladder if nothing more happens; None where it never does.

        ``due`` is the account's due day. Moves of the other ladder on the way are played through, since this one may ask for a rung there.
        """
        for later, moves in self.in_silence(account, state, due):
            if any(move.ladder is ladder and move.is_seen and is_fall(move) for move in moves):
                return later
        return None

    def in_silence(self, account: str, state: AccountState, due: int | None) -> Iterator[tuple[int, list[Move]]]:
        """Yield the days from the ``due`` day on which the account moves if nothing more happens, and how; ``state`` stays as it is."""
        silent = apart(as_one(state))
        tallied = self._tallied_by_day(account, silent)
        while due is not None:
            moves = self.moves(silent, due, tallied(due)[0])
            stand(silent, moves, due)
            if moves:
                yield due, moves
            due = self.due(account, silent, due)

    def _signature(self, state: AccountState, day: int, facts: Facts) -> tuple[object, ...]:
        """All that decides how the account moves on ``day``: each part changes at most once in silence."""
        holds = tuple(word.holds(facts) for word in self._words if word.operator not in ("segment", "surge", "surging"))
        standings = [*state.standings.items(), *state.computed.items()]
        rungs = [
            (day - standing.since >= rung.dwell)
            for name, standing in standings
            for ladder in self._ladders
            for rung in ladder.rungs
            if standing is not None and (ladder.name, rung.name) == (name, standing.rung)
        ]
        resting = [self._resting(state, ladder, day) for ladder in self._ladders]
        pins = [pin.until is None or day <= pin.until for pin in state.pins.values()]
        return holds, rungs, resting, pins

    def _committee(self, state: AccountState) -> int:
        rule = self.rulebook.committee
        if rule is None:
            return 0
        return THOUSAND * len(self._known_roles(state).intersection(rule.required)) // len(set(rule.required))

    def _known_roles(self, state: AccountState) -> set[str]:
        """The roles of everyone who is known, but for those that take a person out of everything."""
        return {role for role in state.roles.values() if role is not None and self.rulebook.roles.get(role, THOUSAND)}

    def _resting(self, state: AccountState, ladder: Ladder, day: int) -> frozenset[str]:
        falls = state.falls.get(ladder.name)
        if not falls:
            return _NONE
        return frozenset(rung.name for rung in ladder.rungs if rung.name in falls and day - falls[rung.name] < rung.cool_down)

    def _pin(self, state: AccountState, ladder: Ladder, day: int, facts: Facts) -> Pin | None:
        pin = state.pins.get(ladder.name)
        if pin is None or facts.suppressed or pin.rung not in ladder.names or (pin.until is not None and day > pin.until):
            return None
        return pin


@lru_cache(maxsize=8)
def judge_by(text: str, version: str) -> Judge:
    """Return the judge by a rulebook's text as the log names it; the partitions of a worker share one.

    Raises `Refused` where this version of the code cannot use the rulebook.
    """
    return Judge(load_rulebook(text, f"rulebook {version}"), version)


def apart(state: AccountState) -> AccountState:
    """Copy a state so that it may `stand` elsewhere than the original; they share what was counted and said."""
    return msgspec.structs.replace(
        state,
        standings=dict(state.standings),
        computed=dict(state.computed),
        falls={name: dict(falls) for name, falls in state.falls.items()},
    )


def stand(state: AccountState, moves: list[Move], day: int) -> None:
    """Put the account, and where it is pinned the machine's own standing, on the rungs to which they move."""
    for move in moves:
        ladder = move.ladder
        own = state.computed.pop(ladder.name, state.standings.get(ladder.name))
        if move.own_target != move.own_origin:
            _note_falls(state, move, day)
            own = None if move.own_target == ladder.names[0] else Standing(move.own_target, day)
        shown = own
        if move.pin is not None:
            state.computed[ladder.name] = own
            before = state.standings.get(ladder.name)
            shown = before if before is not None and before.rung == move.target else Standing(move.target, day)
        if shown is None or move.target == ladder.names[0]:
            state.standings.pop(ladder.name, None)
        else:
            state.standings[ladder.name] = shown


def is_fall(move: Move) -> bool:
    """Whether the account stands lower after it. A rung that the rulebook no longer has is below all others but the bottom's equal."""
    names = move.ladder.names
    return names.index(move.target) < names.index(move.origin) if move.origin in names else move.target == names[0]


def _note_falls(state: AccountState, move: Move, day: int) -> None:
    names = move.ladder.names
    if move.own_origin not in names:
        return
    low, high = names.index(move.own_target), names.index(move.own_origin)
    for rung in move.ladder.rungs[low:high]:
        if rung.cool_down:
            state.falls.setdefault(move.ladder.name, {})[rung.name] = day


def _least(asked: Iterable[Condition], operator: str) -> int:
    """Return the lowest amount that these words of that operator ask for."""
    return min((word.amount for word in asked if word.operator == operator and word.amount is not None), default=_ENDLESS)


_ENDLESS = 1 << 62
_ROLLED_UP = frozenset({"rolled_up_score", "rolled_up_people"})
_NONE: frozenset[str] = frozenset()
