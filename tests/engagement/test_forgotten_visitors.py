"""A visitor who is forgotten leaves nothing behind that counts, waits, or says who it was."""

import pytest

from tests.engagement.intake_world import DAY
from tests.engagement.visitor_world import JANE, JOE, World, book, known, seen

FORGET = seen("bye", type="forget")


@pytest.mark.parametrize(
    ("before", "others"),
    [
        ([seen("a"), seen("b")], {}),
        ([seen("a", ip="10.0.0.1"), seen("b")], {}),
        ([seen("a"), known("who"), seen("b")], {"identify": 1}),
        ([seen("a"), known("who", "me@us.example"), seen("b")], {"identify": 1}),
    ],
)
def test_every_visit_that_is_remembered_counts_no_longer(before: list[bytes], others: dict[str, int]) -> None:
    world = World(book()).visit(*before, FORGET)
    assert world.counts() == {}
    assert world.fates == {"in": 2, "filtered:forgotten": 2, "forget": 1, **others}
    assert world.visitors() == {}


def test_copies_for_the_accounts_above_go_as_well() -> None:
    world = World(book(resolve="{parents: {acme.example: holding.example}}")).visit(seen("a"), known("who"))
    assert len(world.counts()) == 2
    assert world.visit(FORGET).counts() == {}


def test_people_who_were_one_by_it_are_people_of_their_own_again() -> None:
    world = World().visit(known("who"), known("too", "joe@acme.example"))
    assert world.same() == {("acme.example", JOE): JANE}
    assert world.visit(FORGET).same() == {}


def test_what_a_visit_says_itself_stands() -> None:
    world = World().visit(seen("a", email="jane@acme.example"), FORGET)
    assert world.counts() == {("acme.example", None, "a", JANE): 1}
    assert world.fates == {"in": 1, "counted": 1, "forget": 1}


def test_who_comes_again_is_somebody_new() -> None:
    world = World().visit(seen("a"), known("who"), FORGET, seen("b"))
    assert world.fates == {"in": 2, "waiting": 1, "filtered:forgotten": 1, "identify": 1, "forget": 1}
    world.restart()
    assert world.visit(known("again")).counts() == {("acme.example", None, "b", JANE): 1}


def test_nobody_known_may_be_forgotten_and_a_wish_not_to_be_tracked_is_no_hindrance() -> None:
    assert World().visit(seen("bye", type="forget", dnt=True, user_agent="mail-bot")).fates == {"forget": 1}


def test_an_other_visitor_stays() -> None:
    world = World().visit(seen("a"), seen("b", visitor_id="v2"), FORGET)
    assert world.fates == {"in": 2, "waiting": 1, "filtered:forgotten": 1, "forget": 1}


def test_a_place_among_the_bounded_number_is_free_again() -> None:
    world = World(book(visitors="{count: 2}")).visit(seen("a"), seen("b", visitor_id="v2"), FORGET, seen("c", visitor_id="v3"))
    assert world.fates == {"in": 3, "waiting": 2, "filtered:forgotten": 1, "forget": 1}


def test_one_not_seen_for_too_long_had_gone_before() -> None:
    world = World(book(visitors="{age: 2d}")).visit(seen("a")).visit(FORGET, after=3 * DAY)
    assert world.fates == {"in": 1, "filtered:expired": 1, "visitors:expired": 1, "forget": 1}
