"""The rulebook: everything a marketer decides, read from YAML into values that cannot be invalid.

Scalars are read as text and only then as what their place asks for, so ``NO`` is a region, ``1.5`` is exact and quoting does not
matter. A rulebook that cannot be used is `Refused` in one line that names the place, the value and the remedy.
"""

import json
from collections.abc import Iterator
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from engagement.conditions import UNKNOWN, Names, parse_condition
from engagement.errors import Refused
from engagement.ladders import Ladder, Rung
from engagement.quantities import (
    DAYS,
    FLAG,
    MOST_DAYS,
    MS,
    MULTIPLIER,
    POINTS,
    SHARE,
    WHOLE,
    Quantity,
    milliseconds,
    spell_thousandths,
    whole,
)
from engagement.written import MAX_BYTES, explained, read_yaml, shown, unknown

BOTTOMS = {"stage": "watch", "tier": "untiered"}
"""The ladders in the order in which they are judged, each with its bottom rung."""

NO_GRADE = "none"
"""The grade of an account that is known and below the lowest border."""

MAX_ACCOUNT_CAPS = 8
"""Kinds with a cap per account: the cap on a score looks at every subset of them (see `engagement.scoring`)."""

MAX_KIND_DAYS = 16_000
"""Kinds times ``history_days``. When all people of an account are merged, a kind and day still takes about 12 bytes of its state, and
`engagement.account.MAX_BYTES` must hold them all."""

MAX_RUNGS = 32
"""Of a ladder. The fold counts transitions by pair of rungs, and commits the counts with every step."""


def _as(quantity: Quantity) -> tuple[BeforeValidator, PlainSerializer]:
    return BeforeValidator(quantity.read), PlainSerializer(quantity.spell)


Points = Annotated[int, *_as(POINTS)]  # in thousandths
Multiplier = Annotated[int, *_as(MULTIPLIER)]  # in thousandths
Whole = Annotated[int, *_as(WHOLE)]
Weight = Annotated[int, *_as(whole(1_000_000, "30"))]
HistoryDays = Annotated[int, *_as(whole(MOST_DAYS, "120"))]
Remembered = Annotated[int, *_as(whole(10_000_000, "200k"))]
Days = Annotated[int, *_as(DAYS)]
Milliseconds = Annotated[int, *_as(MS)]
Skew = Annotated[int, *_as(milliseconds(1))]  # signals of later days are kept beside those of ``history_days``
Share = Annotated[int, *_as(SHARE)]
Flag = Annotated[bool, *_as(FLAG)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]  # and as short as keys are, see `read_yaml`
Text = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class _Part(BaseModel):
    """A mapping of the rulebook. Keys it does not know are refused with the nearest it does."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _only_known_keys(cls, raw: object) -> object:
        if isinstance(raw, dict) and cls.model_config.get("extra") != "allow":
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in raw:
                if key not in known:
                    raise PydanticCustomError("unknown_key", "", {"key": key, "known": known})
        return raw


class SignalRule(_Part):
    """What one kind of signal is worth, and how that fades with its age in days."""

    points: Points
    half_life: Days | None = None
    lifespan: Days | None = None  # linear to nothing
    window: Days | None = None  # nothing from here on; None: the rulebook's window
    urls: tuple[Text, ...] = ()  # page views at these are of this kind
    act_now: Flag = False
    third_party: Flag = False


class Caps(_Part):
    """The most that counts; None is no cap. Kinds that are ``act_now`` are exempt from all but ``repeats_per_day``."""

    repeats_per_day: Whole | None = None  # signals of one kind by one person
    person: Points | None = None
    anonymous: Points | None = None  # all anonymous visitors together
    third_party: Points | None = None  # all third-party kinds together
    account: dict[Name, Points] = {}  # per kind


class Criterion(_Part):
    """One thing that makes an account a fit; exactly one of the three tests is there."""

    weight: Weight
    in_: tuple[Text, ...] | None = Field(default=None, alias="in")  # the attribute is one of these
    between: tuple[Whole, Whole] | None = None  # borders included
    any: tuple[Text, ...] | None = None  # the attribute, a list, has one of these


class Grades(_Part):
    """The lowest fit of each grade, best first, and the share of the weights that must be known to judge at all."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Whole]

    known: Share

    @property
    def borders(self) -> dict[str, int]:
        """Grade -> lowest fit, best first."""
        return self.__pydantic_extra__


class ValueRule(_Part):
    """What makes an account worth more than others."""

    from_: Literal["expected_ltv"] = Field(alias="from")
    high: Whole


class IntakeRule(_Part):
    """What `engagement.intake` accepts."""

    horizon: Days = 90  # a signal that occurred longer before it was received is late
    skew: Skew = 600_000  # one that occurred later than this after it was received is in the future
    dedupe_window: Milliseconds = 86_400_000
    dedupe_count: Remembered = 200_000
    free_mail: tuple[Text, ...] = ()  # domains besides the known ones that are never accounts
    own_domains: tuple[Text, ...] = ()


class RungRule(_Part):
    """A rung as written; the conditions are parsed by `Rulebook.ladders`."""

    enter: Any
    keep: Any = None
    dwell: Days | None = None


class Rulebook(_Part):
    """A whole rulebook. Built by `load_rulebook` only, which checks what no single part can know."""

    window: Days = 90
    history_days: HistoryDays = 120
    signals: dict[Name, SignalRule]
    ignore_urls: tuple[Text, ...] = ()
    intake: IntakeRule = IntakeRule()
    roles: dict[Name, Multiplier] = {}  # multipliers; 1 for a role that is not here
    caps: Caps = Caps()
    fit: dict[Name, Criterion] = {}
    grades: Grades | None = None
    value: ValueRule | None = None
    suppress: tuple[Text, ...] = ()
    stage: dict[Name, RungRule] | None = None
    tier: dict[Name, RungRule] | None = None

    @cached_property
    def ladders(self) -> tuple[Ladder, ...]:
        """The ladders in the order in which they are judged, their conditions parsed."""
        borders = self.grades.borders if self.grades is not None else {}
        grades = (*borders, NO_GRADE, UNKNOWN)
        ladders: list[Ladder] = []
        for name, bottom in BOTTOMS.items():
            written: dict[str, RungRule] | None = getattr(self, name)
            if written is not None:
                earlier = {ladder.name: ladder.names for ladder in ladders}
                rungs = tuple(_rung(f"{name}.{rung}", rung, rule, grades, earlier) for rung, rule in written.items())
                ladders.append(Ladder(name, (bottom, *written), rungs))
        return tuple(ladders)

    def canonical(self) -> str:
        """Spell the rulebook as JSON in one way, defaults written out: loading it gives the same `version`."""
        plain = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        for ladder in self.ladders:
            plain[ladder.name] = {
                rung.name: {
                    "enter": rung.enter.canonical,
                    **({} if rung.keep is None else {"keep": rung.keep.canonical}),
                    **({} if rung.dwell == 0 else {"dwell": DAYS.spell(rung.dwell)}),
                }
                for rung in ladder.rungs
            }
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))

    @cached_property
    def version(self) -> str:
        """A short hash of the content: comments, white space and the spelling of numbers do not change it."""
        return sha256(self.canonical().encode()).hexdigest()[:12]


def load_rulebook(text: str, place: str) -> Rulebook:
    """Read a rulebook from YAML (or its canonical JSON); ``place`` names the text in messages.

    Raises `Refused` with one line: place, path, value and remedy.
    """
    raw = read_yaml(text, place)
    if raw is None:
        raise Refused(f"{place}: is empty; start from what `mqa rulebook show` prints")
    if not isinstance(raw, dict):
        raise Refused(f"{place}: {shown(raw)} must be a mapping; start from what `mqa rulebook show` prints")
    try:
        rulebook = Rulebook.model_validate(raw)
        _check(rulebook)
    except ValidationError as invalid:
        raise Refused(f"{place}: {explained(invalid.errors()[0])}") from None
    except Refused as refusal:
        raise Refused(f"{place}: {refusal}") from None
    return rulebook


def default_rulebook_text() -> str:
    """Return the rulebook that comes with the package, comments included."""
    return files("engagement").joinpath("rulebooks/default.yaml").read_text(encoding="utf-8")


def _rung(path: str, name: str, rule: RungRule, grades: tuple[str, ...], earlier: dict[str, tuple[str, ...]]) -> Rung:
    def parse(raw: object, key: str) -> Any:
        return parse_condition(raw, f"{path}.{key}", Names(grades, earlier, keeping=key == "keep"))

    return Rung(
        name=name,
        enter=parse(rule.enter, "enter"),
        keep=None if rule.keep is None else parse(rule.keep, "keep"),
        dwell=0 if rule.dwell is None else rule.dwell,
    )


def _check(rulebook: Rulebook) -> None:
    """Raise `Refused` with the first complaint."""
    for complaint in _complaints(rulebook):
        raise Refused(complaint)


def _complaints(rulebook: Rulebook) -> Iterator[str]:
    """Find what no single part can know is wrong."""
    yield from _days_complaints(rulebook)
    yield from _kind_complaints(rulebook)
    yield from _fit_complaints(rulebook)
    if rulebook.stage is None and rulebook.tier is None:
        yield f"there is no ladder; add {' or '.join(BOTTOMS)}"
    for ladder in rulebook.ladders:
        yield from _ladder_complaints(ladder)
        for path, days in (span for condition in ladder.conditions for span in condition.spans):
            if path.endswith(".act_now") and days > rulebook.window:
                yield f"{path} = {days}d must not exceed window = {rulebook.window}d; lower it"
    size = len(rulebook.canonical().encode())
    if size > MAX_BYTES:  # that is what the log holds, and what is read from there
        yield f"has {size} bytes with every default written out, must have at most {MAX_BYTES}; shorten it"


def _days_complaints(rulebook: Rulebook) -> Iterator[str]:
    shortest = 105  # a surge looks at 15 weeks
    if rulebook.history_days < shortest:
        yield f"history_days = {rulebook.history_days} must be at least {shortest}; raise it"
    kinds = len(rulebook.signals)
    if kinds * rulebook.history_days > MAX_KIND_DAYS:
        product = f"signals x history_days = {kinds} kinds x {rulebook.history_days} days"
        yield f"{product} must not exceed {MAX_KIND_DAYS}; lower history_days or remove kinds"
    spans = {"window": rulebook.window, "intake.horizon": rulebook.intake.horizon}
    for kind, rule in rulebook.signals.items():
        spans |= {f"signals.{kind}.window": rule.window or 0, f"signals.{kind}.lifespan": rule.lifespan or 0}
    for path, days in spans.items():
        if days > rulebook.history_days:
            yield f"{path} = {days}d must not exceed history_days = {rulebook.history_days}; lower it"


def _kind_complaints(rulebook: Rulebook) -> Iterator[str]:
    if not rulebook.signals:
        yield "signals = {} must have a kind; write it as {page: {points: 1}}"
    for kind, rule in rulebook.signals.items():
        if rule.half_life is not None and rule.lifespan is not None:
            yield f"signals.{kind}.lifespan = {rule.lifespan}d must not stand beside half_life = {rule.half_life}d; remove one"
    capped = rulebook.caps.account
    if len(capped) > MAX_ACCOUNT_CAPS:
        yield f"caps.account = {len(capped)} kinds must not be more than {MAX_ACCOUNT_CAPS}; remove some"
    for kind in capped:
        if kind not in rulebook.signals:
            yield unknown(f"caps.account.{kind}", kind, rulebook.signals, "kind")
        elif rulebook.signals[kind].act_now:
            yield f"caps.account.{kind} = {spell_thousandths(capped[kind])} must go: no cap holds a kind that is act_now"


def _fit_complaints(rulebook: Rulebook) -> Iterator[str]:
    for name, criterion in rulebook.fit.items():
        tests = [test for test in (criterion.in_, criterion.between, criterion.any) if test is not None]
        if len(tests) != 1:
            yield f"fit.{name} has {len(tests)} tests, must have one; write it as in: [...], between: [low, high] or any: [...]"
        if criterion.between is not None and criterion.between[0] > criterion.between[1]:
            yield f"fit.{name}.between = {list(criterion.between)} must be [low, high]; swap them"
    if rulebook.fit and rulebook.grades is None:
        yield "grades is missing, but fit is there; add it as {A: 81, B: 65, C: 50, known: 60%}"
    borders = rulebook.grades.borders if rulebook.grades is not None else {}
    for reserved in (NO_GRADE, UNKNOWN):
        if reserved in borders:
            yield f"grades.{reserved} = {borders[reserved]} must have another name: {reserved} has a meaning of its own"
    for (better, high), (grade, low) in pairwise(borders.items()):
        if low >= high:
            yield f"grades.{grade} = {low} must be below grades.{better} = {high}; lower it, or write the best grade first"


def _ladder_complaints(ladder: Ladder) -> Iterator[str]:
    """Thresholds out of order. Where a condition asks for several scores, its lowest is the one that counts."""
    if not ladder.rungs:
        yield f"{ladder.name} = {{}} must have a rung; remove the ladder or add one"
    if len(ladder.rungs) > MAX_RUNGS:
        yield f"{ladder.name} = {len(ladder.rungs)} rungs must not be more than {MAX_RUNGS}; remove some"
    below: tuple[str, int] | None = None
    for rung in ladder.rungs:
        if rung.name == ladder.names[0]:
            yield f"{ladder.name}.{rung.name} must have another name: {rung.name} is the rung below all others; rename it"
        enter = min(rung.enter.scores, key=lambda score: score[1], default=None)
        keep = min(rung.keep.scores, key=lambda score: score[1], default=None) if rung.keep is not None else None
        if enter is not None and keep is not None and keep[1] > enter[1]:
            yield f"{_threshold(keep)} must not exceed {_threshold(enter)}; lower it"
        if enter is not None:
            if below is not None and enter[1] <= below[1]:
                yield f"{_threshold(enter)} must exceed {_threshold(below)}; raise it"
            below = enter


def _threshold(score: tuple[str, int]) -> str:
    path, thousandths = score
    return f"{path} = {spell_thousandths(thousandths)}"
