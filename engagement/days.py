"""Whole UTC days: the only unit in which a rule measures time.

A *day* is an ``int``: days since 1970-01-01 UTC. An instant is ``int`` milliseconds since the epoch.
"""

from datetime import UTC, date, datetime, timedelta

MS_PER_DAY = 86_400_000
_EPOCH = date(1970, 1, 1)
_EPOCH_INSTANT = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

EARLIEST = 946_684_800_000
LATEST = 7_258_118_400_000
"""Anything may be received from the first of these instants (2000-01-01) until just before the second (2200-01-01).

What says another time has a clock that was never set, or counts in seconds or microseconds. Taken in, it would be the newest there ever
was, or come centuries after the day before, and every one of those days would begin in between.
"""


def day_of(instant_ms: int) -> int:
    """The UTC day an instant falls in (floors, so instants before 1970 are right too)."""
    return instant_ms // MS_PER_DAY


def midnight(day: int) -> int:
    """The instant in milliseconds at which ``day`` begins."""
    return day * MS_PER_DAY


def iso_day(day: int) -> str:
    """``20089`` -> ``'2025-01-01'``."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def parse_day(text: str) -> int:
    """``'2025-01-01'`` -> ``20089``; ValueError for anything else."""
    return (date.fromisoformat(text) - _EPOCH).days


def iso_instant(instant_ms: int) -> str:
    """Milliseconds as RFC 3339 in UTC, always with three decimals: one spelling per instant."""
    moment = datetime.fromtimestamp(instant_ms // 1000, UTC).replace(tzinfo=None)
    return f"{moment.isoformat()}.{instant_ms % 1000:03d}Z"


def to_ms(moment: datetime) -> int:
    """An aware datetime as milliseconds, floored, by integer arithmetic (floats would round)."""
    return (moment - _EPOCH_INSTANT) // _MILLISECOND
