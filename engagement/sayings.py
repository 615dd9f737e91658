"""What visitors say of people: that one is another one. Each may take back what it said, and the others' word stands.

A visitor who is known under two addresses says so (`engagement.visitor`); an account counts how many say it.
"""

from collections.abc import Mapping

Sayings = dict[str, dict[str, int]]
"""Person -> whom visitors say that it is -> how many of them."""


def heard(sayings: Sayings, said: Mapping[str, str], more: int) -> Sayings:
    """Note that so many visitors more (or less) say of people who they are. What nobody said cannot be taken back."""
    now = {person: dict(ones) for person, ones in sayings.items()}
    for person, one in said.items():
        ones = now.setdefault(person, {})
        ones[one] = ones.get(one, 0) + more
    return _kept(now)


def renamed(sayings: Sayings, was: str, person: str) -> Sayings:
    """Say of a person what was said of ``was`` and of the person itself, who are one."""
    now: Sayings = {}
    for each, ones in sayings.items():
        known = now.setdefault(person if each == was else each, {})
        for one, count in ones.items():
            name = person if one == was else one
            known[name] = known.get(name, 0) + count
    return _kept(now)


def without(sayings: Sayings, person: str) -> Sayings:
    """Drop what was said of a person, and that others are that one."""
    return _kept({each: {one: count for one, count in ones.items() if one != person} for each, ones in sayings.items() if each != person})


def chosen(sayings: Sayings) -> dict[str, str]:
    """Person -> whom most visitors say that it is; of several the smallest hash."""
    return {person: min(ones, key=lambda one: (-ones[one], one)) for person, ones in sayings.items()}


def whoever(person: str, same: Mapping[str, str]) -> str:
    """Follow who is the same as whom to the end; all of a circle are the one with the smallest hash."""
    passed: set[str] = set()
    while person in same and person not in passed:
        passed.add(person)
        person = same[person]
    if person not in same:
        return person
    circle, each = {person}, same[person]
    while each != person:
        circle.add(each)
        each = same[each]
    return min(circle)


def _kept(sayings: Sayings) -> Sayings:
    """Drop what nobody says, and that somebody is themself."""
    said = {person: {one: count for one, count in ones.items() if count > 0 and one != person} for person, ones in sayings.items()}
    return {person: ones for person, ones in said.items() if ones}
