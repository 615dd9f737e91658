"""Which paths there are and which methods each takes, as the OpenAPI document has it. The framework only knows one route at a time."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Path(NamedTuple):
    """One path."""

    template: str  # as the document has it: ``/api/v1/accounts/{account}``
    allow: str  # as the header has it: ``GET, HEAD, OPTIONS``
    asks: Mapping[str, frozenset[str]]  # method -> names of the parameters that its query may have


class Paths:
    """All of them."""

    def __init__(self, documented: Mapping[str, Mapping[str, Any]], also: Iterable[str] = ()) -> None:
        """``also``: paths that are read and stand in no document."""
        paths = {path: {method.upper(): _queries(said) for method, said in operations.items()} for path, operations in documented.items()}
        paths |= {path: {"GET": frozenset()} for path in also}
        self._paths = [(_pattern(path), Path(path, _allow(set(asks)), asks)) for path, asks in sorted(paths.items())]

    def find(self, path: str) -> Path | None:
        """None for no path of ours."""
        return next((found for pattern, found in self._paths if pattern.fullmatch(path)), None)


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)))


def _queries(operation: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query")


def _allow(methods: set[str]) -> str:
    return ", ".join(sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))
