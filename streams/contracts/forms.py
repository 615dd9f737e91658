"""JSON Schemas (2020-12) in one form, in which two of them can be compared.

A schema is taken apart into forms, one for each type of value that it takes (and each alternative): references and ``allOf`` are merged
into them, ``anyOf`` and lists of types are spread out, and each has only the keywords that mean something for its type. What is not
understood stays in a form as it is, to be compared as a whole.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

KINDS = ("null", "boolean", "number", "string", "array", "object")
"""The types of values; an integer is a number with the word `INTEGER`."""

INTEGER = "integer"

LEAST = frozenset({"minLength", "minItems", "minProperties", "minimum", "exclusiveMinimum"})
MOST = frozenset({"maxLength", "maxItems", "maxProperties", "maximum", "exclusiveMaximum"})

_WORDS_OF = {
    "string": {"minLength", "maxLength", "pattern", "format", "contentEncoding", "contentMediaType", "contentSchema"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", INTEGER},
    "array": {"minItems", "maxItems", "uniqueItems", "items", "prefixItems", "contains", "minContains", "maxContains"},
    "object": {"minProperties", "maxProperties", "required", "properties", "patternProperties", "additionalProperties", "propertyNames"},
}
_KIND_OF_WORD = {word: kind for kind, words in _WORDS_OF.items() for word in words}

_BY_OTHERS = {"additionalProperties", "patternProperties", "items", "prefixItems", "contains", "if"}
"""What these say depends on others in the same schema."""

_ABOUT = {"title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "discriminator", "externalDocs"}
_TAKEN_APART = {"type", "enum", "const", "$ref", "allOf", "anyOf", "$schema", "$id", "$comment", "$defs"}


class Form(NamedTuple):
    """Values of one type that a schema takes."""

    kind: str
    words: Mapping[str, Any]  # keywords, ``enum`` having only values of this type

    @property
    def type(self) -> str:
        """As a schema says it."""
        return INTEGER if INTEGER in self.words else self.kind


class Node(NamedTuple):
    """A schema, and the document in which its references lead."""

    said: Any
    root: Any

    def to(self, said: Any) -> "Node":
        """Another schema of the same document."""
        return Node(said, self.root)


def forms(node: Node, seen: tuple[str, ...] = ()) -> list[Form]:
    """Take a schema apart. Raises ValueError for a reference that leads nowhere in its document."""
    said = node.said
    if isinstance(said, bool):
        return [Form(kind, {}) for kind in KINDS] if said else []
    found = list(_own(said))
    if "$ref" in said:
        # A type that is nothing but itself or something else is something else.
        found = [] if said["$ref"] in seen else _both(found, forms(node.to(look_up(said["$ref"], node.root)), (*seen, said["$ref"])))
    for each in said.get("allOf", ()):
        found = _both(found, forms(node.to(each), seen))
    for word in ("anyOf", "oneOf") if "discriminator" in said else ("anyOf",):  # by which no two of `oneOf` take the same value
        if word in said:
            found = _both(found, [form for each in said[word] for form in forms(node.to(each), seen)])
    return found


def look_up(pointer: str, root: Any) -> Any:
    """Follow a reference within its document. Raises ValueError where it leads nowhere there."""
    found = {"#": root}
    try:
        for part in pointer.split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
    except (KeyError, TypeError):
        msg = f"$ref {pointer!r} leads nowhere in its document"
        raise ValueError(msg) from None
    return found


def kind_of(value: Any) -> str:
    """Of a JSON value."""
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "boolean"),
        ((int, float), "number"),
        (str, "string"),
        (list, "array"),
        (dict, "object"),
    )
    return next((kind for types, kind in kinds if isinstance(value, types)), "null")


def same(one: Node, other: Node, under_way: frozenset[tuple[int, int]] = frozenset()) -> bool:
    """Whether two pieces of schema say the same word by word, whatever the types are called to which they refer."""
    pair = (id(one.said), id(other.said))
    if pair in under_way:
        return True
    deeper = under_way | {pair}
    match one.said, other.said:
        case {"$ref": str(ours)}, {"$ref": str(theirs)}:
            mine, yours = (node.to({word: said for word, said in node.said.items() if word != "$ref"}) for node in (one, other))
            return same(mine, yours, deeper) and same(one.to(look_up(ours, one.root)), other.to(look_up(theirs, other.root)), deeper)
        case dict(ours), dict(theirs):
            return ours.keys() == theirs.keys() and all(same(one.to(said), other.to(theirs[word]), deeper) for word, said in ours.items())
        case list(ours), list(theirs):
            return len(ours) == len(theirs) and all(same(one.to(a), other.to(b), deeper) for a, b in zip(ours, theirs, strict=True))
        case ours, theirs:
            return kind_of(ours) == kind_of(theirs) and ours == theirs


def _own(said: dict[str, Any]) -> Iterable[Form]:
    """What the keywords that stand in a schema itself say."""
    types = said.get("type", list(KINDS))
    types = {types} if isinstance(types, str) else set(types)
    values = said["enum"] if "enum" in said else [said["const"]] if "const" in said else None
    left_out = _ABOUT | _TAKEN_APART | ({"oneOf"} if "discriminator" in said else set())
    for kind in KINDS:
        is_integer = kind == "number" and INTEGER in types and kind not in types
        if kind not in types and not is_integer:
            continue
        words = {
            word: each
            for word, each in said.items()
            if word not in left_out and _KIND_OF_WORD.get(word, kind) == kind and not word.startswith("x-")
        }
        if is_integer:
            words[INTEGER] = True
        if values is not None:
            words["enum"] = [value for value in values if kind_of(value) == kind]
        if words.get("enum") != []:
            yield Form(kind, words)


def _both(some: Iterable[Form], others: Iterable[Form]) -> list[Form]:
    """What both take."""
    others = list(others)
    met = (_met(one, other) for one in some for other in others if one.kind == other.kind)
    return [form for form in met if form is not None]


def _met(one: Form, other: Form) -> Form | None:
    words = dict(one.words)
    unclear: list[Any] = []
    for word, said in other.words.items():
        if word not in words or words[word] == said:
            words[word] = said
        elif word in LEAST:
            words[word] = max(words[word], said)
        elif word in MOST:
            words[word] = min(words[word], said)
        elif word == "required":
            words[word] = sorted({*words[word], *said})
        elif word == "enum":
            words[word] = [value for value in words[word] if value in said]
        elif word == "properties":
            words[word] = {**said, **words[word]} | {
                name: {"allOf": [words[word][name], said[name]]} for name in words[word].keys() & said.keys()
            }
        else:
            unclear.append({word: said})
    if one.words and other.words and not _BY_OTHERS.isdisjoint(words):
        unclear += [dict(one.words), dict(other.words)]
    if unclear:
        words["allOf"] = unclear
    return None if words.get("enum") == [] else Form(one.kind, words)
