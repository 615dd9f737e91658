"""A minute in which one visitor opened more pages than a person does is a program's, and nothing of it counts."""

from itertools import permutations
from typing import Any

import pytest

from engagement.machine import POSITION_KEY
from engagement.records import Signal
from engagement.visitors import visitor_key, waiting
from tests.engagement.intake_world import DAY, entries, steps
from tests.engagement.visitor_world import JANE, World, arriving, book, known, seen, unlinked

TWO = book(visitors="{visits: 4, pages_a_minute: 2}")
BEFORE = bytes.fromhex("0100000000000000000000000000aabc219401000092c09199a161a470616765cf00000194214ecd00cf0000019421bcaa00c0c0920000c0c0")
"""The row of a visitor with the page ``a``, as it was written before such minutes were noted."""


def page(event_id: str, minute: int = 0, second: int = 0, **said: Any) -> bytes:
    return seen(event_id, occurred_at=f"2025-01-01T10:{minute:02}:{second:02}Z", **said)


def events(world: World) -> str:
    return "".join(sorted(event or "" for _, _, event, _ in world.counts()))


def test_as_many_pages_a_minute_as_the_rulebook_says_are_a_persons() -> None:
    world = World(TWO).visit(known("who"), page("a"), page("b", 0, 59))
    assert (events(world), world.fates) == ("ab", {"in": 2, "counted": 2, "identify": 1})


def test_of_a_minute_with_one_more_nothing_counts_what_was_counted_is_taken_out_again() -> None:
    world = World(TWO).visit(known("who"), page("a"), page("b"), page("c", 0, 59), page("d"))
    assert (events(world), world.fates) == ("", {"in": 4, "filtered:rate": 4, "identify": 1})
    assert [(entry.id, entry.undo, entry.read) for _, entry in entries(world.outputs)[2:] if isinstance(entry, Signal)] == [
        ("a", True, (0, 3, 0)),
        ("b", True, (0, 3, 0)),
    ]


def test_what_waited_of_it_waits_no_more() -> None:
    world = World(TWO).visit(page("a"), page("b"), page("c"))
    assert world.fates == {"in": 3, "filtered:rate": 3}
    assert events(world.visit(known("who"))) == ""


def test_one_more_in_two_minutes_is_a_persons() -> None:
    assert events(World(TWO).visit(known("who"), page("a", 0, 58), page("b", 0, 59), page("c", 1, 0))) == "abc"


def test_minutes_are_those_of_the_pages_whenever_these_come_in() -> None:
    world = World(TWO).visit(known("who"), page("a"), page("b")).visit(page("c"), page("d", 1), after=DAY)
    assert events(world) == "d"


@pytest.mark.parametrize("order", list(permutations([page("a"), page("b"), page("c"), page("x", 1), known("who")])))
def test_any_order_gives_the_same(order: tuple[bytes, ...]) -> None:
    world = World(TWO).visit(*order)
    assert (events(world), world.fates) == ("x", {"in": 4, "counted": 1, "filtered:rate": 3, "identify": 1})


def test_other_visitors_have_minutes_of_their_own() -> None:
    visitors = ("v1", "v2", "v3")
    assert World(TWO).visit(*(page(name, visitor_id=name) for name in visitors)).fates == {"in": 3, "waiting": 3}


def test_neither_a_link_nor_an_unlink_brings_them_back() -> None:
    world = World(TWO).visit(known("who"), page("a"), page("b"), page("c"), page("x", 1), unlinked("not"))
    assert world.fates == {"in": 4, "waiting": 1, "filtered:rate": 3, "identify": 1, "unlink": 1}
    assert events(world.visit(known("again"))) == "x"


def test_a_company_known_by_its_network_gets_nothing_of_it_either() -> None:
    world = World(TWO).visit(*(page(name, ip="10.0.1.1") for name in "abc"))
    assert (world.counts(), world.fates) == ({}, {"in": 3, "filtered:rate": 3})


def test_own_staff_may_be_too_fast() -> None:
    world = World(TWO).visit(known("who", "me@us.example"), page("a"), page("b"), page("c"))
    assert world.fates == {"in": 3, "filtered:rate": 3, "identify": 1}


def test_what_names_a_person_itself_is_not_judged_by_its_rate() -> None:
    world = World(TWO).visit(*(page(name, email="jane@acme.example") for name in "abc"), page("x"))
    assert world.counts() == {("acme.example", None, event, JANE): 1 for event in "abcx"}


def test_accounts_above_are_relieved_of_it_as_well() -> None:
    world = World(book(resolve="{parents: {acme.example: holding.example}}", visitors="{pages_a_minute: 2}"))
    assert world.visit(known("who"), page("a"), page("b"), page("c")).counts() == {}


def test_without_a_limit_any_rate_is_a_persons() -> None:
    assert events(World(book(visitors="{pages_a_minute: 0}")).visit(known("who"), *(page(name) for name in "abcd"))) == "abcd"


def test_a_limit_that_is_lifted_lets_the_next_pages_count() -> None:
    world = World(TWO).visit(known("who"), page("a"), page("b"), page("c"))
    world.intake.use(book(visitors="{pages_a_minute: 0}"))
    assert events(world.visit(page("d"))) == "d"


def test_as_many_as_are_remembered_may_be_allowed() -> None:
    four = book(visitors="{visits: 4, pages_a_minute: 4}")
    assert events(World(four).visit(known("who"), *(page(name) for name in "abcd"))) == "abcd"
    assert events(World(four).visit(known("who"), *(page(name) for name in "abcde"))) == ""


def test_what_is_remembered_no_more_stays_where_it_is() -> None:
    world = World(TWO).visit(known("who"), page("a"), page("w", 1), page("x", 1), page("y", 2), page("z", 2), page("b"), page("c"))
    assert events(world) == "abcwxyz"  # a went when z came
    assert events(world.visit(page("d"))) == "awxyz"


def test_the_newest_sixteen_such_minutes_are_noted() -> None:
    world = World(TWO).visit(known("who"), *(page(f"{minute}{name}", minute) for minute in range(17) for name in "abc"))
    assert world.counts() == {}
    world.visit(page("x", 0), page("y", 1), page("z", 16))
    assert events(world) == "x"


def test_a_restart_forgets_no_such_minute() -> None:
    world = World(TWO).visit(known("who"), page("a"), page("b"), page("c"))
    world.restart()
    assert events(world.visit(page("d"), page("e", 1))) == "e"


def test_rows_from_before_such_minutes_were_noted_are_read() -> None:
    world = World(TWO).visit(page("a"))
    assert waiting(BEFORE) == 1
    world.intake = World(TWO).intake
    for key, row in (world.changelog | {visitor_key("v1"): BEFORE}).items():
        world.intake.load(key, row)
    world.intake.loaded(exact=False)  # for a digest stands for the rows as they are written now
    assert events(world.visit(known("who"), page("b"))) == "ab"


def test_rows_ahead_of_their_position_say_what_was_too_fast() -> None:
    records = arriving([known("who"), page("a"), page("b"), page("c"), page("x", 1)])
    whole = World(TWO)
    *_, last = made = list(steps(whole.intake, records, [1, 4]))
    again = World(TWO)
    for key, row in [*made[0].changelog.items(), *((key, row) for key, row in last.changelog.items() if key != POSITION_KEY)]:
        again.intake.load(key, row)
    again.intake.loaded(exact=False)
    (step,) = steps(again.intake, records)
    assert entries(step.outputs) == []
    assert again.fates == whole.fates == {"in": 4, "counted": 1, "filtered:rate": 3, "identify": 1}
