"""200 points in three months, or two directors with 30 points each. Points are in thousandths."""

from tests.engagement.example_world import example, score, seen
from tests.engagement.log_world import Log, run

RULEBOOK = example("points_or_directors")


def clicks(log: Log, person: str, role: str, times: int) -> Log:
    for _ in range(times):
        log.signal(0, "click", person, role=role)
    return log


def test_two_directors_with_thirty_points_each_are_an_mqa():
    log = Log(RULEBOOK).signal(0, "form", "d1", role="director")  # 50
    clicks(log, "d2", "director", 9).signal(0, "page", "d2").signal(0, "page", "d2")  # 9 x 3 + 2 = 29
    assert run(log).path("stage") == []
    clicks(log, "d2", "director", 1)  # 32
    assert run(log).path("stage") == [(0, "mqa")]
    assert score(log, RULEBOOK) == 82_000  # far from 200


def test_a_director_and_a_vice_president_are_no_two_directors():
    log = clicks(Log(RULEBOOK).signal(0, "form", "d1", role="director"), "v1", "vp", 20)  # 50, and 20 x 3 = 60
    assert run(log).path("stage") == []
    assert run(log.update(1, contacts={"v1": "director"})).path("stage") == [(1, "mqa")]  # now there are two


def test_two_hundred_points_are_an_mqa_whoever_has_them():
    log = Log(RULEBOOK)
    for person in ("p1", "p2"):
        log.signal(0, "form", person)
    clicks(log, "p1", "vp", 16)  # 50 + 48 = 98
    log.signal(1, "form", "p2")  # 100
    log.signal(1, "page", "p1")
    assert run(log).path("stage") == []  # 199
    assert run(log.signal(1, "page", "p1")).path("stage") == [(1, "mqa")]  # 200


def test_points_count_in_full_for_three_months():
    log = Log(RULEBOOK)
    for person in ("p1", "p2"):
        log.signal(0, "form", person).signal(1, "form", person)
    assert run(log.until(100)).path("stage") == [(1, "mqa"), (90, "watch")]  # on day 90 the forms of day 0 are gone, 100 stay


def test_nobody_alone_brings_more_than_a_hundred():
    log = Log(RULEBOOK)
    for _ in range(5):
        log.signal(0, "form", "p1")
    (factor,) = seen(log, RULEBOOK).factors
    assert (factor.points, factor.clipped) == (100_000, 150_000)  # 5 x 50 = 250


def test_unknown_visitors_bring_no_more_than_twenty():
    log = Log(RULEBOOK)
    for _ in range(18):
        log.signal(0, "page", None)
    assert score(log, RULEBOOK) == 18_000
    for _ in range(7):
        log.signal(1, "page", None)
    assert score(log, RULEBOOK) == 20_000  # 18 + 7 = 25
    for _ in range(30):
        log.signal(2, "page", None)
    (factor,) = seen(log, RULEBOOK).factors
    assert (factor.points, factor.clipped) == (20_000, 25_000)  # 18 + 7 + min(30, 20) = 45


def test_what_others_report_brings_no_more_than_fifty():
    assert score(Log(RULEBOOK).signal(0, "review_pricing", "p1"), RULEBOOK) == 50_000
    log = Log(RULEBOOK).signal(0, "review_category", "p1")
    assert score(log, RULEBOOK) == 10_000
    log.signal(0, "review_pricing", "p2")
    assert score(log, RULEBOOK) == 50_000  # 10 + 50 = 60


def test_page_views_of_everybody_bring_no_more_than_forty():
    log = Log(RULEBOOK)
    for person in ("p1", "p2", "p3"):
        for _ in range(15):
            log.signal(0, "page", person)
    (factor,) = seen(log, RULEBOOK).factors
    assert (factor.points, factor.clipped) == (40_000, 5_000)  # 3 x 15 = 45
