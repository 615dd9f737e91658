"""What is published in docs/schemas is what the code says, is valid, and its examples are."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator, Draft202012Validator

from engagement.decoding import decode
from engagement.events import MODELS, Family
from streams.contracts.asyncapi import asyncapi_document
from streams.contracts.command import schema
from streams.contracts.documents import DOCUMENTS, place, read
from streams.contracts.examples import examples
from streams.contracts.forms import look_up
from streams.contracts.messages import INTERNAL_TOPICS, MESSAGES, Message
from streams.topics import TOPICS

PUBLISHED = Path(__file__).parents[2] / "docs" / "schemas"
ASYNCAPI = asyncapi_document()
EXAMPLES = examples()
HOW = "write it anew: mqa schema publish docs/schemas"

SCHEMAS = [name for name in DOCUMENTS if name not in {"asyncapi", "openapi"}]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_is_published_as_it_is_printed(name: str) -> None:
    printed = CliRunner().invoke(schema, [name], catch_exceptions=False).stdout
    before = read(place(PUBLISHED, name))
    breaks = [] if before is None else DOCUMENTS[name].breaks(before, json.loads(printed))
    assert not breaks, f"this breaks what others rely on: {[*map(str, breaks)]}"
    assert printed == place(PUBLISHED, name).read_text(encoding="utf-8"), HOW


def test_nothing_else_is_published() -> None:
    assert {path.name for path in PUBLISHED.glob("*.json")} == {f"{name}.json" for name in DOCUMENTS}


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_a_valid_one(name: str) -> None:
    Draft202012Validator.check_schema(DOCUMENTS[name].make())


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.topic)
def test_every_message_has_examples_and_each_is_valid(message: Message) -> None:
    for example in EXAMPLES[message.topic]:
        Draft202012Validator(message.headers()).validate(example.headers)
        if message.payload is not None:
            Draft202012Validator(message.payload()).validate(example.payload)
        assert (example.key is None) == (message.key is None)


@pytest.mark.parametrize("family", Family)
def test_the_examples_of_inputs_are_events_that_are_taken(family: Family) -> None:
    for example in EXAMPLES[family.value]:
        assert decode(family, json.dumps(example.payload).encode()).event.id == example.payload["id"]


def test_the_example_of_a_tier_change_earns_its_score() -> None:
    qualified = EXAMPLES["tier-changes"][-1].payload
    assert (qualified["to"], qualified["qualified"]) == ("mqa", True)
    assert sum(factor["points"] for factor in qualified["factors"]) == qualified["score"] > 0


@pytest.mark.parametrize("message", [each for each in MESSAGES if each.payload is not None], ids=lambda message: message.topic)
def test_every_field_is_described(message: Message) -> None:
    assert message.payload is not None
    root = message.payload()
    for name, said in {root["title"]: root, **root.get("$defs", {})}.items():
        assert "description" in said, name
        for field, inner in said["properties"].items():
            assert "description" in inner, f"{name}.{field}"


def test_points_say_that_they_are_thousandths() -> None:
    tier_change = DOCUMENTS["tier-changes"].make()
    said = (tier_change["properties"]["score"], tier_change["$defs"]["Factor"]["properties"]["points"])
    assert all(each["type"] == "integer" and "thousandths" in each["description"].lower() for each in said)


@pytest.mark.parametrize("family", Family)
def test_what_a_schema_of_events_takes_the_engine_takes(family: Family) -> None:
    """But for dates, which JSON Schema does not look at; and numbers like 7.0, which are whole to it and not to the engine."""
    validator = Draft202012Validator(DOCUMENTS[family.value].make())
    values: list[Any] = [None, 7, -1, 1.5, "", "text", "x" * 5000, True, [], {}, ["text"], [{}], {"text": 1}]
    taken = 0
    for name in MODELS[family].model_fields.keys() - {"occurred_at", "sent_at"}:
        for value in values:
            changed = EXAMPLES[family.value][0].payload | {name: value}
            if validator.is_valid(changed):
                decode(family, json.dumps(changed).encode())
                taken += 1
    assert taken > len(MODELS[family].model_fields)


def test_every_topic_is_public_or_internal() -> None:
    public = {channel["address"].removeprefix("{prefix}") for channel in ASYNCAPI["channels"].values()}
    assert public | set(INTERNAL_TOPICS) == {each.short for each in TOPICS}
    assert all(topic in ASYNCAPI["info"]["description"] for topic in INTERNAL_TOPICS)


def test_every_reference_of_the_asyncapi_document_leads_to_a_schema_message_or_channel() -> None:
    found = [look_up(pointer, ASYNCAPI) for pointer in references(ASYNCAPI)]
    assert len(found) > len(MESSAGES)
    assert all(isinstance(each, dict) for each in found)


def test_every_schema_of_the_asyncapi_document_is_used_and_valid_in_either_dialect() -> None:
    used = {pointer.rpartition("/")[2] for pointer in references(ASYNCAPI) if pointer.startswith("#/components/schemas/")}
    assert used == ASYNCAPI["components"]["schemas"].keys()
    for said in ASYNCAPI["components"]["schemas"].values():
        Draft202012Validator.check_schema(said)
        Draft7Validator.check_schema(said)


def test_what_is_sent_and_received_is_said_as_mqa_sees_it() -> None:
    actions = {look_up(each["channel"]["$ref"], ASYNCAPI)["address"]: each["action"] for each in ASYNCAPI["operations"].values()}
    assert actions == {f"{{prefix}}{each.topic}": "receive" if each.written_by == "producers" else "send" for each in MESSAGES}


def test_the_examples_stand_in_the_asyncapi_document_and_are_valid_there() -> None:
    for message in MESSAGES:
        (said,) = ASYNCAPI["channels"][message.topic]["messages"].values()
        assert [each["payload"] for each in said["examples"]] == [each.payload for each in EXAMPLES[message.topic]]
        for part in ("headers", "payload"):
            for example in (each for each in said["examples"] if part in said and part in each):
                for dialect in (Draft202012Validator, Draft7Validator):
                    dialect(ASYNCAPI | said[part]).validate(example[part])  # beside the components to which it refers


def references(said: Any) -> Iterator[str]:
    if isinstance(said, dict):
        for name, each in said.items():
            if name == "$ref":
                yield each
            else:
                yield from references(each)
    elif isinstance(said, list):
        for each in said:
            yield from references(each)
