"""The published JSON Schema takes what the engine takes, and says in an editor what is wrong with much of the rest."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from engagement.attributes import TESTS, AttributeTest
from engagement.conditions import CHOICES, COMBINED, NUMBERS, PARTS
from engagement.rulebook import Rulebook, default_rulebook_text, load_rulebook
from engagement.schema import rulebook_schema

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples" / "rulebooks").glob("*.yaml"))
PLAIN = rulebook_schema()
SCHEMA = Draft202012Validator(PLAIN)
SMALL: dict[str, Any] = {"signals": {"page": {"points": 1}}, "stage": {"engaged": {"enter": {"score": 30}}}}


def small(**more: object) -> dict[str, Any]:
    return SMALL | more


def enter(**condition: object) -> dict[str, Any]:
    return small(stage={"engaged": {"enter": condition}})


def test_it_is_a_proper_schema() -> None:
    Draft202012Validator.check_schema(PLAIN)


def test_the_published_file_is_this_schema() -> None:
    published = json.loads((ROOT / "docs" / "schemas" / "rulebook.json").read_text(encoding="utf-8"))
    assert published == PLAIN, "write it anew: mqa schema publish docs/schemas"


@pytest.mark.parametrize("text", [default_rulebook_text(), *(path.read_text(encoding="utf-8") for path in EXAMPLES)])
def test_every_rulebook_that_comes_with_mqa_is_valid_as_it_is_written_and_with_every_default_written_out(text: str) -> None:
    SCHEMA.validate(yaml.safe_load(text))
    SCHEMA.validate(json.loads(load_rulebook(text, "rulebook").canonical()))


def test_there_are_examples() -> None:
    assert EXAMPLES


def test_every_word_of_a_condition_is_described() -> None:
    described = PLAIN["$defs"]["Condition"]["properties"].keys()
    assert described == {*NUMBERS, *CHOICES, *PARTS, *COMBINED, "stage"}


def test_every_key_of_a_rulebook_is_described() -> None:
    assert PLAIN["properties"].keys() == Rulebook.model_fields.keys()
    assert PLAIN["$defs"][AttributeTest.__name__]["properties"].keys() == set(TESTS.values())


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(small(), id="the least"),
        pytest.param(enter(fit="unknown"), id="one name in place of a list"),
        pytest.param(enter(any=[{"score": 1.5}, {"not": {"idle": "60d"}}]), id="conditions in conditions"),
        pytest.param(enter(attributes={"founded": {"in": [2015, 2016]}, "public": {"is": True}}), id="numbers as names"),
        pytest.param(small(history_days="1_20", suppress=["competitor"], window="2w"), id="numbers as people write them"),
    ],
)
def test_what_may_be_written_is_valid(written: dict[str, Any]) -> None:
    load_rulebook(yaml.safe_dump(written), "rulebook")
    SCHEMA.validate(written)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(small(sygnals={}), id="unknown key"),
        pytest.param({"stage": SMALL["stage"]}, id="no signals"),
        pytest.param(small(signals={"page": {"point": 1}}), id="unknown key of a signal"),
        pytest.param(small(signals={"1st": {"points": 1}}), id="kind that is no name"),
        pytest.param(small(signals={"page": {"points": -1}}), id="negative points"),
        pytest.param(small(window=90), id="days without a unit"),
        pytest.param(small(window="90h"), id="no whole days"),
        pytest.param(small(grades={"A": 81}), id="grades without known"),
        pytest.param(small(grades={"A": "high", "known": "60%"}), id="border that is no number"),
        pytest.param(small(committee={"required": ["champion"], "blocker": []}), id="unknown key of the committee"),
        pytest.param(small(fit={"industry": {"weight": 3}}), id="criterion without a test"),
        pytest.param(small(fit={"industry": {"weight": 3, "in": ["a"], "any": ["b"]}}), id="criterion with two"),
        pytest.param(small(cluster={"by": []}), id="cluster by nothing"),
        pytest.param(small(stage={"engaged": {"keep": {"score": 1}}}), id="rung without enter"),
        pytest.param(small(stage={"engaged": {"enter": {"score": 1}, "dwel": "3d"}}), id="unknown key of a rung"),
        pytest.param(small(stage={"engaged": {"enter": {"score": 1}, "keep": None}}), id="nothing written"),
        pytest.param(enter(), id="condition without a word"),
        pytest.param(enter(scores=1), id="unknown word"),
        pytest.param(enter(any={"score": 1}), id="any that is no list"),
        pytest.param(enter(any=[]), id="any of nothing"),
        pytest.param(enter(**{"not": {"scores": 1}}), id="unknown word in a not"),
        pytest.param(enter(value="hi"), id="unknown choice"),
        pytest.param(enter(first_party="yes"), id="no flag"),
        pytest.param(enter(signals={"kinds": ["page"]}), id="unknown key of an operand"),
        pytest.param(enter(attributes={"employees": {}}), id="attribute without a test"),
    ],
)
def test_what_may_not_be_written_is_invalid(written: dict[str, Any]) -> None:
    assert not SCHEMA.is_valid(written)
