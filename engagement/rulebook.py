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

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from engagement.adapters.mapping import Mapping
from engagement.attributes import AttributeTest
from engagement.conditions import CONDITION_SCHEMA, UNKNOWN, Condition, Known, parse_condition
from engagement.errors import Refused
from engagement.identity_rules import ResolveRule, VisitorsRule, identity_complaints
from engagement.ladders import Ladder, Rung
from engagement.parts import (
    Days,
    Flag,
    HistoryDays,
    Milliseconds,
    Multiplier,
    Name,
    Names,
    Part,
    Percent,
    Points,
    Remembered,
    Seconds,
    Share,
    Skew,
    Text,
    Weeks,
    Weight,
    Whole,
)
from engagement.quantities import spell_thousandths
from engagement.written import MAX_BYTES, explained, read_yaml, shown, unknown

BOTTOMS = {"stage": "watch", "tier": "untiered"}
"""The ladders in the order in which they are judged, each with its bottom rung."""

NO_GRADE = "none"
"""The grade of an account that is known and below the lowest border."""

MAX_ACCOUNT_CAPS = 8
"""Kinds with a cap per account: the cap on a score looks at every subset of them (see `engagement.scoring`)."""

MAX_KIND_DAYS = 12_000
"""Kinds times ``history_days``. When all people of an account are merged, a kind and day still takes about 12 bytes of its state, and
`engagement.account.MAX_BYTES` must hold them all."""

_HIGHEST_FIT = 100

MAX_RUNGS = 32
"""Of a ladder. The fold counts transitions by pair of rungs, and commits the counts with every step."""


ConditionText = Annotated[Any, WithJsonSchema(CONDITION_SCHEMA)]


class SignalRule(Part):
    """What one kind of signal is worth, and how that fades with its age in days."""

    points: Points = 0  # for each signal
    per_minute: Points = 0  # for each minute of the event's seconds, beside them
    half_life: Days | None = None
    lifespan: Days | None = None  # linear to nothing
    window: Days | None = None  # nothing from here on; None: the rulebook's window
    urls: tuple[Text, ...] = ()  # page views at these are of this kind
    min_score: Percent = 0  # of the vendor's own score; a signal below it is filtered
    act_now: Flag = False
    third_party: Flag = False


class Caps(Part):
    """The most that counts; None is no cap. Kinds that are ``act_now`` are exempt from all but ``repeats_per_day``."""

    repeats_per_day: Whole | None = None  # signals of one kind by one person
    person: Points | None = None
    anonymous: Points | None = None  # all anonymous visitors together
    third_party: Points | None = None  # all third-party kinds together
    account: dict[Name, Points] = Field(default_factory=dict)  # per kind


class Criterion(AttributeTest):
    """One thing that makes an account a fit."""

    weight: Weight
    attribute: Text | None = None  # None: the one of the criterion's own name


class Grades(Part):
    """The lowest fit of each grade, best first, and the share of the weights that must be known to judge at all."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Whole]

    known: Share

    @property
    def borders(self) -> dict[str, int]:
        """Grade -> lowest fit, best first."""
        return self.__pydantic_extra__


class ValueRule(Part):
    """What makes an account worth more than others."""

    from_: Literal["expected_ltv"] = Field(alias="from")
    high: Whole
    strategic: Flag = False  # a strategic logo is of high value whatever its number


class CommitteeRule(Part):
    """The roles that matter in a buying committee, seen or only known."""

    required: Names
    blockers: Names = ()


class SurgeRule(Part):
    """When a topic surges; see `engagement.surge`."""

    score: Percent = 60
    people: Whole = 2  # known ones, among the recent signals
    events: Whole = 6  # recent signals below which nothing is known
    weeks: Weeks = 8  # of history below which nothing is known


class Need(Part):
    """A group of topics."""

    topics: Names
    share: Share | None = None  # of its topics that must surge; None: all of them together as one topic


def _ascending(borders: tuple[int, ...]) -> tuple[int, ...]:
    if any(low >= high for low, high in pairwise(borders)):
        raise ValueError("must be ascending; write the lowest first")
    return borders


Borders = Annotated[tuple[Whole, ...], Field(min_length=1), AfterValidator(_ascending)]


class ClusterRule(Part):
    """Which attributes put accounts into one cluster: names, or a name with the borders of its bands."""

    by: tuple[Text | dict[Text, Borders], ...] = Field(min_length=1, max_length=8)

    @property
    def dimensions(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Each attribute with its borders, none where its values stand for themselves."""
        for each in self.by:
            if isinstance(each, str):
                yield each, ()
            else:
                yield from each.items()


class Programme(Part):
    """What the seats are checked against."""

    accounts: Whole


class IntakeRule(Part):
    """What `engagement.intake` accepts."""

    horizon: Days = 90  # a signal that occurred longer before it was received is late
    skew: Skew = 600_000  # one that occurred later than this after it was received is in the future
    dedupe_window: Milliseconds = 86_400_000
    dedupe_count: Remembered = 200_000
    free_mail: tuple[Text, ...] = ()  # domains besides the known ones that are never accounts, like the next
    disposable_mail: tuple[Text, ...] = ()
    own_domains: tuple[Text, ...] = ()
    data_centres: Literal["filter", "named_only", "keep"] = "named_only"  # which of the page views that come from them are taken
    scanner_seconds: Seconds = 5  # what occurs sooner after the mail was sent is no person's act; 0: it may be


class RungRule(Part):
    """A rung as written; the conditions are parsed by `Rulebook.ladders`."""

    enter: ConditionText
    keep: ConditionText | None = None
    dwell: Days | None = None
    cool_down: Days | None = None
    seats: Whole | None = None  # checked against the programme, not enforced


class Rulebook(Part):
    """A whole rulebook. Built by `load_rulebook` only, which checks what no single part can know."""

    window: Days = 90
    history_days: HistoryDays = 120
    signals: dict[Name, SignalRule]
    ignore_urls: tuple[Text, ...] = ()
    intake: IntakeRule = IntakeRule()
    resolve: ResolveRule = ResolveRule()
    visitors: VisitorsRule = VisitorsRule()
    roles: dict[Name, Multiplier] = Field(default_factory=dict)  # multipliers; 1 for a role that is not here
    committee: CommitteeRule | None = None
    caps: Caps = Caps()
    surge: SurgeRule = SurgeRule()
    needs: dict[Name, Need] = Field(default_factory=dict)
    fit: dict[Name, Criterion] = Field(default_factory=dict)
    grades: Grades | None = None
    value: ValueRule | None = None
    segments: dict[Name, ConditionText] = Field(default_factory=dict)
    cluster: ClusterRule | None = None
    suppress: tuple[Text, ...] = ()
    suppress_accounts: tuple[Text, ...] = ()
    programme: Programme | None = None
    adapters: Mapping | None = None  # what producers of other formats mean
    stage: dict[Name, RungRule] | None = None
    tier: dict[Name, RungRule] | None = None

    @cached_property
    def conditions_by_segment(self) -> dict[str, Condition]:
        """The segments' conditions parsed, in the order in which they are judged."""
        parsed: dict[str, Condition] = {}
        for name, written in self.segments.items():
            parsed[name] = parse_condition(written, f"segments.{name}", self._known(parsed, {}))
        return parsed

    @cached_property
    def ladders(self) -> tuple[Ladder, ...]:
        """The ladders in the order in which they are judged, their conditions parsed."""
        ladders: list[Ladder] = []
        for name, bottom in BOTTOMS.items():
            written: dict[str, RungRule] | None = getattr(self, name)
            if written is not None:
                known = self._known(self.conditions_by_segment, {ladder.name: ladder.names for ladder in ladders})
                rungs = tuple(_rung(f"{name}.{rung}", rung, rule, known) for rung, rule in written.items())
                ladders.append(Ladder(name, (bottom, *written), rungs))
        return tuple(ladders)

    def _known(self, segments: dict[str, Condition], ladders: dict[str, tuple[str, ...]]) -> Known:
        borders = self.grades.borders if self.grades is not None else {}
        return Known(
            kinds=tuple(self.signals),
            window=self.window,
            grades=(*borders, NO_GRADE, UNKNOWN),
            has_committee=self.committee is not None,
            has_blockers=self.committee is not None and bool(self.committee.blockers),
            needs=tuple(self.needs),
            segments=dict(segments),
            ladders=ladders,
            keeping=False,
        )

    def canonical(self) -> str:
        """Spell the rulebook as JSON in one way, defaults written out: loading it gives the same `version`."""
        plain = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        if self.segments:
            plain["segments"] = {name: condition.canonical for name, condition in self.conditions_by_segment.items()}
        for ladder in self.ladders:
            for rung in ladder.rungs:
                plain[ladder.name][rung.name]["enter"] = rung.enter.canonical
                if rung.keep is not None:
                    plain[ladder.name][rung.name]["keep"] = rung.keep.canonical
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


def _rung(path: str, name: str, rule: RungRule, known: Known) -> Rung:
    return Rung(
        name=name,
        enter=parse_condition(rule.enter, f"{path}.enter", known),
        keep=None if rule.keep is None else parse_condition(rule.keep, f"{path}.keep", known._replace(keeping=True)),
        dwell=rule.dwell or 0,
        cool_down=rule.cool_down or 0,
    )


def _check(rulebook: Rulebook) -> None:
    """Raise `Refused` with the first complaint."""
    for complaint in _complaints(rulebook):
        raise Refused(complaint)


def _complaints(rulebook: Rulebook) -> Iterator[str]:
    """Find what no single part can know is wrong."""
    yield from _days_complaints(rulebook)
    yield from identity_complaints(rulebook.resolve, rulebook.visitors, rulebook.history_days)
    yield from _kind_complaints(rulebook)
    yield from _need_complaints(rulebook)
    yield from _fit_complaints(rulebook)
    yield from _adapter_complaints(rulebook)
    if rulebook.stage is None and rulebook.tier is None:
        yield f"there is no ladder; add {' or '.join(BOTTOMS)}"
    for ladder in rulebook.ladders:
        yield from _ladder_complaints(ladder)
    conditions = [*rulebook.conditions_by_segment.values(), *(each for ladder in rulebook.ladders for each in ladder.conditions)]
    for word in (word for condition in conditions for word in condition.words):
        yield from _span_complaints(word, rulebook)
    size = len(rulebook.canonical().encode())
    if size > MAX_BYTES:  # that is what the log holds, and what is read from there
        yield f"has {size} bytes with every default written out, must have at most {MAX_BYTES}; shorten it"


def _span_complaints(word: Condition, rulebook: Rulebook) -> Iterator[str]:
    if word.span is None:
        return
    if word.operator == "act_now" and word.span > rulebook.window:
        yield f"{word.path} = {word.span}d must not exceed window = {rulebook.window}d; lower it"
    if word.operator == "signals" and word.span > rulebook.history_days:
        yield f"{word.path}.within = {word.span}d must not exceed history_days = {rulebook.history_days}; lower it"


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


def _need_complaints(rulebook: Rulebook) -> Iterator[str]:
    if rulebook.surge.events == 0:
        yield "surge.events = 0 must be at least 1: what nobody lately asked for cannot surge; raise it"
    by_name: dict[str, str] = {}
    for name, need in rulebook.needs.items():
        if need.share == 0:
            yield f"needs.{name}.share = 0% must be above 0%; raise it, or leave it out"
        if name.casefold() in by_name:
            yield f"needs.{name} differs from needs.{by_name[name.casefold()]} in case only; rename one"
        by_name[name.casefold()] = name


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
    if rulebook.fit and rulebook.grades is None:
        yield "grades is missing, but fit is there; add it as {A: 81, B: 65, C: 50, known: 60%}"
    if rulebook.fit and not any(criterion.weight for criterion in rulebook.fit.values()):
        yield "fit has no criterion of any weight; give one a weight above 0"
    borders = rulebook.grades.borders if rulebook.grades is not None else {}
    for grade, border in borders.items():
        if border > _HIGHEST_FIT:
            yield f"grades.{grade} = {border} must not exceed {_HIGHEST_FIT}; lower it"
    for reserved in (NO_GRADE, UNKNOWN):
        if reserved in borders:
            yield f"grades.{reserved} = {borders[reserved]} must have another name: {reserved} has a meaning of its own"
    for (better, high), (grade, low) in pairwise(borders.items()):
        if low >= high:
            yield f"grades.{grade} = {low} must be below grades.{better} = {high}; lower it, or write the best grade first"


def _adapter_complaints(rulebook: Rulebook) -> Iterator[str]:
    """Find what adapters would make of events that intake then could only bury."""
    if rulebook.adapters is not None:
        for path, kind in rulebook.adapters.kinds().items():
            if kind not in rulebook.signals:
                yield unknown(f"adapters.{path} = {kind}", kind, rulebook.signals, "kind")


def _ladder_complaints(ladder: Ladder) -> Iterator[str]:
    """Thresholds out of order. Where a condition asks for several scores, its lowest is the one that counts."""
    if not ladder.rungs:
        yield f"{ladder.name} = {{}} must have a rung; remove the ladder or add one"
    if len(ladder.rungs) > MAX_RUNGS:
        yield f"{ladder.name} = {len(ladder.rungs)} rungs must not be more than {MAX_RUNGS}; remove some"
    for rung in ladder.rungs:
        if rung.name == ladder.names[0]:
            yield f"{ladder.name}.{rung.name} must have another name: {rung.name} is the rung below all others; rename it"
    for word in ("score", "rolled_up_score"):
        yield from _order_complaints(ladder, word)


def _order_complaints(ladder: Ladder, word: str) -> Iterator[str]:
    below: tuple[str, int] | None = None
    for rung in ladder.rungs:
        enter = _lowest(word, rung.enter)
        keep = _lowest(word, rung.keep)
        if enter is not None and keep is not None and keep[1] > enter[1]:
            yield f"{_threshold(keep)} must not exceed {_threshold(enter)}; lower it"
        if enter is not None:
            if below is not None and enter[1] <= below[1]:
                yield f"{_threshold(enter)} must exceed {_threshold(below)}; raise it"
            below = enter


def _lowest(word: str, condition: Condition | None) -> tuple[str, int] | None:
    """(path, threshold) of the lowest of these scores asked for; None where none is, or where a ``not`` stands around one."""
    if condition is None or any(part.operator == "not" for part in _tree(condition)):
        return None
    scores = [(each.path, each.amount) for each in condition.words if each.operator == word and each.amount is not None]
    return min(scores, key=lambda score: score[1], default=None)


def _tree(condition: Condition) -> Iterator[Condition]:
    yield condition
    for part in condition.parts:
        yield from _tree(part)


def _threshold(score: tuple[str, int]) -> str:
    path, thousandths = score
    return f"{path} = {spell_thousandths(thousandths)}"
