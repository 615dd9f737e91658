"""The one sentence that says how an account stands."""

from collections.abc import Sequence

from engagement.explain.explanation import People, Share, SilentMove, Standing
from engagement.explain.wording import listed, plain, rounded, several
from engagement.rulebook import BOTTOMS
from engagement.written import printable

_ON_STAGE = {
    "watch": "is being watched",
    "engaged": "is engaged",
    "mqa": "is an MQA",
    "accepted": "is accepted by sales",
    "opportunity": "is an opportunity",
    "customer": "is a customer",
}
"""How a person says the usual rungs of ``stage``; another one is named as it is."""


def gist(
    account: str,
    *,
    score: int,
    shares: Sequence[Share],
    people: People,
    standings: Sequence[Standing],
    in_silence: Sequence[SilentMove],
    suppressed: str | None,
) -> str:
    """``acme.com is an MQA in tier 2: 4 people earned 132.4 points, most of it from pricing; it falls back to ...``."""
    place = "stands at the bottom of every ladder" if suppressed is not None else _place(standings)
    why = f" because {suppressed}" if suppressed is not None else _pins(standings)
    return f"{account} {place}{why}: {_earned(score, shares, people)}; {_outlook(in_silence)}."


def _place(standings: Sequence[Standing]) -> str:
    rungs = {standing.ladder: standing.rung for standing in standings}
    stage, tier = rungs.get("stage"), rungs.get("tier")
    on_stage = "is" if stage is None else _ON_STAGE.get(stage, f"is on stage {plain(stage)}")
    if tier is None:
        return on_stage
    return f"{on_stage} without a tier" if tier == BOTTOMS["tier"] else f"{on_stage} in {plain(tier)}"


def _pins(standings: Sequence[Standing]) -> str:
    pinned = [standing for standing in standings if standing.pin is not None and standing.pin.active]
    authors = dict.fromkeys(printable(standing.pin.author or "somebody", 60) for standing in pinned if standing.pin is not None)
    if not pinned:
        return ""
    return f" ({listed([standing.ladder for standing in pinned], 'and')} pinned by {listed(authors, 'and')})"


def _earned(score: int, shares: Sequence[Share], people: People) -> str:
    if score == 0:
        return "it has no points"
    known = sum(person.points > 0 for person in people.known)
    who = [several(known, "person", "people")] if known else []
    if people.merged:
        who.append("others")
    if people.anonymous:
        who.append("anonymous visitors")
    if people.third_party:
        who.append("third-party signals")
    largest = shares[0]
    most = "all of it" if largest.points == score else "most of it" if largest.points * 2 > score else "the largest part"
    return f"{listed(who, 'and')} earned {rounded(score)} points, {most} from {plain(largest.kind)}"


def _outlook(in_silence: Sequence[SilentMove]) -> str:
    if not in_silence:
        return "it stays there if nothing more happens"
    first = in_silence[0]
    verb = "falls back" if first.is_fall else "rises"
    return f"it {verb} to {plain(first.to)} on {first.day} if nothing more happens"
