"""What comes from a data centre is a program's or a proxy's: the rulebook says which page views from there are taken."""

import pytest

from engagement.events import Family
from tests.engagement.intake_world import intent, record
from tests.engagement.visitor_world import JANE, World, book, known, seen

PROGRAM = "10.0.3.1"


@pytest.mark.parametrize(
    ("data_centres", "nobodys", "janes"),
    [
        ("filter", "filtered:data_centre", "filtered:data_centre"),
        ("named_only", "filtered:data_centre", "counted"),
        ("keep", "waiting", "counted"),
    ],
)
def test_a_page_view_is_filtered_taken_where_it_names_somebody_or_kept(data_centres: str, nobodys: str, janes: str) -> None:
    rulebook = book(data_centres=data_centres)
    assert World(rulebook).visit(seen("a", ip=PROGRAM)).fates == {"in": 1, nobodys: 1}
    assert World(rulebook).visit(seen("a", ip=PROGRAM, email="jane@acme.example")).fates == {"in": 1, janes: 1}


def test_the_page_views_of_a_known_visitor_count_only_where_they_are_kept() -> None:
    for data_centres, counts in (("filter", {}), ("named_only", {}), ("keep", {("acme.example", None, "a", JANE): 1})):
        assert World(book(data_centres=data_centres)).visit(known("who"), seen("a", ip=PROGRAM)).counts() == counts


def test_a_filtered_page_view_that_names_somebody_says_nothing_of_its_visitor() -> None:
    scanner = seen("a", ip=PROGRAM, email="jane@acme.example")  # a mail scanner follows a link that has Jane's address in it
    assert World(book(data_centres="filter")).visit(scanner, seen("b")).fates == {"in": 2, "filtered:data_centre": 1, "waiting": 1}


@pytest.mark.parametrize("data_centres", ["filter", "named_only", "keep"])
def test_who_says_from_there_who_they_are_is_known(data_centres: str) -> None:
    world = World(book(data_centres=data_centres)).visit(known("who", ip=PROGRAM), seen("b"))  # a server sent the form on
    assert world.counts() == {("acme.example", None, "b", JANE): 1}


def test_an_intent_signal_has_no_address_to_look_at() -> None:
    world = World(book(data_centres="filter"))
    world.fold([record(Family.INTENT_SIGNALS, intent(ip=PROGRAM))])
    assert world.fates == {"in": 1, "counted": 1}
