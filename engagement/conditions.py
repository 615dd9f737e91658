"""Conditions of a rung: what an account must show to enter or to keep it.

A mapping holds when all its entries hold; ``all`` and ``any`` take lists of mappings. Every other key is a `Word`: one line in
`WORDS` says how its operand is read and when it holds. A condition is parsed once, with every name in it checked, into a
closure over `Facts`.

Every word is *monotone in silence*: as days pass and nothing happens it may go from true to false, never back. The ladders'
lazily kept due days rest on that (see `ladders.next_change_day`); a word that is not (a ``not``) must bring its own due day.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from engagement.errors import Refused
from engagement.quantities import DAYS, FLAG, POINTS, WHOLE, Quantity
from engagement.written import shown, unknown

UNKNOWN = "unknown"
"""The grade and the value of an account of which too little is known."""


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
    relationship: str | None
    disposition: str | None
    opportunities: frozenset[str]  # stages that some opportunity is in
    listed: int | None
    strategic: bool
    suppressed: bool  # by the rulebook, for its relationship: nothing holds it on any rung
    rungs: dict[str, int]  # of the ladders judged so far, 0 the bottom


class Names(NamedTuple):
    """What a condition may refer to where it stands."""

    grades: tuple[str, ...]
    ladders: Mapping[str, tuple[str, ...]]  # earlier ladders only; rungs from the bottom up
    keeping: bool  # in `keep`, a fit that is not known does no harm


class Condition(NamedTuple):
    """A parsed condition."""

    holds: Callable[[Facts], bool]
    canonical: dict[str, Any]  # one spelling per meaning
    scores: tuple[tuple[str, int], ...]  # every score threshold in it with its path
    spans: tuple[tuple[str, int], ...]  # every span of days in it with its path


class Word(NamedTuple):
    """One key of a condition: how its operand is read, and when it holds."""

    quantity: Quantity
    holds: Callable[[Facts, int], bool]


class Choice(NamedTuple):
    """A key whose operand is one name or a list of them."""

    known: tuple[str, ...] | None  # None: any name
    holds: Callable[[Facts, frozenset[str]], bool]


WORDS: dict[str, Word] = {
    "score": Word(POINTS, lambda facts, least: facts.score >= least),
    "people": Word(WHOLE, lambda facts, least: facts.people >= least),
    "active_days": Word(WHOLE, lambda facts, least: facts.active_days >= least),
    "roles": Word(WHOLE, lambda facts, least: facts.roles >= least),
    "first_party": Word(FLAG, lambda facts, _true: facts.first_party),
    "strategic": Word(FLAG, lambda facts, wanted: facts.strategic == wanted),
    "act_now": Word(DAYS, lambda facts, span: facts.act_now_age is not None and facts.act_now_age < span),
    "idle_under": Word(DAYS, lambda facts, span: facts.idle is not None and facts.idle < span),
    "listed": Word(WHOLE, lambda facts, tier: facts.listed == tier),
}

CHOICES: dict[str, Choice] = {
    "value": Choice(("high", "low", UNKNOWN), lambda facts, wanted: facts.value in wanted),
    "disposition": Choice(("accepted", "rejected", "recycled"), lambda facts, wanted: facts.disposition in wanted),
    "opportunity": Choice(("open", "won", "lost"), lambda facts, wanted: not wanted.isdisjoint(facts.opportunities)),
    "relationship": Choice(None, lambda facts, wanted: facts.relationship in wanted),
}


def parse_condition(raw: object, path: str, names: Names) -> Condition:
    """Read a condition.

    Raises `Refused` with a message that begins with ``path``: the value and what to write instead.
    """
    if not isinstance(raw, dict) or not raw:
        raise Refused(f"{path} = {shown(raw)} must be a mapping of conditions; write it as {{score: 30}}")
    parts = [_entry(word, operand, f"{path}.{word}", names) for word, operand in raw.items()]
    return _combined(parts, {word: part.canonical[word] for word, part in zip(raw, parts, strict=True)}, decisive=False)


def _entry(word: str, operand: object, path: str, names: Names) -> Condition:
    if word in ("all", "any"):
        if not isinstance(operand, list) or not operand:
            raise Refused(f"{path} = {shown(operand)} must be a list of conditions; write it as [{{score: 30}}, {{act_now: 30d}}]")
        parts = [parse_condition(each, f"{path}[{index}]", names) for index, each in enumerate(operand)]
        return _combined(parts, {word: [part.canonical for part in parts]}, decisive=word == "any")
    if word in WORDS:
        return _quantified(word, operand, path)
    if word == "fit":
        wanted = _names(operand, path, names.grades)
        harmless = wanted | {UNKNOWN} if names.keeping else wanted
        return _plain(lambda facts: facts.grade in harmless, word, wanted)
    if word in CHOICES:
        choice = CHOICES[word]
        chosen = _names(operand, path, choice.known)
        return _plain(lambda facts: choice.holds(facts, chosen), word, chosen)
    if word in names.ladders:
        rungs = names.ladders[word]
        chosen = _names(operand, path, rungs)
        if len(chosen) != 1:
            raise Refused(f"{path} = {shown(operand)} must be one rung; it means that rung or above")
        (rung,) = chosen
        least = rungs.index(rung)
        return _plain(lambda facts: facts.rungs[word] >= least, word, chosen)
    raise Refused(unknown(path, word, (*WORDS, *CHOICES, "fit", *names.ladders, "all", "any"), "condition"))


def _quantified(word: str, operand: object, path: str) -> Condition:
    quantity, holds = WORDS[word]
    try:
        amount = quantity.read(operand)
    except ValueError as error:
        raise Refused(f"{path} = {shown(operand)} {error}") from None
    if word == "first_party" and not amount:
        raise Refused(f"{path} = false would come true by silence; leave it out")
    return Condition(
        holds=lambda facts: holds(facts, amount),
        canonical={word: quantity.spell(amount)},
        scores=((path, amount),) if word == "score" else (),
        spans=((path, amount),) if quantity is DAYS else (),
    )


def _plain(holds: Callable[[Facts], bool], word: str, chosen: frozenset[str]) -> Condition:
    return Condition(holds=holds, canonical={word: sorted(chosen)}, scores=(), spans=())


def _combined(parts: list[Condition], canonical: dict[str, Any], *, decisive: bool) -> Condition:
    """``decisive`` is the answer of one part that decides: False where all must hold, True where any may."""
    tests = tuple(part.holds for part in parts)

    def holds(facts: Facts) -> bool:
        for test in tests:
            if test(facts) == decisive:
                return decisive
        return not decisive

    return Condition(
        holds=tests[0] if len(tests) == 1 else holds,
        canonical=canonical,
        scores=tuple(score for part in parts for score in part.scores),
        spans=tuple(span for part in parts for span in part.spans),
    )


def _names(operand: object, path: str, known: tuple[str, ...] | None) -> frozenset[str]:
    chosen = operand if isinstance(operand, list) else [operand]
    for index, name in enumerate(chosen):
        place = f"{path}[{index}]" if isinstance(operand, list) and len(chosen) > 1 else path
        if not isinstance(name, str) or not name:
            raise Refused(f"{place} = {shown(name)} must be a name")
        if known is not None and name not in known:
            raise Refused(unknown(f"{place} = {shown(name)}", name, known, "name"))
    return frozenset(chosen)
