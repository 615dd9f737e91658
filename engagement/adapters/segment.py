"""Segment's calls, as its HTTP API takes them and as they land in a Kafka topic or an archive.

| call | becomes |
|---|---|
| ``page``, ``screen`` | a web visit |
| ``track`` | an intent signal of the kind that the mapping gives its event |
| ``identify`` | an ``identify`` for each id of the visitor |
| ``group`` | an account update, and an ``identify`` with the account |
| ``alias`` | an ``identify``, where one of the two ids is an e-mail address |

A call that says who a visitor is says it of every id it carries: of ``userId``, which servers send too, and of ``anonymousId``.
"""

from collections.abc import Callable, Mapping

from engagement.adapters.acts import Act, Who, identify, screen_url, signal, update, visit, visitors_of
from engagement.adapters.mapping import SegmentMapping
from engagement.adapters.outcome import Adapted, Nothing, Taken
from engagement.adapters.payload import (
    Payload,
    absent,
    an_object,
    digest,
    flag,
    found,
    host_of,
    instant,
    is_address,
    needed_instant,
    needed_text,
    number_if_whole,
    text,
    unusable,
    whole,
    write_json,
)

_TELLING = {"event": "track", "groupId": "group", "previousId": "alias", "traits": "identify"}
"""Bodies of the HTTP API name their call by the address they are sent to. Fields by which all but ``page`` and ``screen`` can be told."""


def calls(body: object) -> list[object]:
    """The calls of a body: the body itself, or those of its ``batch``, whose context is each call's too. Raises `Dead`."""
    if not isinstance(body, dict) or "batch" not in body:
        return [body]
    batch, shared = body["batch"], body.get("context")
    if not isinstance(batch, list):
        raise unusable("batch", batch, "Input should be a list")
    return [_with_context(call, shared) for call in batch] if isinstance(shared, dict) else batch


def _with_context(call: object, shared: Payload) -> object:
    """What a call says itself goes before what its batch says."""
    if not isinstance(call, dict) or not isinstance(own := call.get("context") or {}, dict):
        return call
    return call | {"context": shared | own}


def take(call: object, mapping: SegmentMapping) -> Taken:
    """Make events of one call. Raises `Dead`, and `Nothing` where there are none."""
    said = an_object("call", call)
    kind = text(said, "type") or next((kind for field, kind in _TELLING.items() if found(said, field) is not None), None)
    if kind is None:
        raise absent("type")
    read = _READERS.get(kind)
    if read is None:
        raise unusable("type", kind, f"Input should be {', '.join(_READERS)}")
    return Taken.of(read(said, mapping), instant(said, "receivedAt"))


def _page(call: Payload, mapping: SegmentMapping) -> list[Adapted]:
    return _visit(call, mapping, text(call, "properties.url", "properties.path", "context.page.url", "context.page.path"))


def _screen(call: Payload, mapping: SegmentMapping) -> list[Adapted]:
    name = text(call, "name")
    return _visit(call, mapping, None if name is None else screen_url(name))


def _visit(call: Payload, mapping: SegmentMapping, url: str | None) -> list[Adapted]:
    return visit(
        _act(call, mapping),
        url=url,
        referrer=text(call, "properties.referrer", "context.page.referrer"),
        user_agent=text(call, "context.userAgent"),
        ip=text(call, "context.ip"),
    )


def _track(call: Payload, mapping: SegmentMapping) -> list[Adapted]:
    name = needed_text(call, "event")
    kind = mapping.events.get(name)
    if kind is None:
        raise Nothing("unknown_event", name)
    more = mapping.properties
    return signal(
        _act(call, mapping),
        kind,
        topic=text(call, _property(more.topic)),
        score=whole(call, _property(more.score)),
        seconds=whole(call, _property(more.seconds)),
        provider=text(call, _property(more.provider)),
    )


def _identify(call: Payload, mapping: SegmentMapping) -> list[Adapted]:
    return identify(_act(call, mapping))


def _group(call: Payload, mapping: SegmentMapping) -> list[Adapted]:
    company = mapping.company
    website = text(call, f"traits.{company.account}")
    if website is None:
        raise Nothing("no_domain")
    traits = {name: found(call, f"traits.{trait}") for name, trait in company.attributes.items()}
    return update(
        _act(call, mapping, has_own_traits=False),
        host_of(website),
        name=text(call, _trait(company.name)),
        crm_id=text(call, _trait(company.crm_id)),
        owner=text(call, _trait(company.owner)),
        region=text(call, _trait(company.region)),
        relationship=text(call, _trait(company.relationship)),
        attributes={name: number_if_whole(said) for name, said in traits.items() if said is not None} or None,
    )


def _alias(call: Payload, mapping: SegmentMapping) -> list[Adapted]:
    """Two ids of one visitor. Which of them is a device's is not said, so a previous id is taken for either."""
    previous, user = needed_text(call, "previousId"), needed_text(call, "userId")
    if is_address(previous):
        visitors, email = visitors_of(user, None), previous
    elif is_address(user):
        visitors, email = (previous, f"user-{previous}"), user
    else:
        raise Nothing("alias")
    act = _act(call, mapping)
    return identify(act._replace(who=act.who._replace(visitors=visitors, email=email)))


_READERS: Mapping[str, Callable[[Payload, SegmentMapping], list[Adapted]]] = {
    "page": _page,
    "screen": _screen,
    "track": _track,
    "identify": _identify,
    "group": _group,
    "alias": _alias,
}


def _act(call: Payload, mapping: SegmentMapping, *, has_own_traits: bool = True) -> Act:
    """Read what every call says. The traits of a ``group`` are not the person's own.

    Segment gives every call a ``messageId``; of a body that never went there, a digest is the id: the same body is the same event.
    """
    user, device = text(call, "userId"), text(call, "anonymousId")
    traits, properties, privacy = mapping.traits, mapping.properties, mapping.context

    def said(trait: str | None, of_track: str | None) -> str | None:
        own = _trait(trait) if has_own_traits else None
        return text(call, own, None if trait is None else f"context.traits.{trait}", _property(of_track))

    email, account = said(traits.email, properties.email), said(traits.account, properties.account)
    who = Who(
        visitors=visitors_of(user, device),
        email=user if email is None and is_address(user) else email,
        account=None if account is None else host_of(account),
        role=said(traits.role, properties.role),
        dnt=None if privacy.dnt is None else flag(call, f"context.{privacy.dnt}"),
        gpc=None if privacy.gpc is None else flag(call, f"context.{privacy.gpc}"),
    )
    occurred_at = needed_instant(call, "timestamp", "originalTimestamp", "sentAt", "receivedAt")
    return Act(text(call, "messageId") or f"segment-{digest(write_json(call))}", occurred_at, who)


def _trait(name: str | None) -> str | None:
    return None if name is None else f"traits.{name}"


def _property(name: str | None) -> str | None:
    return None if name is None else f"properties.{name}"
