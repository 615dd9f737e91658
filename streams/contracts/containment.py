"""Is everything that a writer may write what its reader takes? Two JSON Schemas, compared keyword by keyword.

Compatibility is one question in two directions. Of what producers write, the old schema says what is written and the new one what is taken;
of what mqa writes, the new one says what is written and the old one what subscribers were told to take. So one comparison answers both:
every value of ``written`` must be one of ``taken``.

It is sound and not complete: it calls no break compatible, and where it cannot tell (another pattern, another ``not``) it says so as a
break. Two things are breaks although no value says so: a property that is gone, since somebody writes it in vain or misses it, and a
default that is another one, since its absence means something else. And one is none although some value may say so: a property that is
new in what producers write, since a name that was not described was nobody's to use.
"""

import re
from collections.abc import Iterator, Sequence
from json import dumps
from typing import Any, Literal, NamedTuple

from streams.contracts.forms import INTEGER, KINDS, LEAST, MOST, Form, Node, forms, same

Older = Literal["written", "taken"]
"""Which of the two schemas is the old one."""

_WITH_PARTS = frozenset({"enum", "required", "properties", "patternProperties", "additionalProperties", "items", "prefixItems", INTEGER})
_ELSEWHERE = frozenset({"unevaluatedProperties", "unevaluatedItems", "$dynamicRef"})
"""What these say is not to be seen where they stand."""

_NATURAL = frozenset({"minLength", "minItems", "minProperties"})


class Break(NamedTuple):
    """Something that somebody relies on and that holds no longer."""

    place: str  # in the value, like ``factors[].points``
    what: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.place}: {self.what}" if self.place else self.what

    def below(self, place: str) -> "Break":
        """The same as seen from above."""
        dot = "." if self.place and not self.place.startswith("[") else ""
        return Break(f"{place}{dot}{self.place}", self.what)


class Containment:
    """Compares schemas of two documents."""

    def __init__(self, *, older: Older) -> None:
        """One of these will do for any number of schemas."""
        self._older = older
        self._under_way: list[tuple[str, str]] = []

    def breaks(self, written: Node, taken: Node) -> list[Break]:
        """All that breaks between two schemas. Raises ValueError for a reference that leads nowhere in its document."""
        if written.said is True and taken.said is True:
            return []
        if not any(isinstance(said, dict) and ("$ref" in said or "allOf" in said) for said in (written.said, taken.said)):
            return list(self._differences(written, taken))
        pair = (dumps(written.said, sort_keys=True), dumps(taken.said, sort_keys=True))
        if pair in self._under_way:
            return []  # a recursive type: whether it holds there too is what is being found out
        self._under_way.append(pair)
        found = list(self._differences(written, taken))
        self._under_way.pop()
        return found

    def _differences(self, written: Node, taken: Node) -> Iterator[Break]:
        ours, theirs = forms(written), forms(taken)
        lacking = {form.kind for form in ours} - {form.kind for form in theirs}
        if lacking:
            was, now = self._sides(ours, theirs)
            yield Break("", f"type was {_types(was)}, is {_types(now)}")
        for form in ours:
            if form.kind not in lacking:
                yield from self._form(form, [each for each in theirs if each.kind == form.kind], written, taken)
        was, now = self._sides(written.said, taken.said)
        if isinstance(was, dict) and "default" in was and (not isinstance(now, dict) or was["default"] != now.get("default", ...)):
            yield self._changed("default", was, now if isinstance(now, dict) else {})

    def _form(self, form: Form, choices: Sequence[Form], written: Node, taken: Node) -> list[Break]:
        """``choices``: of the same kind; the form must be one of them."""
        if "enum" in form.words and form.kind not in {"array", "object"}:
            unknown = [value for value in form.words["enum"] if not any(_takes(choice, value) for choice in choices)]
            return [Break("", self._unknown(unknown))] if unknown else []
        tries = [list(self._words(form, choice, written, taken)) for choice in choices]
        return min(tries, key=len)

    def _words(self, form: Form, choice: Form, written: Node, taken: Node) -> Iterator[Break]:
        ours, theirs = form.words, choice.words
        if INTEGER in theirs and INTEGER not in ours:
            was, now = self._sides([form], [choice])
            yield Break("", f"type was {_types(was)}, is {_types(now)}")
        if "enum" in theirs and not same(written.to(ours.get("enum")), taken.to(theirs["enum"])):
            yield self._worded("enum", ours, theirs)
        for word in theirs.keys() - _WITH_PARTS:
            if word in LEAST:
                holds = ours.get(word, 0 if word in _NATURAL else float("-inf")) >= theirs[word]
            elif word in MOST:
                holds = ours.get(word, float("inf")) <= theirs[word]
            else:
                holds = word in ours and word not in _ELSEWHERE and same(written.to(ours[word]), taken.to(theirs[word]))
            if not holds:
                yield self._worded(word, ours, theirs)
        if form.kind == "object":
            yield from self._properties(form, choice, written, taken)
        elif form.kind == "array":
            yield from self._items(form, choice, written, taken)

    def _properties(self, form: Form, choice: Form, written: Node, taken: Node) -> Iterator[Break]:
        ours, theirs = form.words, choice.words
        was, now = self._sides(ours.get("properties", {}), theirs.get("properties", {}))
        gone = [name for name in was if name not in now]
        yield from (Break(name, "is gone") for name in gone)
        for name in theirs.get("required", ()):
            if name not in ours.get("required", ()) and name not in gone:
                yield Break(name, "was optional, is required" if self._older == "written" else "was always there, may be absent")
        for name in now:
            said = _of_name(form, name)
            is_nobodys = self._older == "written" and name not in was and said is True
            if not is_nobodys:
                yield from self._below(name, written.to(said), taken.to(_of_name(choice, name)))
        mine, yours = ours.get("patternProperties", {}), theirs.get("patternProperties", {})
        if yours.keys() - mine.keys():
            yield self._worded("patternProperties", ours, theirs)
        rest = theirs.get("additionalProperties", True)
        for pattern, said in mine.items():
            yield from self._below(f"/{pattern}/", written.to(said), taken.to(yours.get(pattern, rest)))
        yield from self._below("*", written.to(ours.get("additionalProperties", True)), taken.to(rest))

    def _items(self, form: Form, choice: Form, written: Node, taken: Node) -> Iterator[Break]:
        ours, theirs = form.words, choice.words
        first = max(len(ours.get("prefixItems", ())), len(theirs.get("prefixItems", ())))
        most = ours.get("maxItems", first + 1)
        for at in range(min(first, most)):
            yield from self._below(f"[{at}]", written.to(_at(form, at)), taken.to(_at(choice, at)))
        if first < most:
            yield from self._below("[]", written.to(_at(form, first)), taken.to(_at(choice, first)))

    def _below(self, place: str, written: Node, taken: Node) -> Iterator[Break]:
        yield from (each.below(place) for each in self.breaks(written, taken))

    def _sides(self, written: Any, taken: Any) -> tuple[Any, Any]:
        """The old one, and the new one."""
        return (written, taken) if self._older == "written" else (taken, written)

    def _worded(self, word: str, written: Any, taken: Any) -> Break:
        return self._changed(word, *self._sides(written, taken))

    def _changed(self, word: str, was: Any, now: Any) -> Break:
        before, after = (dumps(side[word]) if word in side else "absent" for side in (was, now))
        return Break("", f"{word} was {before}, is {after}")

    def _unknown(self, values: Sequence[Any]) -> str:
        spelt = ", ".join(map(dumps, values))
        return f"{spelt} was taken, is refused" if self._older == "written" else f"{spelt} is new, and nobody was told that it may come"


def _of_name(form: Form, name: str) -> Any:
    """Schema of a property."""
    words = form.words
    found = [words["properties"][name]] if name in words.get("properties", {}) else []
    found += [said for pattern, said in words.get("patternProperties", {}).items() if re.search(pattern, name)]
    if len(found) > 1:
        return {"allOf": found}
    return found[0] if found else words.get("additionalProperties", True)


def _at(form: Form, at: int) -> Any:
    """Schema of an item."""
    first = form.words.get("prefixItems", ())
    return first[at] if at < len(first) else form.words.get("items", True)


def _takes(choice: Form, value: Any) -> bool:
    """Whether a form takes a value of its kind that has no parts; False where that is hard to say."""
    size = len(value) if isinstance(value, str) else value
    for word, said in choice.words.items():
        if word == "enum":
            holds = value in said  # all of them are of its kind
        elif word in {"minLength", "minimum"}:
            holds = size >= said
        elif word in {"maxLength", "maximum"}:
            holds = size <= said
        elif word == "pattern":
            holds = re.search(said, value) is not None
        else:
            holds = word == INTEGER and float(value).is_integer()
        if not holds:
            return False
    return True


def _types(found: Sequence[Form]) -> str:
    types = dict.fromkeys(form.type for form in found)
    return "anything" if len(types) == len(KINDS) else " or ".join(types) or "nothing"
