"""What a rulebook can be used with, and is hardly meant: rungs nobody can earn, seats that do not fit, roles spelled in two ways.

Only what is provable is said. A rung is out of reach where its *enter* asks for something that no account can show under the rest of the
rulebook; a ``not`` is never taken for that. Somebody may still be pinned to such a rung.
"""

import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher

from engagement.conditions import UNKNOWN, Condition, PeopleWith, SignalsWithin
from engagement.counts import MAX_PEOPLE, MAX_TOPICS
from engagement.quantities import spell_thousandths
from engagement.rulebook import NO_GRADE, Rulebook

_LISTS = (1, 2, 3)  # as `events.AccountUpdate.listed_tier`
_ALIKE, _SHORTEST = 0.85, 5
"""From this ratio of equal characters on two words of that many letters are taken for one that was misspelt."""


def warnings(rulebook: Rulebook) -> list[str]:
    """One line each: path, value, what is odd about it."""
    return [*_Reach(rulebook).complaints(), *_seat_complaints(rulebook), *_role_complaints(rulebook), *_surge_complaints(rulebook)]


class _Reach:
    """What accounts can show at the most. Scores are thousandths; None is no bound."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        self._worth = {kind: rule for kind, rule in rulebook.signals.items() if rule.points or rule.per_minute}
        self._seen = {kind: rule for kind, rule in rulebook.signals.items() if kind in self._worth or rule.act_now}
        self._most_score = self._score_bound()
        self._grades = self._possible_grades()
        self._highest: dict[str, int] = {}  # ladder -> the highest rung that can be earned

    def complaints(self) -> Iterator[str]:
        """Name the rungs and segments that nobody can be in."""
        for name, condition in self._rulebook.conditions_by_segment.items():
            why = self._why_not(condition, suppressed=())
            if why is not None:
                yield f"segments.{name}: nobody can be in it: {why}"
        for ladder in self._rulebook.ladders:
            self._highest[ladder.name] = 0
            for number, rung in enumerate(ladder.rungs, 1):
                why = self._why_not(rung.enter, self._rulebook.suppress)
                if why is None:
                    self._highest[ladder.name] = number
                else:
                    yield f"{ladder.name}.{rung.name}: nobody can earn it: {why}"

    def _why_not(self, condition: Condition, suppressed: tuple[str, ...]) -> str | None:
        """Say what keeps everybody from meeting it; None where somebody may. Who is ``suppressed`` is out anyway."""
        match condition.operator:
            case "all":
                return next((why for part in condition.parts if (why := self._why_not(part, suppressed)) is not None), None)
            case "any":
                reasons = [self._why_not(part, suppressed) for part in condition.parts]
                return None if None in reasons else "; ".join(dict.fromkeys(filter(None, reasons)))
            case "not":
                return None
            case "segment":
                wanted = condition.canonical["segment"]
                conditions = self._rulebook.conditions_by_segment
                reasons = [self._why_not(conditions[name], suppressed) for name in wanted]
                return None if None in reasons else f"{condition.path} = {', '.join(wanted)}: {reasons[0]}"
        limit = self._limit(condition, condition.canonical[condition.operator], suppressed)
        return None if limit is None else f"{condition.path} {limit}"

    def _limit(self, word: Condition, operand: object, suppressed: tuple[str, ...]) -> str | None:  # noqa: C901, PLR0911, PLR0912 - one case a word, each of a line or two
        """Complete ``<path> ...`` where no account can meet a word."""
        rulebook = self._rulebook
        match word.operator, operand:
            case (("score" | "rolled_up_score"), _) if (
                self._most_score is not None and word.amount is not None and word.amount > self._most_score
            ):
                return f"= {operand} is more than all caps together allow, {spell_thousandths(self._most_score)}"
            case (("people" | "active_days" | "roles" | "rolled_up_people"), int(least)) if least and not self._seen:
                return f"= {least}, but no kind of signal is worth anything"
            case (("people" | "roles"), int(least)) if least > MAX_PEOPLE:
                return f"= {least} is more than the {MAX_PEOPLE} people that are told apart"
            case "rolled_up_people", int(least) if least > 2 * MAX_PEOPLE:
                return f"= {least} is more than the {2 * MAX_PEOPLE} people that are told apart, here and below"
            case "active_days", int(least) if least > rulebook.window + 1:  # a day ahead may count beside those of the window
                return f"= {least} is more days than window = {rulebook.window}d has"
            case "first_party", True if all(rule.third_party for rule in self._seen.values()):
                return "= true, but every kind that is worth anything is third_party"
            case "act_now", _ if not any(rule.act_now for rule in rulebook.signals.values()):
                return f"= {operand}, but no kind of signal is act_now"
            case "surging", int(least) if least > MAX_TOPICS:
                return f"= {least} is more than the {MAX_TOPICS} topics that are told apart"
            case "listed", int(tier) if tier not in _LISTS:
                return f"= {tier}, but lists are {', '.join(map(str, _LISTS))}"
            case "fit", list(wanted) if self._grades.isdisjoint(wanted):
                return f"= {', '.join(wanted)}, but grades can only be {', '.join(sorted(self._grades))}"
            case "value", list(wanted) if rulebook.value is None and UNKNOWN not in wanted:
                return f"= {', '.join(wanted)}, but without `value` it is unknown of every account"
            case "relationship", list(wanted) if set(wanted) <= set(suppressed):
                return f"= {', '.join(wanted)}, but these are suppressed, and stand at the bottom of every ladder"
            case "signals", dict(asked) if SignalsWithin.model_validate(asked).people > MAX_PEOPLE:
                return f"asks for more than the {MAX_PEOPLE} people that are told apart"
            case "people_with", dict(asked):
                return self._people_limit(PeopleWith.model_validate(asked))
            case ladder, [rung] if ladder in self._highest:
                names = next(each.names for each in rulebook.ladders if each.name == ladder)
                return f"= {rung}, which nobody can earn" if names.index(rung) > self._highest[ladder] else None
        return None

    def _people_limit(self, asked: PeopleWith) -> str | None:
        roles, cap = self._rulebook.roles, self._rulebook.caps.person
        if asked.at_least == 0:
            return None
        if asked.at_least > MAX_PEOPLE:
            return f"asks for more than the {MAX_PEOPLE} people that are told apart"
        if asked.roles and not any(roles.get(role, 1) for role in asked.roles):
            return f"asks for {', '.join(asked.roles)} only, whose roles are worth 0"
        own = [rule for rule in self._worth.values() if not rule.third_party]  # what third parties report is nobody's in particular
        if asked.score and not own:
            return "asks for a score, but no first-party kind is worth anything"
        if cap is not None and asked.score > cap and not any(rule.act_now for rule in own):
            return f"asks for a score of {spell_thousandths(asked.score)}, more than caps.person = {spell_thousandths(cap)}"
        return None

    def _score_bound(self) -> int | None:
        """Only caps bound a score: there may be any number of people. Kinds of third parties have one together, too."""
        own = self._together(kind for kind, rule in self._worth.items() if not rule.third_party)
        others = self._together(kind for kind, rule in self._worth.items() if rule.third_party)
        cap = self._rulebook.caps.third_party
        if cap is not None and not any(rule.third_party and rule.act_now for rule in self._worth.values()):
            others = cap if others is None else min(others, cap)
        return None if own is None or others is None else own + others

    def _together(self, kinds: Iterable[str]) -> int | None:
        caps = self._rulebook.caps.account
        bounds = [None if self._worth[kind].act_now else caps.get(kind) for kind in kinds]
        return None if None in bounds else sum(bound for bound in bounds if bound is not None)

    def _possible_grades(self) -> set[str]:
        rulebook = self._rulebook
        if rulebook.grades is None or not any(criterion.weight for criterion in rulebook.fit.values()):
            return {UNKNOWN}
        borders = rulebook.grades.borders
        return set(borders) | {UNKNOWN} | ({NO_GRADE} if min(borders.values(), default=1) > 0 else set())


def _seat_complaints(rulebook: Rulebook) -> Iterator[str]:
    for name in ("stage", "tier"):
        written = getattr(rulebook, name) or {}
        seats = {f"{name}.{rung}.seats": rule.seats for rung, rule in written.items() if rule.seats is not None}
        below: tuple[str, int] | None = None
        for path, room in seats.items():
            if below is not None and room > below[1]:
                yield f"{path} = {room} is more than {below[0]} = {below[1]}: there is more room above than below"
            below = path, room
        together, accounts = sum(seats.values()), rulebook.programme.accounts if rulebook.programme is not None else None
        if accounts is not None and together > accounts:
            yield f"{name}: its seats together are {together}, but programme.accounts = {accounts}"


def _role_complaints(rulebook: Rulebook) -> Iterator[str]:
    """A role that stands only here, beside one that is nearly the same elsewhere."""
    known = [role for role in rulebook.roles if role != "anonymous"]
    committee = [] if rulebook.committee is None else [*rulebook.committee.required, *rulebook.committee.blockers]
    yield from _misspelt("committee", committee, known)
    for word in _words(rulebook):
        if word.operator == "people_with":
            yield from _misspelt(f"{word.path}.roles", word.canonical["people_with"].get("roles", ()), [*known, *committee])


def _surge_complaints(rulebook: Rulebook) -> Iterator[str]:
    """Any name is a topic, if not a need's; where it is nearly one of those that are written, it was hardly meant."""
    topics = [topic.casefold() for need in rulebook.needs.values() for topic in need.topics]
    for word in _words(rulebook):
        if word.operator == "surge":
            yield from _misspelt(word.path, word.canonical["surge"], [*rulebook.needs, *topics])


def _words(rulebook: Rulebook) -> Iterator[Condition]:
    conditions = [*rulebook.conditions_by_segment.values(), *(each for ladder in rulebook.ladders for each in ladder.conditions)]
    return (word for condition in conditions for word in condition.words)


def _misspelt(path: str, names: Iterable[str], others: Iterable[str]) -> Iterator[str]:
    others = list(others)
    for name in names:
        near = [other for other in others if other not in names and _is_alike(name, other)]
        if name not in others and near:
            yield f"{path}: {name} stands nowhere else; is {near[0]} meant?"


def _is_alike(one: str, other: str) -> bool:
    """Whether they differ as a slip of the pen does: ``level_1`` and ``level_2``, ``vp_eu`` and ``vp_us`` are two roles each."""
    ours, theirs = (re.findall(r"[^\s_-]+", name.casefold()) for name in (one, other))
    if "".join(ours) == "".join(theirs):
        return True
    return len(ours) == len(theirs) and all(map(_is_alike_word, ours, theirs))


def _is_alike_word(one: str, other: str) -> bool:
    if one == other or min(len(one), len(other)) < _SHORTEST or one[0] != other[0] or re.sub(r"\d", "", one) == re.sub(r"\d", "", other):
        return one == other
    return SequenceMatcher(a=one, b=other, autojunk=False).ratio() >= _ALIKE
