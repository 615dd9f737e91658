"""Between them, the example rulebooks use every key and every condition word there is, and their README says where."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from engagement.conditions import CHOICES, COMBINED, NUMBERS, PARTS, PeopleWith, SignalsWithin
from engagement.parts import Part
from engagement.rulebook import BOTTOMS, Rulebook, load_rulebook
from tests.engagement.example_world import FOLDER, example

EXAMPLES = {path.stem: example(path.stem) for path in sorted(FOLDER.glob("*.yaml"))}
OPERANDS: dict[str, type[Part]] = {"signals": SignalsWithin, "people_with": PeopleWith}
PLACES = dict.fromkeys(BOTTOMS, "rung")
"""The rungs of all ladders have one shape."""


def spelled(model: type[Part], name: str) -> str:
    return model.model_fields[name].alias or name


def models_in(annotation: Any) -> Iterator[type[Part]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation
    for each in get_args(annotation):
        yield from models_in(each)


def all_keys() -> Iterator[str]:
    for field, annotated in Rulebook.model_fields.items():
        yield field
        for model in models_in(annotated.annotation):
            yield from (f"{PLACES.get(field, field)}.{spelled(model, name)}" for name in model.model_fields)


def keys_of(rulebook: Rulebook) -> Iterator[str]:
    for field in rulebook.model_fields_set:
        yield field
        said = getattr(rulebook, field)
        for part in said.values() if isinstance(said, dict) else [said]:
            if isinstance(part, Part):
                model = type(part)
                yield from (
                    f"{PLACES.get(field, field)}.{spelled(model, name)}" for name in part.model_fields_set if name in model.model_fields
                )


def all_words() -> Iterator[str]:
    earlier_ladders = tuple(BOTTOMS)[:-1]
    yield from (*NUMBERS, *CHOICES, *PARTS, *earlier_ladders, *COMBINED)
    for word, model in OPERANDS.items():
        yield from (f"{word}.{spelled(model, name)}" for name in model.model_fields)


def words_of(rulebook: Rulebook) -> Iterator[str]:
    for condition in rulebook.segments.values():
        yield from words_in(condition)
    for ladder in (rulebook.stage, rulebook.tier):
        for rung in (ladder or {}).values():
            for condition in (rung.enter, rung.keep):
                yield from words_in(condition or {})


def words_in(condition: dict[str, Any]) -> Iterator[str]:
    for word, operand in condition.items():
        yield word
        if word in COMBINED:
            for each in operand if isinstance(operand, list) else [operand]:
                yield from words_in(each)
        elif word in OPERANDS:
            yield from (f"{word}.{key}" for key in operand)


def table(heading: str) -> dict[str, set[str]]:
    """Rule -> examples, as the README has them under a heading."""
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    _, _, rest = readme.partition(f"\n## {heading}\n")
    section = rest.partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", section, re.MULTILINE)
    return {rule: set(re.findall(r"\]\((\w+)\.yaml\)", examples)) for rule, examples in rows}


KEYS = {name: set(keys_of(rulebook)) for name, rulebook in EXAMPLES.items()}
WORDS = {name: set(words_of(rulebook)) for name, rulebook in EXAMPLES.items()}


def test_there_are_eight_examples_and_each_has_its_tests():
    assert len(EXAMPLES) == 8
    here = FOLDER.parents[1] / "tests" / "engagement"
    assert all((here / f"test_example_{name}.py").is_file() for name in EXAMPLES)


def test_every_key_of_the_rulebook_is_used_by_an_example():
    assert set(all_keys()) - set().union(*KEYS.values()) == set()


def test_every_word_of_a_condition_is_used_by_an_example():
    assert set(all_words()) - set().union(*WORDS.values()) == set()


@pytest.mark.parametrize(("heading", "rules", "users"), [("Keys", set(all_keys()), KEYS), ("Conditions", set(all_words()), WORDS)])
def test_the_readme_says_which_example_uses_which_rule(heading: str, rules: set[str], users: dict[str, set[str]]):
    rows = table(heading)
    assert rows.keys() == rules
    wrong = {rule: examples for rule, examples in rows.items() if not examples or any(rule not in users[name] for name in examples)}
    assert wrong == {}


def test_an_example_spelled_out_is_the_same_rulebook():
    for name, rulebook in EXAMPLES.items():
        assert load_rulebook(rulebook.canonical(), name).version == rulebook.version
