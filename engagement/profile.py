"""What lists show of an account: where it stands, and the few numbers by which people sort and choose.

It says nothing that `engagement.explain` would not say of the same account on the same day; it only says it in a hundredth of the room.
"""

import msgspec

from engagement.account import AccountState
from engagement.attributes import attribute_of
from engagement.days import iso_day
from engagement.fit import fit_of
from engagement.judging import Judge, apart, stand
from engagement.segments import cluster_of
from engagement.together import as_one


class Profile(msgspec.Struct, kw_only=True, frozen=True):
    """One account as of the rule day ``day``. Points are integer thousandths, days are written ``2025-01-31``."""

    account: str  # its domain
    day: str
    rulebook: str  # version
    name: str | None
    crm_id: str | None
    owner: str | None
    region: str | None
    industry: str | None
    rungs: dict[str, str]  # ladder -> rung, of every ladder of the rulebook
    since: dict[str, str]  # ladder -> the day on which it came there; no entry: it was never elsewhere, or fell to the bottom
    pinned: tuple[str, ...]  # ladders on which people decided the rung
    suppressed: bool
    score: int
    rolled_up_score: int | None  # with the accounts below; None where there are none
    people: int  # known and active
    idle: int | None  # days since anything happened that is worth points; None: nothing did
    fit: int | None  # 0-100 of what is known
    fit_known: int  # share of the weights, in thousandths
    grade: str
    value: str  # ``high``, ``low`` or ``unknown``
    strategic: bool | None
    surges: tuple[str, ...]  # topics and needs
    segments: tuple[str, ...]
    cluster: str | None


def profile(account: str, state: AccountState, day: int, judge: Judge) -> Profile:
    """Profile an account as it stands once it is judged on ``day``; ``state`` stays as it is."""
    state = apart(as_one(state))
    facts = judge.facts(account, state, day)
    stand(state, judge.moves(state, day, facts), day)
    fit, industry = fit_of(state, judge.rulebook), attribute_of(state, "industry")
    ladders = judge.rulebook.ladders
    standings = {ladder.name: state.standings.get(ladder.name) for ladder in ladders}
    return Profile(
        account=account,
        day=iso_day(day),
        rulebook=judge.version,
        name=state.name,
        crm_id=state.crm_id,
        owner=state.owner,
        region=state.region,
        industry=industry if isinstance(industry, str) else None,
        rungs={ladder.name: ladder.names[0] if (held := standings[ladder.name]) is None else held.rung for ladder in ladders},
        since={name: iso_day(held.since) for name, held in standings.items() if held is not None},
        pinned=tuple(sorted(state.computed)),
        suppressed=facts.suppressed,
        score=facts.score,
        rolled_up_score=facts.rolled_up_score if state.has_below else None,
        people=facts.people,
        idle=facts.idle,
        fit=fit.score,
        fit_known=fit.known,
        grade=fit.grade,
        value=facts.value,
        strategic=state.strategic,
        surges=facts.surges,
        segments=tuple(facts.segments),
        cluster=cluster_of(state, judge.rulebook.cluster),
    )
