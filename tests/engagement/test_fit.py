"""Who an account is, judged on what is known."""

from typing import Any

import pytest

from engagement.account import AccountState
from engagement.fit import Fit, fit_of, value_of
from tests.engagement.log_world import DEFAULT, FITTING


def fit(region: str | None = None, **attributes: Any) -> Fit:
    return fit_of(AccountState(attributes=attributes, region=region), DEFAULT)


def test_everything_known_and_met_is_a_hundred():
    assert fit("APAC", **FITTING) == Fit(100, 1000, "A")


def test_only_known_weights_count():
    assert fit(industry="fintech", employees=250, revenue=1) == Fit(73, 750, "B")  # 55 of 75


def test_below_the_known_share_the_grade_is_unknown_and_the_score_stays():
    assert fit(industry="fintech", employees=250) == Fit(100, 550, "unknown")


def test_nothing_known_is_unknown_not_nought():
    assert fit() == Fit(None, 0, "unknown")


def test_known_and_below_every_border_is_no_grade():
    assert fit("EU", industry="farming", employees=3, revenue=1, uses=[]) == Fit(0, 1000, "none")


def test_the_borders_of_between_belong_to_it():
    assert [fit(employees=employees).score for employees in (99, 100, 500, 501)] == [0, 100, 100, 0]


def test_a_value_of_another_sort_is_unknown():
    assert fit(employees="many").known == 0
    assert fit(employees=True).known == 0


def test_texts_compare_without_case():
    assert fit("apac", industry="FinTech").score == 100


@pytest.mark.parametrize(("worth", "value"), [(None, "unknown"), (0, "low"), (999_999, "low"), (1_000_000, "high")])
def test_value_is_apart_from_fit(worth: int | None, value: str):
    assert value_of(AccountState(expected_ltv=worth), DEFAULT) == value
