"""Two high-value pages, or one form, or one review-site view, in 30 days: counts, no points."""

import pytest

from engagement.events import Family
from tests.engagement.example_world import example, fates, page_kind
from tests.engagement.intake_world import visit
from tests.engagement.log_world import Log, run

RULEBOOK = example("high_value_pages")


@pytest.mark.parametrize("kind", ["form", "review_site_view"])
def test_one_of_these_is_enough(kind: str):
    log = Log(RULEBOOK).update(0, name="Acme").signal(2, kind, None)
    assert run(log).path("stage") == [(2, "mqa")]


def test_two_high_value_pages_are_enough_and_one_is_not():
    log = Log(RULEBOOK).signal(0, "high_value_page", None)
    assert run(log).path("stage") == []
    assert run(log.signal(1, "high_value_page", None)).path("stage") == [(1, "mqa")]


def test_other_pages_never_qualify():
    log = Log(RULEBOOK)
    for _ in range(100):
        log.signal(0, "page", "p1")
    assert run(log).path("stage") == []


def test_thirty_days_are_the_day_itself_and_the_29_before():
    # From day 0 to day 29 the first view is 29 days old, from day 0 to day 30 it is 30 days old.
    assert run(Log(RULEBOOK).signal(0, "high_value_page").signal(29, "high_value_page")).path("stage") == [(29, "mqa")]
    assert run(Log(RULEBOOK).signal(0, "high_value_page").signal(30, "high_value_page")).path("stage") == []


@pytest.mark.parametrize("kind", ["form", "review_site_view"])
def test_an_mqa_is_one_until_thirty_days_have_passed(kind: str):
    log = Log(RULEBOOK).signal(3, kind, "p1").until(40)
    assert run(log).path("stage") == [(3, "mqa"), (33, "watch")]
    promotion, _ = run(log).changes
    assert promotion.expires_at == "2025-02-03T00:00:00.000Z"  # day 33, where 1 January is day 0


def test_a_signal_dated_a_day_ahead_counts_thirty_days_from_its_own_day():
    log = Log(RULEBOOK).signal(3, "form", "p1", occurred=4).until(40)
    assert run(log).path("stage") == [(3, "mqa"), (34, "watch")]


def test_pages_are_told_apart_by_their_address():
    paths = ("/pricing", "/product/one", "/customers/acme", "/blog/pricing", "/product")
    kinds = [page_kind(RULEBOOK, path) for path in paths]
    assert kinds == ["high_value_page", "high_value_page", "high_value_page", "page", "page"]


@pytest.mark.parametrize("path", ["/careers/sales", "/login", "/product/one/changelog"])
def test_pages_that_say_nothing_are_left_out(path: str):
    assert fates(RULEBOOK, Family.WEB_VISITS, visit(url=f"https://us.example{path}")) == {"filtered:ignored_url": 1}
