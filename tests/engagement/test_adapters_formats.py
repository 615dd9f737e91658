"""Whatever a record holds, it has an outcome, and every event that comes of it is one that intake reads as it was meant."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.adapters.formats import adapted, format_of
from engagement.adapters.mapping import Format
from engagement.adapters.outcome import Taken
from engagement.adapters.snowplow_columns import COLUMNS
from engagement.decoding import Dead, decode
from engagement.events import Family
from tests.engagement.adapter_world import NO_MAPPING, mapped

MAPPING = mapped(
    """
    topics: {intent-signals: segment}
    segment: {events: {Seen: page, Asked: demo_request}, properties: {score: score, seconds: seconds, topic: topic}}
    snowplow: {events: {submit_form: form}, struct: {a/b: page}, page_ping: page, fields: {score: se_value, email: se_label}}
    cloudevents: {types: {s: segment, p: snowplow, v: web-visits}}
    """
)

AT = "2025-01-31T08:00:00Z"
CALL = {"type": "page", "messageId": "m1", "timestamp": AT, "anonymousId": "a1", "event": "Seen", "previousId": "x", "userId": "u@acme.com"}
ENRICHED = {"event": "page_view", "event_id": "e1", "collector_tstamp": AT, "domain_userid": "d1", "se_category": "a", "se_action": "b"}
VISIT = {"visitor_id": "v1", "url": "/pricing"}
BASES: dict[Format, tuple[dict[str, Any], ...]] = {
    Format.SEGMENT: (CALL, CALL | {"traits": {"email": "j@acme.com", "website": "acme.com"}}, {"batch": [CALL, {"type": "track"}]}),
    Format.SNOWPLOW: (ENRICHED,),
    Format.CLOUDEVENTS: tuple(
        {"specversion": "1.0", "type": sort, "source": "/", "id": "1", "time": AT, "data": content}
        for sort, content in (("v", VISIT), ("s", CALL), ("p", ENRICHED))
    ),
}
"""Payloads that are something, for what is made at random hardly ever is."""

SORTS = ("page", "screen", "track", "identify", "group", "alias", "page_view", "page_ping", "struct", "unstruct", "Asked", "s", "p", "v")
LEAVES = (
    st.sampled_from(("", "a", "b", "7", "u@acme.com", "acme.com", AT, "2025-01-31 08:00:00", *SORTS))
    | st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("aZ0 .:/#@\x00\ud7ff\u2028", max_size=6)
)
NAMES = st.sampled_from(
    sorted({*CALL, *ENRICHED, *VISIT, "traits", "context", "properties", "groupId", "receivedAt", "email", "website", "name"})
)
MORE_NAMES = st.sampled_from(
    ("contexts", "unstruct_event", "schema", "data", "data_base64", "datacontenttype", "score", "seconds", "page", "time")
)
THINGS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES | MORE_NAMES, inner, max_size=3), max_leaves=6
)
LINES = st.dictionaries(st.sampled_from(COLUMNS), LEAVES.map(str), max_size=6).map(
    lambda more: "\t".join((ENRICHED | more).get(name, "") for name in COLUMNS).encode()
)
RECORDS = st.one_of(
    *(
        st.builds(
            lambda form, base, more: (form, json.dumps(base | more).encode()),
            st.just(form),
            st.sampled_from(bases),
            st.dictionaries(NAMES | MORE_NAMES, THINGS, max_size=4),
        )
        for form, bases in BASES.items()
    ),
    st.tuples(st.just(Format.SNOWPLOW), LINES),
    st.tuples(st.sampled_from(Format), st.binary(max_size=40)),
)


@given(RECORDS)
def test_every_value_has_an_outcome_and_every_event_is_read_as_it_was_meant(record: tuple[Format, bytes]) -> None:
    form, value = record
    outcomes = adapted(value, form, MAPPING)
    assert outcomes
    for outcome in outcomes:
        if isinstance(outcome, Taken):
            assert outcome.events
            for each in outcome.events:
                read = decode(each.family, each.value).event
                assert each.key
                for name in each.event.model_fields_set - {"occurred_at"}:
                    assert getattr(read, name) == getattr(each.event, name)


@given(RECORDS)
def test_the_same_record_gives_the_same_events(record: tuple[Format, bytes]) -> None:
    form, value = record
    first, again = adapted(value, form, MAPPING), adapted(value, form, MAPPING)
    assert [each.events for each in first if isinstance(each, Taken)] == [each.events for each in again if isinstance(each, Taken)]


def test_no_nesting_is_too_deep_to_have_an_outcome() -> None:
    for depth in range(600, 1000):  # around what this thread's stack leaves, wherever that is
        nested = b'{"type": "page", "anonymousId": "a", "timestamp": "%b", "more": %b}' % (AT.encode(), b"[" * depth + b"]" * depth)
        assert len(adapted(nested, Format.SEGMENT, MAPPING)) == 1
        assert len(adapted(nested, Format.CLOUDEVENTS, MAPPING)) == 1


def test_the_header_says_what_a_record_is_written_in_then_the_content_type_then_the_mapping() -> None:
    cloud = ("content-type", b"Application/CloudEvents+JSON; charset=UTF-8")
    assert format_of([("mqa-format", b"snowplow"), cloud], Family.INTENT_SIGNALS, MAPPING) is Format.SNOWPLOW
    assert format_of([cloud], Family.INTENT_SIGNALS, MAPPING) is Format.CLOUDEVENTS
    assert format_of([], Family.INTENT_SIGNALS, MAPPING) is Format.SEGMENT
    assert format_of([("content-type", b"application/json")], Family.WEB_VISITS, MAPPING) is None
    assert format_of([], Family.INTENT_SIGNALS, NO_MAPPING) is None


def test_a_record_of_ours_may_say_so_on_a_topic_of_another_format() -> None:
    assert format_of([("mqa-format", b"mqa")], Family.INTENT_SIGNALS, MAPPING) is None


def test_a_format_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Dead) as dead:
        format_of([("mqa-format", b"avro")], Family.WEB_VISITS, NO_MAPPING)
    assert dead.value.detail == "header mqa-format = 'avro': Input should be segment, snowplow, cloudevents, mqa"
