"""What differs between two rulebooks, path by path. What of it keeps one from taking the other's place: `activation.obstacles`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from engagement.rulebook import Rulebook


class Change(NamedTuple):
    """One difference. Values are as `Rulebook.canonical` has them; None: it is not there on that side."""

    path: str
    was: Any
    now: Any

    def __str__(self) -> str:
        if self.was is None:
            return f"+ {self.path}: {_spelled(self.now)}"
        if self.now is None:
            return f"- {self.path}: {_spelled(self.was)}"
        return f"~ {self.path}: {_spelled(self.was)} -> {_spelled(self.now)}"


def changes(old: Rulebook, new: Rulebook) -> list[Change]:
    """What was changed, added and removed, defaults included; nothing where both are the same version.

    Mappings have an order that matters (the kind named first wins, rungs go up): another one is a change of the path ``<mapping> (order)``.
    """
    return list(_mapping("", json.loads(old.canonical()), json.loads(new.canonical())))


def _compared(path: str, was: Any, now: Any) -> Iterator[Change]:
    if was == now and json.dumps(was) == json.dumps(now):  # equal mappings may have another order
        return
    if isinstance(was, dict) and isinstance(now, dict):
        yield from _mapping(f"{path}.", was, now)
    elif isinstance(was, list) and isinstance(now, list) and any(isinstance(each, dict) for each in (*was, *now)):
        yield from _list(path, was, now)
    else:
        yield Change(path, was, now)


def _mapping(prefix: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    for key in was:
        yield from _compared(f"{prefix}{key}", was[key], now[key]) if key in now else [Change(f"{prefix}{key}", was[key], None)]
    yield from (Change(f"{prefix}{key}", None, now[key]) for key in now if key not in was)
    before, after = [key for key in was if key in now], [key for key in now if key in was]
    if before != after:
        yield Change(f"{prefix.removesuffix('.')} (order)".strip(), before, after)


def _list(path: str, was: Sequence[Any], now: Sequence[Any]) -> Iterator[Change]:
    """Conditions, which have no names: those that are equal stay together, so that one more does not change all after it."""
    matcher = SequenceMatcher(a=[json.dumps(each) for each in was], b=[json.dumps(each) for each in now], autojunk=False)
    for operation, low, high, first, last in matcher.get_opcodes():
        if operation == "equal":
            continue
        both = min(high - low, last - first)
        for at in range(both):
            yield from _compared(f"{path}[{first + at}]", was[low + at], now[first + at])
        yield from (Change(f"{path}[{at}]", was[at], None) for at in range(low + both, high))
        yield from (Change(f"{path}[{at}]", None, now[at]) for at in range(first + both, last))


def _spelled(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_spelled(each)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_spelled, value)) + "]"
        case bool():
            return str(value).lower()
    return str(value)
