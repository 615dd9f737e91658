"""From a visit to an account's points: whenever a visitor says who they are, the accounts end as if it had been known at once."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.account import AccountState
from engagement.counts import Counts
from engagement.days import iso_instant
from engagement.judging import judge_by
from engagement.machine import Output, PlainRecord
from engagement.qualify import Qualify
from engagement.rulebook import Rulebook
from tests.engagement.intake_world import DAY, NOON
from tests.engagement.log_world import FIRST_DAY, TOPIC, Log, Run
from tests.engagement.test_visitor_properties import ROOMY, SAYINGS, VISITS, Happening, histories
from tests.engagement.visitor_world import JANE, World, book, known, seen, unlinked


def qualified(outputs: Sequence[Output], rulebook: Rulebook) -> Run:
    """What the accounts make of all that intake appended, one partition for all of them."""
    log = Log(rulebook).records
    entries = [output for output in outputs if output.topic == "account-log"]
    begin = len(log) * 2
    log += [PlainRecord(TOPIC, 0, begin + n, output.timestamp or 0, output.key, output.value) for n, output in enumerate(entries)]
    run = Run(log)
    assert not {"not_there", "repeated"} & run.fold.position.fates.keys()
    return run


def credited(fold: Qualify, rulebook: Rulebook) -> dict[str, Any]:
    """Counts and facts of every account that has any; who came to be known there stays known, and is left out."""
    judge = judge_by(rulebook.canonical(), rulebook.version)
    found = {}
    for account, state in fold.accounts():
        facts = judge.facts(account, state, FIRST_DAY)
        if facts.rolled_up_score:
            points = facts.score, facts.people, facts.roles, facts.rolled_up_score, facts.rolled_up_people
            found[account] = points, cells(state), cells(state.below), state.same
    return found


def cells(counts: AccountState | Counts | None) -> Any:
    return {} if counts is None else {kind: (history.days, history.seconds) for kind, history in counts.kinds.items()}


@settings(deadline=None)
@given(st.lists(VISITS, max_size=8), st.lists(SAYINGS, max_size=5), st.sampled_from(ROOMY), st.data())
def test_accounts_are_worth_the_same_whenever_a_visitor_says_who_they_are(
    visits: list[Happening], sayings: list[Happening], rulebook: Rulebook, data: st.DataObject
):
    values = {id(each): each.value(number) for number, each in enumerate([*visits, *sayings])}
    places = data.draw(st.lists(st.integers(0, len(visits)), min_size=len(sayings), max_size=len(sayings)).map(sorted))
    mixed = [*visits]
    for number, (place, saying) in enumerate(zip(places, sayings, strict=True)):
        mixed.insert(place + number, saying)
    ends = []
    for order in ([*sayings, *visits], [*visits, *sayings], mixed):
        outputs = World(rulebook).visit(*(values[id(each)] for each in order)).outputs
        ends.append(credited(qualified(outputs, rulebook).fold, rulebook))
    assert ends[0] == ends[1] == ends[2]


@settings(deadline=None)
@given(histories(), st.sampled_from(ROOMY))
def test_what_intake_counted_is_what_accounts_were_credited_with(records: list[PlainRecord], rulebook: Rulebook):
    world = World(rulebook)
    world.fold(records)
    run = qualified(world.outputs, rulebook)
    fates = run.fold.position.fates
    assert fates.get("signals", 0) - fates.get("undone", 0) == world.fates.get("counted", 0)
    states = [state for _, state in run.fold.accounts()]
    assert sum(total(state) for state in states) == fates.get("signals", 0) - fates.get("undone", 0)
    assert sum(total(state.below) for state in states) == fates.get("via", 0) - fates.get("via_undone", 0)


def total(counts: Counts | None) -> int:
    return 0 if counts is None else sum(sum(cells.values()) for history in counts.kinds.values() for cells in history.days.values())


def test_a_visitor_who_unlinks_leaves_the_account_and_the_one_above_as_they_were():
    world = World(ROOMY[0]).visit(known("k"), *(seen(f"v{number}", url="/pricing") for number in range(7)))
    rise = qualified(world.outputs, ROOMY[0])
    assert [(change.account, change.to) for change in rise.changes] == [("acme.example", "mqa")]
    fall = qualified(world.visit(unlinked("u")).outputs, ROOMY[0])
    assert [(change.account, change.to, change.reason) for change in fall.changes[1:]] == [("acme.example", "watch", "reattribution")]
    assert credited(fall.fold, ROOMY[0]) == {}
    holding = fall.state("holding.example")
    assert (total(holding.below), holding.has_below) == (0, False)


def test_a_change_that_earlier_visits_cause_is_effective_when_their_visitor_is_known():
    world = World(ROOMY[0]).visit(*(seen(f"v{number}", url="/pricing") for number in range(7))).visit(known("k"), after=5 * DAY)
    (change,) = qualified(world.outputs, ROOMY[0]).changes
    assert change.effective_at == iso_instant(NOON + 5 * DAY)


def test_an_account_whose_own_visitor_becomes_known_does_not_fall_on_the_way():
    """The visits count for it before and after: without them it would be nothing for a moment."""
    rulebook = book(stage="{engaged: {enter: {score: 100}}}", others="roles: {anonymous: 1}")
    visits = [seen(f"v{number}", url="/pricing", ip="10.0.0.1") for number in range(7)]
    world = World(rulebook).visit(*visits, known("k"), known("b", "bob@acme.example"))
    run = qualified(world.outputs, rulebook)
    assert [(change.to, change.reason) for change in run.changes] == [("engaged", "signal")]
    assert run.state("acme.example").kinds["pricing"].days == {FIRST_DAY: {JANE: 7}}


def test_a_move_within_an_account_that_leaves_it_with_less_lets_it_fall():
    rulebook = book(stage="{engaged: {enter: {score: 100}}}", others="roles: {anonymous: 1}\n        caps: {person: 50}")
    visits = [seen(f"v{number}", url="/pricing", ip="10.0.0.1") for number in range(7)]
    run = qualified(World(rulebook).visit(*visits, known("k")).outputs, rulebook)
    assert [(change.to, change.reason) for change in run.changes] == [("engaged", "signal"), ("watch", "reattribution")]


def test_the_account_above_does_not_fall_where_a_visitor_moves_from_one_below_to_another():
    rulebook = book(
        resolve="{parents: {acme.example: holding.example, beta.example: holding.example}}",
        stage="{engaged: {enter: {rolled_up_score: 100}}}",
    )
    visits = [seen(f"v{number}", url="/pricing") for number in range(7)]
    run = qualified(World(rulebook).visit(known("k"), *visits, known("b", "bob@beta.example")).outputs, rulebook)
    assert [(change.account, change.to) for change in run.changes if change.account == "holding.example"] == [
        ("holding.example", "engaged")
    ]
