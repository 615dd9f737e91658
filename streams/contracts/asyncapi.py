"""The AsyncAPI 3.0 document: public topics as channels, what mqa does with them as operations.

Schemas are the published ones; their definitions lie in ``components`` here, where AsyncAPI's tools look for them.
"""

from importlib.metadata import metadata
from typing import Any

from streams.contracts.examples import Example, examples
from streams.contracts.messages import INTERNAL_TOPICS, MESSAGES, Message, Written
from streams.contracts.payloads import Schema
from streams.topics import Environment

ACTIONS: dict[Written, str] = {"producers": "receive", "mqa": "send"}
"""Who writes a message -> what mqa does with it."""

_REPLICATION = 3  # of topics as `mqa topics create --replication 3` makes them
_SASL = {"plain": "plain", "scramSha256": "scramSha256", "scramSha512": "scramSha512"}


def asyncapi_document() -> Schema:
    """Make the document. Raises ValueError where two schemas of one name differ."""
    found = examples()
    schemas: dict[str, Schema] = {}
    published = metadata("mqa")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "mqa",
            "version": published["Version"],
            "description": f"{published['Summary']} Topics that are not here are internal, and may change at any time: "
            f"{', '.join(INTERNAL_TOPICS)}.",
            "license": {"name": published["License-Expression"]},
        },
        "defaultContentType": "application/json",
        "servers": {
            "secured": {
                "host": "{bootstrap}",
                "protocol": "kafka-secure",
                "description": "Kafka over TLS with a login. mqa takes any of the three mechanisms, and TLS or SASL alone.",
                "variables": {"bootstrap": {"description": "host:port", "default": "kafka.example:9093"}},
                "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in _SASL],
            },
            "local": {"host": "127.0.0.1:9092", "protocol": "kafka", "description": "What `mqa broker start` runs; it says the port."},
        },
        "channels": {each.topic: _channel(each, found[each.topic], schemas) for each in MESSAGES},
        "operations": {_operation_id(each): _operation(each) for each in MESSAGES},
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                name: {"type": mechanism, "description": "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"} for name, mechanism in _SASL.items()
            },
        },
    }


def _channel(message: Message, found: list[Example], schemas: dict[str, Schema]) -> Schema:
    settings = message.settings
    configs = settings.configs("wall", _REPLICATION)
    topic = {"cleanup.policy": [configs["cleanup.policy"]], "max.message.bytes": int(configs["max.message.bytes"])}
    if "retention.ms" in configs:
        topic["retention.ms"] = int(configs["retention.ms"])
    return {
        "address": f"{{prefix}}{message.topic}",
        "title": settings.content,
        "description": _description(message),
        "parameters": {"prefix": {"description": "The environment's prefix, such as `abm-`; by default there is none.", "default": ""}},
        "messages": {_message_id(message): _message(message, found, schemas)},
        "bindings": {"kafka": {"topicConfiguration": topic, "bindingVersion": "0.5.0"}},
    }


def _description(message: Message) -> str:
    if not message.key:
        return "All partitioned topics of an environment have the same number of partitions. Records lie in any."
    return (
        "All partitioned topics of an environment have the same number of partitions, for good. A record lies in the partition that "
        "the Java client's partitioner gives its key: murmur2, its sign bit cleared, modulo the number."
    )


def _message(message: Message, found: list[Example], schemas: dict[str, Schema]) -> Schema:
    said: Schema = {
        "name": _message_id(message),
        "title": message.title,
        "summary": message.summary,
        "contentType": message.content_type,
        "headers": _component(message.headers(), schemas),
    }
    if message.payload is not None:
        said["payload"] = _component(message.payload(), schemas)
    kafka: Schema = {"bindingVersion": "0.5.0"}
    if message.key is not None:
        keys = sorted({each.key for each in found if each.key is not None})
        kafka["key"] = {"type": "string", "description": message.key, "examples": keys}
    said["bindings"] = {"kafka": kafka}
    said["examples"] = [_as_example(each) for each in found]
    return said


def _as_example(example: Example) -> Schema:
    headers = {"headers": example.headers} if example.headers else {}
    return {"name": example.name, **headers, "payload": example.payload}


def _operation(message: Message) -> Schema:
    channel = f"#/channels/{message.topic}"
    said: Schema = {
        "action": ACTIONS[message.written_by],
        "channel": {"$ref": channel},
        "title": f"{ACTIONS[message.written_by]} {message.topic}",
        "messages": [{"$ref": f"{channel}/messages/{_message_id(message)}"}],
    }
    if message.written_by == "producers":
        group = {"type": "string", "pattern": f"{Environment().group}$", "description": "The environment's prefix and this."}
        said["bindings"] = {"kafka": {"groupId": group, "bindingVersion": "0.5.0"}}
    return said


def _message_id(message: Message) -> str:
    """``tier-changes`` -> ``tierChange``."""
    first, *rest = message.title.lower().split()
    return first + "".join(word.capitalize() for word in rest)


def _operation_id(message: Message) -> str:
    name = _message_id(message)
    return f"{ACTIONS[message.written_by]}{name[0].upper()}{name[1:]}"


def _component(schema: Schema, schemas: dict[str, Schema]) -> Schema:
    """Put a schema and its definitions among ``schemas``; gives the reference to it."""
    plain = {name: said for name, said in schema.items() if name not in {"$schema", "$defs"}}
    for name, definition in {plain["title"]: plain, **schema.get("$defs", {})}.items():
        moved = _moved(definition)
        if schemas.setdefault(name, moved) != moved:
            msg = f"two different schemas are called {name!r}; rename one of the types"
            raise ValueError(msg)
    return {"$ref": f"#/components/schemas/{plain['title']}"}


def _moved(said: Any) -> Any:
    """Have references lead to ``components``."""
    if isinstance(said, list):
        return [_moved(each) for each in said]
    if isinstance(said, dict):
        return {name: each.replace("#/$defs/", "#/components/schemas/") if name == "$ref" else _moved(each) for name, each in said.items()}
    return said
