"""`mqa rulebook check` warns of what can be proven to be odd, and of nothing else."""

from pathlib import Path

import pytest

from engagement.rulebook import default_rulebook_text, load_rulebook
from engagement.rulebook_warnings import warnings

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "rulebooks").glob("*.yaml"))
SIGNALS = "signals: {page: {points: 1}, surge: {points: 15, third_party: true}}"


def warned(ladders: str, *, signals: str = SIGNALS, more: str = "") -> list[str]:
    return warnings(load_rulebook(f"{signals}\n{more}\n{ladders}", "rulebook"))


def engaged(enter: str, *, signals: str = SIGNALS, more: str = "") -> list[str]:
    """Warnings, without what is said of every rung, of one that asks for ``enter``."""
    said = warned(f"stage: {{engaged: {{enter: {{{enter}}}}}}}", signals=signals, more=more)
    return [line.removeprefix("stage.engaged: nobody can earn it: stage.engaged.enter.") for line in said]


@pytest.mark.parametrize("text", [default_rulebook_text(), *(path.read_text(encoding="utf-8") for path in EXAMPLES)])
def test_of_rulebooks_that_come_with_mqa_nothing_is_odd(text: str):
    assert warnings(load_rulebook(text, "rulebook")) == []


CAPPED = "caps: {third_party: 40, account: {page: 20}}"


def test_a_score_beyond_all_caps_cannot_be_earned():
    assert engaged("score: 60.5", more=CAPPED) == ["score = 60.5 is more than all caps together allow, 60"]
    assert engaged("score: 60", more=CAPPED) == []
    assert engaged("rolled_up_score: 60.5", more=CAPPED) == ["rolled_up_score = 60.5 is more than all caps together allow, 60"]


@pytest.mark.parametrize(
    "more",
    [
        pytest.param("", id="no caps"),
        pytest.param("caps: {person: 10, third_party: 40, repeats_per_day: 1}", id="any number of people"),
        pytest.param("caps: {account: {page: 20}}", id="third parties without a cap"),
    ],
)
def test_a_score_without_a_bound_can_be_anything(more: str):
    assert engaged("score: 1000", more=more) == []


def test_no_cap_holds_what_is_act_now():
    signals = "signals: {page: {points: 1}, demo: {points: 100, act_now: true, third_party: true}}"
    assert engaged("score: 1000", signals=signals, more=CAPPED) == []


def test_a_kind_with_a_cap_of_its_own_is_bounded_by_it_and_by_that_of_third_parties():
    capped = "caps: {third_party: 40, account: {page: 20, surge: 30}}"
    assert engaged("score: 51", more=capped) == ["score = 51 is more than all caps together allow, 50"]


@pytest.mark.parametrize(
    ("enter", "limit"),
    [
        ("people: 201", "people = 201 is more than the 200 people that are told apart"),
        ("people: 200", None),
        ("rolled_up_people: 401", "rolled_up_people = 401 is more than the 400 people that are told apart, here and below"),
        ("rolled_up_people: 400", None),
        ("active_days: 92", "active_days = 92 is more days than window = 90d has"),
        ("active_days: 90", None),
        ("act_now: 30d", "act_now = 30d, but no kind of signal is act_now"),
        ("listed: 4", "listed = 4, but lists are 1, 2, 3"),
        ("listed: 3", None),
        ("value: high", "value = high, but without `value` it is unknown of every account"),
        ("value: [high, unknown]", None),
        ("fit: [unknown]", None),
        ("fit: [none]", "fit = none, but grades can only be unknown"),
        ("signals: {people: 201}", "signals asks for more than the 200 people that are told apart"),
        ("signals: {kind: page, at_least: 5000}", None),
        ("not: {listed: 4}", None),
        ("any: [{listed: 4}, {score: 3}]", None),
        (
            "any: [{listed: 4}, {listed: 5}]",
            "any[0].listed = 4, but lists are 1, 2, 3; stage.engaged.enter.any[1].listed = 5, but lists are 1, 2, 3",
        ),
        ("score: 3, all: [{listed: 4}]", "all[0].listed = 4, but lists are 1, 2, 3"),
    ],
)
def test_what_no_account_can_show_cannot_be_earned(enter: str, limit: str | None):
    assert engaged(enter) == ([] if limit is None else [limit])


def test_first_party_needs_a_kind_that_is():
    assert engaged("first_party: true") == []
    said = engaged("first_party: true", signals="signals: {surge: {points: 15, third_party: true}, page: {points: 0}}")
    assert said == ["first_party = true, but every kind that is worth anything is third_party"]
    assert engaged("first_party: false", signals="signals: {page: {points: 1}}") == []


FIT = "fit: {industry: {weight: 1, in: [fintech]}}\n"


def test_a_lowest_border_of_0_leaves_nobody_without_a_grade():
    more = FIT + "grades: {A: 50, B: 0, known: 50%}"
    assert engaged("fit: [none]", more=more) == ["fit = none, but grades can only be A, B, unknown"]


def test_a_relationship_that_is_suppressed_leads_nowhere():
    said = engaged("relationship: [competitor]", more="suppress: [competitor, partner]")
    assert said == ["relationship = competitor, but these are suppressed, and stand at the bottom of every ladder"]
    assert engaged("relationship: [competitor, customer]", more="suppress: [competitor]") == []


def test_a_suppressed_relationship_may_be_a_segment():
    assert warned("stage: {engaged: {enter: {score: 1}}}", more="suppress: [partner]\nsegments: {partners: {relationship: partner}}") == []


def test_a_segment_nobody_can_be_in_takes_its_rungs_with_it():
    said = warned("stage: {engaged: {enter: {segment: odd}}}", more="segments: {odd: {listed: 9}}")
    assert said == [
        "segments.odd: nobody can be in it: segments.odd.listed = 9, but lists are 1, 2, 3",
        "stage.engaged: nobody can earn it: stage.engaged.enter.segment = odd: segments.odd.listed = 9, but lists are 1, 2, 3",
    ]


def test_a_rung_that_asks_for_one_that_nobody_can_earn_cannot_be_earned_either():
    stage = "stage: {engaged: {enter: {score: 1}}, mqa: {enter: {listed: 9}}}"
    said = warned(f"{stage}\ntier: {{one: {{enter: {{stage: mqa}}}}, two: {{enter: {{stage: engaged}}}}}}")
    assert said == [
        "stage.mqa: nobody can earn it: stage.mqa.enter.listed = 9, but lists are 1, 2, 3",
        "tier.one: nobody can earn it: tier.one.enter.stage = mqa, which nobody can earn",
    ]


def test_a_rung_below_one_that_can_be_earned_may_be_asked_for():
    said = warned("stage: {engaged: {enter: {listed: 9}}, mqa: {enter: {score: 1}}}\ntier: {one: {enter: {stage: engaged}}}")
    assert [line.partition(":")[0] for line in said] == ["stage.engaged"]


@pytest.mark.parametrize(
    ("asked", "more", "limit"),
    [
        ("score: 61", "caps: {person: 60}", "people_with asks for a score of 61, more than caps.person = 60"),
        ("score: 60", "caps: {person: 60}", None),
        ("score: 61", "", None),
        ("score: 61, at_least: 0", "caps: {person: 60}", None),
        ("score: 1, at_least: 201", "", "people_with asks for more than the 200 people that are told apart"),
        ("score: 1, roles: [intern]", "roles: {intern: 0}", "people_with asks for intern only, whose roles are worth 0"),
        ("score: 1, roles: [intern, vp]", "roles: {intern: 0}", None),
    ],
)
def test_people_cannot_have_more_than_their_cap(asked: str, more: str, limit: str | None):
    assert engaged(f"people_with: {{{asked}}}", more=more) == ([] if limit is None else [limit])


def test_a_person_may_pass_the_cap_by_what_is_act_now():
    signals = "signals: {page: {points: 1}, demo: {points: 100, act_now: true}}"
    assert engaged("people_with: {score: 80}", signals=signals, more="caps: {person: 60}") == []


def test_there_is_no_more_room_above_than_below():
    said = warned("tier: {three: {enter: {score: 1}, seats: 10}, two: {enter: {score: 2}}, one: {enter: {score: 3}, seats: 11}}")
    assert said == ["tier.one.seats = 11 is more than tier.three.seats = 10: there is more room above than below"]


def test_seats_together_fit_the_programme():
    ladder = "tier: {two: {enter: {score: 1}, seats: 10}, one: {enter: {score: 3}, seats: 5}}"
    assert warned(ladder, more="programme: {accounts: 14}") == ["tier: its seats together are 15, but programme.accounts = 14"]
    assert warned(ladder, more="programme: {accounts: 15}") == []
    assert warned(ladder) == []


@pytest.mark.parametrize(
    ("known", "asked", "is_odd"),
    [
        ("c_level", "C-Level", True),
        ("champion", "champoin", True),
        ("director", "directors", True),
        ("economic_buyer", "economical_buyer", True),
        ("economic_buyer", "technical_buyer", False),
        ("vp_engineering", "svp_engineering", False),
        ("marketing_director_eu", "marketing_director_us", False),
        ("analyst_1", "analyst_2", False),
        ("analyst1", "analyst2", False),
        ("product_manager", "project_manager", False),
        ("engineer", "engineering", False),
    ],
)
def test_a_role_that_differs_by_a_slip_from_one_that_is_known_is_odd(known: str, asked: str, *, is_odd: bool):
    ladder = "stage: {engaged: {enter: {score: 1}}}"
    expected = [f"committee: {asked} stands nowhere else; is {known} meant?"] if is_odd else []
    assert warned(ladder, more=f"roles: {{{known}: 2}}\ncommittee: {{required: [{asked}]}}") == expected


def test_people_with_knows_the_roles_of_the_committee_too():
    more = "committee: {required: [champion]}"
    assert warned("stage: {engaged: {enter: {people_with: {score: 1, roles: champion}}}}", more=more) == []
    (said,) = warned("stage: {engaged: {enter: {people_with: {score: 1, roles: champions}}}}", more=more)
    assert said == "stage.engaged.enter.people_with.roles: champions stands nowhere else; is champion meant?"


def test_a_surge_of_what_is_nearly_a_need_or_topic_is_odd():
    more = "needs: {payments: {topics: [card payments]}}"
    (said,) = warned("stage: {engaged: {enter: {surge: [payment, sepa]}}}", more=more)
    assert said == "stage.engaged.enter.surge: payment stands nowhere else; is payments meant?"
    assert warned("stage: {engaged: {enter: {surge: [payments, Card Payments, data lakes]}}}", more=more) == []
