"""Who is told of which tier changes: the subscriptions of a webhooks file, and what each of them wants.

A subscription wants every live change that its filters take. A restatement (the rules changed, not the account) and a played history
alert nobody unless it asks for them.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from engagement.days import midnight, parse_day
from engagement.errors import Refused
from engagement.parts import Flag, Milliseconds, Name, Names, Part, Timeout, Turns, Waiting
from engagement.public_addresses import is_public
from engagement.written import explained, read_yaml, shown

Include = Literal["restatements", "baseline"]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_ITSELF = "whsec_"  # noqa: S105 - what a secret begins with
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_URL = re.compile(r"[!-~]{1,2000}")


class Told(msgspec.Struct, kw_only=True, frozen=True, rename={"from_": "from"}):
    """What subscriptions look at of a tier change. Words are plain text, so that those of later versions can be read too."""

    id: str
    account: str
    ladder: str
    from_: str
    to: str
    direction: str
    qualified: bool
    reason: str
    effective_at: str
    segments: tuple[str, ...]
    owner: str | None


_decode = msgspec.json.Decoder(Told).decode


def read_change(value: bytes | None) -> Told | None:
    """Read the value of a record of ``tier-changes``; None for what is no tier change."""
    try:
        told = _decode(value or b"")
    except msgspec.MsgspecError:
        return None
    return told if _ID.fullmatch(told.id) else None


class Filter(Part):
    """Which changes are wanted; None is any. A list takes each of its entries."""

    ladder: Literal["stage", "tier"] | None = None
    to: Names | None = None  # the rung on which the account stands now
    from_: Names | None = Field(default=None, alias="from")
    direction: Literal["promotion", "demotion"] | None = None
    qualified: Flag | None = None
    segment: Names | None = None  # the account is in one of these
    owner: Names | None = None

    def takes(self, told: Told) -> bool:
        """Whether every filter takes it."""
        return (
            self.ladder in {None, told.ladder}
            and (self.to is None or told.to in self.to)
            and (self.from_ is None or told.from_ in self.from_)
            and self.direction in {None, told.direction}
            and self.qualified in {None, told.qualified}
            and (self.segment is None or not set(self.segment).isdisjoint(told.segments))
            and (self.owner is None or told.owner in self.owner)
        )


class Retry(Part):
    """When a delivery that failed is tried again: the longest pause doubles from ``first`` to ``longest``. In ms."""

    first: Milliseconds = 5_000
    longest: Milliseconds = 3_600_000
    give_up_after: Milliseconds = 3 * 86_400_000  # since its first attempt


def _secret_names(raw: object) -> object:
    names = [raw] if isinstance(raw, str) else raw
    if not isinstance(names, list) or not names:
        complaint = "must be the name of an environment variable, or a list of names, the newest secret first"
    elif any(_SECRET_ITSELF in str(name) for name in names):
        complaint = "holds a secret itself; put that into an environment variable, and write the variable's name here"
    elif not all(isinstance(name, str) and _VARIABLE.fullmatch(name) for name in names):
        complaint = "is no name of an environment variable; write it as CRM_WEBHOOK_SECRET"
    else:
        return names
    raise PydanticCustomError("whole_part", "", {"complaint": complaint})  # which does not show what stands there


def _url(url: str) -> str:
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        parts, has_port = urlsplit(""), False
    if not (_URL.fullmatch(url) and parts.scheme in {"https", "http"} and parts.hostname and has_port) or parts.fragment:
        raise ValueError("must be a URL; write it as https://hooks.example.com/mqa")
    return url


def _start(text: str) -> str:
    if text not in {"end", "beginning"}:
        try:
            parse_day(text)
        except ValueError:
            raise ValueError("must be end, beginning or a day; write that as 2025-01-31") from None
    return text


class Subscription(Part):
    """One endpoint, and what it is told."""

    name: Annotated[Name, Field(max_length=64)]
    url: Annotated[str, AfterValidator(_url)]
    secret: Annotated[tuple[str, ...], BeforeValidator(_secret_names)]  # names of what holds them; the newest first
    when: Filter = Filter()
    include: Annotated[tuple[Include, ...], BeforeValidator(lambda raw: [raw] if isinstance(raw, str) else raw)] = ()
    start: Annotated[str, AfterValidator(_start)] = "end"  # where no position is stored
    timeout: Timeout = 15_000  # ms, of one attempt
    retry: Retry = Retry()
    at_once: Turns = 8  # attempts under way, each for another account
    waiting: Waiting = 1_000  # deliveries in memory
    allow_http: Flag = False
    allow_private: Flag = False

    def wants(self, told: Told, mode: str) -> bool:
        """Whether it is to be told of a change; ``mode`` is that of the change's record."""
        is_asked_for = (mode == "live" or "baseline" in self.include) and (told.reason != "restatement" or "restatements" in self.include)
        return is_asked_for and self.when.takes(told)

    @property
    def start_at(self) -> int | None:
        """When the first change was effective that it is told of, in ms; None where ``start`` is no day."""
        return None if self.start in {"end", "beginning"} else midnight(parse_day(self.start))


class _File(Part):
    subscriptions: tuple[Subscription, ...] = Field(min_length=1, max_length=100)


def load_subscriptions(text: str, place: str) -> tuple[Subscription, ...]:
    """Read a webhooks file; ``place`` names it in messages. Raises `Refused` with one line: place, path, value and remedy."""
    raw = read_yaml(text, place)
    if not isinstance(raw, dict):
        raise Refused(f"{place}: {shown(raw)} must be a mapping; begin with `subscriptions:`, see docs/webhooks.md")
    try:
        found = _File.model_validate(raw).subscriptions
    except ValidationError as invalid:
        raise Refused(f"{place}: {explained(invalid.errors()[0])}") from None
    for complaint in _complaints(found):
        raise Refused(f"{place}: {complaint}")
    return found


def _complaints(subscriptions: tuple[Subscription, ...]) -> Iterator[str]:
    names: set[str] = set()
    for number, each in enumerate(subscriptions):
        path = f"subscriptions[{number}]"
        if each.name in names:
            yield f"{path}.name = {each.name} stands here a second time; positions are kept by name, take another"
        names.add(each.name)
        for limit in ("at_once", "waiting"):
            if getattr(each, limit) == 0:
                yield f"{path}.{limit} = 0 would never send anything; write at least 1"
        if each.retry.first > each.retry.longest:
            yield f"{path}.retry.first = {each.retry.first // 1000}s must not exceed longest = {each.retry.longest // 1000}s; lower it"
        yield from _target_complaints(each, f"{path}.url = {shown(each.url)}")


def _target_complaints(subscription: Subscription, said: str) -> Iterator[str]:
    parts = urlsplit(subscription.url)
    if parts.username is not None or parts.password is not None:
        yield f"{said.split('=', maxsplit=1)[0].rstrip()} names a user; remove it: receivers know us by the signature"
    if parts.scheme == "http" and not subscription.allow_http:
        yield f"{said} is not encrypted; write https, or add allow_http: true"
    host = parts.hostname or ""
    if not subscription.allow_private and (host == "localhost" or _is_private(host)):
        yield f"{said} is no public address; take another, or add allow_private: true"


def _is_private(host: str) -> bool:
    """Whether it is an address that is not public. What names resolve to is only known when a connection is made."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return not is_public(host)
