"""Points under every cap: by hand, and against a maximum flow found by augmenting paths."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.account import AccountState
from engagement.counts import KindHistory
from engagement.rulebook import load_rulebook
from engagement.scoring import Scoring, most_allowed
from tests.engagement.log_world import DEFAULT, FIRST_DAY, Log, judge, run

LADDER = "\nstage: {engaged: {enter: {score: 1}}}"


def state_of(cells: dict[str, dict[int, dict[str, int]]], roles: dict[str, str] | None = None) -> AccountState:
    people = {person: None for days in cells.values() for counts in days.values() for person in counts if person}
    kinds = {kind: KindHistory(days=days, newest=[(0, "e", "")]) for kind, days in cells.items()}
    return AccountState(kinds=kinds, roles={**people, **(roles or {})})


def scored(scoring: Scoring, state: AccountState, day: int = 100) -> int:
    return scoring.tally(state, day).score


def test_a_cell_is_count_times_points_times_role_times_decay_floored_once():
    scoring = Scoring(DEFAULT)
    assert scored(scoring, state_of({"page": {100: {"p": 2}}})) == 2_000
    assert scored(scoring, state_of({"page": {86: {"p": 2}}})) == 1_000  # one half life of 14 days
    assert scored(scoring, state_of({"pricing": {100: {"p": 1}}}, {"p": "vp"})) == 22_500
    assert scored(scoring, state_of({"pricing": {99: {"p": 1}}}, {"p": "vp"})) == 21_986  # 22500 x 0.977159968 = 21986.09
    assert scored(scoring, state_of({"page": {100: {"": 1}}})) == 500  # anonymous counts half


def test_repeats_of_one_person_and_day_count_up_to_the_cap():
    assert scored(Scoring(DEFAULT), state_of({"page": {100: {"p": 50}, 99: {"": 1}}})) == 3_000 + 475


def test_a_signal_dated_after_the_rule_day_counts_at_age_nought():
    assert scored(Scoring(DEFAULT), state_of({"page": {101: {"p": 1}}})) == 1_000


def test_from_the_window_on_nothing_is_left():
    state = state_of({"webinar": {10: {"p": 1}}})
    assert scored(Scoring(DEFAULT), state, 99) == 3_837  # 30 points at age 89: 2 ** (-89/30) = 0.12791...
    assert scored(Scoring(DEFAULT), state, 100) == 0


def test_the_caps_of_people_the_anonymous_and_third_parties():
    scoring = Scoring(DEFAULT)
    assert scored(scoring, state_of({"webinar": {100: {"p": 3}}})) == 60_000
    assert scored(scoring, state_of({"webinar": {100: {"": 3}}})) == 30_000
    assert scored(scoring, state_of({"review_site": {100: {"p": 3, "q": 3}}})) == 40_000
    assert scored(scoring, state_of({"webinar": {100: {"p": 3, "q": 3}}})) == 120_000


def test_an_act_now_kind_stands_outside_the_caps():
    assert scored(Scoring(DEFAULT), state_of({"demo_request": {100: {"p": 2}}, "webinar": {100: {"p": 3}}})) == 260_000


def test_an_excluded_role_counts_for_nothing():
    rulebook = load_rulebook("signals: {page: {points: 1}}\nroles: {student: 0}" + LADDER, "x")
    tally = Scoring(rulebook).tally(state_of({"page": {100: {"p": 1}}}, {"p": "student"}), 100)
    assert (tally.people, len(tally.days), tally.first_party) == (frozenset(), 0, False)


def test_breadth_leaves_out_the_anonymous_and_worthless_kinds_but_days_count_both_known_and_anonymous():
    tally = Scoring(DEFAULT).tally(state_of({"page": {100: {"": 1}, 98: {"p": 1}}, "email_open": {97: {"q": 1}}}), 100)
    assert (tally.people, len(tally.days), tally.first_party) == (frozenset({"p"}), 2, True)


def test_third_parties_are_no_first_party():
    assert not Scoring(DEFAULT).tally(state_of({"surge": {100: {"p": 1}}}), 100).first_party


def test_crossing_caps_never_let_a_new_signal_lower_the_score():
    """Filled greedily, pages first, p's page view would take 5 of p's 10 points from the download and be cut by the pages' own cap."""
    text = "signals: {page: {points: 5}, download: {points: 10}}\ncaps: {person: 10, account: {page: 10, download: 10}}" + LADDER
    scoring = Scoring(load_rulebook(text, "x"))
    before = state_of({"page": {100: {"q": 2}}, "download": {100: {"p": 1}}})
    after = state_of({"page": {100: {"q": 2, "p": 1}}, "download": {100: {"p": 1}}})
    assert scored(scoring, before) == scored(scoring, after) == 20_000


def test_factors_show_what_the_caps_clip_largest_first():
    log = Log()
    for _ in range(2):
        log.signal(0, "webinar", "p").signal(0, "page", "p").signal(0, "page")
    log.signal(0, "webinar", "p")
    factors = judge().evaluate("acme.com", run(log).state(), FIRST_DAY).factors
    assert [(factor.kind, factor.points, factor.clipped, factor.count, factor.people) for factor in factors] == [
        ("webinar", 60_000, 30_000, 3, 1),
        ("page", 1_000, 2_000, 4, 1),  # p's bucket is full; the anonymous have theirs
    ]
    assert factors[0].events == ("e8", "e5", "e2")


CROSSING = load_rulebook(
    "signals: {page: {points: 4, half_life: 9d}, click: {points: 5, per_minute: 2}, demo: {points: 9, act_now: true}, form: {points: 7},"
    " intent: {points: 6, third_party: true}, review: {points: 3, third_party: true, window: 40d}}\nroles: {vp: 1.5, student: 0}"
    "\ncaps: {repeats_per_day: 3, person: 30, anonymous: 20, third_party: 15, account: {page: 25, click: 20, review: 8}}" + LADDER,
    "crossing",
)
SIGNALS = st.tuples(
    st.sampled_from([*CROSSING.signals]),
    st.sampled_from(["", "p", "q", "vp", "student"]),
    st.integers(80, 102),  # the day on which it occurred
    st.sampled_from([0, 0, 90]),  # seconds
)


def add(state: AccountState, kind: str, person: str, occurred: int, seconds: int) -> None:
    history = state.kinds.setdefault(kind, KindHistory(days={}, seconds={}))
    for days, more in ((history.days, 1), (history.seconds, seconds)):
        cells = days.setdefault(occurred, {})
        cells[person] = cells.get(person, 0) + more
    if person:
        state.roles.setdefault(person, person if person in CROSSING.roles else None)


@settings(max_examples=300, deadline=None)
@given(st.lists(SIGNALS, max_size=60), st.lists(SIGNALS, max_size=30), st.integers(0, 40))
def test_what_is_full_adds_nothing_and_nothing_adds_more_than_its_worth(before: list[Any], after: list[Any], days: int):
    scoring, state, day = Scoring(CROSSING), AccountState(kinds={}, roles={}), 100
    for signal in before:
        add(state, *signal)
    tally = scoring.tally(state, day)
    full, most = scoring.full(tally), tally.score
    for kind, person, occurred, seconds in after:
        add(state, kind, person, occurred, seconds)
        most += scoring.worth(kind, person, max(0, day + days - occurred), seconds, full, may_have_role=state.roles.get(person) is not None)
    assert scored(scoring, state, day + days) <= most


def test_a_kind_at_its_cap_and_a_bucket_at_its_cap_are_full_unless_they_cross():
    scoring = Scoring(DEFAULT)
    crowd = state_of({"page": {day: {"p": 3, "q": 3} for day in range(97, 101)}, "review_site": {100: {"q": 2}}})
    assert scoring.full(scoring.tally(crowd, 100)) == (frozenset({"page"}), frozenset({"third party"}))
    assert scoring.worth("page", "r", 0, 0, scoring.full(scoring.tally(crowd, 100)), may_have_role=True) == 0
    crossing = state_of({"page": {day: {"p": 3} for day in range(92, 101)}, "webinar": {100: {"p": 2}}})
    assert scoring.full(scoring.tally(crossing, 100)) == (frozenset(), frozenset())  # the person's 60 are gone: page views give way


AMOUNTS = st.integers(0, 30)


@settings(max_examples=150, deadline=None)
@given(st.lists(AMOUNTS, min_size=1, max_size=4).flatmap(lambda caps: st.tuples(st.just(caps), tables(len(caps)))))
def test_the_formula_is_the_maximum_flow(case: tuple[list[int], tuple[list[list[int]], list[int]]]):
    caps, (columns, rooms) = case
    assert most_allowed(caps, columns, rooms) == max_flow(caps, columns, rooms)


def tables(kinds: int) -> st.SearchStrategy[tuple[list[list[int]], list[int]]]:
    return st.integers(1, 4).flatmap(
        lambda buckets: st.tuples(
            st.lists(st.lists(AMOUNTS, min_size=buckets, max_size=buckets), min_size=kinds, max_size=kinds),
            st.lists(AMOUNTS, min_size=buckets, max_size=buckets),
        )
    )


def max_flow(caps: list[int], columns: list[list[int]], rooms: list[int]) -> int:
    """Ford and Fulkerson over source -> bucket -> kind -> sink."""
    left = {("source", f"b{bucket}"): room for bucket, room in enumerate(rooms)}
    left |= {(f"k{kind}", "sink"): cap for kind, cap in enumerate(caps)}
    left |= {(f"b{bucket}", f"k{kind}"): amount for kind, column in enumerate(columns) for bucket, amount in enumerate(column)}
    left |= {(to, origin): 0 for origin, to in list(left)}

    def push(node: str, most: int, seen: set[str]) -> int:
        if node == "sink":
            return most
        seen.add(node)
        for (origin, to), room in left.items():
            if origin == node and room and to not in seen and (pushed := push(to, min(most, room), seen)):
                left[origin, to] -= pushed
                left[to, origin] += pushed
                return pushed
        return 0

    total = 0
    while pushed := push("source", 10**9, set()):
        total += pushed
    return total
