"""What any tracker's event says: which it is, when it was and who it is about; and what that makes of it here."""

from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from engagement.adapters.outcome import Adapted, Nothing, adapted_event
from engagement.adapters.payload import digest, is_address
from engagement.events import Family


class Who(NamedTuple):
    """Whom an event is about. A visitor with several ids is several visitors here, for all of whom one account is then found."""

    visitors: tuple[str, ...]  # the best id first
    email: str | None
    account: str | None
    role: str | None
    dnt: bool | None  # Do Not Track was asked for
    gpc: bool | None  # likewise Global Privacy Control

    @property
    def visitor(self) -> str | None:
        """The id that an event goes under; None where there is none at all."""
        return self.visitors[0] if self.visitors else None

    @property
    def is_known(self) -> bool:
        """Whether something says which account it is."""
        return self.email is not None or self.account is not None

    @property
    def is_private(self) -> bool:
        """Whether the person does not want to be followed: what they say counts, but tells nothing of their visits."""
        return bool(self.dnt or self.gpc)


class Act(NamedTuple):
    """One event of a tracker's."""

    id: str
    occurred_at: datetime
    who: Who


def visitors_of(user: str | None, device: str | None) -> tuple[str, ...]:
    """Name the visitors behind a user id of the site's own and an id of the device.

    The user id is the better one: servers send it too, and it goes from device to device. One that is an e-mail address says who the
    person is, and is no visitor's id, for these are kept; where there is no other, its digest is.
    """
    if user is not None and is_address(user):
        return (f"user-{digest(user.encode())}",) if device is None else (device,)
    return tuple(each for each in (None if user is None else f"user-{user}", device) if each is not None)


def screen_url(name: str) -> str:
    """``'Price list'`` -> ``'/screen/Price%20list'``: a screen has no address, and kinds are found by one."""
    return f"/screen/{quote(name)}"


def visit(act: Act, *, url: str | None, referrer: str | None, user_agent: str | None, ip: str | None) -> list[Adapted]:
    """Make a web visit. Raises `Dead`."""
    who = act.who
    seen = adapted_event(
        Family.WEB_VISITS,
        id=act.id,
        occurred_at=act.occurred_at,
        visitor_id=who.visitor,
        url=url,
        referrer=referrer,
        user_agent=user_agent,
        ip=ip,
        account=who.account,
        email=who.email,
        role=who.role,
        dnt=who.dnt,
        gpc=who.gpc,
    )
    return [seen, *_identified(act, but=who.visitor)]


def signal(
    act: Act, kind: str, *, topic: str | None = None, score: int | None = None, seconds: int | None = None, provider: str | None = None
) -> list[Adapted]:
    """Make an intent signal. Raises `Dead`, and `Nothing` where nothing but the visitor's id, which must not, could say whose."""
    who = act.who
    if who.is_private and not who.is_known:
        raise Nothing("opted_out")
    done = adapted_event(
        Family.INTENT_SIGNALS,
        id=act.id,
        occurred_at=act.occurred_at,
        kind=kind,
        account=who.account,
        email=who.email,
        visitor_id=None if who.is_private else who.visitor,
        role=who.role,
        topic=topic,
        score=score,
        seconds=seconds,
        provider=provider,
    )
    return [done, *_identified(act, but=who.visitor)]


def identify(act: Act) -> list[Adapted]:
    """Say of every id of the visitor who it is. Raises `Dead`, and `Nothing` where that is not known or must not be said."""
    links = _identified(act)
    if not links:
        raise Nothing("opted_out" if act.who.is_private else "says_nobody")
    return links


def update(act: Act, account: str, **said: Any) -> list[Adapted]:
    """Make an account update, and say whose the visitor is. Raises `Dead`."""
    known = adapted_event(Family.ACCOUNT_UPDATES, id=act.id, occurred_at=act.occurred_at, account=account, **said)
    return [known, *_identified(act._replace(who=act.who._replace(account=account)))]


def _identified(act: Act, *, but: str | None = None) -> list[Adapted]:
    """Say of every visitor ``but`` one who it is; nothing where that is not known or must not be said.

    The ids are the event's own with the visitor's number, so that they are the same whenever the event comes.
    """
    who = act.who
    if who.is_private or not who.is_known:
        return []
    return [
        adapted_event(
            Family.WEB_VISITS,
            id=act.id if number == 1 else f"{act.id}/{number}",
            occurred_at=act.occurred_at,
            type="identify",
            visitor_id=visitor,
            account=who.account,
            email=who.email,
            role=who.role,
        )
        for number, visitor in enumerate(who.visitors, 1)
        if visitor != but
    ]
