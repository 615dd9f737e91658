"""How much is remembered of visitors, to the edge: visits, age and count; what is forgotten is counted."""

from engagement.machine import POSITION_KEY
from engagement.resolution import Link
from engagement.visitors import SEEN_AGAIN
from tests.engagement.intake_world import DAY, HOUR
from tests.engagement.visitor_world import JANE, World, book, known, seen, unlinked

BOUNDS = book(visitors="{visits: 3, age: 2d, count: 2, pages_a_minute: 0}")


def events(world: World) -> str:
    return "".join(sorted(event or "" for _, _, event, _ in world.counts()))


def test_the_last_visits_up_to_the_bound_are_credited() -> None:
    assert events(World(BOUNDS).visit(seen("a"), seen("b"), seen("c"), known("who"))) == "abc"
    world = World(BOUNDS).visit(seen("a"), seen("b"), seen("c"), seen("d"), known("who"))
    assert events(world) == "bcd"
    assert world.fates == {"in": 4, "counted": 3, "filtered:beyond_bound": 1, "identify": 1}


def test_a_counted_visit_beyond_the_bound_stays_where_it_is() -> None:
    world = World(BOUNDS).visit(known("who"), seen("a"), seen("b"), seen("c"), seen("d"), unlinked("not"))
    assert events(world) == "a"
    assert world.fates == {"in": 4, "counted": 1, "waiting": 3, "identify": 1, "unlink": 1}


def test_visits_up_to_the_age_are_credited() -> None:
    assert events(World(BOUNDS).visit(seen("a")).visit(seen("b"), after=DAY).visit(known("who"), after=2 * DAY)) == "ab"
    world = World(BOUNDS).visit(seen("a")).visit(seen("b"), after=DAY).visit(known("who"), after=2 * DAY + 1)
    assert events(world) == "b"
    assert world.fates == {"in": 2, "counted": 1, "filtered:expired": 1, "identify": 1}


def test_a_visitor_seen_up_to_the_age_ago_is_known() -> None:
    assert events(World(BOUNDS).visit(known("who")).visit(seen("a"), after=2 * DAY)) == "a"
    world = World(BOUNDS).visit(known("who")).visit(seen("a"), after=2 * DAY + 1)
    assert world.fates == {"in": 1, "waiting": 1, "identify": 1, "visitors:expired": 1}


def test_asking_who_a_visitor_is_finds_whom_an_event_would_find() -> None:
    world = World(BOUNDS).visit(known("who")).visit(seen("a", visitor_id="v2"), after=2 * DAY)
    assert world.intake.link("v1") == Link("acme.example", JANE)
    assert world.intake.link("v2") is None
    world.visit(seen("b", visitor_id="v3"), after=2 * DAY + 1)
    assert world.intake.link("v1") is None


def test_a_visitor_who_says_nothing_new_is_noted_as_seen_once_an_hour() -> None:
    world = World(BOUNDS).visit(known("who"))
    rows = world.visitors()
    assert world.visit(known("again"), after=SEEN_AGAIN - 1).visitors() == rows
    assert world.visit(known("and again"), after=SEEN_AGAIN).visitors() != rows
    world.visit(seen("a"), after=2 * DAY + SEEN_AGAIN)
    assert events(world) == "a"


def test_a_forgotten_visitor_begins_anew_and_what_waited_is_filtered() -> None:
    world = World(BOUNDS).visit(seen("a"), seen("b")).visit(seen("c"), after=2 * DAY + 1)
    assert world.fates == {"in": 3, "waiting": 1, "filtered:expired": 2, "visitors:expired": 1}
    world.visit(known("who"), after=2 * DAY + 1)
    assert events(world) == "c"


def test_whoever_was_not_seen_for_longest_goes_when_there_are_too_many() -> None:
    world = World(BOUNDS).visit(seen("a", visitor_id="v1"), seen("b", visitor_id="v2"), seen("c", visitor_id="v1"))
    assert len(world.visitors()) == 2
    world.visit(seen("d", visitor_id="v3"))
    assert sorted(world.visitors()) == [b"visitor:v1", b"visitor:v3"]
    assert world.fates == {"in": 4, "waiting": 3, "filtered:beyond_bound": 1, "visitors:beyond_bound": 1}


def test_the_order_of_going_outlives_a_restart() -> None:
    world = World(BOUNDS).visit(seen("a", visitor_id="v2")).visit(seen("b", visitor_id="v1")).visit(seen("c", visitor_id="v2"))
    world.restart()
    world.visit(seen("d", visitor_id="v3"))
    assert sorted(world.visitors()) == [b"visitor:v2", b"visitor:v3"]


def test_who_was_forgotten_and_comes_again_was_seen_last() -> None:
    world = World(BOUNDS).visit(seen("a", visitor_id="v1"))
    world.visit(seen("b", visitor_id="v2"), seen("c", visitor_id="v1"), after=2 * DAY + 1)
    world.visit(seen("d", visitor_id="v3"), after=2 * DAY + 1)
    assert sorted(world.visitors()) == [b"visitor:v1", b"visitor:v3"]


def test_what_a_forgotten_visitor_had_counted_stays() -> None:
    world = World(BOUNDS).visit(known("who"), seen("a"), *(seen(name, visitor_id=name) for name in ("b", "c")))
    assert world.fates == {"in": 3, "counted": 1, "waiting": 2, "identify": 1, "visitors:beyond_bound": 1}
    assert world.visit(unlinked("not")).counts() == {("acme.example", None, "a", JANE): 1}


def test_nobody_may_be_remembered_at_all() -> None:
    for bounds in ("{visits: 0, pages_a_minute: 0}", "{count: 0}"):
        world = World(book(visitors=bounds)).visit(seen("a"), seen("b", ip="10.0.1.1"), known("who"), seen("c", visitor_id="v2"))
        assert {fate: count for fate, count in world.fates.items() if not fate.startswith("visitors:")} == {
            "in": 3,
            "counted": 1,
            "filtered:beyond_bound": 2,
            "identify": 1,
        }


def test_after_a_pause_visitors_go_four_an_event_and_none_of_them_is_known() -> None:
    world = World(book(visitors="{age: 2d}")).visit(*(seen(f"e{n}", visitor_id=f"v{n}") for n in range(10)))
    world.visit(seen("new", visitor_id="v"), after=3 * DAY)
    assert len(world.visitors()) == 7
    assert world.visit(known("who", visitor_id="v9"), after=3 * DAY).counts() == {}
    world.visit(known("again", visitor_id="v9"), after=3 * DAY)
    assert world.fates == {"in": 11, "waiting": 1, "filtered:expired": 10, "identify": 2, "visitors:expired": 10}


def test_a_rulebook_with_lower_bounds_holds_from_the_next_event_on() -> None:
    world = World(book()).visit(*(seen(f"e{n}", visitor_id=f"v{n % 3}") for n in range(12)))
    world.intake.use(BOUNDS)
    world.visit(seen("x", visitor_id="v0"))
    assert world.fates == {"in": 13, "waiting": 7, "filtered:beyond_bound": 6, "visitors:beyond_bound": 1}


def test_received_time_never_falls() -> None:
    world = World(BOUNDS).visit(seen("a", visitor_id="v2"), after=2 * DAY).visit(seen("b"), after=0)
    world.restart()
    world.visit(known("who"), after=4 * DAY - HOUR)  # b came when a did, but is older than two days itself
    assert world.fates == {"in": 2, "waiting": 1, "filtered:expired": 1, "identify": 1}
    assert b'"seen":' in world.changelog[POSITION_KEY]
