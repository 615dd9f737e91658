"""What holds for any log: against restarts, step borders and a day-by-day recomputation that knows no due days."""

from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import DecodeError

from engagement.account import AccountState, Row, header
from engagement.account import decode as decode_row
from engagement.account import encode as encode_row
from engagement.days import day_of, iso_instant, midnight, parse_day
from engagement.judging import judge_by, stand
from engagement.machine import RESERVED_KEYS, PlainRecord
from engagement.records import DAY_KEY, Signal, Update
from engagement.records import decode as decode_record
from engagement.rulebook import BOTTOMS, Rulebook, load_rulebook
from tests.engagement.log_world import DEFAULT, FIRST_DAY, FITTING, Log, run

RICH = load_rulebook(
    """
    window: 60d
    signals:
      page: {points: 1, half_life: 14d, per_minute: 0.5}
      pricing: {points: 15, window: 45d}
      email_open: {points: 0}
      email_click: {points: 3, lifespan: 50d}
      download: {points: 20, half_life: 30d}
      webinar: {points: 30, half_life: 10d, window: 20d}
      review_site: {points: 20, third_party: true}
      surge: {points: 15, third_party: true, half_life: 7d}
      demo_request: {points: 100, half_life: 30d, act_now: true}
    roles: {vp: 1.5, intern: 0}
    committee: {required: [vp, c_level], blockers: [director]}
    caps: {repeats_per_day: 2, person: 60, anonymous: 30, third_party: 40, account: {page: 20}}
    surge: {score: 55, people: 1, events: 2, weeks: 3}
    needs: {fraud: {topics: [aml, kyc]}, some: {topics: [aml, sepa], share: 50%}}
    fit: {industry: {weight: 1, in: [fintech]}, employees: {weight: 1, at_least: 100}}
    grades: {A: 100, B: 50, known: 50%}
    segments:
      quiet: {idle: 20d, not: {signals: {kind: demo_request, within: 50d}}}
      keen: {signals: {kind: [pricing, download], at_least: 2, within: 25d, people: 1}}
      new: {segment: keen, not: {segment: quiet}}
    cluster: {by: [industry, {employees: [100, 500]}]}
    suppress: [competitor]
    suppress_accounts: [core.com]
    stage:
      engaged: {enter: {score: 20, not: {segment: quiet}}, keep: {score: 5}, cool_down: 12d}
      mqa:
        enter: {any: [{score: 80, people: 2, not: {blocked: true}}, {surge: [fraud, sepa], score: 10}]}
        keep: {all: [{any: [{score: 30}, {surging: 1}]}, {not: {segment: quiet}}]}
        dwell: 9d
        cool_down: 25d
      opportunity: {enter: {opportunity: open}}
    tier:
      tier_3: {enter: {any: [{listed: 3}, {segment: [quiet]}, {committee: 50%}, {rolled_up_score: 60, rolled_up_people: 3}]}}
      tier_2: {enter: {stage: mqa, fit: [A, B]}, keep: {idle_under: 40d}, dwell: 5d}
      tier_1: {enter: {people_with: {score: 25, at_least: 2, roles: [vp, c_level]}, first_party: true}, cool_down: 40d}
    """,
    "rich",
)
RULEBOOKS = st.sampled_from([DEFAULT, RICH])
KINDS = [*DEFAULT.signals, "no_longer_known"]
ACTS = st.one_of(
    st.tuples(
        st.just("signal"),
        st.sampled_from([*KINDS, "pricing", "webinar", "webinar", "demo_request"]),  # the heavy ones more often, so that accounts rise
        st.sampled_from([None, "p1", "p2", "p3", "p4"]),
        st.sampled_from([None, "vp", "c_level", "intern"]),
        st.sampled_from([0, 0, 1, 13, 29, 60, 89, 100]),  # days since it occurred
        st.sampled_from([None, None, "aml", "KYC", "sepa"]),
        st.sampled_from([None, None, 59, 600]),
        st.sampled_from([None, None, None, "labs.acme.com", "acme.de"]),
    ),
    st.tuples(st.just("undo"), st.integers(1, 6)),
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
                {"pin": {"ladder": "tier", "rung": "tier_1", "reason": "board", "until": FIRST_DAY + 25}},
                {"pin": {"ladder": "stage", "rung": "engaged"}},
                {"pin": {"ladder": "stage", "rung": None}},
                {"retract": {"person": "p1"}},
                {"same": {"p2": "p1"}},
                {"same": {"p1": "p3", "p4": "p3"}},
                {"differ": {"p2": "p1", "p1": "p3"}},
                {"retract": {"events": [{"id": "e2", "kind": "webinar", "day": FIRST_DAY, "person": "p2"}]}},
            ]
        ),
    ),
)
SCRIPTS = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from(["acme.com", "beta.com", "core.com"]), st.lists(ACTS, max_size=6)), max_size=14
)


def act_out(log: Log, day: int, account: str, acts: Any) -> None:
    for act, *said in acts:
        if act == "signal":
            kind, person, role, age, topic, seconds, via = said
            role = None if person is None else role
            log.signal(day, kind, person, role=role, account=account, occurred=day - age, topic=topic, seconds=seconds, via=via)
        elif act == "update":
            log.update(day, account=account, **said[0])
        elif len(log.signals) >= said[0]:
            log.undo(day, -said[0])


def take(state: AccountState, entry: Signal | Update) -> None:
    """What the fold does with a record before it judges."""
    if isinstance(entry, Update):
        state.learn(entry)
    elif entry.undo:
        state.undo(entry)
    elif entry.via is not None:
        state.count_below(entry, entry.via)
    else:
        state.count(entry)


def written(script: Any, rulebook: Rulebook = DEFAULT) -> Log:
    log, day = Log(rulebook), 0
    for pause, account, acts in script:
        day += pause
        act_out(log, day, account, acts)
    log.until(day + 60).append(b"beta.com", b"{", 0)  # no log record
    return log.until(day + 130)


@settings(max_examples=100, deadline=None)
@given(SCRIPTS, RULEBOOKS, st.integers(1, 9), st.integers(1, 3), st.booleans())
def test_the_borders_between_steps_do_not_show(script: Any, rulebook: Rulebook, chunk: int, limit: int, restart: bool):
    log = written(script, rulebook)
    whole, pieces = run(log), run(log, chunk=chunk, limit=limit, restart=restart)
    assert pieces.outputs == whole.outputs
    assert pieces.rows == whole.rows
    assert pieces.fold.position == whole.fold.position


@settings(max_examples=100, deadline=None)
@given(SCRIPTS, RULEBOOKS)
def test_lazily_kept_due_days_give_the_changes_of_judging_everyone_every_day(script: Any, rulebook: Rulebook):
    log = written(script, rulebook)
    judged = run(log)
    assert [(change.account, change.ladder, change.to, change.effective_at) for change in judged.changes] == every_day(log, rulebook)


def every_day(log: Log, rulebook: Rulebook) -> list[tuple[str, str, str, str]]:
    """The fold without due days, cursors or bytes: every account is judged on every day."""
    bench = judge_by(rulebook.canonical(), rulebook.version)
    accounts: dict[str, AccountState] = {}
    changes: list[tuple[str, str, str, str]] = []
    words = dict(spoken(log))
    day = FIRST_DAY

    def look(account: str, at: int) -> None:
        state = accounts[account]
        moves = bench.moves(state, day, bench.facts(account, state, day))
        stand(state, moves, day)
        changes.extend((account, move.ladder.name, move.target, iso_instant(at)) for move in moves if move.is_seen)

    for record in log.records:
        if record in words:
            entry, account = words[record], (record.key or b"").decode()
            state = accounts.setdefault(account, AccountState())
            take(state, entry)
            look(account, entry.received_at)
        elif record.key == DAY_KEY:
            day = day_of(record.timestamp)
            for account in sorted(accounts):
                look(account, midnight(day))
    return changes


@settings(max_examples=100, deadline=None)
@given(SCRIPTS, RULEBOOKS)
def test_what_a_change_announces_comes_true_where_nothing_more_happens(script: Any, rulebook: Rulebook):
    log = written(script, rulebook)
    result = run(log)
    changes, causes = result.changes, [dict(output.headers)["mqa-log"] for output in result.outputs if output.topic == "tier-changes"]
    last_words = {record.key: f"0/{record.offset}".encode() for record, _ in spoken(log)}
    for change, cause in zip(changes, causes, strict=True):
        assert change.expires_at is None or change.expires_at > change.effective_at
        if cause in last_words.values():
            after = [other for other in changes if (other.account, other.ladder) == (change.account, change.ladder)]
            falls = [other.effective_at for other in after if other.sequence > change.sequence and other.direction == "demotion"]
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
@given(SCRIPTS, RULEBOOKS)
def test_factors_add_up_and_fates_add_up(script: Any, rulebook: Rulebook):
    result = run(written(script, rulebook))
    for change in result.changes:
        assert sum(factor.points for factor in change.factors) == change.score
        assert all(factor.points >= 0 and factor.clipped >= 0 for factor in change.factors)
    fates = result.fold.position.fates
    ends = {fate: count for fate, count in fates.items() if fate != "in" and not fate.startswith("changes:")}
    assert fates["in"] == sum(ends.values())
    assert sum(count for fate, count in fates.items() if fate.startswith("changes:")) == len(result.changes)


@settings(max_examples=100, deadline=None)
@given(SCRIPTS, RULEBOOKS, st.randoms(use_true_random=False))
def test_neither_the_order_of_arrival_nor_the_days_stepped_matter_to_the_evaluation(script: Any, rulebook: Rulebook, shuffled: Any):
    acts = [said for _, _, acts in script for act, *said in acts if act == "signal"]
    signals = [(kind, person, 1 + index % 40, topic, seconds) for index, (kind, person, _, _, topic, seconds, _) in enumerate(acts)]
    as_they_came, at_the_end = Log(rulebook).until(0), Log(rulebook).until(40)
    for kind, person, day, topic, seconds in sorted(signals, key=lambda signal: signal[2]):
        as_they_came.signal(day, kind, person, topic=topic, seconds=seconds)
    shuffled.shuffle(signals)
    for kind, person, day, topic, seconds in signals:
        at_the_end.signal(40, kind, person, occurred=day, topic=topic, seconds=seconds)
    bench = judge_by(rulebook.canonical(), rulebook.version)
    today = FIRST_DAY + 40

    def told(log: Log) -> list[Any]:
        states = list(run(log.until(40)).fold.accounts())
        return [facts_of(bench.explain(state, today, bench.facts(account, state, today))) for account, state in states]

    assert told(as_they_came) == told(at_the_end)


def facts_of(evaluation: Any) -> Any:
    """All but the event ids, which name the arrival here."""
    facts = {name: fact for name, fact in evaluation.facts._asdict().items() if name not in ("state", "signals", "people_with")}
    return facts, [(factor.kind, factor.points, factor.clipped, factor.count, factor.people) for factor in evaluation.factors]


@settings(max_examples=100, deadline=None)
@given(SCRIPTS, RULEBOOKS, st.sampled_from(KINDS), st.sampled_from([None, "p1", "p9"]), st.integers(0, 60))
def test_no_signal_lowers_a_score_and_no_silence_raises_it(script: Any, rulebook: Rulebook, kind: str, person: str | None, age: int):
    log = written(script, rulebook)
    day = log.day
    before = run(log)
    after = run(log.signal(day, kind, person, occurred=day - age))
    bench, today = judge_by(rulebook.canonical(), rulebook.version), before.fold.position.rule_day
    assert today is not None
    states = dict(after.fold.accounts())
    for account, state in before.fold.accounts():
        score = bench.evaluate(account, state, today).facts.score
        assert bench.evaluate(account, states[account], today).facts.score >= score
        assert bench.evaluate(account, state, today + 1).facts.score <= score
        assert bench.evaluate(account, state, today + 30).facts.score <= score


@settings(max_examples=100, deadline=None)
@given(SCRIPTS)
def test_every_account_is_due_later_than_the_rule_day(script: Any):
    result = run(written(script))
    for key, value in result.changelog.items():
        if key not in RESERVED_KEYS:
            assert value is not None
            assert header(value)[1] > (result.fold.position.rule_day or 0)


@settings(max_examples=100, deadline=None)
@given(SCRIPTS, RULEBOOKS)
def test_changes_chain_and_nothing_falls_within_its_dwell(script: Any, rulebook: Rulebook):
    rungs = {(ladder.name, rung.name): rung for ladder in rulebook.ladders for rung in ladder.rungs}
    stands: dict[tuple[str, str], tuple[str, int]] = {}
    sequence: dict[str, int] = {}
    for change in run(written(script, rulebook)).changes:
        place, day = (change.account, change.ladder), parse_day(change.effective_at[:10])
        before, since = stands.get(place, (BOTTOMS[change.ladder], 0))
        assert change.from_ == before
        assert change.sequence == sequence.get(change.account, 0) + 1
        if (
            change.direction == "demotion"
            and change.reason not in ("suppression", "pin")
            and change.pin is None
            and before != BOTTOMS[change.ladder]
        ):
            assert day - since >= rungs[change.ladder, before].dwell
        stands[place], sequence[change.account] = (change.to, day), change.sequence


@settings(max_examples=100, deadline=None)
@given(SCRIPTS, RULEBOOKS)
def test_a_state_written_and_read_is_the_same(script: Any, rulebook: Rulebook):
    for _, state in run(written(script, rulebook)).fold.accounts():
        row = Row(state=state, applied=7, due=3)
        assert decode_row(encode_row(row)) == row
