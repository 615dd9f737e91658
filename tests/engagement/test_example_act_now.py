"""Act now, or depth, breadth and time: what each of them alone does not do, and what all of them do."""

import pytest

from engagement.events import Family
from tests.engagement.example_world import example, fates, score
from tests.engagement.intake_world import intent
from tests.engagement.log_world import Log, run

RULEBOOK = example("act_now")


def test_pages_are_halved_every_two_weeks_and_gone_after_four():
    def left(day: int) -> int:
        return score(Log(RULEBOOK).signal(0, "page", "p1").until(day), RULEBOOK)

    assert [left(day) for day in (0, 14, 28)] == [2_000, 1_000, 0]
    assert 500 < left(27) < 550  # a quarter would be left on day 28: 2 x 2 ** (-27/14) = 0.525


@pytest.mark.parametrize(
    ("kind", "today", "day", "later"),
    [
        ("webinar", 40_000, 14, 20_000),
        ("demo_request", 50_000, 30, 25_000),
        ("contact_us", 50_000, 30, 25_000),
        ("intent_spike", 60_000, 29, 60_000),
    ],
)
def test_what_a_signal_is_worth_today_and_later(kind: str, today: int, day: int, later: int):
    assert score(Log(RULEBOOK).signal(0, kind, "p1"), RULEBOOK) == today
    assert score(Log(RULEBOOK).signal(0, kind, "p1").until(day), RULEBOOK) == later


def test_an_intent_spike_is_gone_after_thirty_days():
    assert score(Log(RULEBOOK).signal(0, "intent_spike", "p1").until(30), RULEBOOK) == 0


def test_a_demo_request_that_we_hear_of_after_a_week_is_not_now():
    assert run(Log(RULEBOOK).signal(7, "demo_request", "p1", occurred=0)).path("stage") == []
    assert run(Log(RULEBOOK).signal(7, "demo_request", "p1", occurred=1)).path("stage") == [(7, "mqa")]


def test_a_demo_request_qualifies_at_once_whoever_asks():
    assert run(Log(RULEBOOK).signal(0, "demo_request")).path("stage") == [(0, "mqa")]
    assert run(Log(RULEBOOK).signal(0, "contact_us", "p1")).path("stage") == [(0, "mqa")]


def test_after_a_demo_request_the_score_decides():
    # 50 points halved every 30 days: 50 x 2 ** (-22/30) = 30.08 on day 22, 50 x 2 ** (-23/30) = 29.39 on day 23, under the 30 to keep.
    assert run(Log(RULEBOOK).signal(0, "demo_request", "p1").until(40)).path("stage") == [(0, "mqa"), (23, "watch")]


def test_sales_have_two_weeks_whatever_happens():
    # 25 points (unknown visitors count half) are under the 30 to keep from the first day. From day 7 on the request is no longer "now".
    assert run(Log(RULEBOOK).signal(0, "demo_request").until(40)).path("stage") == [(0, "mqa"), (14, "watch")]


def test_a_month_of_silence_ends_it_whatever_the_score():
    log = Log(RULEBOOK)
    for person in ("p1", "p2", "p3"):
        log.signal(0, "demo_request", person)
    # 150 points are 75 on day 30, but nothing has happened for 30 days.
    assert run(log.until(40)).path("stage") == [(0, "mqa"), (30, "watch")]


def three_of_two_roles(log: Log, kind: str, days: tuple[int, int, int]) -> Log:
    for day, person, role in zip(days, ("p1", "p2", "p3"), ("vp", "director", None), strict=True):
        log.signal(day, kind, person, role=role)
    return log


def test_depth_breadth_and_time_together_qualify():
    log = three_of_two_roles(Log(RULEBOOK), "page", (0, 1, 2))  # breadth on day 2, with 6 points
    log.signal(14, "webinar", "p1").signal(14, "webinar", "p2")
    # Day 14 is the fourth day. The pages of days 0, 1, 2 are 14, 13 and 12 days old, 3.1 points; 2 x 40 from the webinar: 83.1.
    result = run(log)
    assert result.path("stage") == [(14, "mqa")]
    assert 83_000 < result.changes[0].score < 83_200


def test_sixty_points_are_depth_and_a_little_less_is_not():
    log = three_of_two_roles(Log(RULEBOOK), "page", (0, 1, 2))  # gone on day 30: breadth, and three days
    log.signal(24, "webinar", "p1")  # 40 x 2 ** (-6/14) = 29.7 on day 30
    log.signal(30, "intent_spike", None)  # 60, and half of it for somebody whom nobody knows: 59.7
    assert run(log).path("stage") == []
    log = three_of_two_roles(Log(RULEBOOK), "page", (0, 1, 2)).signal(30, "intent_spike", "p1")  # 60, on the fourth day
    assert run(log).path("stage") == [(30, "mqa")]


def test_three_days_are_not_enough():
    log = three_of_two_roles(Log(RULEBOOK), "webinar", (0, 1, 2))
    assert run(log).path("stage") == []
    assert run(log.signal(3, "page", "p1")).path("stage") == [(3, "mqa")]


def test_lately_is_less_than_two_weeks_ago():
    def told_on(day: int) -> Log:
        log = Log(RULEBOOK)
        for each in range(4):
            for person in ("p1", "p2", "p3"):
                log.signal(each, "webinar", person, role="vp")
        return log.update(day, contacts={"p3": "director"})  # the second role makes it breadth

    assert run(told_on(16)).path("stage") == [(16, "mqa")]  # the last signal came on day 3
    assert run(told_on(17)).path("stage") == []


def test_depth_alone_does_not():
    log = Log(RULEBOOK)
    for day in range(6):
        log.signal(day, "webinar", "p1", role="vp").signal(
            day, "webinar", "p2", role="director"
        )  # hundreds of points, six days, two people
    assert run(log).path("stage") == []
    assert run(log.signal(5, "page", "p3")).path("stage") == [(5, "mqa")]  # the third person


def test_three_people_of_one_role_are_no_breadth():
    log = Log(RULEBOOK)
    for day in range(6):
        for person in ("p1", "p2", "p3"):
            log.signal(day, "webinar", person, role="vp")
    assert run(log).path("stage") == []
    assert run(log.update(5, contacts={"p3": "director"})).path("stage") == [(5, "mqa")]


def test_breadth_alone_does_not():
    log = Log(RULEBOOK)
    for first in (0, 3, 6):
        three_of_two_roles(log, "page", (first, first + 1, first + 2))
    assert run(log).path("stage") == []  # nine pages are 18 points at most


def test_one_busy_day_does_not():
    log = three_of_two_roles(Log(RULEBOOK), "webinar", (0, 0, 0))
    assert score(log, RULEBOOK) == 120_000  # 3 x 40
    assert run(log).path("stage") == []


def test_what_is_long_ago_does_not():
    log = Log(RULEBOOK)
    for day in (0, 1, 2):
        log.signal(day, "webinar", "p1", role="vp").signal(day, "webinar", "p2", role="director")
    log.signal(30, "page", "p3", occurred=3)  # tells on day 30 that there were four days and three people, the last 27 days ago
    # 6 webinars: 2 x 40 x (2**(-30/14) + 2**(-29/14) + 2**(-28/14)) = 80 x (0.226 + 0.238 + 0.25) = 57.1, with p3's page 57.7
    assert run(log).path("stage") == []
    log.signal(31, "webinar", "p1", occurred=4)  # + 40 x 2**(-27/14) = 10.5: depth is there, and still nothing in the last 14 days
    assert score(log, RULEBOOK) > 60_000
    assert run(log).path("stage") == []
    assert run(log.signal(31, "page", "p1")).path("stage") == [(31, "mqa")]


def test_what_only_others_report_does_not():
    log = Log(RULEBOOK)
    for first in (0, 3):
        three_of_two_roles(log, "intent_spike", (first, first + 1, first + 2))
    assert score(log, RULEBOOK) == 360_000  # 6 x 60
    assert run(log).path("stage") == []
    assert run(log.signal(6, "page", "p1")).path("stage") == [(6, "mqa")]


def test_a_vendors_weak_signal_is_left_out():
    assert fates(RULEBOOK, Family.INTENT_SIGNALS, intent(kind="intent_spike", score=59)) == {"filtered:below_min_score": 1}
    assert fates(RULEBOOK, Family.INTENT_SIGNALS, intent(kind="intent_spike", score=60)) == {"counted": 1}
