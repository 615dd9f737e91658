"""Reading what a person wrote: YAML as text, and one line about what is wrong with it."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import yaml
from pydantic_core import ErrorDetails

from engagement.errors import Refused


def read_yaml(text: str, place: str) -> Any:
    """Return the text's lists and mappings; every scalar stays text, and nothing at all is None.

    Raises `Refused` with line and column where it is no YAML, a key stands twice, or there is an alias.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - it derives from BaseLoader, which builds nothing but text, lists and mappings
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        raise Refused(f"{place}{at}: {error.problem}; mend the YAML there") from None
    except yaml.YAMLError as error:
        raise Refused(f"{place}: {str(error).splitlines()[0]}; remove what is not text") from None


class _Loader(yaml.BaseLoader):
    """YAML of text, lists and mappings; a key that stands twice and an alias are errors."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a name", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value} stands here a second time", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it out
            raise yaml.composer.ComposerError(None, None, f"an alias (*{event.anchor}) is not read here, write it out", event.start_mark)
        return super().compose_node(parent, index)


def shown(value: object) -> str:
    """Spell a value as a message shows it: one short line."""
    text = "nothing" if value in ("", None) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a line's worth


def unknown(subject: str, name: str, known: Iterable[str], sort: str) -> str:
    """Say ``subject is no ... known here; did you mean ...?``, or all the known ones where none is near."""
    known = tuple(known)
    near = get_close_matches(name, known, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    return f"{subject} is no {sort} known here; {remedy}"


_EXPLANATIONS = {
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "tuple_type": "must be a list; write it as [one, two]",
    "string_type": "must be a name",
    "string_pattern_mismatch": "must be a name of letters, digits, _ and -, a letter first; rename it",
    "string_too_short": "must not be empty; remove it or fill it in",
    "string_too_long": "is too long; shorten it",
    "too_long": "has too many entries; remove some",
}


def explained(error: ErrorDetails) -> str:
    """Spell a complaint of pydantic's as one line: path, value, remedy."""
    path = ""
    for step in error["loc"]:
        if step != "[key]":
            path += f"[{step}]" if isinstance(step, int) else f".{step}"
    path = path.removeprefix(".")
    context = error.get("ctx", {})
    match error["type"]:
        case "unknown_key":
            return unknown(f"{path}.{context['key']}".removeprefix("."), context["key"], context["known"], "key")
        case "missing":
            return f"{path} is missing; add it"
        case "literal_error":
            return f"{path} = {shown(error['input'])} must be {context['expected']}"
        case "value_error":
            return f"{path} = {shown(error['input'])} {context['error']}"
        case known:
            return f"{path} = {shown(error['input'])} {_EXPLANATIONS.get(known, error['msg'])}"
