"""What breaks for clients between two states of the OpenAPI document: of what they send, and of what they are told where all is well.

Statuses that tell of errors may come and go: their shape is one, and a client must take those that it does not know.
"""

from collections.abc import Iterator
from typing import Any

from streams.contracts.compatible import changed, compare, followed
from streams.contracts.containment import Break
from streams.contracts.forms import Node
from streams.contracts.messages import Written


def openapi_breaks(old: Any, new: Any) -> list[Break]:
    """Compare two documents, operation by operation. Raises ValueError for a reference that leads nowhere."""
    return [
        found.below(f"{method.upper()} {path}")
        for path, operations in old["paths"].items()
        for method in operations
        for found in _Operations(old, new).breaks(operations[method], new["paths"].get(path, {}).get(method))
    ]


class _Operations:
    """Two states of an operation, each in its document."""

    def __init__(self, old: Any, new: Any) -> None:
        self._old, self._new = old, new

    def breaks(self, was: Any, now: Any) -> Iterator[Break]:
        if now is None:
            yield Break("", "is gone")
            return
        yield from changed("security", was.get("security", []), now.get("security", []))
        yield from self._parameters(was, now)
        yield from self._body(was, now)
        yield from self._answers(was["responses"], now["responses"])

    def _parameters(self, was: Any, now: Any) -> Iterator[Break]:
        before, after = ({(each["in"], each["name"]): each for each in said.get("parameters", ())} for said in (was, now))
        for (place, name), parameter in before.items():
            other = after.get((place, name))
            if other is None:
                yield Break(f"{place}.{name}", "is gone")
                continue
            if other.get("required") and not parameter.get("required"):
                yield Break(f"{place}.{name}", "is required")
            yield from self._schemas(f"{place}.{name}", parameter["schema"], other["schema"], "producers")
        for (place, name), other in after.items():
            if other.get("required") and (place, name) not in before:
                yield Break(f"{place}.{name}", "is new, and required")

    def _body(self, was: Any, now: Any) -> Iterator[Break]:
        before, after = (followed(document, said.get("requestBody", {})) for document, said in ((self._old, was), (self._new, now)))
        if after.get("required") and not before.get("required"):
            yield Break("body", "is required")
        yield from self._contents("body", before.get("content", {}), after.get("content", {}), "producers")

    def _answers(self, was: Any, now: Any) -> Iterator[Break]:
        for status, before in was.items():
            if not status.startswith("2"):
                continue
            if status not in now:
                yield Break(status, "is gone")
                continue
            said, says = (followed(document, each).get("content", {}) for document, each in ((self._old, before), (self._new, now[status])))
            yield from self._contents(status, said, says, "mqa")
        yield from (
            Break(status, "is new, and nobody was told that it may come") for status in now if status[0] == "2" and status not in was
        )

    def _contents(self, place: str, before: Any, after: Any, written_by: Written) -> Iterator[Break]:
        for media_type, said in before.items():
            if media_type not in after:
                yield Break(f"{place}.{media_type}", "is gone")
            else:
                yield from self._schemas(place, said.get("schema", True), after[media_type].get("schema", True), written_by)

    def _schemas(self, place: str, was: Any, now: Any, written_by: Written) -> Iterator[Break]:
        yield from (found.below(place) for found in compare(Node(was, self._old), Node(now, self._new), written_by))
