"""What is published in ``docs/schemas``: file by file, how it is made and who relies on it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engagement.errors import Refused
from engagement.schema import rulebook_schema
from streams.contracts.asyncapi import asyncapi_document
from streams.contracts.compatible import asyncapi_breaks, schema_breaks
from streams.contracts.containment import Break
from streams.contracts.messages import MESSAGES, Message
from streams.contracts.openapi import openapi_breaks


@dataclass(frozen=True, slots=True)
class Document:
    """One file. ``breaks``: what of the old one (first) does not hold in the new one."""

    make: Callable[[], dict[str, Any]]
    breaks: Callable[[Any, Any], list[Break]]

    def text(self) -> str:
        """As it is printed and published."""
        return json.dumps(self.make(), indent=2, ensure_ascii=False) + "\n"


def _of(message: Message) -> Document:
    return Document(message.payload or message.headers, partial(schema_breaks, written_by=message.written_by))


def _openapi_document() -> dict[str, Any]:
    from streams.serve.app import api_document  # noqa: PLC0415 - no other document needs a web framework

    return api_document()


DOCUMENTS: dict[str, Document] = {
    "rulebook": Document(rulebook_schema, partial(schema_breaks, written_by="producers")),
    **{each.topic: _of(each) for each in MESSAGES},
    "asyncapi": Document(asyncapi_document, asyncapi_breaks),
    "openapi": Document(_openapi_document, openapi_breaks),
}
"""By name; the file is ``<name>.json``. Of dead letters it is the schema of their headers, as their values are any bytes."""


def place(folder: Path, name: str) -> Path:
    """Where a document lies."""
    return folder / f"{name}.json"


def read(path: Path) -> Any:
    """Read a document; None where there is none yet. Raises `Refused` for what is none."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Refused(f"{path}: cannot be read as JSON ({error}); name a document that `mqa schema` printed") from None
