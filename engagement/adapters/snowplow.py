"""Snowplow's enriched events: the line of 131 columns, and the JSON that its SDKs make of one.

| event | becomes |
|---|---|
| ``page_view``, a ``screen_view`` | a web visit |
| ``page_ping`` | an intent signal with ``seconds``, of the kind that the mapping gives it |
| ``struct``, self-describing events | an intent signal of the kind that the mapping gives ``category/action``, ``vendor/name`` |
| ``submit_form`` | an intent signal of the kind that the mapping gives the form, with the e-mail address that was entered |
| an event that the mapping lists under ``identify`` | an ``identify`` for each id of the visitor |

``user_id`` says who a visitor is where it is an e-mail address; other places only the mapping knows.
"""

from collections.abc import Iterator

from engagement.adapters.acts import Act, Who, identify, screen_url, signal, visit, visitors_of
from engagement.adapters.mapping import SnowplowMapping
from engagement.adapters.outcome import Adapted, Nothing, Taken
from engagement.adapters.payload import (
    Payload,
    flag,
    found,
    host_of,
    instant,
    is_address,
    needed_instant,
    needed_text,
    text,
    whole,
)

_OURS = "unstruct_event_com_snowplowanalytics_snowplow"
_FORM = f"{_OURS}_submit_form_1"
_SCREENS = (f"{_OURS}_screen_view_1", "unstruct_event_com_snowplowanalytics_mobile_screen_view_1")
_SESSION = "contexts_com_snowplowanalytics_snowplow_client_session_1"
_HEADERS = "contexts_org_ietf_http_header_1"


def take(event: Payload, mapping: SnowplowMapping) -> Taken:
    """Make events of one flat enriched event (`snowplow_columns`). Raises `Dead`, and `Nothing` where there are none."""
    return Taken.of(_events(event, mapping), instant(event, "collector_tstamp", utc=True))


def _events(event: Payload, mapping: SnowplowMapping) -> list[Adapted]:
    match needed_text(event, "event"):
        case "page_view":
            return _visit(event, mapping, text(event, "page_url"))
        case "page_ping":
            if mapping.page_ping is None:
                raise Nothing("page_ping")
            return _signal(event, mapping, mapping.page_ping, seconds=mapping.heartbeat)
        case "struct":
            name = f"{text(event, 'se_category') or ''}/{text(event, 'se_action') or ''}"
            return _signal(event, mapping, mapping.struct.get(name), name)
        case "unstruct":
            return _self_describing(event, mapping)
        case other:
            raise Nothing("unknown_event", other)


def _self_describing(event: Payload, mapping: SnowplowMapping) -> list[Adapted]:
    name = needed_text(event, "event_name")
    whole_name = f"{text(event, 'event_vendor') or ''}/{name}"
    screen = next((text(event, f"{each}.name") for each in _SCREENS if each in event), None)
    if screen is not None:
        return _visit(event, mapping, screen_url(screen))
    if whole_name in mapping.identify or name in mapping.identify:
        return identify(_act(event, mapping))
    kind = mapping.events.get(whole_name) or mapping.events.get(name)
    if _FORM in event:
        kind = mapping.forms.get(text(event, f"{_FORM}.formId") or "") or kind
    return _signal(event, mapping, kind, whole_name)


def _visit(event: Payload, mapping: SnowplowMapping, url: str | None) -> list[Adapted]:
    return visit(
        _act(event, mapping),
        url=url,
        referrer=text(event, "page_referrer"),
        user_agent=text(event, "useragent"),
        ip=text(event, "user_ipaddress"),
    )


def _signal(
    event: Payload, mapping: SnowplowMapping, kind: str | None, name: str | None = None, *, seconds: int | None = None
) -> list[Adapted]:
    """``name`` is what an event without a kind is known by."""
    if kind is None:
        raise Nothing("unknown_event", name)
    fields = mapping.fields
    return signal(
        _act(event, mapping),
        kind,
        topic=text(event, fields.topic),
        score=whole(event, fields.score),
        seconds=whole(event, fields.seconds) if seconds is None else seconds,
        provider=text(event, fields.provider),
    )


def _act(event: Payload, mapping: SnowplowMapping) -> Act:
    """Read what every event says."""
    fields, elements, user = mapping.fields, mapping.elements, text(event, "user_id")
    email = text(event, fields.email) or next(filter(is_address, _entered(event, elements.email, sort="email")), None)
    account = text(event, fields.account) or next(_entered(event, elements.account), None)
    who = Who(
        visitors=visitors_of(user, text(event, "domain_userid", f"{_SESSION}.userId", "network_userid")),
        email=user if email is None and is_address(user) else email,
        account=None if account is None else host_of(account),
        role=text(event, fields.role) or next(_entered(event, elements.role), None),
        dnt=_header(event, "dnt"),
        gpc=_header(event, "sec-gpc"),
    )
    return Act(needed_text(event, "event_id"), needed_instant(event, "true_tstamp", "derived_tstamp", "collector_tstamp", utc=True), who)


def _entered(event: Payload, name: str | None, *, sort: str | None = None) -> Iterator[str]:
    """What a person entered into a form's elements of that type or name."""
    elements = found(event, f"{_FORM}.elements")
    for element in elements if isinstance(elements, list) else []:
        said = found(element, "value")
        is_meant = (sort is not None and found(element, "type") == sort) or (name is not None and found(element, "name") == name)
        if is_meant and isinstance(said, str):
            yield said


def _header(event: Payload, name: str) -> bool | None:
    """What the browser asked for in a header, where the pipeline keeps them."""
    headers = event.get(_HEADERS)
    asked = (flag(each, "value") for each in (headers if isinstance(headers, list) else []) if str(found(each, "name")).lower() == name)
    return next(asked, None)
