"""How many requests one caller may make: a bucket of tokens each, refilled evenly."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

MOST_CALLERS = 10_000
"""Callers that are remembered, the latest; one that is forgotten begins with a full bucket."""


class Rates:
    """``rate`` a second each, and after a pause as many at once as come in two seconds."""

    def __init__(self, rate: int, now: Callable[[], float] = monotonic) -> None:
        self._rate, self._most, self._now = rate, 2 * rate, now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # caller -> (left, as of)

    def wait(self, caller: str) -> float:
        """Count a request; 0 where it may pass, else the seconds until the next one may."""
        now = self._now()
        left, as_of = self._buckets.pop(caller, (float(self._most), now))
        left = min(float(self._most), left + (now - as_of) * self._rate)
        passes = left >= 1
        self._buckets[caller] = (left - 1 if passes else left, now)
        if len(self._buckets) > MOST_CALLERS:
            self._buckets.popitem(last=False)
        return 0.0 if passes else (1 - left) / self._rate
