"""Engagement minutes: engaged at 10 in three months, an MQA at 100. Points are minutes, and stand here in thousandths."""

import pytest

from engagement.adapters.mapping import Format
from engagement.events import Family
from tests.engagement.adapter_world import taken
from tests.engagement.example_world import example, fates, page_kind, score, seen
from tests.engagement.intake_world import visit
from tests.engagement.log_world import Log, run

RULEBOOK = example("engagement_minutes")


def test_a_minute_counts_as_much_as_the_role_of_the_person():
    log = Log(RULEBOOK).signal(0, "page", "p1", role="c_level", seconds=600)
    assert score(log, RULEBOOK) == 20_000  # 10 min x 2
    log.signal(0, "page", "p2", role="vp", seconds=120)
    assert score(log, RULEBOOK) == 23_000  # + 2 min x 1.5
    log.signal(0, "page", "p3", role="director", seconds=450)
    assert score(log, RULEBOOK) == 32_375  # + 7.5 min x 1.25 = 9.375
    log.signal(0, "page", "p4", role="manager", seconds=60)
    assert score(log, RULEBOOK) == 33_375  # + 1 min x 1
    log.signal(0, "page", "p5", role="other", seconds=61)
    assert score(log, RULEBOOK) == 33_883  # + 61/60 min x 0.5 = 0.50833.., floored to 0.508
    log.signal(0, "page", None, seconds=300)
    assert score(log, RULEBOOK) == 36_383  # + 5 min x 0.5
    log.signal(0, "page", "p6", seconds=180)
    assert score(log, RULEBOOK) == 39_383  # + 3 min of somebody whose role nobody knows


def test_students_count_for_nothing_at_all():
    log = Log(RULEBOOK).signal(0, "page", "p1", role="student", seconds=3600).signal(0, "form", "p1")
    assert score(log, RULEBOOK) == 0
    assert seen(log, RULEBOOK).facts.people == 0


def test_six_pings_of_the_tracker_are_a_minute():
    ping = {"event": "page_ping", "event_id": "e1", "collector_tstamp": "2025-01-01T12:00:00Z", "domain_userid": "v1"}
    assert RULEBOOK.adapters is not None
    ((_, _, said),) = taken(Format.SNOWPLOW, ping, RULEBOOK.adapters)
    log = Log(RULEBOOK)
    for _ in range(6):
        log.signal(0, said["kind"], "p1", role="manager", seconds=said["seconds"])
    assert score(log, RULEBOOK) == 1_000


def test_mail_that_is_opened_is_worth_nothing():
    assert score(Log(RULEBOOK).signal(0, "email_open", "p1", seconds=600), RULEBOOK) == 0


def test_ten_minutes_engage_and_one_second_less_does_not():
    assert run(Log(RULEBOOK).signal(0, "page", "p1", seconds=599)).path("stage") == []  # 9.983 min
    assert run(Log(RULEBOOK).signal(0, "page", "p1", seconds=600)).path("stage") == [(0, "engaged")]


def almost_qualified() -> Log:
    log = Log(RULEBOOK).signal(0, "webinar", "p1", role="vp", seconds=2400)  # (5 + 40 min) x 1.5 = 67.5
    return log.signal(10, "form", "p2", role="manager").signal(10, "form", "p2")  # + 2 x 10 = 87.5


def test_a_hundred_minutes_are_an_mqa_and_one_second_less_is_none():
    assert run(almost_qualified().signal(20, "page", "p3", seconds=749)).rung("stage") == "engaged"  # + 12.483 = 99.983
    log = almost_qualified().signal(20, "page", "p3", seconds=750)  # + 12.5 = 100
    assert run(log).path("stage") == [(0, "engaged"), (20, "mqa")]
    promotion = run(log).changes[-1]
    assert promotion.score == 100_000
    assert {factor.kind: factor.points for factor in promotion.factors} == {"webinar": 67_500, "form": 20_000, "page": 12_500}


def test_minutes_are_gone_after_three_months():
    log = almost_qualified().signal(20, "page", "p3", seconds=750).until(120)
    # The webinar leaves on day 90: 32.5 minutes stay. The forms leave on day 100: 12.5 stay. The visit leaves on day 110.
    assert run(log).path("stage")[2:] == [(90, "engaged"), (110, "watch")]


@pytest.mark.parametrize("path", ["/careers/engineer", "/login", "/unsubscribe?mail=1"])
def test_job_seekers_and_those_who_come_for_another_reason_are_left_out(path: str):
    assert fates(RULEBOOK, Family.WEB_VISITS, visit(url=f"https://us.example{path}")) == {"filtered:ignored_url": 1}


def test_all_other_pages_count():
    assert page_kind(RULEBOOK, "/product") == "page"
