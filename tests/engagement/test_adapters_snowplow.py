"""Snowplow's enriched events as events of ours, in each form they come in."""

import json
from typing import Any

import pytest

from engagement.adapters.mapping import Format, SnowplowMapping
from engagement.adapters.snowplow import _act
from engagement.adapters.snowplow_columns import COLUMNS, flat_event
from tests.engagement.adapter_world import example, left_out, mapped, refused, taken

SNOWPLOW = Format.SNOWPLOW
OURS = "com.snowplowanalytics.snowplow"
CONTEXTS = f"iglu:{OURS}/contexts/jsonschema/1-0-0"
UNSTRUCT = f"iglu:{OURS}/unstruct_event/jsonschema/1-0-0"
FORM = f"unstruct_event_{OURS.replace('.', '_')}_submit_form_1"


def printed(name: str) -> dict[str, Any]:
    """An event as the Java tracker's document prints them, without the name in front of it and the comma after its last field."""
    text = example(name).decode()
    event: dict[str, Any] = json.loads(text[text.index("{") :].replace(",\n}", "\n}"))
    return event


def enriched(event: str, **said: Any) -> dict[str, Any]:
    return {
        "event": event,
        "event_id": "e1",
        "collector_tstamp": "2025-01-31T08:00:01.5Z",
        "derived_tstamp": "2025-01-31T08:00:00Z",
        "domain_userid": "d1",
        "event_vendor": OURS,
        "event_name": event,
        **said,
    }


def line_of(event: dict[str, Any]) -> bytes:
    """The line of columns that an event in lossless JSON was before."""
    cells = {name: said if isinstance(said, str) else json.dumps(said) for name, said in event.items() if said is not None}
    return "\t".join(
        cells.get(name, "").replace("T", " ").rstrip("Z") if name.endswith("tstamp") else cells.get(name, "") for name in COLUMNS
    ).encode()


def test_the_columns_are_those_of_the_document() -> None:
    assert example("snowplow/enriched-tsv-header.tsv").decode().rstrip("\n").split("\t") == list(COLUMNS)


def test_a_page_view_is_a_visit() -> None:
    assert taken(SNOWPLOW, printed("snowplow/java-tracker-page-view.txt")) == [
        (
            "web-visits",
            "d40c8a17-72e5-49b3-b6f1-0957ae3dc268",
            {
                "id": "3b9e51d7-a842-4f06-8c1d-e720f94b6a58",
                "occurred_at": "2024-11-05T08:37:10.652000Z",
                "visitor_id": "d40c8a17-72e5-49b3-b6f1-0957ae3dc268",
                "url": "https://orchard.example:8443",
                "user_agent": "till/5.0.8",
                "ip": "not kept by this shop",
            },
        )
    ]


def test_a_screen_view_is_a_visit_of_an_address_of_its_own() -> None:
    ((family, _, visit),) = taken(SNOWPLOW, printed("snowplow/java-tracker-screen-view.txt"))
    assert (family, visit["url"]) == ("web-visits", "/screen/scales")


def test_a_link_click_from_micro_is_left_out_until_the_mapping_has_it() -> None:
    click = example("snowplow/micro-good-event.json")
    assert left_out(SNOWPLOW, click) == ("unknown_event", f"{OURS}/link_click")
    for name in ("link_click", f"{OURS}/link_click"):
        ((family, key, signal),) = taken(SNOWPLOW, click, mapped(f"snowplow: {{events: {{{name}: click}}}}"))
        assert (family, signal["kind"]) == ("intent-signals", "click")
        assert key == "5ce07a92-34b8-4df6-b1e9-a6820c7d9f14", "the session's user, which Android keeps"


def test_a_field_of_a_context_is_found_under_the_name_that_the_sdks_give_it() -> None:
    mapping = mapped(
        f"snowplow: {{events: {{link_click: click}}, fields: {{topic: contexts_{OURS.replace('.', '_')}_mobile_context_1.carrier}}}}"
    )
    ((_, _, signal),) = taken(SNOWPLOW, example("snowplow/micro-good-event.json"), mapping)
    assert signal["topic"] == "Hazel Mobile"


@pytest.mark.parametrize(
    "event",
    [
        printed("snowplow/java-tracker-page-view.txt"),
        printed("snowplow/java-tracker-screen-view.txt"),
        json.loads(example("snowplow/micro-good-event.json")),
    ],
)
def test_a_line_says_what_its_json_says(event: dict[str, Any]) -> None:
    mapping = mapped("snowplow: {events: {link_click: click}}")
    assert taken(SNOWPLOW, line_of(event), mapping) == taken(SNOWPLOW, event, mapping)


def test_what_describes_itself_has_the_same_name_in_every_form() -> None:
    entity = {"schema": "iglu:org.schema/WebPage/jsonschema/1-0-0", "data": {"genre": "recipe"}}
    click = {"schema": f"iglu:{OURS}/link_click/jsonschema/1-0-1", "data": {"targetUrl": "https://orchard.example/pears"}}
    lossless = enriched(
        "unstruct", derived_contexts={"schema": CONTEXTS, "data": [entity]}, unstruct_event={"schema": UNSTRUCT, "data": click}
    )
    flat = flat_event(json.dumps(lossless).encode())
    assert flat["contexts_org_schema_web_page_1"] == [{"genre": "recipe"}]
    assert flat["unstruct_event_com_snowplowanalytics_snowplow_link_click_1"] == {"targetUrl": "https://orchard.example/pears"}
    assert flat_event(json.dumps(flat).encode()) == flat


def test_a_lossless_event_of_the_scala_sdk_is_what_its_lossy_one_is() -> None:
    printed = json.loads(b"{%b}" % example("snowplow/scala-sdk-lossless.txt"))
    assert flat_event(json.dumps(printed).encode()) == json.loads(b"{%b}" % example("snowplow/scala-sdk-lossy.txt"))


def test_a_form_is_a_signal_with_the_address_that_was_entered() -> None:
    elements = [
        {"name": "work_email", "value": "jane@acme.com", "nodeName": "INPUT", "type": "email"},
        {"name": "job", "value": "cfo", "nodeName": "INPUT", "type": "text"},
        {"name": "note", "value": None, "nodeName": "TEXTAREA"},
    ]
    form = enriched("unstruct", event_name="submit_form", **{FORM: {"formId": "demo", "formClasses": [], "elements": elements}})
    mapping = mapped("snowplow: {forms: {demo: demo_request}, elements: {role: job}}")
    ((family, key, signal),) = taken(SNOWPLOW, form, mapping)
    assert (family, key) == ("intent-signals", "jane@acme.com")
    assert (signal["kind"], signal["role"], signal["visitor_id"]) == ("demo_request", "cfo", "d1")


def test_an_address_that_is_none_says_nobody() -> None:
    form = enriched("unstruct", event_name="submit_form", **{FORM: {"formId": "demo", "elements": [{"name": "email", "value": "no"}]}})
    ((_, key, signal),) = taken(SNOWPLOW, form, mapped("snowplow: {forms: {demo: demo_request}}"))
    assert key == "d1"
    assert "email" not in signal


def test_a_form_that_is_not_named_is_what_all_forms_are() -> None:
    form = enriched("unstruct", event_name="submit_form", **{FORM: {"formId": "search", "elements": []}})
    assert left_out(SNOWPLOW, form, mapped("snowplow: {forms: {demo: demo_request}}")) == ("unknown_event", f"{OURS}/submit_form")
    ((_, _, signal),) = taken(SNOWPLOW, form, mapped("snowplow: {forms: {demo: demo_request}, events: {submit_form: form}}"))
    assert signal["kind"] == "form"


def test_a_structured_event_goes_by_category_and_action() -> None:
    struct = enriched("struct", se_category="Webinar", se_action="attend", se_label="aml", se_value=61.0)
    assert left_out(SNOWPLOW, struct) == ("unknown_event", "Webinar/attend")
    mapping = mapped("snowplow: {struct: {Webinar/attend: webinar}, fields: {topic: se_label, seconds: se_value}}")
    ((_, _, signal),) = taken(SNOWPLOW, struct, mapping)
    assert (signal["kind"], signal["topic"], signal["seconds"]) == ("webinar", "aml", 61)


def test_a_ping_is_its_heartbeats_seconds_where_the_mapping_gives_it_a_kind() -> None:
    ping = enriched("page_ping", page_url="https://www.acme.com/pricing")
    assert left_out(SNOWPLOW, ping) == ("page_ping", None)
    ((_, _, signal),) = taken(SNOWPLOW, ping, mapped("snowplow: {page_ping: reading, heartbeat: 30}"))
    assert (signal["kind"], signal["seconds"]) == ("reading", 30)


def test_a_user_id_and_a_device_are_both_told_who_they_are() -> None:
    mapping = mapped("snowplow: {fields: {email: contexts_com_acme_user_1.email, role: contexts_com_acme_user_1.role}}")
    view = enriched("page_view", user_id="u1", contexts_com_acme_user_1=[{"email": "jane@acme.com", "role": "vp"}])
    visit, link = taken(SNOWPLOW, view, mapping)
    assert (visit[2]["visitor_id"], visit[2]["email"], visit[2]["role"]) == ("user-u1", "jane@acme.com", "vp")
    assert (link[1], link[2]["type"], link[2]["email"]) == ("d1", "identify", "jane@acme.com")


def test_a_user_id_that_is_an_address_says_who_the_device_is() -> None:
    ((_, key, visit),) = taken(SNOWPLOW, enriched("page_view", user_id="jane@acme.com"))
    assert (key, visit["email"]) == ("d1", "jane@acme.com")


def test_an_event_that_only_identifies_is_an_identify() -> None:
    login = enriched("unstruct", event_vendor="com.acme", event_name="login", unstruct_event_com_acme_login_1={"mail": "jane@acme.com"})
    mapping = mapped("snowplow: {identify: [com.acme/login], fields: {email: unstruct_event_com_acme_login_1.mail}}")
    ((_, key, link),) = taken(SNOWPLOW, login, mapping)
    assert (key, link["type"], link["email"]) == ("d1", "identify", "jane@acme.com")
    assert left_out(SNOWPLOW, login | {"unstruct_event_com_acme_login_1": {}}, mapping) == ("says_nobody", None)


def test_headers_that_the_pipeline_keeps_say_what_the_browser_asks_for() -> None:
    headers = [{"name": "Sec-GPC", "value": "1"}, {"name": "dnt", "value": "0"}, {"name": "Accept", "value": "1"}]
    who = _act(enriched("page_view", contexts_org_ietf_http_header_1=headers), SnowplowMapping()).who
    assert (who.dnt, who.gpc) == (False, True)
    who = _act(enriched("page_view"), SnowplowMapping()).who
    assert (who.dnt, who.gpc) == (None, None)


def test_an_event_of_another_sort_is_left_out() -> None:
    assert left_out(SNOWPLOW, enriched("transaction")) == ("unknown_event", "transaction")


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (b"two\tcolumns", "invalid: columns = 2: Input should have 131, or be JSON"),
        (b"\xff\t", "invalid: byte 0: Input should be UTF-8"),
        (b'{"event":', "malformed_json: Input data was truncated"),
        ([enriched("page_view")], "invalid: event = [{"),
        (example("snowplow/enriched-tsv-header.tsv"), "malformed_json: "),
        (enriched("page_view", event_id=None), "invalid: event_id absent: Field required"),
        (enriched("page_view", derived_tstamp="yesterday"), "invalid: derived_tstamp = 'yesterday': Input should be an instant"),
        (enriched("page_view", domain_userid=None), "invalid: visitor_id absent: Field required"),
        (enriched("unstruct", contexts={"data": {}}), "invalid: contexts.data = {}: Input should be a list"),
        (enriched("unstruct", contexts={"data": [{}]}), "invalid: contexts.data.0.schema = None: Input should be as iglu:"),
    ],
)
def test_what_cannot_be_used_is_refused_with_field_and_value(payload: object, complaint: str) -> None:
    assert refused(SNOWPLOW, payload).startswith(complaint)
