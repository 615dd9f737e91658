"""One ladder for everything: watch < mqa < tier_2 < tier_1. Points are in thousandths."""

from typing import Any

import pytest

from tests.engagement.example_world import example, seen
from tests.engagement.log_world import Log, run

RULEBOOK = example("single_ladder")
FITS = {"industry": "fintech", "employees": 250}


def webinars(log: Log, day: int, *people: str) -> Log:
    for person in people:
        log.signal(day, "webinar", person, role={"p1": "vp"}.get(person, "director"))
    return log


@pytest.mark.parametrize(("kind", "today", "after_30_days"), [("page", 5_000, 2_500), ("webinar", 30_000, 15_000)])
def test_what_a_signal_is_worth_today_and_later(kind: str, today: int, after_30_days: int):
    assert seen(Log(RULEBOOK).signal(0, kind, "p1"), RULEBOOK).facts.score == today
    assert seen(Log(RULEBOOK).signal(0, kind, "p1").until(30), RULEBOOK).facts.score == after_30_days


def test_there_is_one_ladder():
    assert [(ladder.name, ladder.names) for ladder in RULEBOOK.ladders] == [("stage", ("watch", "mqa", "tier_2", "tier_1"))]


def test_an_account_climbs_rung_by_rung_and_falls_as_it_rose():
    log = Log(RULEBOOK).update(0, attributes=FITS, expected_ltv=500_000)
    webinars(log, 1, "p1", "p2")  # 2 x 30 = 60
    webinars(log, 1, "p3")  # 90 by three people
    webinars(log, 1, "p4")  # 120 by four people of two roles
    log.until(120)
    # Halved every 30 days. Tier 1 is kept at 60, and 120 are 60 on day 31 (30 days old), less on day 32; but it has a dwell of 60 days,
    # until day 61. There 120 x 2 ** (-60/30) = 30 are left: too few for Tier 2 (45), just enough for an MQA (30), until the next day.
    assert run(log).path("stage") == [(1, "mqa"), (1, "tier_2"), (1, "tier_1"), (61, "mqa"), (62, "watch")]


def test_what_each_rung_asks_for():
    log = Log(RULEBOOK).update(0, attributes=FITS, expected_ltv=500_000)
    assert run(webinars(log, 1, "p1", "p1")).rung("stage") is None  # 60, by one person
    assert run(webinars(log, 1, "p2")).rung("stage") == "mqa"  # 90, by two
    assert run(log.signal(1, "page", "p3")).rung("stage") == "tier_2"  # 95, by three
    assert run(webinars(log, 1, "p3")).rung("stage") == "tier_2"  # 125, by three
    assert run(log.signal(1, "page", "p4")).rung("stage") == "tier_1"  # 130, by four, of two roles: p1 is a vp, the others are directors
    assert run(log.update(1, contacts={"p1": "director"}).until(61)).rung("stage") != "tier_1"


def test_four_people_of_one_role_are_not_enough_for_tier_1():
    log = Log(RULEBOOK).update(0, attributes=FITS, expected_ltv=500_000)
    assert run(webinars(log, 1, "p2", "p3", "p4", "p5")).rung("stage") == "tier_2"


def test_a_lesser_fit_ends_at_tier_2():
    log = Log(RULEBOOK).update(0, attributes=FITS | {"employees": 501}, expected_ltv=500_000)
    assert run(webinars(log, 1, "p1", "p2", "p3", "p4")).rung("stage") == "tier_2"  # 60 of 100: B


def test_from_the_top_down_in_silence():
    log = Log(RULEBOOK).update(0, attributes=FITS, expected_ltv=500_000)
    webinars(log, 1, "p1", "p1", "p2", "p2", "p3", "p3", "p4", "p4")  # 240
    # Tier 1 is kept at 60: 240 x 2 ** (-60/30) = 60 on day 61, and less on day 62. Tier 2 has a dwell of 30 days, until day 92: there
    # 240 x 2 ** (-91/30) = 29.3 are too few even for an MQA (30).
    assert run(log.until(100)).path("stage")[-3:] == [(1, "tier_1"), (62, "tier_2"), (92, "watch")]


def test_tier_2_is_kept_at_forty_five_by_those_who_fit():
    log = webinars(Log(RULEBOOK).update(0, attributes=FITS), 1, "p1", "p2", "p3")  # 90
    # 45 are left on day 31, less on day 32; 90 x 2 ** (-47/30) = 30.4 on day 48, 29.7 on day 49
    assert run(log.until(60)).path("stage")[1:] == [(1, "tier_2"), (32, "mqa"), (49, "watch")]
    log = webinars(Log(RULEBOOK).update(0, attributes=FITS), 1, "p1", "p2", "p3").update(31, attributes={"industry": "retail"})
    assert run(log).path("stage")[-1] == (31, "mqa")
    log = webinars(Log(RULEBOOK).update(0, attributes=FITS), 1, "p1", "p2", "p3").update(31, attributes={"employees": 501})
    assert run(log).rung("stage") == "tier_2"  # B


@pytest.mark.parametrize(("listed", "day"), [(2, 30), (1, 60)])
def test_who_is_taken_off_a_list_has_some_time(listed: int, day: int):
    log = Log(RULEBOOK).update(0, listed_tier=listed).update(1, listed_tier=None).until(100)
    assert run(log).path("stage") == [(0, f"tier_{listed}"), (day, "watch")]


def test_there_is_room_for_ten_in_tier_1():
    assert RULEBOOK.stage is not None
    assert RULEBOOK.programme is not None
    assert (RULEBOOK.stage["tier_1"].seats, RULEBOOK.programme.accounts) == (10, 500)


def test_a_bad_fit_ends_at_mqa():
    log = webinars(Log(RULEBOOK).update(0, attributes={"industry": "retail", "employees": 250}), 1, "p1", "p2", "p3", "p4")
    assert run(log).path("stage") == [(1, "mqa")]  # fit 40 of 100: no grade


def test_grades_by_hand():
    def grade(**attributes: Any) -> tuple[int | None, str]:
        log = Log(RULEBOOK).update(0, attributes=attributes)
        return seen(log, RULEBOOK).fit.score, seen(log, RULEBOOK).fit.grade

    assert grade(industry="Insurance", employees=100) == (100, "A")
    assert grade(industry="fintech", employees=501) == (60, "B")  # 60 of 100
    assert grade(industry="retail", employees=500) == (40, "none")  # 40 of 100
    assert grade(industry="fintech") == (100, "A")  # 60 of 60 that are known, which is 60 % of all
    assert grade(employees=250) == (100, "unknown")  # 40 % are known, under 50 %


def test_tier_1_asks_for_value_which_is_money_or_a_strategic_logo():
    def top(**said: Any) -> str | None:
        return run(webinars(Log(RULEBOOK).update(0, attributes=FITS, **said), 1, "p1", "p2", "p3", "p4")).rung("stage")

    assert top() == "tier_2"
    assert top(expected_ltv=499_999) == "tier_2"
    assert top(expected_ltv=500_000) == "tier_1"
    assert top(expected_ltv=1, strategic=True) == "tier_1"


def test_value_is_high_low_or_unknown():
    def value(**said: Any) -> str:
        return seen(Log(RULEBOOK).update(0, name="Acme", **said), RULEBOOK).facts.value

    assert [value(), value(expected_ltv=0), value(expected_ltv=500_000), value(strategic=True)] == ["unknown", "low", "high", "high"]


def test_a_strategic_logo_that_fits_is_in_tier_1_without_a_word():
    assert run(Log(RULEBOOK).update(0, attributes=FITS, strategic=True)).path("stage") == [(0, "tier_1")]
    assert run(Log(RULEBOOK).update(0, attributes={"industry": "retail", "employees": 9}, strategic=True)).path("stage") == []


def test_a_list_puts_an_account_where_it_says():
    assert run(Log(RULEBOOK).update(0, listed_tier=1)).path("stage") == [(0, "tier_1")]
    assert run(Log(RULEBOOK).update(0, listed_tier=2)).path("stage") == [(0, "tier_2")]


@pytest.mark.parametrize("relationship", ["competitor", "partner"])
def test_competitors_and_partners_stay_at_the_bottom(relationship: str):
    log = webinars(Log(RULEBOOK).update(0, attributes=FITS, relationship=relationship, listed_tier=1), 1, "p1", "p2", "p3", "p4")
    assert run(log).path("stage") == []
    assert seen(log, RULEBOOK).facts.score == 120_000  # still counted
