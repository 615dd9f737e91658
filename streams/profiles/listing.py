"""What decides, in every store alike, which accounts a list shows and in which order, and how a place in it is written.

An account's place is bytes that sort as the list does and end with its name: so no two accounts share one, however many have the same
score, and a list goes on behind a place whether or not the account that stood there still does.
"""

import base64
import binascii
from collections.abc import Iterable

import msgspec

from engagement.errors import Refused
from engagement.profile import Profile
from engagement.written import shown
from streams.profiles.store import MOST_MATCHES, Change, LastChange, Listed, Order, Query

_SCORE_DIGITS = 16  # of thousandths of a point: more than an integer of JSON has
MOST_SCORE = 10**_SCORE_DIGITS - 1
_INSTANT = len("2025-01-31T00:00:00.000Z")
_NO_CHANGE = "~" * _INSTANT  # behind every digit
_NEWEST_FIRST = str.maketrans("0123456789", "9876543210")

AHEAD = {"score": _SCORE_DIGITS, "changed": _INSTANT}
"""Bytes of a place that stand before the account's name."""

_last_change = msgspec.json.Decoder(LastChange).decode


def last_change(change: Change) -> LastChange:
    """What lists show of a tier change."""
    return _last_change(change.body)


def by_score(score: int) -> bytes:
    """How places begin of accounts with that score, in thousandths and not negative."""
    return f"{MOST_SCORE - score:0{_SCORE_DIGITS}}".encode()


def by_change(effective_at: str | None) -> bytes:
    """How places begin of accounts whose newest change was at that instant; None for those without one."""
    return (_NO_CHANGE if effective_at is None else effective_at.translate(_NEWEST_FIRST)).encode()


def place(order: Order, listed: Listed) -> bytes:
    """Where an account stands in a list."""
    change = listed.last_change
    ahead = by_score(listed.profile.score) if order == "score" else by_change(None if change is None else change.effective_at)
    return ahead + listed.profile.account.encode()


def cursor(order: Order, last: bytes) -> str:
    """Write the place behind which the next page begins so that it stands in a URL."""
    return base64.urlsafe_b64encode(order[:1].encode() + last).decode().rstrip("=")


def place_after(query: Query) -> bytes | None:
    """The place behind which a page begins; None at the beginning. Raises `Refused` for a cursor that is none of this order."""
    if query.after is None:
        return None
    try:
        text = query.after.encode("ascii")
        given = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        given.decode()
    except (ValueError, binascii.Error):
        given = b""
    if given[:1] != query.order[:1].encode() or len(given) <= 1 + AHEAD[query.order]:
        msg = f"after = {shown(query.after)!r} is no place in a list by {query.order}; take next of the page before, or leave it out"
        raise Refused(msg)
    return given[1:]


def owner_of(profile: Profile) -> str:
    """Whose it is; empty for nobody's."""
    return profile.owner or ""


def folded(text: str) -> str:
    """A text whatever its case."""
    return text.casefold()


def texts(profile: Profile) -> Iterable[str]:
    """In what a text is looked for."""
    return (folded(text) for text in (profile.account, profile.name, profile.crm_id) if text is not None)


def has_text(profile: Profile, text: str) -> bool:
    """Whether the text, folded, is part of one of those."""
    return any(text in each for each in texts(profile))


def refuse_many(text: str, matches: int) -> None:
    """Raise `Refused` where a text matches more accounts than can be looked at."""
    if matches > MOST_MATCHES:
        msg = f"text = {shown(text)!r} is part of more than {MOST_MATCHES:,} accounts; say more of it"
        raise Refused(msg)


def fits(query: Query, listed: Listed) -> bool:
    """Whether an account meets all conditions but the text."""
    profile, change = listed.profile, listed.last_change
    return (
        all(profile.rungs.get(ladder) == rung for ladder, rung in query.rungs.items())
        and (query.segment is None or query.segment in profile.segments)
        and (query.owner is None or query.owner == owner_of(profile))
        and (query.least_score is None or query.least_score <= profile.score)
        and (query.most_score is None or profile.score <= query.most_score)
        and (query.changed_since is None or (change is not None and query.changed_since <= change.effective_at))
    )
