"""Segment's calls as events of ours."""

import json
from typing import Any

import pytest

from engagement.adapters.mapping import Format
from engagement.adapters.outcome import LeftOut, Taken, Unusable
from engagement.adapters.segment import _act
from tests.engagement.adapter_world import example, left_out, mapped, outcome, outcomes, refused, taken

SEGMENT = Format.SEGMENT
AT = "2025-01-31T08:00:00Z"
DEMO = mapped("segment: {events: {Demo Requested: demo_request}}")


def call(kind: str, **said: Any) -> dict[str, Any]:
    return {"type": kind, "messageId": "m1", "timestamp": AT, "anonymousId": "a1", **said}


def test_a_page_is_a_visit() -> None:
    assert taken(SEGMENT, example("segment/spec-page.json")) == [
        (
            "web-visits",
            "user-gardener-4471",
            {
                "id": "d1c6a0de-41f2-4b7e-9a35-6fe0c2b7714e",
                "occurred_at": "2024-05-17T06:41:12.604000Z",
                "visitor_id": "user-gardener-4471",
                "url": "https://fernhill.example",
                "user_agent": "Pottering/7.2 (Tablet; Bramble 4.1) Thicket/31.6",
                "ip": "203.0.113.41",
            },
        )
    ]


def test_a_screen_is_a_visit_of_an_address_of_its_own() -> None:
    ((family, _, visit),) = taken(SEGMENT, example("segment/spec-screen.json"))
    assert (family, visit["url"]) == ("web-visits", "/screen/Basket")


def test_an_identify_says_of_both_ids_who_they_are() -> None:
    links = taken(SEGMENT, example("segment/spec-identify.json"))
    assert [(family, key, link["type"], link["email"], link["id"][-2:]) for family, key, link in links] == [
        ("web-visits", "user-gardener-4471", "identify", "noor@fernhill.example", "b3"),
        ("web-visits", "b07e5c41d29f4a8361ce90fa", "identify", "noor@fernhill.example", "/2"),
    ]


def test_a_track_is_left_out_by_its_name_until_the_mapping_has_it() -> None:
    track = example("segment/spec-track.json")
    assert left_out(SEGMENT, track) == ("unknown_event", "Guide Opened")
    assert taken(SEGMENT, track, mapped("segment: {events: {Guide Opened: download}}")) == [
        (
            "intent-signals",
            "user-Qm7wTzLp2x",
            {
                "id": "note-5e21c7740bd94f8ea6318fd2c09b57e4",
                "occurred_at": "2024-05-17T06:41:48.391000Z",
                "kind": "download",
                "visitor_id": "user-Qm7wTzLp2x",
            },
        )
    ]


def test_a_group_without_a_website_names_no_domain() -> None:
    assert left_out(SEGMENT, example("segment/spec-group.json")) == ("no_domain", None)


def test_an_alias_of_two_ids_says_nobody() -> None:
    assert left_out(SEGMENT, example("segment/spec-alias.json")) == ("alias", None)


@pytest.mark.parametrize("name", ["segment/spec-identify-typical.json", "segment/spec-alias-basic.json"])
def test_a_call_without_the_common_fields_is_refused_for_the_first_it_lacks(name: str) -> None:
    assert refused(SEGMENT, example(name)) == "invalid: timestamp absent: Field required"


def test_bodies_of_the_http_api_are_told_apart_without_a_type() -> None:
    ((_, key, link),) = taken(SEGMENT, example("segment/http-api-identify.json"))
    assert (key, link["email"]) == ("user-k5t20wd8", "ilse@hivework.example")
    assert left_out(SEGMENT, example("segment/http-api-track.json")) == ("unknown_event", "Hive Ordered")
    assert left_out(SEGMENT, example("segment/http-api-group.json")) == ("no_domain", None)
    assert left_out(SEGMENT, example("segment/http-api-alias.json")) == ("alias", None)


def test_a_page_of_the_http_api_might_be_a_screen() -> None:
    assert refused(SEGMENT, example("segment/http-api-page.json")) == "invalid: type absent: Field required"


def test_a_call_of_a_batch_that_cannot_be_used_takes_no_other_with_it() -> None:
    first, second, third, fourth = outcomes(
        SEGMENT, example("segment/http-api-batch.json"), mapped("segment: {events: {Talk Watched: video}}")
    )
    assert isinstance(first, Taken)
    assert isinstance(second, Taken)
    for torn in (third, fourth):  # their July has one digit
        assert isinstance(torn, Unusable)
        assert torn.dead.detail.startswith("timestamp = '2024-7-03T11:05:")
        assert json.loads(torn.payload)["userId"] == "z8r61vq3"


def test_a_batch_shares_its_context() -> None:
    page = call("page", context={"userAgent": "own"})
    ((_, _, visit),) = taken(SEGMENT, {"batch": [page], "context": {"ip": "203.0.113.9", "userAgent": "shared"}})
    assert (visit["ip"], visit["user_agent"]) == ("203.0.113.9", "own")


def test_a_batch_of_nothing_is_left_out() -> None:
    assert outcomes(SEGMENT, {"batch": []}) == [LeftOut("empty")]


def test_a_body_that_never_had_a_message_id_has_its_digest_for_one() -> None:
    first, again = (taken(SEGMENT, example("segment/http-api-identify.json"))[0][2]["id"] for _ in range(2))
    other = taken(SEGMENT, call("page") | {"messageId": None})[0][2]["id"]
    assert first == again != other
    assert first.startswith("segment-")


def test_a_form_of_somebody_anonymous_is_a_signal_that_says_who_the_visitor_is() -> None:
    form = call("track", event="Demo Requested", properties={"email": "jane@acme.com", "title": "Pricing"})
    assert taken(SEGMENT, form, DEMO) == [
        (
            "intent-signals",
            "jane@acme.com",
            {
                "id": "m1",
                "occurred_at": AT,
                "kind": "demo_request",
                "email": "jane@acme.com",
                "visitor_id": "a1",
            },
        )
    ]


def test_a_call_that_says_who_it_is_says_it_of_its_other_id_too() -> None:
    signal, link = taken(SEGMENT, call("track", event="Demo Requested", userId="u1", properties={"email": "jane@acme.com"}), DEMO)
    assert signal[2]["visitor_id"] == "user-u1"
    assert (link[1], link[2]["type"], link[2]["id"]) == ("a1", "identify", "m1/2")


def test_a_user_id_that_is_an_address_is_the_address_and_no_visitors_id() -> None:
    ((_, key, visit),) = taken(SEGMENT, call("page", userId="jane@acme.com"))
    assert (key, visit["email"]) == ("a1", "jane@acme.com")
    ((_, key, visit),) = taken(SEGMENT, call("page", userId="jane@acme.com", anonymousId=None))
    assert visit["email"] == "jane@acme.com"
    assert "jane" not in key


def test_traits_come_from_the_call_its_context_or_by_the_names_of_the_mapping() -> None:
    assert taken(SEGMENT, call("page", context={"traits": {"email": "j@acme.com", "title": "cfo"}}))[0][2]["role"] == "cfo"
    named = mapped("segment: {traits: {role: jobRole, account: company.domain}}")
    said = {"email": "j@acme.com", "jobRole": "vp", "company": {"domain": "https://www.acme.com/de"}}
    ((_, _, link),) = taken(SEGMENT, call("identify", traits=said), named)
    assert (link["role"], link["account"], link["email"]) == ("vp", "www.acme.com", "j@acme.com")


def test_what_an_event_says_more_is_where_the_mapping_says() -> None:
    mapping = mapped("segment: {events: {Watched: video}, properties: {topic: video.topic, seconds: watched, score: rank, provider: by}}")
    said = {"video": {"topic": "aml"}, "watched": 61.0, "rank": "70", "by": "tube"}
    ((_, _, signal),) = taken(SEGMENT, call("track", event="Watched", properties=said), mapping)
    assert {name: signal[name] for name in ("topic", "seconds", "score", "provider")} == {
        "topic": "aml",
        "seconds": 61,
        "score": 70,
        "provider": "tube",
    }


def test_a_group_with_a_website_is_a_company_and_says_whose_the_visitor_is() -> None:
    traits = {
        "website": "https://www.fernhill.example",
        "name": "Fernhill Nurseries",
        "industry": "Horticulture",
        "employees": "58",
        "plan": "orchard",
    }
    (family, key, update), user, device = taken(SEGMENT, call("group", userId="u1", groupId="g1", traits=traits))
    assert (family, key) == ("account-updates", "www.fernhill.example")
    assert update == {
        "id": "m1",
        "occurred_at": AT,
        "account": "www.fernhill.example",
        "name": "Fernhill Nurseries",
        "attributes": {"industry": "Horticulture", "employees": 58},
    }
    assert [(each[1], each[2]["account"], "email" in each[2]) for each in (user, device)] == [
        ("user-u1", "www.fernhill.example", False),
        ("a1", "www.fernhill.example", False),
    ]


def test_an_email_address_of_a_group_is_nobodys() -> None:
    update, link = taken(SEGMENT, call("group", traits={"website": "fernhill.example", "email": "office@fernhill.example", "title": "Inc"}))
    assert "email" not in link[2]
    assert "role" not in link[2]
    assert update[2]["account"] == link[2]["account"] == "fernhill.example"


def test_an_alias_of_an_address_says_who_the_other_id_is() -> None:
    ((_, key, link),) = taken(SEGMENT, call("alias", previousId="tomas@fernhill.example", userId="u1"))
    assert (key, link["email"]) == ("user-u1", "tomas@fernhill.example")
    links = taken(SEGMENT, call("alias", previousId="x1", userId="tomas@fernhill.example"))
    assert [(key, link["email"]) for _, key, link in links] == [("x1", "tomas@fernhill.example"), ("user-x1", "tomas@fernhill.example")]


def test_an_identify_that_says_nobody_is_left_out() -> None:
    assert left_out(SEGMENT, call("identify", traits={"plan": "allotment"})) == ("says_nobody", None)


def test_the_time_that_segment_corrected_counts_and_the_device_s_own_where_there_is_none() -> None:
    page = call("page", timestamp=None, originalTimestamp="2025-01-31T09:00:00+01:00", receivedAt="2025-01-31T08:00:09Z")
    found = outcome(SEGMENT, page)
    assert isinstance(found, Taken)
    assert found.events[0].event.occurred_at.isoformat() == "2025-01-31T09:00:00+01:00"
    assert found.received_at == 1_738_310_409_000


def test_a_browser_s_preference_is_where_the_mapping_says() -> None:
    mapping = mapped("segment: {context: {dnt: doNotTrack, gpc: privacy.gpc}}").segment
    asked = _act(call("page", context={"doNotTrack": "1", "privacy": {"gpc": False}}), mapping).who
    assert (asked.dnt, asked.gpc, asked.is_private) == (True, False, True)
    silent = _act(call("page", context={"doNotTrack": "unspecified"}), mapping).who
    assert (silent.dnt, silent.gpc, silent.is_private) == (None, None, False)


def test_a_form_of_somebody_who_is_not_to_be_followed_counts_and_tells_nothing_of_the_visitor() -> None:
    mapping = mapped("segment: {events: {Demo Requested: demo_request}, context: {dnt: doNotTrack}}")
    form = call("track", event="Demo Requested", userId="u1", context={"doNotTrack": "yes"})
    ((_, _, signal),) = taken(SEGMENT, form | {"properties": {"email": "jane@acme.com"}}, mapping)
    assert "visitor_id" not in signal
    for silent in (form, call("identify", userId="u1", traits={"email": "jane@acme.com"}, context={"doNotTrack": "yes"})):
        assert left_out(SEGMENT, silent, mapping) == ("opted_out", None)


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (b"{", "malformed_json: Input data was truncated"),
        (b"[1]", "invalid: call = [1]: Input should be an object"),
        (call("purchase"), "invalid: type = 'purchase': Input should be page, screen, track, identify, group, alias"),
        (call("track"), "invalid: event absent: Field required"),
        (call("page", anonymousId=None), "invalid: visitor_id absent: Field required"),
        (call("page", anonymousId={"a": 1}), "invalid: anonymousId = {'a': 1}: Input should be a text"),
        (call("page", timestamp="2025-01-31T08:00:00"), "invalid: timestamp = '2025-01-31T08:00:00': Input should have an offset"),
        (call("page", timestamp=1738310400), "invalid: timestamp = 1738310400: Input should be an instant"),
        (call("page", properties={"url": "x" * 5000}), "invalid: url = 'xxxx"),
        ({"batch": {}}, "invalid: batch = {}: Input should be a list"),
        (call("group", groupId="g", traits={"website": "a.com", "employees": {}}), "invalid: attributes.employees"),
    ],
)
def test_what_cannot_be_used_is_refused_with_field_and_value(payload: object, complaint: str) -> None:
    assert refused(SEGMENT, payload).startswith(complaint)
