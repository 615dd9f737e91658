"""CloudEvents, single and batched: events of ours, or what another format holds."""

import base64
import json
from typing import Any

import pytest

from engagement.adapters.mapping import Format
from engagement.adapters.outcome import LeftOut, Taken, Unusable
from tests.engagement.adapter_world import example, left_out, mapped, outcomes, refused, taken

CLOUDEVENTS = Format.CLOUDEVENTS
AT = "2025-01-31T08:00:00Z"
SOME = "example.greenhouse.measured"


def event(sort: str = "mqa.web-visit.v1", **said: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "type": sort, "source": "/shop", "id": "1", "time": AT, **said}


@pytest.mark.parametrize("name", ["json-format-binary", "json-format-xml", "json-format-object", "json-format-string"])
def test_an_event_of_another_type_is_left_out_by_it_whatever_it_holds(name: str) -> None:
    assert left_out(CLOUDEVENTS, example(f"cloudevents/{name}.json")) == ("unknown_type", SOME)


def test_an_event_with_every_attribute_is_left_out_by_its_type() -> None:
    assert left_out(CLOUDEVENTS, example("cloudevents/spec-example.json")) == ("unknown_type", "example.library.loan.extended")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("json-format-binary", "invalid: data_base64 = '(the packed ...s, in Base64)': Input should be Base64"),
        ("json-format-xml", "malformed_json: JSON is malformed: invalid character (byte 0)"),
        ("json-format-object", "invalid: visitor_id absent: Field required"),
        ("json-format-string", 'invalid: data = "It\'s warm in here": Input should be an object'),
    ],
)
def test_an_event_that_is_said_to_be_a_visit_is_refused_for_what_it_holds(name: str, complaint: str) -> None:
    mapping = mapped(f"cloudevents: {{types: {{{SOME}: web-visits}}}}")
    assert refused(CLOUDEVENTS, example(f"cloudevents/{name}.json"), mapping) == complaint


def test_a_batch_of_two_is_two_events() -> None:
    assert outcomes(CLOUDEVENTS, example("cloudevents/json-format-batch.json")) == [
        LeftOut("unknown_type", SOME),
        LeftOut("unknown_type", "example.greenhouse.watered"),
    ]


def test_an_empty_batch_is_left_out() -> None:
    assert outcomes(CLOUDEVENTS, example("cloudevents/json-format-empty-batch.json")) == [LeftOut("empty")]


def test_an_event_of_ours_has_its_time_and_id_from_the_envelope() -> None:
    assert taken(CLOUDEVENTS, event(data={"visitor_id": "v1", "url": "/pricing"})) == [
        ("web-visits", "v1", {"id": "/shop#1", "occurred_at": AT, "visitor_id": "v1", "url": "/pricing"})
    ]


def test_what_the_event_says_itself_goes_before_the_envelope() -> None:
    own = {"id": "own", "occurred_at": "2025-01-30T08:00:00Z", "account": "acme.com", "owner": None}
    ((family, key, update),) = taken(CLOUDEVENTS, event("mqa.account-update.v1", data=own))
    assert (family, key) == ("account-updates", "acme.com")
    assert update == own, "null is said: it clears"


def test_an_intent_signal_is_keyed_as_producers_should() -> None:
    ((_, key, _),) = taken(
        CLOUDEVENTS, event("mqa.intent-signal.v1", data={"kind": "demo_request", "email": "j@acme.com", "visitor_id": "v"})
    )
    assert key == "j@acme.com"
    assert refused(CLOUDEVENTS, event("mqa.intent-signal.v1", data={"kind": "demo_request"})).startswith("no_key: ")


def test_a_type_of_the_mapping_is_a_family_or_a_format() -> None:
    mapping = mapped("cloudevents: {types: {com.acme.seen: web-visits, com.segment: segment, com.snowplow: snowplow}}")
    assert taken(CLOUDEVENTS, event("com.acme.seen", data={"visitor_id": "v1"}), mapping)[0][1] == "v1"
    page = {"type": "page", "messageId": "m1", "anonymousId": "a1", "timestamp": AT}
    assert taken(CLOUDEVENTS, event("com.segment", data=page), mapping)[0][1:2] == ("a1",)
    view = {"event": "page_view", "event_id": "e1", "collector_tstamp": AT, "domain_userid": "d1"}
    assert taken(CLOUDEVENTS, event("com.snowplow", data=view), mapping)[0][1] == "d1"


def test_a_batch_within_is_as_many_events() -> None:
    mapping = mapped("cloudevents: {types: {com.segment: segment}}")
    page = {"type": "page", "messageId": "m1", "anonymousId": "a1", "timestamp": AT}
    found = outcomes(CLOUDEVENTS, [event("com.segment", data={"batch": [page, {}]}), event("other")], mapping)
    assert [type(each) for each in found] == [Taken, Unusable, LeftOut]


def test_content_is_read_by_its_media_type() -> None:
    mapping = mapped("cloudevents: {types: {com.snowplow: snowplow}}")
    line = "\t".join("d1" if number == 15 else {5: "page_view", 6: "e1", 3: "2025-01-31 08:00:00"}.get(number, "") for number in range(131))
    as_text = event("com.snowplow", datacontenttype="text/tab-separated-values", data=line)
    as_bytes = event("com.snowplow", datacontenttype="text/tab-separated-values", data_base64=base64.b64encode(line.encode()).decode())
    assert taken(CLOUDEVENTS, as_text, mapping) == taken(CLOUDEVENTS, as_bytes, mapping)
    json_bytes = base64.b64encode(json.dumps({"visitor_id": "v1"}).encode()).decode()
    assert taken(CLOUDEVENTS, event(datacontenttype="application/vnd.acme+json; charset=utf-8", data_base64=json_bytes))[0][1] == "v1"


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (b'{"specversion"', "malformed_json: "),
        (b"7", "invalid: event = 7: Input should be an object"),
        ({}, "invalid: specversion absent: Field required"),
        (event(specversion="0.3"), "unknown_version: specversion = '0.3': Input should be '1.0'"),
        (event(source=None), "invalid: source absent: Field required"),
        (event(), "invalid: data absent: Field required"),
        (event(data=None), "invalid: data = None: Input should be an object"),
        (event(time=None, data={"visitor_id": "v"}), "invalid: occurred_at absent: Field required"),
        (event(data={"visitor_id": "v", "schema_version": 2}), "unknown_version: schema_version = 2: Input should be 1"),
        (event(data={"visitor_id": "v"}, datacontenttype="text/plain"), "invalid: data = {'visitor_id': 'v'}: Input should be a text"),
    ],
)
def test_what_cannot_be_used_is_refused_with_field_and_value(payload: object, complaint: str) -> None:
    assert refused(CLOUDEVENTS, payload).startswith(complaint)
