"""Strategic, lite and programmatic, and the clusters of 20 to 40 similar accounts for which lite programmes are made."""

from collections import Counter

import pytest

from tests.engagement.example_world import example, seen
from tests.engagement.log_world import Log, Run, run

RULEBOOK = example("strategic_lite_programmatic")
INDUSTRIES = ("banking", "insurance", "payments")


def market() -> Log:
    """240 accounts: account n has 50 + 7 n employees, and the industries take turns."""
    log = Log(RULEBOOK)
    for number in range(240):
        attributes = {"industry": INDUSTRIES[number % 3], "employees": 50 + 7 * number}
        log.update(0, account=f"a{number}.com", attributes=attributes)
    return log


def test_a_market_of_240_falls_into_clusters_of_20_to_40():
    clusters = Counter(change.cluster for change in run(market()).changes)
    # 50 + 7 n < 500 for n up to 64 (498): 65 accounts, of which n = 0, 3, .. 63 (22), 1, 4, .. 64 (22) and 2, 5, .. 62 (21).
    # 50 + 7 n < 1000 for n up to 135 (995): 71 more, of which n = 66, .. 135 (24), 67, .. 133 (23) and 65, .. 134 (24).
    # The rest up to n = 239: 104, of which n = 138, .. 237 (34), 136, .. 238 (35) and 137, .. 239 (35).
    assert clusters == {
        "banking / under 500": 22,
        "insurance / under 500": 22,
        "payments / under 500": 21,
        "banking / 500 to 999": 24,
        "insurance / 500 to 999": 23,
        "payments / 500 to 999": 24,
        "banking / 1000 and more": 34,
        "insurance / 1000 and more": 35,
        "payments / 1000 and more": 35,
    }
    assert sum(clusters.values()) == 240  # each account is in exactly one


def test_all_who_fit_are_in_the_programmatic_programme_and_it_has_room_for_them():
    result = run(market())
    assert {change.to for change in result.changes} == {"programmatic"}
    assert RULEBOOK.tier is not None
    assert RULEBOOK.programme is not None
    assert [rule.seats for rule in RULEBOOK.tier.values()] == [300, 120, 10]  # programmatic, lite, strategic
    assert RULEBOOK.programme.accounts == 450


def test_those_of_a_cluster_who_meet_us_are_in_lite():
    log = market()
    for number in (66, 69, 72):  # three of banking / 500 to 999
        log.signal(1, "meeting", "p1", account=f"a{number}.com")  # 20 points
    log.signal(1, "page", "p1", account="a75.com")  # 1 point
    changes = [change for change in run(log).changes if change.to == "lite"]
    assert [(change.account, change.cluster) for change in changes] == [
        ("a66.com", "banking / 500 to 999"),
        ("a69.com", "banking / 500 to 999"),
        ("a72.com", "banking / 500 to 999"),
    ]


def test_twenty_points_and_the_best_fit_are_lite():
    log = Log(RULEBOOK).update(0, attributes={"industry": "payments", "employees": 50})
    for _ in range(19):
        log.signal(1, "page", "p1")
    assert run(log).rung("tier") == "programmatic"  # 19
    assert run(log.signal(1, "page", "p1")).rung("tier") == "lite"  # 20
    assert run(log.update(2, attributes={"employees": 49})).path("tier")[-1] == (2, "programmatic")  # fit 70 of 100: B
    assert run(log.signal(3, "meeting", "p1")).rung("tier") == "programmatic"


@pytest.mark.parametrize(("kind", "today", "after_30_days"), [("page", 1_000, 500), ("meeting", 20_000, 10_000)])
def test_what_a_signal_is_worth_today_and_later(kind: str, today: int, after_30_days: int):
    assert seen(Log(RULEBOOK).signal(0, kind, "p1"), RULEBOOK).facts.score == today
    assert seen(Log(RULEBOOK).signal(0, kind, "p1").until(30), RULEBOOK).facts.score == after_30_days


def test_who_is_in_lite_is_held_until_90_days_of_silence():
    log = Log(RULEBOOK).update(0, attributes={"industry": "payments", "employees": 60}).signal(1, "meeting", "p1").until(100)
    assert run(log).path("tier") == [(0, "programmatic"), (1, "lite"), (91, "programmatic")]


def test_strategic_is_a_decision_and_not_a_number():
    assert run(Log(RULEBOOK).update(0, strategic=True)).path("tier") == [(0, "strategic")]
    assert run(Log(RULEBOOK).update(0, listed_tier=1)).path("tier") == [(0, "strategic")]
    log = Log(RULEBOOK).update(0, attributes={"industry": "payments", "employees": 60})
    for day in range(20):
        log.signal(day, "meeting", "p1")
    assert run(log).rung("tier") == "lite"


def test_a_small_or_another_company_does_not_fit():
    def tier(**attributes: object) -> str | None:
        return Run(Log(RULEBOOK).update(0, attributes=attributes).records).rung("tier")

    assert tier(industry="banking", employees=50) == "programmatic"  # fit 100, A
    assert tier(industry="banking", employees=49) == "programmatic"  # fit 70 of 100, B
    assert tier(industry="banking") == "programmatic"  # 70 of 70 that are known, which is 70 % of all
    assert tier(industry="retail", employees=50) is None  # fit 30 of 100
    assert tier(employees=50) is None  # only 30 % are known


def test_an_account_has_its_cluster_even_where_little_is_known():
    def cluster(**attributes: object) -> str | None:
        return seen(Log(RULEBOOK).update(0, attributes=attributes), RULEBOOK).cluster

    assert cluster(industry="Banking", employees=500) == "banking / 500 to 999"
    assert cluster(industry="banking", employees=1000) == "banking / 1000 and more"
    assert cluster(industry="banking") == "banking / unknown"
    assert cluster(employees=20) == "unknown / under 500"
