"""Without transactions state may be ahead of its position, and a worker that was replaced may write behind the one that took over."""

import pytest

from engagement.errors import Refused
from engagement.events import Family
from engagement.fates import adds_up
from engagement.intake import Intake
from engagement.machine import POSITION_KEY, RULEBOOK_KEY, Output, PlainRecord, Step
from engagement.qualify import Qualify
from engagement.records import Activation
from engagement.rulebook import load_rulebook
from tests.engagement.intake_world import new_intake, record, visit
from tests.engagement.log_world import FIRST_DAY, TOPIC, Log, Run
from tests.engagement.visitor_world import World, arriving, book, known, seen

OTHER = load_rulebook(
    "signals: {page: {points: 40}, demo_request: {points: 100, act_now: true}}\nstage: {engaged: {enter: {score: 30}, keep: {score: 15}}}",
    "b",
)
Changelog = list[tuple[bytes, bytes | None]]


def busy_log() -> list[PlainRecord]:
    """Signals of some accounts, days that demote them, and another rulebook between."""
    log = Log()
    for day in range(4):
        for account in ("a.com", "b.com", "c.com"):
            log.signal(day, "pricing", f"p{day % 2}", account=account).signal(day, "demo_request", "boss", account=account)
    log.append(b"__activation__", Activation(rulebook=OTHER.canonical(), version=OTHER.version, semantics=1, received_at=0), FIRST_DAY)
    log.signal(5, "page", "p1", account="a.com").until(60)
    return log.records


def steps_of(fold: Qualify, log: list[PlainRecord], limit: int) -> list[Step]:
    steps, done = [], 0
    while done < len(log):
        step = fold.step(log[done : done + 5], limit)
        fold.accept(step)
        steps.append(step)
        done += step.consumed
    return steps


def restored(changelog: Changelog) -> Qualify:
    fold = Qualify(topic=TOPIC, partition=0)
    for key, value in changelog:
        fold.load(key, value)
    fold.loaded(exact=False)
    return fold


def state_of(step: Step) -> Changelog:
    return [(key, value) for key, value in step.changelog.items() if key not in (POSITION_KEY, RULEBOOK_KEY)]


def told(outputs: list[Output]) -> list[bytes | None]:
    """Bodies of tier changes in the order in which each came first."""
    return list(dict.fromkeys(output.value for output in outputs if output.topic == "tier-changes"))


@pytest.mark.parametrize("limit", [1, 2, 100])
@pytest.mark.parametrize("rows_written", [0, 1, 2])
def test_whatever_of_a_step_was_written_when_a_worker_died_the_outcome_is_the_same(limit: int, rows_written: int):
    log = busy_log()
    whole = Run(log)
    assert len(told(whole.outputs)) == 6
    undisturbed = steps_of(Qualify(topic=TOPIC, partition=0), log, limit)
    for died in range(1, len(undisturbed)):
        before = undisturbed[:died]
        changelog: Changelog = [row for step in before for row in step.changelog.items()]
        changelog += state_of(undisturbed[died])[:rows_written]  # and its outputs, but not its position
        fold = restored(changelog)
        reached = fold.position.next[TOPIC]
        following = steps_of(fold, [record for record in log if record.offset >= reached], 100)
        outputs = [output for step in (*undisturbed[: died + 1], *following) for output in step.outputs]
        assert sorted(told(outputs), key=str) == sorted(told(whole.outputs), key=str)
        assert dict(fold.accounts()) == dict(whole.fold.accounts())


@pytest.mark.parametrize("days", [1, 60])  # a signal or a day was the last to touch the account
def test_an_older_row_behind_a_newer_one_does_not_win(days: int):
    log = Log().signal(0, "demo_request", "p1").signal(1, "page", "p2").until(days).records
    before_it_was_touched = 3 if days == 1 else 5
    fold = Qualify(topic=TOPIC, partition=0)
    older, newer = steps_of(fold, log[:before_it_was_touched], 100), steps_of(fold, log[before_it_was_touched:], 100)
    assert any(b"acme.com" in step.changelog for step in newer)
    in_order = [row for step in (*older, *newer) for row in step.changelog.items()]
    late = [row for step in older for row in step.changelog.items()]
    again = restored([*in_order, *late])
    assert again.position.next == fold.position.next
    assert dict(again.accounts()) == dict(fold.accounts())


def test_a_rulebook_comes_with_its_position_or_not_at_all():
    log = busy_log()
    steps = steps_of(Qualify(topic=TOPIC, partition=0), log, 100)
    first, *_, last = (step for step in steps if RULEBOOK_KEY in step.changelog)
    in_order = [row for step in steps for row in step.changelog.items()]
    fold = restored([*in_order, *first.changelog.items()])
    assert fold.position.rulebook == OTHER.version
    assert fold._rulebook == last.changelog[RULEBOOK_KEY]


def test_rows_that_are_gone_are_missed_all_the_same():
    log = Log().signal(0, "page").signal(0, "page", account="other.com").records
    (step,) = steps_of(Qualify(topic=TOPIC, partition=0), log[:2] + log[2:5], 100)[-1:]
    rows = [(key, value) for key, value in step.changelog.items() if key != b"acme.com"]
    with pytest.raises(Refused, match=r"restored 1 rows .* vouches for 2 rows"):
        restored([*rows])


# intake: the ids that it accepted


def visits(*numbers: int) -> list[PlainRecord]:
    return [record(Family.WEB_VISITS, visit(id=f"e{n}"), offset=n) for n in numbers]


def restored_intake(changelog: Changelog) -> Intake:
    intake = new_intake()
    for key, value in changelog:
        intake.load(key, value)
    intake.loaded(exact=False)
    return intake


def accepted(intake: Intake, records: list[PlainRecord]) -> Step:
    step = intake.step(records, 100)
    intake.accept(step)
    return step


def test_an_event_whose_id_is_ahead_of_the_position_is_no_duplicate_of_itself():
    intake = new_intake()
    first, second = accepted(intake, visits(0, 1)), accepted(intake, visits(2, 3))
    ids = [(key, value) for key, value in second.changelog.items() if key != POSITION_KEY]
    again = restored_intake([*first.changelog.items(), *ids])
    repeated = accepted(again, visits(2, 3))
    assert repeated.outputs == second.outputs
    assert again.position == intake.position


def test_ids_before_the_position_are_remembered():
    intake = new_intake()
    step = accepted(intake, visits(0, 1))
    again = restored_intake([*step.changelog.items()])
    duplicate = record(Family.WEB_VISITS, visit(id="e1"), offset=2)
    assert accepted(again, [duplicate]).position.fates["filtered:duplicate"] == 1


@pytest.mark.parametrize("late_steps", [[[1]], [[1, 2]], [[1], [2, 3, 4, 5]], [[1, 2, 3, 4, 5, 6]]])
@pytest.mark.parametrize("behind", [0, 1, 2])  # so many steps of the owner's come after
def test_ids_of_a_worker_that_was_replaced_neither_win_nor_tear_what_its_successor_wrote(late_steps: list[list[int]], behind: int):
    replaced = new_intake()
    begin = [*accepted(replaced, visits(0)).changelog.items()]
    owner = restored_intake(begin)
    newer = [[*accepted(owner, visits(*numbers)).changelog.items()] for numbers in ([1, 2, 3], [4], [5, 6, 7])]
    older = [row for numbers in late_steps for row in accepted(replaced, visits(*numbers)).changelog.items()]
    split = len(newer) - behind
    in_order = [*newer[:split], older, *newer[split:]]
    again = restored_intake([*begin, *(row for rows in in_order for row in rows)])
    assert (again.position.next, again.position.accepted) == (owner.position.next, owner.position.accepted)
    last_five = [record(Family.WEB_VISITS, visit(id=f"e{n}"), offset=8 + n) for n in range(3, 8)]
    assert accepted(again, last_five).position.fates["filtered:duplicate"] == 5


def test_where_a_row_was_compacted_away_as_many_ids_as_can_be_are_remembered():
    """Of the two that had one key only the replaced worker's is left: the chain goes through it, around its successor's next row."""
    replaced = new_intake()
    begin = [*accepted(replaced, visits(0)).changelog.items()]
    owner = restored_intake(begin)
    (_, *_), (*second,) = (accepted(owner, visits(*numbers)).changelog.items() for numbers in ([1, 2, 3], [4]))
    older = [row for row in accepted(replaced, visits(1, 2, 3, 4)).changelog.items() if row[0] != POSITION_KEY]
    again = restored_intake([*begin, *second, *older])
    assert (again.position.next, again.position.accepted) == (owner.position.next, owner.position.accepted)
    repeats = [record(Family.WEB_VISITS, visit(id=f"e{n}"), offset=8 + n) for n in range(5)]
    assert accepted(again, repeats).position.fates["filtered:duplicate"] == 5


# the visitors that intake remembers


@pytest.mark.parametrize("said", [None, "jane@acme.example"])
def test_what_a_visitors_row_has_already_is_not_done_again(said: str | None):
    """The first step made it whole, of the second only the rows."""
    world = World().visit(seen("a"))
    records = arriving([seen("b"), seen("c") if said is None else known("c", said), seen("d")], offset=1)
    step = world.intake.step(records, 100)
    again = World()
    for key, row in [*world.changelog.items(), *((key, row) for key, row in step.changelog.items() if key != POSITION_KEY)]:
        again.intake.load(key, row)
    again.intake.loaded(exact=False)
    assert adds_up(again.fates)
    assert accepted(again.intake, records).outputs == []  # they were written before the rows
    world.intake.accept(step)
    assert again.fates == world.fates
    assert again.intake._visitors._rows == world.intake._visitors._rows


COMES_BACK = (
    known("k1", visitor_id="x"),
    seen("a", visitor_id="y"),
    seen("b", visitor_id="z"),
    seen("c", visitor_id="y"),
    seen("d", visitor_id="x"),
)
"""Where two are remembered, the first is let go for the third, and comes back."""


@pytest.mark.parametrize("late_steps", [[2], [1, 2], [2, 3], [0, 1, 2, 3]])
def test_what_a_worker_that_was_replaced_lets_go_late_is_not_forgotten_again(late_steps: list[int]):
    world = World(book(visitors="{count: 2}"))
    written: list[Changelog] = []
    for event in arriving(COMES_BACK):
        step = world.intake.step([event], 100)
        world.intake.accept(step)
        written.append([*step.changelog.items()])
    again = World(world.rulebook)
    for key, row in [row for rows in (*written, *(written[number] for number in late_steps)) for row in rows]:
        again.intake.load(key, row)
    again.intake.loaded(exact=False)
    assert again.fates == world.fates
    assert again.intake._visitors._rows == world.intake._visitors._rows
