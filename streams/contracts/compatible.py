"""What breaks for those outside between two states of a published document: a JSON Schema, or the AsyncAPI document."""

from collections.abc import Iterator
from typing import Any

from streams.contracts.asyncapi import ACTIONS
from streams.contracts.containment import Break, Containment, Older
from streams.contracts.forms import Node, look_up
from streams.contracts.messages import Written

_OLDER: dict[Written, Older] = {"producers": "written", "mqa": "taken"}
"""Who writes it -> what the old schema says of it; see `streams.contracts.containment`."""

_WRITTEN_BY: dict[str, Written] = {action: written_by for written_by, action in ACTIONS.items()}


def schema_breaks(old: Any, new: Any, written_by: Written) -> list[Break]:
    """Compare two JSON Schemas of what ``written_by`` writes. Raises ValueError for a reference that leads nowhere."""
    return compare(Node(old, old), Node(new, new), written_by)


def asyncapi_breaks(old: Any, new: Any) -> list[Break]:
    """Compare two AsyncAPI 3.0 documents, operation by operation. Raises ValueError for a reference that leads nowhere."""
    return [found for name in old["operations"] for found in _operation_breaks(name, old, new)]


def compare(old: Node, new: Node, written_by: Written) -> list[Break]:
    """Compare two schemas, each in its document, of what ``written_by`` writes."""
    older = _OLDER[written_by]
    written, taken = (old, new) if older == "written" else (new, old)
    return Containment(older=older).breaks(written, taken)


def _operation_breaks(name: str, old: Any, new: Any) -> Iterator[Break]:
    was, now = old["operations"][name], new["operations"].get(name)
    if now is None:
        yield Break(name, "is gone")
        return
    yield from changed(f"{name}.action", was["action"], now["action"])
    written_by = _WRITTEN_BY[was["action"]]
    before, after = (followed(document, said["channel"]) for document, said in ((old, was), (new, now)))
    yield from changed(f"{name}.address", before["address"], after["address"])
    yield from (found.below(name) for found in _topic_breaks(before, after))
    messages, others = ({each["name"]: each for each in _messages(*pair)} for pair in ((old, was), (new, now)))
    for title, message in messages.items():
        if title not in others:
            yield Break(f"{name}.{title}", "is gone")
            continue
        other = others[title]
        yield from changed(f"{name}.{title}.contentType", message["contentType"], other["contentType"])
        for part, said, then in (
            ("headers", message.get("headers", True), other.get("headers", True)),
            ("payload", message.get("payload", True), other.get("payload", True)),
            ("key", _key(message), _key(other)),
        ):
            yield from (found.below(f"{name}.{title}.{part}") for found in compare(Node(said, old), Node(then, new), written_by))
    if written_by == "mqa":
        yield from (Break(f"{name}.{title}", "is new, and nobody was told that it may come") for title in others if title not in messages)


def _topic_breaks(old: Any, new: Any) -> Iterator[Break]:
    """Of what Kafka does with the records."""
    was, now = (channel["bindings"]["kafka"]["topicConfiguration"] for channel in (old, new))
    yield from changed("cleanup.policy", was["cleanup.policy"], now["cleanup.policy"])
    kept, keeps = (float("inf") if each.get("retention.ms", -1) < 0 else each["retention.ms"] for each in (was, now))
    if keeps < kept:
        yield Break("retention.ms", f"was {kept}, is {keeps}")


def changed(place: str, was: object, now: object) -> Iterator[Break]:
    """Say what must not be another."""
    if was != now:
        yield Break(place, f"was {was!r}, is {now!r}")


def followed(document: Any, said: Any) -> Any:
    """Go where references lead."""
    while "$ref" in said:
        said = look_up(said["$ref"], document)
    return said


def _messages(document: Any, operation: Any) -> list[Any]:
    return [followed(document, each) for each in operation["messages"]]


def _key(message: Any) -> Any:
    return message.get("bindings", {}).get("kafka", {}).get("key", {"type": "null"})
