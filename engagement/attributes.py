"""Tests on what is known of an account: the criteria of its fit, and conditions that ask for an attribute."""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from engagement.account import AccountState
from engagement.parts import Flag, Part, Text, Whole

Texts = Annotated[tuple[Text, ...], Field(min_length=1)]


def _in_order(borders: tuple[int, int]) -> tuple[int, int]:
    if borders[0] > borders[1]:
        raise ValueError("must be [low, high]; swap them")
    return borders


class AttributeTest(Part):
    """One test of one attribute; exactly one of the fields is there."""

    in_: Texts | None = Field(default=None, alias="in")  # the attribute is one of these
    any: Texts | None = None  # the attribute, a list, has one of these
    all: Texts | None = None  # has all of these
    matches: Texts | None = None  # some text of it is like one of these patterns, * and ? in them
    between: Annotated[tuple[Whole, Whole], AfterValidator(_in_order)] | None = None  # borders included
    at_least: Whole | None = None
    at_most: Whole | None = None
    is_: Flag | None = Field(default=None, alias="is")

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        said = [test for test in TESTS if getattr(self, test) is not None]
        if len(said) != 1:
            complaint = f"has {len(said)} tests, must have one of {', '.join(TESTS.values())}; write it as in: [fintech]"
            raise PydanticCustomError("whole_part", "", {"complaint": complaint})
        return self

    def meets(self, attribute: Any) -> bool | None:
        """Whether an attribute passes; None where it is missing or of another sort (a text where a number is asked for)."""
        if attribute is None:
            return None
        for test, passes in _PASSES.items():
            operand = getattr(self, test)
            if operand is not None:
                return passes(attribute, operand)
        raise AssertionError("`_one_test` saw to one test")


TESTS = {
    "in_": "in",
    "any": "any",
    "all": "all",
    "matches": "matches",
    "between": "between",
    "at_least": "at_least",
    "at_most": "at_most",
    "is_": "is",
}
"""Field -> the word a person writes."""


def attribute_of(state: AccountState, name: str) -> Any:
    """An attribute; ``region`` and ``relationship`` are the account's own fields where no attribute has that name."""
    if name in state.attributes:
        return state.attributes[name]
    return {"region": state.region, "relationship": state.relationship}.get(name)


def _folded(attribute: Any) -> set[str]:
    """Texts compare without regard to case; ``true`` and numbers as Python writes them."""
    return {str(each).casefold() for each in (attribute if isinstance(attribute, list) else [attribute])}


def _number(attribute: Any, passes: Callable[[int | float], bool]) -> bool | None:
    if isinstance(attribute, bool) or not isinstance(attribute, int | float):
        return None
    return passes(attribute)


_PASSES: Mapping[str, Callable[[Any, Any], bool | None]] = {
    "in_": lambda attribute, wanted: not _folded(attribute).isdisjoint(_folded(list(wanted))),
    "any": lambda attribute, wanted: not _folded(attribute).isdisjoint(_folded(list(wanted))),
    "all": lambda attribute, wanted: _folded(attribute) >= _folded(list(wanted)),
    "matches": lambda attribute, patterns: any(
        fnmatchcase(text, pattern.casefold().replace("[", "[[]")) for text in _folded(attribute) for pattern in patterns
    ),
    "between": lambda attribute, borders: _number(attribute, lambda number: borders[0] <= number <= borders[1]),
    "at_least": lambda attribute, least: _number(attribute, lambda number: number >= least),
    "at_most": lambda attribute, most: _number(attribute, lambda number: number <= most),
    "is_": lambda attribute, wanted: attribute == wanted if isinstance(attribute, bool) else None,
}
