"""Reading what a person wrote: YAML as text, and one line about what is wrong with it."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import yaml
from pydantic_core import ErrorDetails

from engagement.errors import Refused

MAX_BYTES = 256 * 1024
"""Of a text, as UTF-8: reading that much takes seconds."""

MAX_NESTING = 20
"""Mappings and lists within one another. A list of names may stand in the innermost mapping: `Rulebook.canonical` writes one there."""

_MAX_KEY = 64
_UNPRINTABLE = re.compile(r"[^ -~\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""Control characters, line breaks, halves of characters: what would not survive being written as JSON and read as YAML; and a byte order
mark, which nobody sees."""


def check_size(size: int, place: str) -> None:
    """Raise `Refused` where a text of ``size`` bytes is too long to be read."""
    if size > MAX_BYTES:
        raise Refused(f"{place}: has {size} bytes, must have at most {MAX_BYTES}; shorten it")


def read_yaml(text: str, place: str) -> Any:
    """Return the text's lists and mappings; every scalar stays text of printable characters, and nothing at all is None.

    Raises `Refused` where it is too long, and with line and column where it is no YAML, is nested too deep, a key stands twice or
    is too long, or there is an alias or a control character.
    """
    check_size(len(text.encode(errors="surrogatepass")), place)
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - it derives from BaseLoader, which builds nothing but text, lists and mappings
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        raise Refused(f"{place}{at}: {printable(str(error.problem), 200)}; mend the YAML there") from None
    except yaml.YAMLError as error:
        raise Refused(f"{place}: {str(error).splitlines()[0]}; remove what is not text") from None


class _Loader(yaml.BaseLoader):
    """YAML of text, lists and mappings, no more than a rulebook needs."""

    _depth = 0

    def fetch_more_tokens(self) -> None:
        try:
            super().fetch_more_tokens()
        except (ValueError, OverflowError) as error:  # PyYAML checks neither the code of an escape nor the digits of a version
            raise yaml.scanner.ScannerError(None, None, f"not a character or version: {error}", self.get_mark()) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or not 0 < len(key.value) <= _MAX_KEY:
                raise yaml.constructor.ConstructorError(None, None, f"a key must be a name of 1 to {_MAX_KEY} characters", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value} stands here a second time", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it out
        problem: str | None = None
        match event:
            case yaml.AliasEvent():
                problem = f"an alias (*{event.anchor}) is not read here, write it out"
            case yaml.ScalarEvent() if odd := _UNPRINTABLE.search(event.value):
                problem = f"a key or value holds U+{ord(odd[0]):04X}, which cannot be printed"
            case yaml.CollectionStartEvent() if self._depth >= MAX_NESTING + isinstance(event, yaml.SequenceStartEvent):
                problem = f"nested deeper than {MAX_NESTING} levels"
        if problem is not None:
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def printable(text: str, most: int) -> str:
    """Spell a text as one line of at most ``most`` characters: what cannot be printed as its escape, and what is too long cut."""
    line = _UNPRINTABLE.sub(lambda odd: odd[0].encode("unicode_escape").decode(), text)
    return line if len(line) <= most else f"{line[: most - 3]}..."


def shown(value: object) -> str:
    """Spell a value as a message shows it: one short line."""
    return "nothing" if value in ("", None) else printable(str(value), 60)


def unknown(subject: str, name: str, known: Iterable[str], sort: str) -> str:
    """Say ``subject is no ... known here; did you mean ...?``, or all the known ones where none is near."""
    known = tuple(known)
    near = get_close_matches(name, known, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"known: {printable(', '.join(known), 400)}"
    return f"{subject} is no {sort} known here; {remedy}"


_EXPLANATIONS = {
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "tuple_type": "must be a list; write it as [one, two]",
    "string_type": "must be a name",
    "string_pattern_mismatch": "must be a name of letters, digits, _ and -, a letter first; rename it",
    "string_too_short": "must not be empty; remove it or fill it in",
    "too_short": "must have an entry; add one, or remove it",
    "too_long": "has too many entries; remove some",
}


def explained(error: ErrorDetails, place: str = "") -> str:
    """Spell a complaint of pydantic's as one line: path (``place`` in front), value, remedy."""
    path = place
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
        case "whole_part":  # about all of a mapping, which is too much to show
            return f"{path} {context['complaint']}"
        case "string_too_long":
            complaint = f"must have at most {context['max_length']} characters; shorten it"
        case "literal_error" | "enum":
            complaint = f"must be {context['expected']}"
        case "value_error":
            complaint = context["error"]
        case known:
            complaint = _EXPLANATIONS.get(known, error["msg"])
    return f"{path} = {shown(error['input'])} {complaint}"
