"""What the adapters' tests share: payloads in the shapes that others' documents describe, and outcomes taken apart."""

import json
from pathlib import Path
from typing import Any

from engagement.adapters.formats import adapted
from engagement.adapters.mapping import Format, Mapping, load_mapping
from engagement.adapters.outcome import LeftOut, Outcome, Taken, Unusable
from engagement.decoding import decode

PAYLOADS = Path(__file__).parent / "payloads"
NO_MAPPING = Mapping()


def example(name: str) -> bytes:
    return (PAYLOADS / name).read_bytes()


def mapped(written: str) -> Mapping:
    return load_mapping(written, "mapping.yaml")


def outcomes(form: Format, payload: object, mapping: Mapping = NO_MAPPING) -> list[Outcome]:
    return adapted(payload if isinstance(payload, bytes) else json.dumps(payload).encode(), form, mapping)


def outcome(form: Format, payload: object, mapping: Mapping = NO_MAPPING) -> Outcome:
    (only,) = outcomes(form, payload, mapping)
    return only


def taken(form: Format, payload: object, mapping: Mapping = NO_MAPPING) -> list[tuple[str, str, dict[str, Any]]]:
    """Family, key and what is sent, of every event; each is one that intake can read."""
    found = outcome(form, payload, mapping)
    assert isinstance(found, Taken), found
    for each in found.events:
        decode(each.family, each.value)
    return [(each.family.value, each.key, json.loads(each.value)) for each in found.events]


def left_out(form: Format, payload: object, mapping: Mapping = NO_MAPPING) -> tuple[str, str | None]:
    found = outcome(form, payload, mapping)
    assert isinstance(found, LeftOut), found
    return found.reason, found.name


def refused(form: Format, payload: object, mapping: Mapping = NO_MAPPING) -> str:
    found = outcome(form, payload, mapping)
    assert isinstance(found, Unusable), found
    return f"{found.dead.reason}: {found.dead.detail}"
