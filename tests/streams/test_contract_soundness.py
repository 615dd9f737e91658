"""What is called compatible is: no value that the one schema takes is refused by the other, whatever the two are."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from streams.contracts.containment import Containment
from streams.contracts.forms import Node

NAMES = st.sampled_from(["a", "b", "b1"])
TEXTS = ["", "a", "ab", "b1"]
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-1, 2), st.sampled_from([0.5, 1.0]), st.sampled_from(TEXTS)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=5,
)
TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]
DEFINED = {
    "One": {"type": "object", "properties": {"a": {"$ref": "#/$defs/One"}, "b": {"type": "integer"}}},
    "Two": {"enum": ["a", 1, None]},
}
LEAVES: list[Any] = [
    True,
    False,
    {},
    *({"type": each} for each in TYPES),
    {"type": ["string", "null"]},
    {"type": "string", "minLength": 1},
    {"type": "string", "maxLength": 1},
    {"pattern": "^b"},
    {"type": "integer", "minimum": 0, "maximum": 1},
    {"exclusiveMinimum": 0},
    {"multipleOf": 1},
    {"enum": ["a", "b1", 1]},
    {"enum": [True, 0.5]},
    {"const": 1},
    {"maxItems": 1},
    {"minProperties": 1},
    {"required": ["a"]},
    *({"$ref": f"#/$defs/{name}"} for name in DEFINED),
]


def made_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    words = {
        "anyOf": several,
        "allOf": several,
        "oneOf": several,
        "not": inner,
        "properties": st.dictionaries(NAMES, inner, min_size=1, max_size=2),
        "patternProperties": st.dictionaries(st.sampled_from(["^b", "1$"]), inner, min_size=1),
        "additionalProperties": inner,
        "unevaluatedProperties": inner,
        "propertyNames": inner,
        "required": st.lists(NAMES, unique=True),
        "items": inner,
        "prefixItems": several,
        "contains": inner,
        "maxItems": st.integers(0, 3),
        "type": st.sampled_from(TYPES),
        "$ref": st.sampled_from([f"#/$defs/{name}" for name in DEFINED]),
    }
    return st.sets(st.sampled_from(sorted(words)), min_size=1, max_size=3).flatmap(
        lambda chosen: st.fixed_dictionaries({word: words[word] for word in chosen})
    )


SCHEMAS = st.recursive(st.sampled_from(LEAVES), made_of, max_leaves=5)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two schemas that have something to do with each other."""
    one, other = draw(SCHEMAS), draw(SCHEMAS)
    pair: tuple[Any, Any] = draw(
        st.sampled_from(
            [
                (one, other),
                (one, {"anyOf": [other, one]}),
                ({"allOf": [one, other]}, one),
                (one, {"allOf": [one, other]}),
                (joined(one, other), one),
                (one, joined(other, one)),
                ({"type": "object", "properties": {"a": one}, "required": ["a"]}, {"properties": {"a": {"anyOf": [one, other]}}}),
                ({"prefixItems": [one], "items": other}, {"items": {"anyOf": [other, one]}}),
            ]
        )
    )
    return pair


def joined(one: Any, other: Any) -> Any:
    return one | other if isinstance(one, dict) and isinstance(other, dict) else one


@settings(max_examples=150, deadline=None)
@given(pairs(), st.lists(VALUES, min_size=8, max_size=16))
def test_what_is_called_compatible_refuses_nothing(pair: tuple[Any, Any], values: list[Any]) -> None:
    documents = [Node(each, {"$defs": DEFINED}) for each in pair]
    if Containment(older="taken").breaks(*documents):
        return
    written, taken = (Draft202012Validator({"allOf": [each], "$defs": DEFINED}) for each in pair)
    for value in values:
        assert taken.is_valid(value) or not written.is_valid(value), value
