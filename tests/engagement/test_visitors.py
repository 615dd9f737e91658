"""A visitor who says who they are takes their earlier visits along; what is taken back is as if it had never been said."""

from typing import Any

import pytest

from engagement.records import Signal
from tests.engagement.intake_world import DAY, IDENTITY, NOON, entries
from tests.engagement.visitor_world import BOB, JANE, JOE, World, arriving, book, known, seen, unlinked

ANN = IDENTITY.person("ann@gmail.example")


def test_visits_wait_until_their_visitor_is_known_and_count_with_their_own_times() -> None:
    world = World().visit(seen("a", url="/pricing", seconds=7, role="vp"), after=1000)
    assert world.fates == {"in": 1, "waiting": 1}
    world.visit(known("who"), after=DAY)
    assert world.fates == {"in": 1, "counted": 1, "identify": 1}
    assert entries(world.outputs) == [
        (
            "acme.example",
            Signal(
                id="a",
                kind="pricing",
                occurred_at=NOON - 2 * 3_600_000,
                received_at=NOON + 1000,
                person=JANE,
                role="vp",
                seconds=7,
                source=("web-visits", 0, 0, 0),
                read=(0, 1, 0),
                method="visitor",
                confidence=80,
                rulebook=world.rulebook.version,
            ),
        )
    ]


def test_visits_after_that_count_at_once_and_have_the_role_that_was_said() -> None:
    world = World().visit(known("who", role="vp"), seen("a"))
    ((account, signal),) = entries(world.outputs)
    assert isinstance(signal, Signal)
    assert (account, signal.person, signal.role, signal.method) == ("acme.example", JANE, "vp", "visitor")


def test_a_page_view_that_names_a_person_says_who_the_visitor_is_even_on_an_ignored_page() -> None:
    world = World().visit(seen("a"), seen("b", email="jane@acme.example", url="/login"))
    assert world.fates == {"in": 2, "counted": 1, "filtered:ignored_url": 1}
    assert world.counts() == {("acme.example", None, "a", JANE): 1}


def test_a_robot_says_nothing_of_its_visitor() -> None:
    assert World().visit(seen("a"), known("who", user_agent="mail-bot")).fates == {"in": 2, "waiting": 1, "filtered:robot": 1}


def test_another_visitor_stays_unknown() -> None:
    assert World().visit(seen("a", visitor_id="v2"), known("who")).fates == {"in": 1, "waiting": 1, "identify": 1}


def test_an_account_without_a_person_counts_anonymously_and_a_person_comes_later() -> None:
    world = World().visit(seen("a"), known("who", None, account="acme.example"))
    assert world.counts() == {("acme.example", None, "a", None): 1}
    world.visit(known("more"))
    assert world.counts() == {("acme.example", None, "a", JANE): 1}
    world.visit(known("less", None, account="acme.example"), seen("b"))
    assert world.counts() == {("acme.example", None, "a", JANE): 1, ("acme.example", None, "b", JANE): 1}


def test_a_visit_is_its_networks_anonymously_until_the_visitor_is_known() -> None:
    world = World().visit(seen("a", ip="10.0.1.1"))
    assert world.counts() == {("gamma.example", None, "a", None): 1}
    world.visit(known("who"))
    assert world.counts() == {("acme.example", None, "a", JANE): 1}
    undo, signal = (entry for _, entry in entries(world.outputs)[1:])
    assert isinstance(undo, Signal)
    assert isinstance(signal, Signal)
    assert (undo.undo, undo.method, undo.person, undo.source[3]) == (True, "network", None, 0)
    assert (signal.undo, signal.method, signal.person, signal.source[3]) == (False, "visitor", JANE, 1)
    assert world.visit(unlinked("not")).counts() == {("gamma.example", None, "a", None): 1}


def test_an_unlink_takes_everything_back() -> None:
    world = World().visit(seen("a"), known("who"), seen("b"), unlinked("not"), seen("c"))
    assert world.counts() == {}
    assert world.fates == {"in": 3, "waiting": 3, "identify": 1, "unlink": 1}
    assert world.visit(known("again", "bob@beta.example")).counts() == {("beta.example", None, event, BOB): 1 for event in "abc"}


def test_an_unlink_of_nobody_leaves_nothing() -> None:
    world = World().visit(unlinked("not"))
    assert (world.fates, world.visitors()) == ({"unlink": 1}, {})


def test_a_visit_that_says_itself_whose_it_is_stays_there() -> None:
    world = World().visit(seen("a", email="bob@beta.example"), known("who"))
    assert world.counts() == {("beta.example", None, "a", BOB): 1}


@pytest.mark.parametrize(("rule", "account", "person"), [("last", "beta.example", BOB), ("first", "acme.example", JANE)])
def test_of_two_accounts_the_rulebook_says_which(rule: str, account: str, person: str) -> None:
    world = World(book(visitors=f"{{two_accounts: {rule}}}"))
    world.visit(seen("a"), known("who"), seen("b"), known("other", "bob@beta.example"), seen("c"))
    assert world.counts() == {(account, None, event, person): 1 for event in "abc"}


def test_a_second_address_of_an_account_is_the_same_person_until_an_unlink() -> None:
    world = World().visit(seen("a"), known("who"), known("too", "joe@acme.example"), seen("b"))
    assert world.counts() == {("acme.example", None, event, JANE): 1 for event in "ab"}
    assert world.same() == {("acme.example", JOE): JANE}
    assert world.visit(unlinked("not")).same() == {}


def test_what_another_visitor_says_of_the_same_two_people_stands() -> None:
    world = World()
    for visitor in ("v1", "v2"):
        world.visit(known(f"{visitor}a", visitor_id=visitor), known(f"{visitor}b", "joe@acme.example", visitor_id=visitor))
    assert world.visit(unlinked("not")).same() == {("acme.example", JOE): JANE}
    assert world.visit(unlinked("nor", visitor_id="v2")).same() == {}


def test_another_account_takes_that_back_as_well() -> None:
    world = World().visit(known("who"), known("too", "joe@acme.example"), known("other", "bob@beta.example"))
    assert world.same() == {}


def test_a_machine_of_many_people_does_not_make_all_of_them_one() -> None:
    world = World().visit(*(known(f"e{n}", f"p{n}@acme.example") for n in range(30)))
    assert len(world.same()) == 16
    assert world.visit(unlinked("not")).same() == {}


def test_a_contact_list_says_whose_a_free_mail_address_is() -> None:
    world = World().visit(seen("a"), known("who", "ann@gmail.example"))
    assert world.counts() == {("beta.example", None, "a", ANN): 1}


def test_an_address_that_is_of_no_account_links_nobody() -> None:
    assert World().visit(seen("a"), known("who", "jim@gmail.example")).fates == {"in": 2, "waiting": 1, "filtered:free_mail": 1}


def test_visits_of_own_staff_are_filtered_whatever_their_network_says() -> None:
    world = World().visit(seen("a"), seen("b", ip="10.0.1.1"), known("who", "me@us.example"), seen("c"))
    assert world.counts() == {}
    assert world.fates == {"in": 3, "filtered:own_domain": 3, "identify": 1}
    assert world.visit(unlinked("not")).fates == {"in": 3, "waiting": 2, "counted": 1, "identify": 1, "unlink": 1}


@pytest.mark.parametrize("wish", ["dnt", "gpc"])
def test_who_asks_not_to_be_tracked_is_neither_remembered_nor_linked(wish: str) -> None:
    asked: dict[str, Any] = {wish: True}
    world = World().visit(
        seen("a", **asked),
        seen("b", ip="10.0.1.1", **asked),
        seen("c", email="jane@acme.example", **asked),
        known("who", **asked),
        seen("d"),
    )
    assert world.fates == {"in": 5, "filtered:opted_out": 3, "counted": 1, "waiting": 1}
    assert world.counts() == {("acme.example", None, "c", JANE): 1}
    world.visit(known("really"), seen("e", **asked))
    assert world.counts() == {("acme.example", None, "c", JANE): 1, ("acme.example", None, "d", JANE): 1}


@pytest.mark.parametrize(("ip", "fate"), [("10.0.3.1", "data_centre"), ("10.0.4.1", "own_network")])
def test_programs_and_own_offices_are_filtered(ip: str, fate: str) -> None:
    assert World().visit(known("who"), seen("a", ip=ip)).fates == {"in": 1, f"filtered:{fate}": 1, "identify": 1}


def test_a_person_behind_a_data_centre_counts_where_the_visit_names_them() -> None:
    assert World().visit(seen("a", ip="10.0.3.1", email="jane@acme.example")).fates == {"in": 1, "counted": 1}


def test_an_internet_providers_address_says_nothing() -> None:
    assert World().visit(seen("a", ip="10.0.2.1")).fates == {"in": 1, "waiting": 1}


def test_a_moved_visit_goes_to_the_accounts_above_as_well() -> None:
    world = World(book(resolve="{parents: {acme.example: holding.example, holding.example: group.example}}"))
    world.visit(seen("a"), known("who"))
    above = {("holding.example", "acme.example"), ("group.example", "acme.example")}
    assert world.counts() == {("acme.example", None, "a", JANE): 1} | {(*each, "a", JANE): 1 for each in above}
    assert [entry.source[3] for _, entry in entries(world.outputs)] == [0, 1, 2]
    assert world.visit(unlinked("not")).counts() == {}


def test_merged_people_are_told_to_the_accounts_above_as_well() -> None:
    world = World(book(resolve="{parents: {acme.example: holding.example}}")).visit(known("who"), known("too", "joe@acme.example"))
    assert world.same() == {("acme.example", JOE): JANE, ("holding.example", JOE): JANE}


def test_another_rulebook_counts_anew_from_then_on_and_takes_out_what_was() -> None:
    world = World().visit(known("who"), seen("a"))
    world.intake.use(book(resolve="{aliases: {acme.example: acme.test}, parents: {acme.test: holding.example}}"))
    world.visit(seen("b"))
    assert world.counts() == {
        ("acme.example", None, "a", JANE): 1,
        ("acme.test", None, "b", JANE): 1,
        ("holding.example", "acme.test", "b", JANE): 1,
    }
    assert world.visit(unlinked("not")).counts() == {}


def test_an_alias_is_no_second_account() -> None:
    world = World().visit(known("who"), seen("a"))
    world.intake.use(book(resolve="{aliases: {acme.example: acme.test}}", visitors="{two_accounts: first}"))
    world.visit(known("again"), seen("b"))
    assert world.counts() == {("acme.example", None, "a", JANE): 1, ("acme.test", None, "b", JANE): 1}


def test_without_the_method_nobody_is_remembered() -> None:
    world = World(book(resolve="{order: [account, email, network]}")).visit(known("who"), seen("a"), seen("b", ip="10.0.1.1"))
    assert world.fates == {"in": 2, "counted": 1, "filtered:unresolved": 1, "identify": 1}


def test_a_method_before_it_settles_a_visit() -> None:
    world = World(book(resolve="{order: [email, network, visitor]}")).visit(seen("a", ip="10.0.1.1"), seen("b"), known("who"))
    assert world.counts() == {("gamma.example", None, "a", None): 1, ("acme.example", None, "b", JANE): 1}


def test_a_method_behind_it_counts_until_the_visitor_is_known() -> None:
    world = World(book(resolve="{order: [visitor, email], confidence: {email: 70}}", visitors="{two_accounts: first}"))
    world.visit(seen("a", email="bob@beta.example"), seen("b", email="jane@acme.example"))
    assert world.counts() == {("beta.example", None, event, BOB): 1 for event in "ab"}
    assert world.visit(unlinked("not")).counts() == {("beta.example", None, "a", BOB): 1, ("acme.example", None, "b", JANE): 1}


def test_a_step_ends_when_it_appended_enough() -> None:
    world = World().visit(*(seen(f"e{n}") for n in range(30)))
    sayings = [known("who"), known("other", "bob@beta.example"), unlinked("not")]
    step = world.intake.step(arriving(sayings, offset=30), 10)
    assert (step.consumed, len(step.outputs)) == (1, 30)
