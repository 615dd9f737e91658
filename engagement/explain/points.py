"""A score taken apart: what each kind earned, and which caps held how much of it back."""

from collections.abc import Iterator, Sequence

from engagement.account import AccountState
from engagement.counts import ANONYMOUS
from engagement.explain.explanation import Cap, Share
from engagement.judging import Judge
from engagement.rulebook import SignalRule
from engagement.scoring import THIRD_PARTY, Tally


class Points:
    """The points of one account on one rule day. A *bucket* is what `engagement.scoring` calls so."""

    def __init__(self, state: AccountState, day: int, judge: Judge, tally: Tally) -> None:
        """``tally``: of that state on that day."""
        self._state, self._day, self._judge, self.tally = state, day, judge, tally
        # Thousandths before caps by person, for the anonymous, for third parties: of the kinds that caps hold, and of those they do not.
        self._held, self._exempt = self._buckets(is_exempt=False), self._buckets(is_exempt=True)

    def of_bucket(self, bucket: str) -> int:
        """Thousandths of one bucket under its own cap, before the caps of kinds."""
        earned, limit = self._held.get(bucket, 0), self._limit(_cap_of(bucket)[0])
        return (earned if limit is None else min(earned, limit)) + self._exempt.get(bucket, 0)

    def shares(self, caps: Sequence[Cap]) -> Iterator[Share]:
        """Every kind's share, the largest first; ``caps`` are those that are exceeded."""
        for factor in self._judge.scoring.factors(self._state, self._day):
            yield Share(
                kind=factor.kind,
                points=factor.points,
                clipped=factor.clipped,
                caps=tuple(dict.fromkeys(cap.name for cap in caps if factor.clipped and self._concerns(cap, factor.kind))),
                signals=factor.count,
                beyond_repeats=self._beyond_repeats(factor.kind),
                people=factor.people,
                events=factor.events,
            )

    def _beyond_repeats(self, kind: str) -> int:
        rulebook, excluded = self._judge.rulebook, self.tally.excluded
        repeats = rulebook.caps.repeats_per_day
        if repeats is None:
            return 0
        span = _span(rulebook.signals[kind], rulebook.window)
        return sum(
            max(0, count - repeats)
            for cell_day, cells in self._state.kinds[kind].days.items()
            if self._day - cell_day < span
            for person, count in cells.items()
            if person not in excluded
        )

    def caps(self) -> Iterator[Cap]:
        """Every cap that is exceeded, the most exceeded first."""
        earned: dict[tuple[str, str | None], int] = {
            (f"account.{kind}", None): sum(buckets.values()) for kind, buckets in self.tally.earned.items()
        }
        earned |= {_cap_of(bucket): points for bucket, points in self._held.items()}
        found = [
            Cap(name=name, person=person, limit=limit, earned=points, over=points - limit)
            for (name, person), points in earned.items()
            if (limit := self._limit(name)) is not None and points > limit
        ]
        yield from sorted(found, key=lambda cap: (-cap.over, cap.name, cap.person or ""))

    def _concerns(self, cap: Cap, kind: str) -> bool:
        if cap.name == f"account.{kind}":
            return True
        buckets = self.tally.earned[kind]
        return not self._is_exempt(kind) and any(buckets[bucket] and _cap_of(bucket) == (cap.name, cap.person) for bucket in buckets)

    def _limit(self, name: str) -> int | None:
        """The limit of a `Cap.name`."""
        caps = self._judge.rulebook.caps
        by_name = {"person": caps.person, "anonymous": caps.anonymous, "third_party": caps.third_party}
        return by_name[name] if name in by_name else caps.account.get(name.removeprefix("account."))

    def _is_exempt(self, kind: str) -> bool:
        return self._judge.rulebook.signals[kind].act_now

    def _buckets(self, *, is_exempt: bool) -> dict[str, int]:
        total: dict[str, int] = {}
        for kind, buckets in self.tally.earned.items():
            if self._is_exempt(kind) == is_exempt:
                for bucket, points in buckets.items():
                    total[bucket] = total.get(bucket, 0) + points
        return total


def _cap_of(bucket: str) -> tuple[str, str | None]:
    """`Cap.name` and `Cap.person` of a bucket."""
    return {ANONYMOUS: ("anonymous", None), THIRD_PARTY: ("third_party", None)}.get(bucket, ("person", bucket))


def _span(rule: SignalRule, window: int) -> int:
    """From this age in days on nothing is left of a signal."""
    whole = rule.window or window
    return whole if rule.lifespan is None else min(whole, rule.lifespan)
