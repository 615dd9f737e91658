"""Points that fade evenly over 90 days, with room between getting in and falling out. Points are in thousandths."""

import pytest

from tests.engagement.example_world import example, page_kind, score
from tests.engagement.log_world import Log, run

RULEBOOK = example("linear_decay")


def test_nine_points_fade_evenly_to_nothing():
    def left(day: int) -> int:
        return score(Log(RULEBOOK).signal(0, "comparison", "p1").until(day), RULEBOOK)

    assert left(0) == 9_000
    assert left(3) == 8_700  # 9 x 87/90
    assert left(30) == 6_000  # 9 x 60/90
    assert left(45) == 4_500  # 9 x 45/90
    assert left(81) == 900  # 9 x 9/90
    assert left(89) == 100  # 9 x 1/90
    assert left(90) == 0


@pytest.mark.parametrize(("kind", "half"), [("page", 500), ("comparison", 4_500), ("download", 9_000), ("webinar", 13_500)])
def test_half_of_every_kind_is_left_after_45_days(kind: str, half: int):
    assert score(Log(RULEBOOK).signal(0, kind, "p1").until(45), RULEBOOK) == half  # of 1, 9, 18 and 27
    assert score(Log(RULEBOOK).signal(0, kind, "p1").until(90), RULEBOOK) == 0


def test_comparisons_are_told_from_other_pages_by_their_address():
    assert page_kind(RULEBOOK, "/compare/them") == "comparison"
    assert page_kind(RULEBOOK, "/blog/compare") == "page"


def test_more_than_twenty_of_a_kind_in_a_day_count_no_more():
    log = Log(RULEBOOK)
    for _ in range(25):
        log.signal(0, "page", "p1")
    assert score(log, RULEBOOK) == 20_000  # min(25, 20) x 1
    assert score(log.signal(0, "page", "p2"), RULEBOOK) == 21_000  # another person has twenty more


def qualified() -> Log:
    return Log(RULEBOOK).signal(0, "webinar", "p1").signal(0, "webinar", "p2")  # 2 x 27 = 54


def test_fifty_qualify_and_forty_keep():
    log = Log(RULEBOOK).signal(0, "webinar", "p1").signal(0, "download", "p2")  # 27 + 18 = 45
    for _ in range(4):
        log.signal(0, "page", "p2")
    assert run(log).path("stage") == []  # 49
    assert run(log.signal(0, "page", "p2")).path("stage") == [(0, "mqa")]  # 50
    # 54 x 67/90 = 40.2 on day 23; 54 x 66/90 = 39.6 on day 24.
    assert run(qualified().until(30)).path("stage") == [(0, "mqa"), (24, "watch")]


def test_who_was_let_go_stays_out_for_a_week():
    log = qualified().until(24)  # fell on day 24 with 39.6
    log.signal(26, "webinar", "p3")  # 54 x 64/90 = 38.4, + 27 = 65.4: enough, two days after the fall
    # Day 31 is the seventh day after: 54 x 59/90 = 35.4, + 27 x 85/90 = 25.5, = 60.9.
    log.until(31)
    assert run(log).path("stage") == [(0, "mqa"), (24, "watch"), (31, "mqa")]
    assert run(log).changes[-1].reason == "silence"
    assert run(log).changes[-1].score == 60_900
