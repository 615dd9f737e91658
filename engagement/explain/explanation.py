"""What there is to say of one account on one rule day, as one tree; `engagement.explain.account` makes it.

Points are integer thousandths everywhere (``132417`` is 132.417 points), shares too; days are written ``2025-01-31``. A field that says
nothing of the account is null, as JSON has it.
"""

from typing import Any

import msgspec

from engagement.explain.missing import Way


class Share(msgspec.Struct, kw_only=True, frozen=True):
    """One kind's share of the score. The points of all shares add up to the score exactly."""

    kind: str
    points: int
    clipped: int  # thousandths that caps cut off
    caps: tuple[str, ...]  # which caps did, as `Cap.name`
    signals: int  # inside the kind's window
    beyond_repeats: int  # of these, how many `caps.repeats_per_day` let earn nothing
    people: int  # known ones among them
    events: tuple[str, ...]  # ids of the newest, newest first


class Cap(msgspec.Struct, kw_only=True, frozen=True):
    """A cap that is exceeded. Where two caps hold the same points back, both say so: only `Share.clipped` adds up."""

    name: str  # ``person``, ``anonymous``, ``third_party``, ``account.page``
    person: str | None  # whose, where it is a person's
    limit: int
    earned: int
    over: int


class RolledUp(msgspec.Struct, kw_only=True, frozen=True):
    """The account and those below it, their signals taken together as one account's."""

    score: int
    people: int  # known and active
    accounts: tuple[str, ...]  # those below of which signals are in it; of very many, some
    coarsened: bool  # there are more people below than are kept one by one; what exceeds is counted together


class Ahead(msgspec.Struct, kw_only=True, frozen=True):
    """The score on a later day if nothing more happens."""

    days: int
    day: str
    score: int


class Person(msgspec.Struct, kw_only=True, frozen=True):
    """Somebody who was seen, or of whom a contact list speaks."""

    person: str  # keyed hash
    role: str | None
    points: int  # under the person's cap, before the caps of kinds
    last_active: str | None  # None: only known, or long ago
    counts: bool  # False: the role is worth 0
    needed: bool  # the role is one of the committee's required ones
    blocks: bool  # the role is one of its blockers


class Committee(msgspec.Struct, kw_only=True, frozen=True):
    """The buying committee, from people seen and contacts known."""

    known: tuple[str, ...]  # required roles that somebody has
    missing: tuple[str, ...]
    share: int  # known of the required, in thousandths
    blockers: tuple[str, ...]  # roles that block and that somebody has


class People(msgspec.Struct, kw_only=True, frozen=True):
    """Who earned the score. Points of ``known`` + ``anonymous`` + ``merged`` + ``third_party`` - ``over_caps_of_kinds`` = score."""

    active: int  # known people within the rulebook's window: the word ``people``
    active_days: int
    known: tuple[Person, ...]  # most points first
    anonymous: int  # of all anonymous visitors together
    anonymous_signals: int  # within the rulebook's window
    merged: int  # of those who are no longer kept one by one
    third_party: int  # of what third parties report, whoever it is about
    over_caps_of_kinds: int
    committee: Committee | None


class Criterion(msgspec.Struct, kw_only=True, frozen=True):
    """One thing that makes an account a fit."""

    name: str
    attribute: str
    weight: int
    asks: str  # in plain words
    has: Any  # the account's own
    answer: str  # ``met``, ``not met`` or ``unknown``


class Fit(msgspec.Struct, kw_only=True, frozen=True):
    """Who the account is."""

    score: int | None  # 0-100 of the weights that are known
    known: int  # share of the weights, in thousandths
    grade: str
    criteria: tuple[Criterion, ...]


class Worth(msgspec.Struct, kw_only=True, frozen=True):
    """What the account may be worth, apart from fit."""

    value: str  # ``high``, ``low`` or ``unknown``
    expected_ltv: int | None
    high: int | None  # from here on it is ``high``; None: the rulebook does not say
    strategic: bool | None


class Interest(msgspec.Struct, kw_only=True, frozen=True):
    """A topic, or one of the rulebook's needs, which are groups of topics."""

    name: str
    is_need: bool
    surges: bool
    score: int | None  # 0-100; None where it is unknown, or where the need asks for a share of its topics
    recent: int  # signals of the last 3 weeks
    baseline: int  # of the 12 weeks before
    people: int  # known ones among the recent
    unknown: str | None  # why there is no score
    surging_topics: tuple[str, ...] | None  # of a need that asks for a share of them


class Pin(msgspec.Struct, kw_only=True, frozen=True):
    """A person's decision where the account stands."""

    rung: str
    computed: str  # the rung on which the numbers would put it
    active: bool  # False: suppression beats it
    reason: str | None
    author: str | None
    until: str | None  # the last day on which it holds


class NextRung(msgspec.Struct, kw_only=True, frozen=True):
    """The rung above the one that the account earns by itself, and how it would get there."""

    rung: str
    barred: str | None  # what keeps it away whatever is met
    ways: tuple[Way, ...]  # the nearest first


class SilentMove(msgspec.Struct, kw_only=True, frozen=True, rename={"from_": "from"}):
    """A move that silence will bring."""

    day: str
    ladder: str
    from_: str
    to: str
    is_fall: bool  # False: it rises


class Standing(msgspec.Struct, kw_only=True, frozen=True):
    """Where the account stands on one ladder."""

    ladder: str
    rung: str
    since: str | None  # None at the bottom
    expires: str | None  # the day it falls from here if nothing more happens
    pin: Pin | None
    next: NextRung | None  # None on the highest rung


class Past(msgspec.Struct, kw_only=True, frozen=True, rename={"from_": "from"}):
    """A tier change that was told."""

    day: str
    sequence: int
    ladder: str
    from_: str
    to: str
    reason: str
    cause: str
    score: int


class Explanation(msgspec.Struct, kw_only=True, frozen=True):
    """One account on one rule day: what was counted, what it comes to, where that puts it, and what would change it."""

    account: str
    sentence: str  # the gist
    day: str
    rulebook: str  # version
    name: str | None
    crm_id: str | None
    owner: str | None
    region: str | None
    coarsened: bool  # there are more people or topics than are kept one by one; what exceeds is counted together
    suppressed: str | None  # why it stands at the bottom of every ladder
    score: int
    rolled_up: RolledUp | None  # None: nothing came from below
    shares: tuple[Share, ...]  # largest first
    caps: tuple[Cap, ...]
    ahead: tuple[Ahead, ...]
    in_silence: tuple[SilentMove, ...]  # all that silence will bring, in order; rises too, where rules make some
    people: People
    fit: Fit | None  # None: the rulebook has no criteria
    worth: Worth | None
    interests: tuple[Interest, ...]  # needs first, then topics; the strongest first
    segments: tuple[str, ...]
    cluster: str | None
    standings: tuple[Standing, ...]
    timeline: tuple[Past, ...]  # the last tier changes, oldest first
