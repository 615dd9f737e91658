"""Another rulebook while the environment runs: every account is judged anew, in slices that nobody sees."""

from itertools import groupby
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.account import AccountState
from engagement.activation import check_restates
from engagement.changes import TierChange
from engagement.days import day_of, iso_instant, midnight
from engagement.errors import Refused
from engagement.events import Family
from engagement.judging import Judge, judge_by, stand
from engagement.qualify import QualifyPosition
from engagement.records import ACTIVATION_KEY, DAY_KEY, SEMANTICS, Activation, Genesis, Signal, Update, decode, encode
from engagement.rulebook import BOTTOMS, Rulebook, load_rulebook
from tests.engagement.intake_world import NOON, RULEBOOK, intent, new_intake, record, visit
from tests.engagement.intake_world import run as take_in
from tests.engagement.log_world import DEFAULT, FIRST_DAY, Log, Run, restored, run
from tests.engagement.test_qualify_properties import SCRIPTS, act_out, spoken, take


def rulebook(text: str) -> Rulebook:
    return load_rulebook(text, "test")


FIRST = rulebook(
    """
    signals: {page: {points: 1}, demo: {points: 100, half_life: 30d}}
    roles: {anonymous: 1}
    stage:
      warm: {enter: {score: 10}}
      hot:  {enter: {score: 90}, keep: {score: 50}, dwell: 7d}
    tier:
      tier_1: {enter: {stage: hot}}
    """
)
SECOND = rulebook(
    """
    signals: {page: {points: 10}, demo: {points: 40, half_life: 30d}}
    roles: {anonymous: 1}
    stage:
      warm: {enter: {score: 10}}
      mqa:  {enter: {score: 40}}
      top:  {enter: {score: 400}}
    """
)
THIRD = rulebook(
    """
    window: 30d
    signals: {page: {points: 2, half_life: 3d}, pricing: {points: 9}, webinar: {points: 15, window: 20d}, demo_request: {points: 50}}
    roles: {vp: 2, intern: 0}
    segments: {quiet: {not: {signals: {within: 10d}}}}
    stage:
      engaged: {enter: {score: 20}, cool_down: 9d}
      asleep:  {enter: {all: [{segment: quiet}, {people: 1}]}, dwell: 5d}
      mqa:     {enter: {score: 50, people: 2}, keep: {score: 10}, cool_down: 40d}
    """
)


def activate(log: Log, new: Rulebook, *, at: int | None = None) -> Log:
    day = FIRST_DAY + log.day
    received_at = midnight(day) + 1 if at is None else at
    entry = Activation(rulebook=new.canonical(), version=new.version, semantics=SEMANTICS, received_at=received_at)
    log.append(ACTIVATION_KEY, entry, day)
    return log


def told(changes: list[TierChange]) -> list[tuple[str, str, str, str, str]]:
    return [(change.account, change.ladder, change.from_, change.to, change.reason) for change in changes]


def since(result: Run, cause: str) -> list[TierChange]:
    return [change for change in result.changes if change.cause == cause]


def chains(changes: list[TierChange]) -> None:
    """Each change goes on where the one before on its ladder ended, and an account's sequence has no gap."""
    for _, own in groupby(sorted(changes, key=attrgetter("account", "sequence")), key=attrgetter("account")):
        standing = dict(BOTTOMS)
        for number, change in enumerate(own, 1):
            assert (change.sequence, change.from_) == (number, standing[change.ladder])
            assert change.to != change.from_
            standing[change.ladder] = change.to


def test_every_account_is_judged_by_the_new_rulebook_and_its_changes_say_so():
    log = Log(FIRST).signal(0, "page", account="a.com").signal(0, "demo", account="b.com").signal(0, "page", account="c.com")
    result = run(activate(log.signal(0, "page", account="c.com"), SECOND))
    changes = since(result, f"activation:{SECOND.version}")
    assert told(changes) == [
        ("a.com", "stage", "watch", "warm", "restatement"),
        ("b.com", "stage", "hot", "mqa", "restatement"),
        ("b.com", "tier", "tier_1", "untiered", "restatement"),
        ("c.com", "stage", "watch", "warm", "restatement"),
    ]
    assert {change.rulebook for change in changes} == {SECOND.version}
    assert {change.effective_at for change in changes} == {"2025-01-01T00:00:00.000Z"}  # the rule day: this environment is played
    assert result.fold.position.fates["activations"] == 1
    chains(result.changes)


def test_records_after_it_are_judged_by_the_new_rulebook_and_those_before_by_the_old():
    log = Log(FIRST).signal(0, "page")
    assert told(run(activate(log, SECOND).signal(0, "page", account="late.com")).changes) == [
        ("acme.com", "stage", "watch", "warm", "restatement"),
        ("late.com", "stage", "watch", "warm", "signal"),
    ]


def test_an_account_on_a_rung_that_is_gone_falls_through_no_rung():
    log = activate(
        Log(FIRST).signal(0, "demo"),
        rulebook("signals: {demo: {points: 1}}\nstage: {low: {enter: {score: 10}}, mqa: {enter: {score: 20}}}"),
    )
    stage, tier = since(run(log), run(log).changes[-1].cause)
    assert (stage.from_, stage.to, stage.direction, stage.passed, stage.qualified) == ("hot", "watch", "demotion", (), False)
    assert (tier.ladder, tier.from_, tier.to, tier.direction, tier.passed) == ("tier", "tier_1", "untiered", "demotion", ())


def test_an_account_on_a_rung_that_is_gone_rises_from_the_bottom():
    result = run(activate(Log(FIRST).signal(0, "demo"), SECOND))
    stage = result.changes[2]
    assert (stage.from_, stage.to, stage.direction, stage.passed) == ("hot", "mqa", "promotion", ("warm",))
    assert "tier" not in result.state().standings


def test_a_suppression_that_comes_with_the_rulebook_is_a_restatement():
    suppressing = rulebook(
        "signals: {demo: {points: 100}}\nroles: {anonymous: 1}\nsuppress_accounts: [acme.com]\nstage: {hot: {enter: {score: 90}}}"
    )
    changes = since(run(activate(Log(FIRST).signal(0, "demo"), suppressing)), f"activation:{suppressing.version}")
    assert [(change.to, change.reason) for change in changes] == [("watch", "restatement"), ("untiered", "restatement")]


def test_a_pin_on_a_rung_that_is_gone_holds_again_when_the_rung_is_back():
    log = Log(FIRST).update(0, pin={"ladder": "stage", "rung": "hot", "reason": "knows the board", "author": "ana"})
    result = run(activate(activate(log, SECOND), FIRST))
    assert [(change.from_, change.to, change.reason) for change in result.changes if change.ladder == "stage"] == [
        ("watch", "hot", "pin"),
        ("hot", "watch", "restatement"),
        ("watch", "hot", "restatement"),
    ]
    chains(result.changes)


def test_an_activation_and_its_reverse_leave_the_account_where_it_was_with_every_step_told():
    log = Log(FIRST).signal(0, "demo").signal(0, "page", account="b.com")
    before = run(log)
    result = run(activate(activate(log, SECOND), FIRST))
    assert told(since(result, f"activation:{FIRST.version}")) == [
        ("acme.com", "stage", "mqa", "hot", "restatement"),
        ("acme.com", "tier", "untiered", "tier_1", "restatement"),
        ("b.com", "stage", "warm", "watch", "restatement"),
    ]
    for account in ("acme.com", "b.com"):
        assert result.state(account).standings == before.state(account).standings
        assert result.state(account).kinds == before.state(account).kinds
    assert len({change.id for change in result.changes}) == len(result.changes)
    chains(result.changes)


def test_the_same_rulebook_once_more_changes_nothing():
    log = Log(FIRST).signal(0, "demo")
    assert run(activate(log, FIRST)).changes == run(Log(FIRST).signal(0, "demo")).changes


def test_before_the_first_day_nobody_is_judged_and_that_day_judges_by_the_new_rulebook():
    log = activate(Log(FIRST).signal(0, "demo"), SECOND)
    genesis, day, *rest = log.records
    early = [genesis, *(each._replace(offset=2 + 2 * number) for number, each in enumerate(rest)), day._replace(offset=20)]
    for result in (Run(early), Run(early, chunk=1, limit=1, restart=True)):
        (change,) = result.changes
        assert (change.to, change.cause, change.reason, change.rulebook) == ("mqa", "day:2025-01-01", "silence", SECOND.version)


def test_in_an_environment_that_runs_by_the_wall_it_takes_effect_when_it_is_received():
    log = activate(Log(FIRST).signal(0, "page"), SECOND, at=midnight(FIRST_DAY) + 3_600_000)
    wall = Genesis(partitions=1, clock="wall", day=FIRST_DAY, rulebook=FIRST.canonical(), version=FIRST.version)
    log.records[:2] = [log.records[0]._replace(value=encode(wall))]
    assert [change.effective_at for change in run(log).changes] == ["2025-01-01T01:00:00.000Z"]


def test_silence_goes_on_by_the_new_rulebook():
    log = activate(Log(FIRST).signal(0, "demo"), SECOND).until(200)
    assert [(day, rung) for day, rung in run(log).path("stage") if day > 0] == [(1, "warm"), (61, "watch")]


def many() -> Log:
    log = Log(FIRST)
    for number in range(10):
        log.signal(0, "demo", account=f"a{number}.com")
    return log


def test_accounts_are_judged_in_slices_with_the_records_behind_waiting():
    log = activate(many(), SECOND).signal(0, "demo", account="a0.com")
    result = run(log, limit=3)
    slices = [step for step in result.steps if isinstance(step.position, QualifyPosition) and step.position.cursor is not None]
    assert len(slices) == 3
    assert all(len(step.changelog) - 2 <= 3 for step in slices[1:])  # beside the rows: the position, and at first the rulebook
    assert [change.account for change in since(result, f"activation:{SECOND.version}") if change.ladder == "stage"] == [
        f"a{number}.com" for number in range(10)
    ]
    assert result.changes[-1].reason == "restatement"  # 80 points are mqa as 40 are: the last signal changes nothing


@pytest.mark.parametrize("limit", range(1, 13))
def test_a_restart_between_any_two_slices_shows_in_nothing(limit: int):
    log = activate(many().until(2), SECOND).until(4)
    activate(log, FIRST).signal(5, "page", account="a3.com")
    whole = run(log)
    pieces = run(log, chunk=5, limit=limit, restart=True)
    assert pieces.outputs == whole.outputs
    assert pieces.rows == whole.rows
    assert pieces.fold.position == whole.fold.position


def test_a_slice_that_is_not_accepted_is_made_again_as_it_was():
    log = activate(many(), SECOND)
    fold = Run(log.records[:-1]).fold
    while fold.position.fates.get("activations", 0) == 0:
        tried, again = fold.step(log.records[-1:], 4), fold.step(log.records[-1:], 4)
        assert tried == again
        fold.accept(again)
    assert fold.position.rulebook == SECOND.version


def test_a_restore_in_the_middle_of_the_slices_goes_on_by_the_new_rulebook():
    log = activate(many(), SECOND)
    result = Run(log.records[:-1])
    step = result.fold.step(log.records[-1:], 4)
    assert step.consumed == 0
    fold = restored(result.changelog | step.changelog)
    rest = fold.step(log.records[-1:], 100)
    assert {output.key for output in step.outputs}.isdisjoint(output.key for output in rest.outputs)
    assert len({output.key for output in (*step.outputs, *rest.outputs)}) == 10


RULEBOOKS = [DEFAULT, THIRD, FIRST, SECOND]
BREAKS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from(RULEBOOKS)), max_size=5)


def written(script: Any, activations: Any) -> Log:
    """A script as the properties of the fold have them, with activations after so many of its lines."""
    log, day = Log(DEFAULT), 0
    for line, (pause, account, acts) in enumerate(script):
        day += pause
        act_out(log, day, account, acts)
        for place, new in activations:
            if place == line:
                activate(log, new)
    activate(log.until(day + 20), activations[-1][1] if activations else THIRD)
    return log.until(day + 150)


@settings(max_examples=60, deadline=None)
@given(SCRIPTS, BREAKS, st.integers(1, 9), st.integers(1, 3), st.booleans())
def test_the_borders_between_steps_do_not_show_around_activations(script: Any, activations: Any, chunk: int, limit: int, restart: bool):
    log = written(script, activations)
    whole, pieces = run(log), run(log, chunk=chunk, limit=limit, restart=restart)
    assert pieces.outputs == whole.outputs
    assert pieces.rows == whole.rows
    assert pieces.fold.position == whole.fold.position
    chains(whole.changes)


@settings(max_examples=60, deadline=None)
@given(SCRIPTS, BREAKS)
def test_activations_and_lazy_due_days_give_the_changes_of_judging_everyone_always(script: Any, activations: Any):
    log = written(script, activations)
    judged = [(change.account, change.ladder, change.from_, change.to, change.effective_at) for change in run(log).changes]
    assert judged == judging_everyone(log)


def judging_everyone(log: Log) -> list[tuple[str, str, str, str, str]]:
    """The fold without due days, cursors or bytes: every account is judged on every day and at every activation."""
    bench = judge_by(DEFAULT.canonical(), DEFAULT.version)
    accounts: dict[str, AccountState] = {}
    changes: list[tuple[str, str, str, str, str]] = []
    words = dict(spoken(log))
    day = FIRST_DAY

    def look(account: str, at: int) -> None:
        state = accounts[account]
        moves = bench.moves(state, day, bench.facts(account, state, day))
        stand(state, moves, day)
        changes.extend((account, move.ladder.name, move.origin, move.target, iso_instant(at)) for move in moves if move.is_seen)

    for each in log.records:
        if each in words:
            entry, account = words[each], (each.key or b"").decode()
            state = accounts.setdefault(account, AccountState())
            take(state, entry)
            look(account, entry.received_at)
            continue
        if each.key == DAY_KEY:
            day = day_of(each.timestamp)
        elif each.key == ACTIVATION_KEY:
            entry = decode(each.value or b"")
            bench = judge_by(entry.rulebook, entry.version)
        for account in sorted(accounts):
            look(account, midnight(day))
    return changes


@settings(max_examples=60, deadline=None)
@given(SCRIPTS, BREAKS)
def test_after_an_activation_every_account_is_worth_what_it_were_had_it_always_been_so(script: Any, activations: Any):
    log = written(script, activations)
    *_, last = (decode(each.value or b"") for each in log.records if each.key == ACTIVATION_KEY)
    book = next(each for each in RULEBOOKS if each.version == last.version)
    always = Log(book)
    always.records[1:] = [each for each in log.records[1:] if each.key != ACTIVATION_KEY]
    bench = Judge(book, book.version)
    today = FIRST_DAY + log.day
    restated, original = dict(run(log).fold.accounts()), dict(run(always).fold.accounts())
    for account, state in restated.items():
        assert worth(bench, account, state, today) == worth(bench, account, original[account], today)


def worth(bench: Judge, account: str, state: AccountState, day: int) -> Any:
    evaluation = bench.evaluate(account, state, day)
    facts = evaluation.facts
    return (facts.score, facts.people, facts.active_days, facts.idle, facts.grade, facts.surges, facts.segments, evaluation.factors)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("history_days: 200", r"history_days = 200 exceeds 120, the days for which counts were kept"),
        ("signals: {page: {points: 1}, price: {points: 15, urls: [/price*]}, alert: {min_score: 60}}", r"signals\.price\.urls differs"),
        ("signals: {page: {points: 1}, alert: {min_score: 60}}", r"signals\.price\.urls differs"),
        (
            "signals: {page: {urls: [/blog*]}, price: {points: 15, urls: [/pricing*, /plans]}, alert: {min_score: 60}}",
            r"signals\.page\.urls differs",
        ),
        (
            "signals: {page: {}, docs: {urls: [/docs*]}, price: {points: 15, urls: [/pricing*, /plans]}, alert: {min_score: 60}}",
            r"signals\.docs\.urls differs",
        ),
        ("ignore_urls: [/jobs]", r"ignore_urls differs"),
        (
            "signals: {page: {}, price: {points: 15, urls: [/pricing*, /plans]}, alert: {min_score: 50}}",
            r"signals\.alert\.min_score = 50, was 60",
        ),
    ],
)
def test_what_the_log_does_not_hold_is_refused_with_what_to_do_instead(change: str, complaint: str):
    with pytest.raises(Refused, match=rf"^new\.yaml: {complaint}.*; undo that, or play the raw history into a new environment") as refusal:
        check_restates(changed(""), changed(change), "new.yaml")
    assert "\n" not in str(refusal.value)


def test_the_order_of_the_kinds_with_urls_decides_and_so_may_not_change():
    ladder = "stage: {mqa: {enter: {score: 1}}}"
    one = rulebook("signals: {a: {urls: [/a*]}, b: {urls: [/*]}}\n" + ladder)
    other = rulebook("signals: {b: {urls: [/*]}, a: {urls: [/a*]}}\n" + ladder)
    with pytest.raises(Refused, match="in the order b, a, was a, b, and the one named first wins"):
        check_restates(one, other, "new.yaml")


@pytest.mark.parametrize(
    "change",
    [
        "",
        "history_days: 105",
        "window: 30d",
        "ignore_urls: [/LOGIN*, /careers*]",
        "signals: {fair: {points: 3, min_score: 9}, alert: {points: 7, min_score: 60}, price: {points: 1, urls: [/plans, /pricing*]}}",
        "signals: {price: {points: 15, urls: [/pricing*, /plans]}}",
    ],
)
def test_what_changes_only_how_counts_are_judged_is_taken(change: str):
    check_restates(changed(""), changed(change), "new.yaml")


def changed(change: str) -> Rulebook:
    """A rulebook with some of its lines in other words."""
    lines = {
        "signals": "{page: {points: 1}, price: {points: 15, urls: [/pricing*, /plans]}, alert: {min_score: 60}}",
        "ignore_urls": "[/careers*, /login*]",
        "history_days": "120",
        "window": "90d",
        "stage": "{mqa: {enter: {score: 100}}}",
    }
    key, _, value = change.partition(": ")
    return rulebook("\n".join(f"{name}: {text}" for name, text in (lines | ({key: value} if key else {})).items()))


OTHER = rulebook(RULEBOOK.canonical().replace('"webinar"', '"seminar"').replace('"dedupe_count":5', '"dedupe_count":1'))


def test_intake_goes_by_the_rulebook_it_was_given_last_and_says_so_in_each_record():
    intake = new_intake()
    outputs = take_in(intake, [record(Family.INTENT_SIGNALS, intent(id="e1"))])
    intake.use(OTHER)
    outputs += take_in(intake, [record(Family.INTENT_SIGNALS, intent(id=id_, kind=kind), offset=offset) for offset, id_, kind in EVENTS])
    entries = [decode(output.value or b"") for output in outputs if output.topic == "account-log"]
    assert [(entry.id, entry.rulebook) for entry in entries if isinstance(entry, Signal | Update)] == [
        ("e1", RULEBOOK.version),
        ("e2", OTHER.version),
    ]
    assert intake.position.fates == {"in": 3, "counted": 2, "dead:unknown_kind": 1}


EVENTS = [(1, "e2", "seminar"), (2, "e3", "webinar")]


@pytest.mark.parametrize("between", [True, False])
def test_a_step_under_way_while_another_rulebook_comes_is_accepted_as_it_was_made(between: bool):
    visits = [record(Family.WEB_VISITS, visit(id=f"e{number}"), offset=number, received_at=NOON) for number in range(8)]
    intake = new_intake()
    take_in(intake, visits[:4], limits=[1, 1, 1])
    step = intake.step(visits[4:6], 10)
    if between:
        intake.use(OTHER)
    intake.accept(step)
    intake.use(OTHER)
    take_in(intake, [*visits[6:], record(Family.WEB_VISITS, visit(id="e7"), offset=8), record(Family.WEB_VISITS, visit(id="e5"), offset=9)])
    assert intake.position.fates == {"in": 10, "counted": 9, "filtered:duplicate": 1}


def test_ids_are_remembered_as_long_as_the_newest_rulebook_says():
    first, again = (record(Family.WEB_VISITS, visit(), offset=number, received_at=NOON + number) for number in range(2))
    for window, fate in (("1m", "counted"), ("2m", "filtered:duplicate")):
        intake = new_intake()
        intake.use(rulebook(RULEBOOK.canonical().replace('"dedupe_window":"1h"', f'"dedupe_window":"{window}"')))
        take_in(intake, [first, again._replace(timestamp=NOON + 90_000)])
        assert intake.position.fates.get(fate) == (2 if fate == "counted" else 1)
