"""Conditions: what an account must show to enter or to keep a rung, or to be in a segment.

A mapping holds when all its entries hold; ``all`` and ``any`` take lists of mappings, ``not`` takes one. Every other key is a
*word*: one entry in `NUMBERS`, `CHOICES` or `PARTS` says how its operand is read and when it holds. A condition is parsed once, with
every name in it checked, into closures over `Facts`.

Silence
-------
As days pass and nothing happens, most words are *fading*: they go from true to false and never back. Others are *constant*. A
condition made of those alone is fading or constant itself, and the first day on which silence changes it is found by bisection.
``not`` turns a fading word round (*turning*): each word in it still changes once at most, and that is what
`ladders.next_change_day` rests on.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from engagement.account import AccountState
from engagement.attributes import AttributeTest, attribute_of
from engagement.errors import Refused
from engagement.parts import Days, Names, Part, Points, Whole
from engagement.quantities import DAYS, FLAG, POINTS, SHARE, WHOLE, Quantity
from engagement.written import explained, shown, unknown

UNKNOWN = "unknown"
"""The grade and the value of an account of which too little is known."""


class Silence(IntEnum):
    """What days alone can do to a condition; of several parts the greatest counts."""

    CONSTANT = 0
    FADING = 1
    TURNING = 2
    RESTLESS = 3


class Facts(NamedTuple):
    """All that a condition can see of an account on one rule day. Days are ages or spans, never dates."""

    score: int  # thousandths
    people: int
    active_days: int
    first_party: bool
    roles: int
    act_now_age: int | None  # of the youngest act-now signal, in days
    idle: int | None  # days since the last activity; None where there never was one
    grade: str
    value: str
    suppressed: bool  # by the rulebook: nothing holds it on any rung
    committee: int  # share of the required roles that are known, in thousandths
    blocked: bool
    surges: tuple[str, ...]  # topics and needs, sorted
    surging_topics: int
    rolled_up_score: int  # thousandths, of the account and those below it together; its own where there is nothing from below
    rolled_up_people: int
    state: AccountState  # for what was said of it
    signals: Callable[[frozenset[str], int], tuple[int, int]]  # kinds, days -> signals younger than that, known people among them
    people_with: Callable[[frozenset[str], int], int]  # roles (empty: any), thousandths -> known people who have as many
    segments: list[str]  # those judged so far
    rungs: dict[str, int]  # of the ladders judged so far, 0 the bottom


class Known(NamedTuple):
    """What a condition may refer to where it stands."""

    kinds: Collection[str]
    window: int
    grades: tuple[str, ...]
    has_committee: bool
    has_blockers: bool
    needs: Collection[str]
    segments: Mapping[str, "Condition"]  # those before it
    ladders: Mapping[str, tuple[str, ...]]  # earlier ladders only; rungs from the bottom up
    keeping: bool  # in `keep`, a fit that is not known does no harm


class Condition(NamedTuple):
    """A parsed condition: a word, or ``all``, ``any`` or ``not`` over others."""

    operator: str
    path: str
    holds: Callable[[Facts], bool]
    canonical: dict[str, Any]  # one spelling per meaning
    silence: Silence
    parts: "tuple[Condition, ...]" = ()
    shows: Callable[[Facts], object] = lambda _: None  # what the account has of a word, for people to read
    amount: int | None = None  # what a word of `NUMBERS` asks for
    span: int | None = None  # in days, of a word that has one
    kinds: frozenset[str] = frozenset()  # whose signals the word counts, whatever they are worth

    @property
    def words(self) -> "Iterator[Condition]":
        """Every word in it."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.words


class Number(NamedTuple):
    """A word whose operand is one quantity."""

    quantity: Quantity
    holds: Callable[[Facts, int], bool]
    shows: Callable[[Facts], object]
    silence: Silence = Silence.FADING


class Choice(NamedTuple):
    """A word whose operand is one name or a list of them."""

    known: tuple[str, ...] | None  # None: any name
    shows: Callable[[Facts], Collection[str]]


class SignalsWithin(Part):
    """Operand of ``signals``: so many of these kinds, by so many people, younger than ``within``."""

    kind: Names | None = None  # None: any kind of the rulebook
    at_least: Whole = 1
    within: Days | None = None  # None: the rulebook's window
    people: Whole = 0


class PeopleWith(Part):
    """Operand of ``people_with``: so many known people of these roles who have that many points each."""

    roles: Names | None = None  # None: any
    score: Points
    at_least: Whole = 1


NUMBERS: dict[str, Number] = {
    "score": Number(POINTS, lambda facts, least: facts.score >= least, lambda facts: POINTS.spell(facts.score)),
    "people": Number(WHOLE, lambda facts, least: facts.people >= least, lambda facts: facts.people),
    "active_days": Number(WHOLE, lambda facts, least: facts.active_days >= least, lambda facts: facts.active_days),
    "roles": Number(WHOLE, lambda facts, least: facts.roles >= least, lambda facts: facts.roles),
    "first_party": Number(FLAG, lambda facts, wanted: facts.first_party == wanted, lambda facts: facts.first_party, Silence.TURNING),
    "act_now": Number(
        DAYS, lambda facts, span: facts.act_now_age is not None and facts.act_now_age < span, lambda facts: _ago(facts.act_now_age)
    ),
    "idle_under": Number(DAYS, lambda facts, span: facts.idle is not None and facts.idle < span, lambda facts: _ago(facts.idle)),
    "idle": Number(DAYS, lambda facts, span: facts.idle is None or facts.idle >= span, lambda facts: _ago(facts.idle), Silence.TURNING),
    "surging": Number(WHOLE, lambda facts, least: facts.surging_topics >= least, lambda facts: facts.surging_topics, Silence.RESTLESS),
    "rolled_up_score": Number(
        POINTS, lambda facts, least: facts.rolled_up_score >= least, lambda facts: POINTS.spell(facts.rolled_up_score)
    ),
    "rolled_up_people": Number(WHOLE, lambda facts, least: facts.rolled_up_people >= least, lambda facts: facts.rolled_up_people),
    "committee": Number(SHARE, lambda facts, least: facts.committee >= least, lambda facts: SHARE.spell(facts.committee), Silence.CONSTANT),
    "blocked": Number(FLAG, lambda facts, wanted: facts.blocked == wanted, lambda facts: facts.blocked, Silence.CONSTANT),
    "strategic": Number(
        FLAG, lambda facts, wanted: (facts.state.strategic is True) == wanted, lambda facts: facts.state.strategic is True, Silence.CONSTANT
    ),
    "listed": Number(WHOLE, lambda facts, tier: facts.state.listed_tier == tier, lambda facts: facts.state.listed_tier, Silence.CONSTANT),
}

CHOICES: dict[str, Choice] = {
    "value": Choice(("high", "low", UNKNOWN), lambda facts: [facts.value]),
    "disposition": Choice(("accepted", "rejected", "recycled"), lambda facts: _said(facts.state.disposition)),
    "opportunity": Choice(("open", "won", "lost"), lambda facts: [deal["stage"] for deal in facts.state.opportunities.values()]),
    "relationship": Choice(None, lambda facts: _said(facts.state.relationship)),
}

CONDITION_SCHEMA: dict[str, Any] = {"$ref": "#/$defs/Condition"}
"""How a JSON Schema refers to a condition; `engagement.schema` defines it."""

COMBINED = ("all", "any", "not")
P = TypeVar("P", bound=Part)


def parse_condition(raw: object, path: str, known: Known) -> Condition:
    """Read a condition.

    Raises `Refused` with a message that begins with ``path``: the value and what to write instead.
    """
    if not isinstance(raw, dict) or not raw:
        raise Refused(f"{path} = {shown(raw)} must be a mapping of conditions; write it as {{score: 30}}")
    parts = tuple(_entry(word, operand, f"{path}.{word}", known) for word, operand in raw.items())
    return _combined("all", path, parts, {word: part.canonical[word] for word, part in zip(raw, parts, strict=True)})


def _entry(word: str, operand: object, path: str, known: Known) -> Condition:
    if word in ("all", "any"):
        if not isinstance(operand, list) or not operand:
            raise Refused(f"{path} = {shown(operand)} must be a list of conditions; write it as [{{score: 30}}, {{act_now: 30d}}]")
        parts = tuple(parse_condition(each, f"{path}[{index}]", known) for index, each in enumerate(operand))
        return _combined(word, path, parts, {word: [part.canonical for part in parts]})
    if word == "not":
        return _negated(parse_condition(operand, path, known._replace(keeping=False)), path)
    if word in NUMBERS:
        return _number(word, operand, path, known)
    if word in CHOICES:
        return _choice(word, operand, path, CHOICES[word])
    if word in PARTS:
        return PARTS[word](operand, path, known)
    if word in known.ladders:
        return _standing(word, operand, path, known.ladders[word])
    if word in ("stage", "tier"):
        raise Refused(f"{path} asks for a ladder that is judged with it or after it; only tier may ask for stage")
    raise Refused(unknown(path, word, (*NUMBERS, *CHOICES, *PARTS, *known.ladders, *COMBINED), "condition"))


def _combined(operator: str, path: str, parts: tuple[Condition, ...], canonical: dict[str, Any]) -> Condition:
    tests = tuple(part.holds for part in parts)
    decisive = operator == "any"  # the answer of one part that decides: False where all must hold, True where any may

    def holds(facts: Facts) -> bool:
        for test in tests:
            if test(facts) == decisive:
                return decisive
        return not decisive

    return Condition(
        operator=operator,
        path=path,
        holds=tests[0] if len(tests) == 1 else holds,
        canonical=canonical,
        silence=max(part.silence for part in parts),
        parts=parts,
    )


def _negated(part: Condition, path: str) -> Condition:
    return Condition(
        operator="not",
        path=path,
        holds=lambda facts: not part.holds(facts),
        canonical={"not": part.canonical},
        silence=Silence.TURNING if part.silence == Silence.FADING else part.silence,
        parts=(part,),
    )


def _number(word: str, operand: object, path: str, known: Known) -> Condition:
    if word == "committee" and not known.has_committee:
        raise Refused(f"{path} = {shown(operand)} needs the required roles; add committee: {{required: [champion, economic_buyer]}}")
    if word == "blocked" and not known.has_blockers:
        raise Refused(f"{path} = {shown(operand)} needs the roles that block; add blockers: [procurement] to committee")
    quantity, holds, shows, silence = NUMBERS[word]
    try:
        amount = quantity.read(operand)
    except ValueError as error:
        raise Refused(f"{path} = {shown(operand)} {error}") from None
    if word == "first_party" and amount:
        silence = Silence.FADING
    return Condition(
        operator=word,
        path=path,
        holds=lambda facts: holds(facts, amount),
        canonical={word: quantity.spell(amount)},
        silence=silence,
        shows=shows,
        amount=amount,
        span=amount if quantity is DAYS else None,
    )


def _choice(word: str, operand: object, path: str, choice: Choice) -> Condition:
    chosen = _names(operand, path, choice.known)
    return Condition(
        operator=word,
        path=path,
        holds=lambda facts: not chosen.isdisjoint(choice.shows(facts)),
        canonical={word: sorted(chosen)},
        silence=Silence.CONSTANT,
        shows=lambda facts: ", ".join(sorted(set(choice.shows(facts)))) or None,
    )


def _standing(ladder: str, operand: object, path: str, rungs: tuple[str, ...]) -> Condition:
    chosen = _names(operand, path, rungs)
    if len(chosen) != 1:
        raise Refused(f"{path} = {shown(operand)} must be one rung; it means that rung or above")
    (rung,) = chosen
    least = rungs.index(rung)
    return Condition(
        operator=ladder,
        path=path,
        holds=lambda facts: facts.rungs[ladder] >= least,
        canonical={ladder: [rung]},
        silence=Silence.CONSTANT,  # the earlier ladder's own words say when it changes
        shows=lambda facts: rungs[facts.rungs[ladder]],
    )


def _fit(operand: object, path: str, known: Known) -> Condition:
    wanted = _names(operand, path, known.grades)
    harmless = wanted | {UNKNOWN} if known.keeping else wanted
    return Condition(
        operator="fit",
        path=path,
        holds=lambda facts: facts.grade in harmless,
        canonical={"fit": sorted(wanted)},
        silence=Silence.CONSTANT,
        shows=lambda facts: facts.grade,
    )


def _surge(operand: object, path: str, known: Known) -> Condition:
    needs = {need.casefold(): need for need in known.needs}
    wanted = frozenset(needs.get(name.casefold(), name.casefold()) for name in _names(operand, path, None))  # a need, else a topic
    return Condition(
        operator="surge",
        path=path,
        holds=lambda facts: not wanted.isdisjoint(facts.surges),
        canonical={"surge": sorted(wanted)},
        silence=Silence.RESTLESS,
        shows=lambda facts: ", ".join(facts.surges) or None,
    )


def _segment(operand: object, path: str, known: Known) -> Condition:
    wanted = _names(operand, path, tuple(known.segments))
    return Condition(
        operator="segment",
        path=path,
        holds=lambda facts: not wanted.isdisjoint(facts.segments),
        canonical={"segment": sorted(wanted)},
        silence=max(known.segments[name].silence for name in wanted),
        shows=lambda facts: ", ".join(facts.segments) or None,
    )


def _signals(operand: object, path: str, known: Known) -> Condition:
    asked = _part(SignalsWithin, operand, path)
    kinds = frozenset(known.kinds) if asked.kind is None else _names(list(asked.kind), f"{path}.kind", tuple(known.kinds))
    within = known.window if asked.within is None else asked.within

    def holds(facts: Facts) -> bool:
        count, people = facts.signals(kinds, within)
        return count >= asked.at_least and people >= asked.people

    def shows(facts: Facts) -> str:
        count, people = facts.signals(kinds, within)
        return f"{count} by {people} people"

    return Condition(
        operator="signals",
        path=path,
        holds=holds,
        canonical={"signals": _spelled(asked)},
        silence=Silence.FADING,
        shows=shows,
        span=within,
        kinds=kinds,
    )


def _people_with(operand: object, path: str, _known: Known) -> Condition:
    asked = _part(PeopleWith, operand, path)
    roles = frozenset(asked.roles or ())
    return Condition(
        operator="people_with",
        path=path,
        holds=lambda facts: facts.people_with(roles, asked.score) >= asked.at_least,
        canonical={"people_with": _spelled(asked)},
        silence=Silence.FADING,
        shows=lambda facts: facts.people_with(roles, asked.score),
    )


def _attributes(operand: object, path: str, _known: Known) -> Condition:
    if not isinstance(operand, dict) or not operand:
        raise Refused(f"{path} = {shown(operand)} must be tests by attribute; write it as {{employees: {{at_least: 1000}}}}")
    tests = {name: _part(AttributeTest, test, f"{path}.{name}") for name, test in operand.items()}
    return Condition(
        operator="attributes",
        path=path,
        holds=lambda facts: all(test.meets(attribute_of(facts.state, name)) for name, test in tests.items()),
        canonical={"attributes": {name: _spelled(test) for name, test in tests.items()}},
        silence=Silence.CONSTANT,
        shows=lambda facts: ", ".join(f"{name} {attribute_of(facts.state, name)}" for name in tests),
    )


PARTS: dict[str, Callable[[object, str, Known], Condition]] = {
    "signals": _signals,
    "people_with": _people_with,
    "attributes": _attributes,
    "fit": _fit,
    "surge": _surge,
    "segment": _segment,
}
"""Words with an operand of their own shape."""


def _part(model: type[P], operand: object, path: str) -> P:
    if not isinstance(operand, dict):
        raise Refused(f"{path} = {shown(operand)} must be a mapping; its keys are {', '.join(model.model_fields)}")
    try:
        return model.model_validate(operand)
    except ValidationError as invalid:
        raise Refused(explained(invalid.errors()[0], path)) from None


def _spelled(part: Part) -> dict[str, Any]:
    return part.model_dump(mode="json", by_alias=True, exclude_none=True)


def _names(operand: object, path: str, known: tuple[str, ...] | None) -> frozenset[str]:
    chosen = operand if isinstance(operand, list) else [operand]
    if not chosen:
        raise Refused(f"{path} = [] must have a name")
    for index, name in enumerate(chosen):
        place = f"{path}[{index}]" if isinstance(operand, list) and len(chosen) > 1 else path
        if not isinstance(name, str) or not name:
            raise Refused(f"{place} = {shown(name)} must be a name")
        if known is not None and name not in known:
            raise Refused(unknown(f"{place} = {shown(name)}", name, known, "name"))
    return frozenset(chosen)


def _said(word: str | None) -> tuple[str, ...]:
    return () if word is None else (word,)


def _ago(days: int | None) -> str:
    return "never" if days is None else f"{days}d ago"
