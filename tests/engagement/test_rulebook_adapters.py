"""The rulebook's section ``adapters``: optional, part of its version, and of kinds that the rulebook has."""

import pytest

from engagement.adapters.mapping import Format, Mapping
from engagement.errors import Refused
from engagement.events import Family
from engagement.rulebook import Rulebook, load_rulebook

SMALL = "{signals: {page: {points: 1}, demo_request: {points: 100}}, stage: {engaged: {enter: {score: 30}}}"


def rulebook(adapters: str | None) -> Rulebook:
    return load_rulebook(f"{SMALL}}}" if adapters is None else f"{SMALL}, adapters: {adapters}}}", "rules.yaml")


def test_a_rulebook_without_the_section_is_the_version_it_always_was() -> None:
    assert rulebook(None).adapters is None
    assert "adapters" not in rulebook(None).canonical()


def test_the_section_is_part_of_the_version_and_survives_being_spelled() -> None:
    written = rulebook("{topics: {web-visits: segment}, segment: {events: {Demo Requested: demo_request}, traits: {role: job}}}")
    again = load_rulebook(written.canonical(), "canonical")
    assert again.adapters == written.adapters
    assert again.version == written.version != rulebook("{}").version != rulebook(None).version
    assert again.adapters is not None
    assert again.adapters.topics == {Family.WEB_VISITS: Format.SEGMENT}


def test_an_empty_section_is_the_defaults() -> None:
    assert rulebook("{}").adapters == Mapping()


@pytest.mark.parametrize(
    ("adapters", "complaint"),
    [
        (
            "{segment: {events: {Demo: demo_reqest}}}",
            "adapters.segment.events.Demo = demo_reqest is no kind known here; did you mean demo_request?",
        ),
        ("{snowplow: {page_ping: reading}}", "adapters.snowplow.page_ping = reading is no kind known here; known: page, demo_request"),
        ("{snowplow: {form: {}}}", "adapters.snowplow.form is no key known here; did you mean forms?"),
    ],
)
def test_what_intake_could_only_bury_is_refused(adapters: str, complaint: str) -> None:
    with pytest.raises(Refused) as refused:
        rulebook(adapters)
    assert str(refused.value) == f"rules.yaml: {complaint}"
