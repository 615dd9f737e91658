"""What breaks between two states of a schema: for producers, whose records must be taken; for subscribers, who were told what comes."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from streams.contracts.asyncapi import asyncapi_document
from streams.contracts.compatible import asyncapi_breaks, schema_breaks
from streams.contracts.documents import DOCUMENTS
from streams.contracts.messages import MESSAGES, Written

BOTH: tuple[Written, ...] = ("producers", "mqa")
PRODUCERS: tuple[Written, ...] = ("producers",)
MQA: tuple[Written, ...] = ("mqa",)
NOBODY: tuple[Written, ...] = ()

WRITTEN_BY: dict[str, Written] = {"rulebook": "producers", **{each.topic: each.written_by for each in MESSAGES}}

STRING, INTEGER, NULL = {"type": "string"}, {"type": "integer"}, {"type": "null"}


def thing(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties} | ({"required": [*required]} if required else {})


def either(*said: Any) -> dict[str, Any]:
    return {"anyOf": [*said]}


TREE = {"$ref": "#/$defs/Tree", "$defs": {"Tree": thing(leaf=STRING, left={"$ref": "#/$defs/Tree"})}}
BUSH = {"$ref": "#/$defs/Bush", "$defs": {"Bush": thing(leaf=STRING, left={"$ref": "#/$defs/Bush"})}}
OAK = {"$ref": "#/$defs/Tree", "$defs": {"Tree": thing(leaf=INTEGER, left={"$ref": "#/$defs/Tree"})}}
FORK = {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
CLOSED, TEXTS, ELSEWHERE = {"additionalProperties": False}, {"additionalProperties": STRING}, {"unevaluatedProperties": False}
KIND_A, KIND_B, KIND_C = (thing(("kind",), kind={"const": each}, size=INTEGER) for each in "abc")
TOLD_APART = {"oneOf": [KIND_A, KIND_B], "discriminator": {"propertyName": "kind"}}

CASES = [
    ("nothing differs", thing(a=STRING), thing(a=STRING), NOBODY),
    ("words differ", thing(a=STRING | {"description": "old", "title": "A"}), thing(a=STRING | {"examples": ["x"]}), NOBODY),
    ("a property is new", thing(), thing(a=STRING), NOBODY),
    ("a property is new and required", thing(), thing(("a",), a=STRING), PRODUCERS),
    ("a property is gone", thing(a=STRING), thing(), BOTH),
    ("a property is new in a closed object", thing() | CLOSED, thing(a=STRING) | CLOSED, MQA),
    ("a property is new where any name was a text", thing() | TEXTS, thing(a=INTEGER) | TEXTS, BOTH),
    ("it is required now", thing(a=STRING), thing(("a",), a=STRING), PRODUCERS),
    ("it is optional now", thing(("a",), a=STRING), thing(a=STRING), MQA),
    ("another type", thing(a=STRING), thing(a=INTEGER), BOTH),
    ("one more type", thing(a=STRING), thing(a={"type": ["string", "null"]}), MQA),
    ("one type less", thing(a=either(STRING, NULL)), thing(a=STRING), PRODUCERS),
    ("any number for a whole one", thing(a=INTEGER), thing(a={"type": "number"}), MQA),
    ("a whole number for any", thing(a={"type": "number"}), thing(a=INTEGER), PRODUCERS),
    ("no type any more", thing(a=STRING), thing(a={}), MQA),
    ("one more value", {"enum": ["a"]}, {"enum": ["a", "b"]}, MQA),
    ("one value less", {"enum": ["a", "b"]}, {"enum": ["a"]}, PRODUCERS),
    ("another constant", {"const": 1}, {"const": 2}, BOTH),
    ("true for 1", {"const": 1}, {"const": True}, BOTH),
    ("values in place of any text", STRING, {"enum": ["a"]}, PRODUCERS),
    ("any text in place of values", {"enum": ["a"]}, STRING, MQA),
    ("one more value where more may come", STRING | {"x-extensible-enum": ["a"]}, STRING | {"x-extensible-enum": ["a", "b"]}, NOBODY),
    ("a longer text", {"maxLength": 5}, {"maxLength": 6}, MQA),
    ("a shorter text", {"maxLength": 6}, {"maxLength": 5}, PRODUCERS),
    ("a text of at least so many", STRING, STRING | {"minLength": 1}, PRODUCERS),
    ("at least 0 is no limit", STRING, STRING | {"minLength": 0}, NOBODY),
    ("a higher least", INTEGER | {"minimum": 1}, INTEGER | {"minimum": 2}, PRODUCERS),
    ("no least", INTEGER | {"minimum": 1}, INTEGER, MQA),
    ("a value beyond the limit", {"const": 7}, INTEGER | {"maximum": 6}, BOTH),
    ("a value within it", {"const": 7}, INTEGER | {"maximum": 7}, MQA),
    ("one of the same values, and more is asked of it", {"enum": ["a"]}, {"enum": ["a"], "not": {"const": "a"}}, PRODUCERS),
    ("another pattern", STRING | {"pattern": "^a"}, STRING | {"pattern": "^b"}, BOTH),
    ("a pattern is new", STRING, STRING | {"pattern": "^a"}, PRODUCERS),
    ("a format is gone", STRING | {"format": "date"}, STRING, MQA),
    ("another default", thing(a=STRING | {"default": "x"}), thing(a=STRING | {"default": "y"}), BOTH),
    ("no default any more", thing(a=STRING | {"default": None}), thing(a=STRING), BOTH),
    ("a default is new", thing(a=STRING), thing(a=STRING | {"default": "x"}), NOBODY),
    ("other items", {"type": "array", "items": STRING}, {"type": "array", "items": either(STRING, INTEGER)}, MQA),
    ("items of any sort", {"type": "array", "items": STRING}, {"type": "array"}, MQA),
    ("fewer items", {"maxItems": 2}, {"maxItems": 1}, PRODUCERS),
    ("another item in a tuple", {"prefixItems": [STRING, INTEGER]}, {"prefixItems": [STRING, STRING]}, BOTH),
    ("one more item in a tuple", {"prefixItems": [STRING], "items": False}, {"prefixItems": [STRING, STRING], "items": False}, MQA),
    ("closed", thing(a=STRING), thing(a=STRING) | {"additionalProperties": False}, PRODUCERS),
    ("names of a pattern are texts", thing(), {"type": "object", "patternProperties": {"^a": STRING}}, PRODUCERS),
    ("names of a pattern are others", {"patternProperties": {"^a": STRING}}, {"patternProperties": {"^a": INTEGER}}, BOTH),
    ("another name for a type", TREE, BUSH, NOBODY),
    ("something deep in a recursive type", TREE, OAK, BOTH),
    ("one more alternative", either(STRING, INTEGER), either(STRING, INTEGER, NULL), MQA),
    ("the same in other words", either(STRING, INTEGER), {"type": ["integer", "string"]}, NOBODY),
    ("the same in parts", thing(("a",), a=STRING, b=INTEGER), {"allOf": [thing(a=STRING), thing(("a",), b=INTEGER)]}, NOBODY),
    ("what cannot be told, unchanged", FORK, deepcopy(FORK), NOBODY),
    ("what cannot be told, changed", FORK, FORK | {"oneOf": [{"required": ["a"]}, {"required": ["c"]}]}, BOTH),
    ("what cannot be told, gone", FORK, {"type": "object"}, MQA),
    ("kinds that a property tells apart, one more", TOLD_APART, TOLD_APART | {"oneOf": [KIND_A, KIND_B, KIND_C]}, MQA),
    ("what says something elsewhere", thing(a=STRING) | ELSEWHERE, thing(a=STRING) | ELSEWHERE, BOTH),
    ("never anything", True, False, PRODUCERS),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "for_whom"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_what_breaks_and_for_whom(old: Any, new: Any, for_whom: tuple[Written, ...]) -> None:
    found: dict[Written, list[str]] = {each: [*map(str, schema_breaks(old, new, each))] for each in BOTH}
    assert tuple(each for each in BOTH if found[each]) == for_whom, found


def test_a_break_names_the_place_what_was_and_what_is() -> None:
    old = thing(factors={"type": "array", "items": thing(points=INTEGER)})
    new = thing(factors={"type": "array", "items": thing(points=STRING)})
    assert [*map(str, schema_breaks(old, new, "mqa"))] == ["factors[].points: type was integer, is string"]
    assert str(schema_breaks({"enum": ["a"]}, {"enum": ["a", "b"]}, "mqa")[0]) == '"b" is new, and nobody was told that it may come'


def test_a_reference_that_leads_nowhere_is_told() -> None:
    for pointer in ("#/$defs/Gone", "other.json#/a", "#anchor"):
        with pytest.raises(ValueError, match="leads nowhere"):
            schema_breaks({"$ref": pointer}, STRING, "producers")


def nodes(said: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all objects that describe properties."""
    if isinstance(said, dict):
        if "properties" in said and isinstance(said["properties"], dict) and "type" in said:
            yield path
        for name, each in said.items():
            yield from nodes(each, (*path, name))
    elif isinstance(said, list):
        for at, each in enumerate(said):
            yield from nodes(each, (*path, at))


def at(said: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        said = said[part]
    return said


def without(properties: Any, name: str, owner: Any) -> None:
    del properties[name]
    owner["required"] = [each for each in owner.get("required", ()) if each != name]


def of_another_type(properties: Any, name: str, _owner: Any) -> None:
    properties[name] = {"type": "boolean"} if properties[name].get("type") != "boolean" else STRING


def may_be_anything(properties: Any, name: str, _owner: Any) -> None:
    properties[name] = {}


def may_be_absent(_properties: Any, name: str, owner: Any) -> None:
    owner["required"] = [each for each in owner.get("required", ()) if each != name]


def must_be_there(_properties: Any, name: str, owner: Any) -> None:
    if name not in owner.get("required", ()):
        owner["required"] = [*owner.get("required", ()), name]


MUTATIONS: dict[Callable[[Any, str, Any], None], tuple[Written, ...]] = {
    without: BOTH,
    of_another_type: BOTH,
    may_be_anything: MQA,
    may_be_absent: MQA,
    must_be_there: PRODUCERS,
}


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
@pytest.mark.parametrize("name", WRITTEN_BY)
def test_every_field_of_what_is_published_is_guarded(name: str, mutate: Callable[[Any, str, Any], None]) -> None:
    old, written_by = DOCUMENTS[name].make(), WRITTEN_BY[name]
    if written_by not in MUTATIONS[mutate]:
        return
    for path in nodes(old):
        new = deepcopy(old)
        owner = at(new, path)
        changed = set()
        for field in list(owner["properties"]):
            before = deepcopy(owner)
            mutate(owner["properties"], field, owner)
            changed |= {field} if owner != before else set()
        found = {each.place.rpartition(".")[2] for each in schema_breaks(old, new, written_by)}
        assert changed <= found, path


def message_of(document: Any, operation: str) -> Any:
    """The message of an operation, to be changed."""
    channel, _, name = document["operations"][operation]["messages"][0]["$ref"].removeprefix("#/channels/").split("/")
    return document["channels"][channel]["messages"][name]


def rename_topic(document: Any) -> None:
    document["channels"]["tier-changes"]["address"] = "{prefix}changes"


def drop_operation(document: Any) -> None:
    del document["operations"]["receiveWebVisit"]


def turn_round(document: Any) -> None:
    document["operations"]["sendTierChange"]["action"] = "receive"


def rename_type(document: Any) -> None:
    document["components"]["schemas"]["TierChangeHeaders"]["properties"]["ce_type"] = {"const": "mqa.tier-change.v2"}


def change_deep(document: Any) -> None:
    document["components"]["schemas"]["Factor"]["properties"]["points"] = {"type": "number"}


def require(document: Any) -> None:
    document["components"]["schemas"]["WebVisit"]["required"].append("url")


def drop_message(document: Any) -> None:
    message_of(document, "sendTierChange")["name"] = "other"


def change_content_type(document: Any) -> None:
    message_of(document, "sendTierChange")["contentType"] = "application/avro"


def drop_key(document: Any) -> None:
    del message_of(document, "sendTierChange")["bindings"]["kafka"]["key"]


def drop_payload(document: Any) -> None:
    del message_of(document, "sendTierChange")["payload"]


def compact(document: Any) -> None:
    document["channels"]["tier-changes"]["bindings"]["kafka"]["topicConfiguration"]["cleanup.policy"] = ["compact"]


def keep_shorter(document: Any) -> None:
    document["channels"]["tier-changes"]["bindings"]["kafka"]["topicConfiguration"]["retention.ms"] -= 1


@pytest.mark.parametrize(
    "change",
    [
        rename_topic,
        drop_operation,
        turn_round,
        rename_type,
        change_deep,
        require,
        drop_message,
        change_content_type,
        drop_key,
        drop_payload,
        compact,
        keep_shorter,
    ],
    ids=lambda change: change.__name__,
)
def test_each_sort_of_break_of_the_asyncapi_document_is_found(change: Callable[[Any], None]) -> None:
    old, new = asyncapi_document(), asyncapi_document()
    change(new)
    assert asyncapi_breaks(old, new)


def test_what_breaks_nothing_in_the_asyncapi_document_is_let_through() -> None:
    old, new = asyncapi_document(), asyncapi_document()
    new["info"]["version"] = "9"
    new["components"]["schemas"]["TierChange"]["properties"]["mood"] = STRING
    new["components"]["schemas"]["TierChange"]["required"].append("mood")
    new["components"]["schemas"]["WebVisit"]["properties"]["mood"] = STRING
    new["operations"]["sendMood"] = new["operations"]["sendTierChange"]
    new["channels"]["tier-changes"]["bindings"]["kafka"]["topicConfiguration"]["retention.ms"] += 1
    assert asyncapi_breaks(old, new) == []
    assert asyncapi_breaks(old, deepcopy(old)) == []
