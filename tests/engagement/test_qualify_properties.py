"""What holds for any log: against restarts, step borders and a day-by-day recomputation that knows no due days."""

from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import DecodeError

from engagement.account import AccountState, header
from engagement.days import day_of, iso_instant, midnight
from engagement.judging import stand
from engagement.machine import RESERVED_KEYS, PlainRecord
from engagement.records import DAY_KEY, Signal, Update
from engagement.records import decode as decode_record
from tests.engagement.log_world import DEFAULT, FIRST_DAY, FITTING, Log, judge, run

KINDS = [*DEFAULT.signals, "no_longer_known"]
ACTS = st.one_of(
    st.tuples(
        st.just("signal"),
        st.sampled_from([*KINDS, "pricing", "webinar", "webinar", "demo_request"]),  # the heavy ones more often, so that accounts rise
        st.sampled_from([None, "p1", "p2", "p3", "p4"]),
        st.sampled_from([None, "vp", "c_level", "intern"]),
        st.sampled_from([0, 0, 1, 13, 29, 60, 89, 100]),  # days since it occurred
    ),
    st.tuples(
        st.just("update"),
        st.sampled_from(
            [
                {"attributes": FITTING, "region": "APAC"},
                {"attributes": {"industry": "farming", "employees": None}},
                {"relationship": "competitor"},
                {"relationship": None},
                {"strategic": True},
                {"listed_tier": 2},
                {"listed_tier": None},
                {"expected_ltv": 2_000_000},
                {"disposition": {"status": "accepted"}},
                {"disposition": None},
                {"opportunity": {"id": "o", "stage": "open"}},
                {"opportunity": {"id": "o", "stage": "lost"}},
                {"contacts": {"p1": "director", "p4": None}},
                {"contacts": {"p1": "intern", "p2": "intern", "p3": "intern"}},
            ]
        ),
    ),
)
SCRIPTS = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from(["acme.com", "beta.com", "core.com"]), st.lists(ACTS, max_size=6)), max_size=14
)


def written(script: Any) -> Log:
    log, day = Log(), 0
    for pause, account, acts in script:
        day += pause
        for act, *said in acts:
            if act == "signal":
                kind, person, role, age = said
                log.signal(day, kind, person, role=None if person is None else role, account=account, occurred=day - age)
            else:
                log.update(day, account=account, **said[0])
    log.until(day + 60).append(b"beta.com", b"{", 0)  # no log record
    return log.until(day + 130)


@settings(max_examples=100, deadline=None)
@given(SCRIPTS, st.integers(1, 9), st.integers(1, 3), st.booleans())
def test_the_borders_between_steps_do_not_show(script: Any, chunk: int, limit: int, restart: bool):
    log = written(script)
    whole, pieces = run(log), run(log, chunk=chunk, limit=limit, restart=restart)
    assert pieces.outputs == whole.outputs
    assert pieces.rows == whole.rows
    assert pieces.fold.position == whole.fold.position


@settings(max_examples=100, deadline=None)
@given(SCRIPTS)
def test_lazily_kept_due_days_give_the_changes_of_judging_everyone_every_day(script: Any):
    log = written(script)
    judged = run(log)
    assert [(change.account, change.ladder, change.to, change.effective_at) for change in judged.changes] == every_day(log)


def every_day(log: Log) -> list[tuple[str, str, str, str]]:
    """The fold without due days, cursors or bytes: every account is judged on every day."""
    bench = judge()
    accounts: dict[str, AccountState] = {}
    changes: list[tuple[str, str, str, str]] = []
    words = dict(spoken(log))
    day = FIRST_DAY

    def look(account: str, at: int) -> None:
        state = accounts[account]
        moves = bench.moves(state, day, bench.facts(state, day))
        stand(state, moves, day)
        changes.extend((account, move.ladder.name, move.ladder.names[move.target], iso_instant(at)) for move in moves)

    for record in log.records:
        if record in words:
            entry, account = words[record], (record.key or b"").decode()
            state = accounts.setdefault(account, AccountState())
            if isinstance(entry, Signal):
                state.count(entry)
            else:
                state.learn(entry)
            look(account, entry.received_at)
        elif record.key == DAY_KEY:
            day = day_of(record.timestamp)
            for account in sorted(accounts):
                look(account, midnight(day))
    return changes


@settings(max_examples=100, deadline=None)
@given(SCRIPTS)
def test_what_a_change_announces_comes_true_where_nothing_more_happens(script: Any):
    log = written(script)
    changes = run(log).changes
    last_words = {record.key: f"{entry.source[0]}:{entry.id}" for record, entry in spoken(log)}
    for change in changes:
        assert change.expires_at is None or change.expires_at > change.effective_at
        if change.cause in last_words.values():
            after = [other for other in changes if (other.account, other.ladder) == (change.account, change.ladder)]
            falls = [other.effective_at for other in after if other.sequence > change.sequence]
            end = iso_instant(midnight(FIRST_DAY + log.day))
            assert falls[:1] == ([change.expires_at] if change.expires_at is not None and change.expires_at <= end else [])


def spoken(log: Log) -> Iterator[tuple[PlainRecord, Signal | Update]]:
    """The records that concern an account."""
    for record in log.records:
        try:
            entry = decode_record(record.value or b"")
        except DecodeError:
            continue
        if isinstance(entry, Signal | Update):
            yield record, entry


@settings(max_examples=100, deadline=None)
@given(SCRIPTS)
def test_factors_add_up_and_fates_add_up(script: Any):
    result = run(written(script))
    for change in result.changes:
        assert sum(factor.points for factor in change.factors) == change.score
        assert all(factor.points >= 0 and factor.clipped >= 0 for factor in change.factors)
    fates = result.fold.position.fates
    ends = {fate: count for fate, count in fates.items() if fate != "in" and not fate.startswith("changes:")}
    assert fates["in"] == sum(ends.values())
    assert sum(count for fate, count in fates.items() if fate.startswith("changes:")) == len(result.changes)


@settings(max_examples=100, deadline=None)
@given(SCRIPTS, st.randoms(use_true_random=False))
def test_the_order_of_arrival_within_a_day_does_not_matter_to_the_evaluation(script: Any, shuffled: Any):
    signals = [(kind, person, age) for _, _, acts in script for act, *said in acts if act == "signal" for kind, person, _, age in [said]]
    evaluations = []
    for _ in range(2):
        log = Log()
        for kind, person, age in signals:
            log.signal(0, kind, person, occurred=-age)
        result = run(log)
        evaluations.append([facts_of(judge().evaluate(state, result.fold.position.rule_day or 0)) for _, state in result.fold.accounts()])
        shuffled.shuffle(signals)
    assert evaluations[0] == evaluations[1]


def facts_of(evaluation: Any) -> Any:
    """All but the event ids, which name the arrival here."""
    return evaluation.facts, [(factor.kind, factor.points, factor.clipped, factor.count, factor.people) for factor in evaluation.factors]


@settings(max_examples=100, deadline=None)
@given(SCRIPTS, st.sampled_from(KINDS), st.sampled_from([None, "p1", "p9"]), st.integers(0, 60))
def test_no_signal_lowers_a_score_and_no_silence_raises_it(script: Any, kind: str, person: str | None, age: int):
    log = written(script)
    day = log.day
    before = run(log)
    after = run(log.signal(day, kind, person, occurred=day - age))
    bench, today = judge(), before.fold.position.rule_day
    assert today is not None
    states = dict(after.fold.accounts())
    for account, state in before.fold.accounts():
        score = bench.evaluate(state, today).facts.score
        assert bench.evaluate(states[account], today).facts.score >= score
        assert bench.evaluate(state, today + 1).facts.score <= score
        assert bench.evaluate(state, today + 30).facts.score <= score


@settings(max_examples=100, deadline=None)
@given(SCRIPTS)
def test_every_account_is_due_later_than_the_rule_day(script: Any):
    result = run(written(script))
    for key, value in result.changelog.items():
        if key not in RESERVED_KEYS:
            assert value is not None
            assert header(value)[1] > (result.fold.position.rule_day or 0)
