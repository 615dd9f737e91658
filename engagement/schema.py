"""The rulebook as JSON Schema (2020-12), for editors: what a person may write, key by key and unit by unit.

Everything comes from the models and from the tables of condition words, so it says what the code reads. What depends on other parts of
a rulebook (that a kind is there, that borders are in order) only `mqa rulebook check` can know.
"""

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import DEFAULT_REF_TEMPLATE, DefsRef, GenerateJsonSchema, JsonRef, JsonSchemaValue
from pydantic_core import core_schema

from engagement.attributes import TESTS, AttributeTest
from engagement.conditions import CHOICES, COMBINED, CONDITION_SCHEMA, NUMBERS, PARTS, PeopleWith, SignalsWithin
from engagement.parts import NAMES_SCHEMA, TEXT_SCHEMA, Part
from engagement.rulebook import BOTTOMS, Criterion, Rulebook

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_CONDITION = DefsRef("Condition")

_TESTED = (AttributeTest, Criterion)
"""Parts that have exactly one of the tests."""


def rulebook_schema() -> dict[str, Any]:
    """JSON Schema of a rulebook. Raises KeyError where a word of `conditions.PARTS` is not described here."""
    schema = Rulebook.model_json_schema(schema_generator=_Generator)
    definitions = schema.pop("$defs")
    for model in (SignalsWithin, PeopleWith, AttributeTest):
        definitions[model.__name__] = model.model_json_schema(schema_generator=_Generator)
    for tested in _TESTED:
        definitions[tested.__name__]["oneOf"] = [{"required": [word]} for word in TESTS.values()]
    definitions[_CONDITION] = _condition()
    about = {"title": "Rulebook", "description": "Everything that marketing decides. `mqa rulebook check` knows more than this schema."}
    return {"$schema": DIALECT} | schema | about | {"$defs": dict(sorted(definitions.items()))}


def _condition() -> dict[str, Any]:
    several = {"type": "array", "items": CONDITION_SCHEMA, "minItems": 1}
    combined = {word: CONDITION_SCHEMA if word == "not" else several for word in COMBINED}
    numbers = {word: number.quantity.schema for word, number in NUMBERS.items()}
    choices = {word: NAMES_SCHEMA if choice.known is None else _one_or_more(choice.known) for word, choice in CHOICES.items()}
    parts = {word: _PARTS[word] for word in PARTS}
    ladders = dict.fromkeys(list(BOTTOMS)[:-1], NAMES_SCHEMA)  # a later ladder asks for an earlier one's rung
    return {
        "type": "object",
        "description": "What an account must show: all entries hold.",
        "minProperties": 1,
        "properties": combined | numbers | choices | parts | ladders,
        "additionalProperties": False,
    }


def _one_or_more(names: tuple[str, ...]) -> dict[str, Any]:
    return {"anyOf": [{"enum": list(names)}, {"type": "array", "items": {"enum": list(names)}, "minItems": 1}]}


def _reference(model: type[Part]) -> dict[str, Any]:
    return {"$ref": DEFAULT_REF_TEMPLATE.format(model=model.__name__)}


_PARTS: Mapping[str, dict[str, Any]] = {
    "signals": _reference(SignalsWithin),
    "people_with": _reference(PeopleWith),
    "attributes": {"type": "object", "minProperties": 1, "additionalProperties": _reference(AttributeTest)},
    "fit": NAMES_SCHEMA,
    "surge": NAMES_SCHEMA,
    "segment": NAMES_SCHEMA,
}
"""`conditions.PARTS`, described."""


class _Generator(GenerateJsonSchema):
    """Pydantic's, where a rulebook is read otherwise than its models' types say."""

    def __init__(self, by_alias: bool = True, ref_template: str = DEFAULT_REF_TEMPLATE, **options: Any) -> None:  # noqa: FBT001, FBT002 - pydantic's signature
        """Conditions are no model: their definition is put in its place afterwards."""
        super().__init__(by_alias, ref_template, **options)
        self.json_to_defs_refs[JsonRef(CONDITION_SCHEMA["$ref"])] = _CONDITION
        self.definitions[_CONDITION] = {}
        self._prioritized_defsref_choices[_CONDITION] = [_CONDITION]

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        """The key says it."""
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """None is absence, and cannot be written."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Say no defaults: they are numbers of the code's units. `mqa rulebook show FILE` spells them."""
        return self.generate_inner(schema["schema"])

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        """Names have a pattern; other texts are any scalar."""
        return super().str_schema(schema) if "pattern" in schema else TEXT_SCHEMA

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """A key that is no name is an error."""
        found = super().dict_schema(schema)
        return found | {"additionalProperties": False} if "patternProperties" in found else found

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """So is one that a part does not know."""
        return {"additionalProperties": False} | super().model_schema(schema)
