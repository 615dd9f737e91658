"""One account explained: the same facts by which it is judged, taken apart.

Nothing is computed in another way than the fold does it; where a number is shown in parts, the parts add up to it.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from engagement import surge
from engagement.account import AccountState
from engagement.attributes import attribute_of
from engagement.changes import TierChange
from engagement.counts import ANONYMOUS, MERGED, MERGED_TOPIC
from engagement.days import iso_day
from engagement.explain import explanation as told
from engagement.explain.explanation import Explanation
from engagement.explain.gist import gist
from engagement.explain.missing import ways_to
from engagement.explain.points import Points
from engagement.explain.wording import asks_of_test, plain, several
from engagement.fit import answers, fit_of
from engagement.judging import Judge, apart, is_fall, stand
from engagement.ladders import Ladder
from engagement.scoring import THIRD_PARTY
from engagement.segments import cluster_of
from engagement.together import as_one

AHEAD_DAYS = (7, 14, 30)
LAST_CHANGES = 12


def explain(account: str, state: AccountState, day: int, judge: Judge, changes: Sequence[TierChange] = ()) -> Explanation:
    """Explain an account as it stands once it is judged on ``day``; ``changes`` are its tier changes until then, in order."""
    return _Explaining(account, state, day, judge).explanation(changes)


class _Explaining:
    """What the parts of one explanation share."""

    def __init__(self, account: str, state: AccountState, day: int, judge: Judge) -> None:
        self._account, self._day, self._judge = account, day, judge
        self._state = apart(as_one(state))
        self._facts, tallies = judge.tallied(account, self._state, day)
        stand(self._state, judge.moves(self._state, day, self._facts), day)
        self._points = Points(self._state, day, judge, tallies.own)

    def explanation(self, changes: Sequence[TierChange]) -> Explanation:
        state, day, judge, facts = self._state, self._day, self._judge, self._facts
        caps = tuple(self._points.caps())
        shares = tuple(self._points.shares(caps))
        people = self._people()
        in_silence = tuple(self._silent_moves())
        suppressed = self._suppressed() if facts.suppressed else None
        standings = tuple(self._standing(ladder, in_silence, suppressed) for ladder in judge.rulebook.ladders)
        return Explanation(
            account=self._account,
            sentence=gist(
                self._account,
                score=facts.score,
                shares=shares,
                people=people,
                standings=standings,
                in_silence=in_silence,
                suppressed=suppressed,
            ),
            day=iso_day(day),
            rulebook=judge.version,
            name=state.name,
            crm_id=state.crm_id,
            owner=state.owner,
            region=state.region,
            coarsened=state.coarsened,
            suppressed=suppressed,
            score=facts.score,
            rolled_up=self._rolled_up() if state.has_below else None,
            shares=shares,
            caps=caps,
            ahead=tuple(self._ahead(days) for days in AHEAD_DAYS),
            in_silence=in_silence,
            people=people,
            fit=self._fit() if judge.rulebook.fit else None,
            worth=self._worth(),
            interests=tuple(self._interests()),
            segments=tuple(facts.segments),
            cluster=cluster_of(state, judge.rulebook.cluster),
            standings=standings,
            timeline=tuple(_past(change) for change in changes[-LAST_CHANGES:]),
        )

    def _rolled_up(self) -> told.RolledUp:
        facts, below, names = self._facts, self._state.below, sorted(self._state.names_below)
        return told.RolledUp(
            score=facts.rolled_up_score,
            people=facts.rolled_up_people,
            accounts=tuple(names),
            coarsened=below is not None and below.coarsened,
        )

    def _ahead(self, days: int) -> told.Ahead:
        scoring, later = self._judge.scoring, self._day + days
        return told.Ahead(days=days, day=iso_day(later), score=scoring.tally(self._state, later).score)

    def _silent_moves(self) -> Iterator[told.SilentMove]:
        shown = {ladder.name for ladder in self._judge.rulebook.ladders}
        for day, moves in self._judge.in_silence(self._account, self._state, self._judge.due(self._account, self._state, self._day)):
            for move in moves:
                if move.is_seen and move.ladder.name in shown:
                    yield told.SilentMove(
                        day=iso_day(day), ladder=move.ladder.name, from_=move.origin, to=move.target, is_fall=is_fall(move)
                    )

    def _people(self) -> told.People:
        points, known = self._points, tuple(self._known_people())
        anonymous, merged, third_party = (points.of_bucket(bucket) for bucket in (ANONYMOUS, MERGED, THIRD_PARTY))
        return told.People(
            active=self._facts.people,
            active_days=self._facts.active_days,
            known=known,
            anonymous=anonymous,
            anonymous_signals=self._anonymous_signals(),
            merged=merged,
            third_party=third_party,
            over_caps_of_kinds=sum(person.points for person in known) + anonymous + merged + third_party - self._facts.score,
            committee=self._committee(),
        )

    def _known_people(self) -> list[told.Person]:
        state, scoring = self._state, self._judge.scoring
        points = scoring.points_by_person(state, self._points.tally)
        excluded = self._points.tally.excluded
        last_active: dict[str, int] = {}
        for history in state.kinds.values():
            for cell_day, cells in history.days.items():
                for person in cells:
                    last_active[person] = max(cell_day, last_active.get(person, cell_day))
        rule = self._judge.rulebook.committee
        needed, blocking = ((), ()) if rule is None else (rule.required, rule.blockers)
        people = [
            told.Person(
                person=person,
                role=role,
                points=points.get(person, 0),
                last_active=iso_day(last_active[person]) if person in last_active else None,
                counts=person not in excluded,
                needed=role in needed,
                blocks=role in blocking,
            )
            for person, role in state.roles.items()
        ]
        people.sort(key=lambda each: each.person)
        people.sort(key=lambda each: (each.points, each.last_active or ""), reverse=True)
        return people

    def _anonymous_signals(self) -> int:
        window = self._judge.rulebook.window
        days = (cells for history in self._state.kinds.values() for day, cells in history.days.items() if self._day - day < window)
        return sum(cells.get(ANONYMOUS, 0) for cells in days)

    def _committee(self) -> told.Committee | None:
        rule = self._judge.rulebook.committee
        if rule is None:
            return None
        there = set(self._state.roles.values())
        required = dict.fromkeys(rule.required)
        return told.Committee(
            known=tuple(role for role in required if role in there),
            missing=tuple(role for role in required if role not in there),
            share=self._facts.committee,
            blockers=tuple(role for role in dict.fromkeys(rule.blockers) if role in there),
        )

    def _fit(self) -> told.Fit:
        state, rulebook = self._state, self._judge.rulebook
        fit = fit_of(state, rulebook)
        words, asked = {True: "met", False: "not met", None: "unknown"}, _asked_by(self._judge)
        criteria = []
        for name, answer in answers(state, rulebook).items():
            criterion = rulebook.fit[name]
            attribute = criterion.attribute or name
            criteria.append(
                told.Criterion(
                    name=name,
                    attribute=attribute,
                    weight=criterion.weight,
                    asks=asked[name],
                    has=attribute_of(state, attribute),
                    answer=words[answer],
                )
            )
        return told.Fit(score=fit.score, known=fit.known, grade=fit.grade, criteria=tuple(criteria))

    def _worth(self) -> told.Worth | None:
        rule, state = self._judge.rulebook.value, self._state
        if rule is None and state.strategic is None and state.expected_ltv is None:
            return None
        high = None if rule is None else rule.high
        return told.Worth(value=self._facts.value, expected_ltv=state.expected_ltv, high=high, strategic=state.strategic)

    def _interests(self) -> Iterator[told.Interest]:
        needs = self._judge.rulebook.needs
        found = [self._interest(name, {topic.casefold() for topic in need.topics}, need.share) for name, need in needs.items()]
        topics = [self._interest(topic, {topic}, None, is_need=False) for topic in self._state.topics if topic != MERGED_TOPIC]
        for interests in (found, topics):
            yield from sorted(interests, key=lambda each: (not each.surges, -(each.score or 0), -each.recent, each.name))

    def _interest(self, name: str, topics: set[str], share: int | None, *, is_need: bool = True) -> told.Interest:
        state, day, rule = self._state, self._day, self._judge.rulebook.surge
        shown = surge.interest(state, topics, day, self._points.tally.excluded)
        weeks = surge.weeks_known(state, day, self._judge.rulebook.history_days)
        unknown = None
        if weeks < rule.weeks:
            unknown = f"{several(weeks, 'week', 'weeks')} of history, {rule.weeks} needed"
        elif share is None and shown.recent < rule.events:
            unknown = f"{several(shown.recent, 'signal', 'signals')} in 3 weeks, {rule.events} needed"
        return told.Interest(
            name=name,
            is_need=is_need,
            surges=name in self._facts.surges,
            score=shown.score if unknown is None and share is None else None,
            recent=shown.recent,
            baseline=shown.baseline,
            people=shown.people,
            unknown=unknown,
            surging_topics=None if share is None else tuple(sorted(topics.intersection(self._facts.surges))),
        )

    def _suppressed(self) -> str:
        """Say why, in words that follow "because"."""
        if self._account in self._judge.rulebook.suppress_accounts:
            return "it is on the rulebook's list of suppressed accounts"
        return f"its relationship is {plain(self._state.relationship or '')}"

    def _standing(self, ladder: Ladder, in_silence: Sequence[told.SilentMove], suppressed: str | None) -> told.Standing:
        state, bottom = self._state, ladder.names[0]
        shown = state.standings.get(ladder.name)
        own = state.computed.get(ladder.name, shown)
        rung, computed = (bottom if each is None else each.rung for each in (shown, own))
        pin = state.pins.get(ladder.name)
        if pin is not None and pin.until is not None and pin.until < self._day:
            pin = None
        above = ladder.names.index(computed) + 1
        return told.Standing(
            ladder=ladder.name,
            rung=rung,
            since=None if shown is None else iso_day(shown.since),
            expires=next((move.day for move in in_silence if move.ladder == ladder.name and move.is_fall), None),
            pin=None
            if pin is None
            else told.Pin(
                rung=pin.rung,
                computed=computed,
                active=ladder.name in state.computed,
                reason=pin.reason,
                author=pin.author,
                until=None if pin.until is None else iso_day(pin.until),
            ),
            next=self._next(ladder, above, suppressed) if above < len(ladder.names) else None,
        )

    def _next(self, ladder: Ladder, above: int, suppressed: str | None) -> told.NextRung:
        rung = ladder.rungs[above - 1]
        fell = self._state.falls.get(ladder.name, {}).get(rung.name)
        barred = None
        if suppressed is not None:
            barred = f"never while {suppressed}"
        elif fell is not None and self._day < fell + rung.cool_down:
            barred = f"not before {iso_day(fell + rung.cool_down)}, because it fell from there on {iso_day(fell)}"
        return told.NextRung(rung=rung.name, barred=barred, ways=ways_to(rung.enter, self._facts, self._judge.rulebook))


@lru_cache(maxsize=8)
def _asked_by(judge: Judge) -> Mapping[str, str]:
    """Criterion of fit -> what it asks for: the same for every account, and slow to find out."""
    tests = {
        name: criterion.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"weight", "attribute"})
        for name, criterion in judge.rulebook.fit.items()
    }
    return {name: asks_of_test(test) for name, test in tests.items()}


def _past(change: TierChange) -> told.Past:
    return told.Past(
        day=change.effective_at[:10],
        sequence=change.sequence,
        ladder=change.ladder,
        from_=change.from_,
        to=change.to,
        reason=change.reason,
        cause=change.cause,
        score=change.score,
    )
