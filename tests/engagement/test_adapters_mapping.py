"""The mapping: what a person may write, and what is said of the rest."""

from pathlib import Path

import pytest

from engagement.adapters.mapping import Format, Mapping
from engagement.errors import Refused
from engagement.events import Family
from tests.engagement.adapter_world import mapped


def test_everything_has_a_default() -> None:
    assert mapped("{}") == Mapping()


def test_one_name_that_differs_leaves_the_others_as_they_are() -> None:
    traits = mapped("segment: {traits: {role: job}}").segment.traits
    assert (traits.role, traits.email) == ("job", "email")


def test_topics_and_types_name_formats_and_families() -> None:
    mapping = mapped("{topics: {web-visits: snowplow}, cloudevents: {types: {com.acme.a: account-updates, com.acme.s: segment}}}")
    assert mapping.topics == {Family.WEB_VISITS: Format.SNOWPLOW}
    assert mapping.cloudevents.types == {"com.acme.a": Family.ACCOUNT_UPDATES, "com.acme.s": Format.SEGMENT}


def test_what_the_documents_show_can_be_used_and_shows_the_defaults() -> None:
    section = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text(encoding="utf-8").partition("## The mapping")[2]
    mapping = mapped("\n".join(line for line in section.partition("## ")[0].splitlines() if line.startswith("    ")))
    plain = Mapping()
    assert mapping.segment.traits == plain.segment.traits
    assert mapping.segment.company == plain.segment.company
    assert mapping.snowplow.elements == plain.snowplow.elements
    assert (mapping.snowplow.heartbeat, mapping.segment.properties.email) == (plain.snowplow.heartbeat, plain.segment.properties.email)
    assert set(mapping.model_fields_set) == set(Mapping.model_fields)


def test_every_kind_is_told_with_the_place_that_names_it() -> None:
    mapping = mapped(
        "{segment: {events: {A b: one}}, snowplow: {struct: {c/d: two}, forms: {f: three}, events: {e: four}, page_ping: five}}"
    )
    assert mapping.kinds() == {
        "segment.events.A b": "one",
        "snowplow.events.e": "four",
        "snowplow.struct.c/d": "two",
        "snowplow.forms.f": "three",
        "snowplow.page_ping": "five",
    }


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("", "mapping.yaml: nothing must be a mapping; write it as {segment: {events: {Demo Requested: demo_request}}}"),
        ("{sigment: {}}", "mapping.yaml: sigment is no key known here; did you mean segment?"),
        ("segment: {traits: {mail: e}}", "mapping.yaml: segment.traits.mail is no key known here; did you mean email?"),
        ("segment: {events: {A: two words}}", "mapping.yaml: segment.events.A = two words must be a name of letters"),
        ("topics: {web-visits: avro}", "mapping.yaml: topics.web-visits = avro must be 'segment', 'snowplow' or 'cloudevents'"),
        ("topics: {visits: segment}", "mapping.yaml: topics.visits = visits must be 'web-visits', 'intent-signals' or 'account-updates'"),
        (
            "cloudevents: {types: {a: cloudevents}}",
            "mapping.yaml: cloudevents.types.a = cloudevents must be another: a CloudEvent that holds",
        ),
        ("snowplow: {heartbeat: soon}", "mapping.yaml: snowplow.heartbeat = soon must be a whole number"),
        ("snowplow: {heartbeat: 86401}", "mapping.yaml: snowplow.heartbeat = 86401 must be a whole number from 0 to 86_400"),
        ("segment: [", "mapping.yaml:1:11: "),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_its_place(written: str, complaint: str) -> None:
    with pytest.raises(Refused) as refused:
        mapped(written)
    assert str(refused.value).startswith(complaint)
    assert "\n" not in str(refused.value)
