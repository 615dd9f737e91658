"""``mqa schema``: what is printed is a schema, and the one that is published."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from engagement.events import Family
from streams.schemas import schema

PUBLISHED = Path(__file__).parents[2] / "docs" / "schemas"


def printed(*arguments: str) -> str:
    return CliRunner().invoke(schema, arguments, catch_exceptions=False).stdout


def test_the_rulebooks_is_published_as_it_is_printed():
    assert printed("rulebook") == (PUBLISHED / "rulebook.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("family", [family.value for family in Family])
def test_each_family_of_events_has_one(family: str):
    found = json.loads(printed("event", family))
    Draft202012Validator.check_schema(found)
    assert {"id", "occurred_at"} <= set(found["required"])
