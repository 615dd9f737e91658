"""Journeys under the default rulebook: who qualifies, who never does, and when an account falls."""

from engagement.days import iso_instant, midnight
from engagement.rulebook import load_rulebook
from tests.engagement.log_world import FIRST_DAY, FITTING, Log, run


def committee(people: dict[str, str | None], days: list[int]) -> Log:
    log = Log().update(0, attributes=FITTING, region="APAC")
    for day in days:
        for person, role in people.items():
            log.signal(day, "pricing", person, role=role).signal(day, "page", person)
    return log


def test_a_lone_enthusiast_stays_engaged():
    log = Log().update(0, attributes=FITTING, region="APAC")
    for day in range(0, 60, 2):
        log.signal(day, "pricing", "solo", role="c_level").signal(day, "download", "solo").signal(day, "webinar", "solo")
    assert [rung for _, rung in run(log).path("stage")] == ["engaged"]


def test_intent_alone_never_qualifies():
    log = Log().update(0, attributes=FITTING, region="APAC")
    for day in range(0, 60, 2):
        for person in ("p1", "p2", "p3"):
            log.signal(day, "surge", person).signal(day, "review_site", person)
    assert [rung for _, rung in run(log).path("stage")] == ["engaged"]


def test_a_newsletter_crowd_never_qualifies():
    log = Log().update(0, attributes=FITTING, region="APAC")
    for day in range(0, 60, 7):
        for number in range(30):
            log.signal(day, "email_open", f"p{number}").signal(day, "email_click", f"p{number}")
    assert run(log).path("stage") == []


def test_a_booth_burst_of_one_day_never_qualifies():
    log = Log().update(0, attributes=FITTING, region="APAC")
    for number in range(20):
        log.signal(3, "page", f"p{number}").signal(3, "download", f"p{number}").signal(3, "email_open", f"p{number}")
    log.until(60)
    assert "mqa" not in [rung for _, rung in run(log).path("stage")]


def test_anonymous_visitors_alone_do_not_even_engage_for_long():
    log = Log().update(0, attributes=FITTING, region="APAC")
    for day in range(30):
        for _ in range(50):
            log.signal(day, "page")
    assert run(log).path("stage") == []


def test_a_committee_of_four_qualifies_within_two_weeks_and_reaches_tier_2():
    log = committee({"p1": "vp", "p2": "director", "p3": None, "p4": None}, [0, 3, 6, 9, 12])
    result = run(log)
    (day,) = [day for day, rung in result.path("stage") if rung == "mqa"]
    assert day < 14
    assert result.rung("tier") == "tier_2"


def test_a_committee_of_two_qualifies_within_two_weeks():
    log = Log().update(0, attributes=FITTING, region="APAC")
    for day in (0, 4, 8, 12):
        log.signal(day, "pricing", "p1", role="director").signal(day, "download", "p2").signal(day, "page", "p2")
    assert "mqa" in [rung for day, rung in run(log).path("stage") if day < 14]


def test_a_demo_request_qualifies_at_once_past_engaged():
    (change,) = [change for change in run(Log().signal(2, "demo_request", "p1")).changes if change.to == "mqa"]
    assert change.passed == ("engaged",)
    assert change.qualified


def test_a_competitor_stays_out_and_is_still_scored():
    log = Log().update(0, relationship="competitor", attributes=FITTING, region="APAC")
    for day in range(5):
        log.signal(day, "demo_request", "p1").signal(day, "pricing", "p2")
    assert run(log).changes == []
    log.update(5, relationship="prospect")
    assert run(log).path("stage") == [(5, "mqa")]


def test_a_competitor_found_out_falls_at_once_whatever_the_dwell():
    log = Log().update(0, attributes=FITTING, region="APAC").signal(1, "demo_request", "p1").update(2, relationship="competitor")
    result = run(log)
    assert result.path("stage") == [(1, "mqa"), (2, "watch")]
    assert result.path("tier") == [(0, "tier_3"), (2, "untiered")]
    assert {change.reason for change in result.changes if change.direction == "demotion"} == {"suppression"}


def test_an_account_that_goes_quiet_falls_on_the_day_that_was_announced():
    log = committee({"p1": "vp", "p2": "director", "p3": None, "p4": None}, [0, 3, 6])
    announced = {change.to: change.expires_at for change in run(log).changes if change.ladder == "stage"}
    log = log.until(150)
    falls = [change for change in run(log).changes if change.ladder == "stage" and change.direction == "demotion"]
    assert [change.reason for change in falls] == ["silence", "silence"]
    assert falls[-1].effective_at == falls[-2].expires_at
    assert falls[0].from_ == "mqa"
    assert announced["mqa"] is not None
    assert falls[0].effective_at >= announced["mqa"]  # signals after the promotion postponed it


def test_with_nothing_after_the_promotion_the_announced_day_is_exact():
    log = Log().signal(0, "demo_request", "p1")
    (promotion,) = run(log).changes
    fall = run(log.until(120)).changes[1]
    assert promotion.expires_at == fall.effective_at == iso_instant(midnight(FIRST_DAY + 30))
    assert fall.to == "engaged"


def test_a_fall_waits_for_the_dwell():
    log = Log().signal(40, "demo_request", "p1", occurred=11)  # 51 points, under keep's 60, and from day 41 on no longer "now"
    (promotion,) = run(log).changes
    assert run(log.until(80)).path("stage")[:2] == [(40, "mqa"), (54, "engaged")]
    assert promotion.expires_at == iso_instant(midnight(FIRST_DAY + 54))


def test_a_fit_that_becomes_unknown_is_kept_but_earns_nothing():
    log = Log().update(0, attributes=FITTING, region="APAC", listed_tier=None)
    for day in (0, 3, 6):
        for person in ("p1", "p2", "p3"):
            log.signal(day, "pricing", person).signal(day, "webinar", person)
    log.update(7, attributes=dict.fromkeys(FITTING))
    assert run(log).rung("tier") == "tier_2"
    assert run(Log().update(0, attributes={})).path("tier") == []


def test_both_ladders_may_move_on_one_record_in_order():
    log = Log().update(0, relationship="customer", listed_tier=1)
    first, second = run(log).changes
    assert (first.ladder, first.to, first.sequence) == ("stage", "customer", 1)
    assert (second.ladder, second.to, second.sequence) == ("tier", "tier_1", 2)
    assert first.passed == ("engaged", "mqa", "accepted", "opportunity")
    assert not first.qualified  # mqa was passed without being earned
    assert second.passed == ("tier_3", "tier_2")


def test_an_accepted_account_is_held_until_another_disposition():
    log = Log().update(0, disposition={"status": "accepted"}).until(300)
    assert run(log).path("stage") == [(0, "accepted")]
    log.update(301, disposition={"status": "recycled"})
    assert run(log).path("stage") == [(0, "accepted"), (301, "watch")]


def test_an_open_opportunity_holds_its_rung_until_it_is_won_or_lost():
    log = Log().update(0, opportunity={"id": "o1", "stage": "open"}).update(1, opportunity={"id": "o2", "stage": "open"})
    log.update(2, opportunity={"id": "o1", "stage": "lost"})
    assert run(log).rung("stage") == "opportunity"
    log.update(3, opportunity={"id": "o2", "stage": "won"})
    assert run(log).rung("stage") is None


def test_sequences_run_from_one_without_a_gap_and_ids_are_unique():
    log = committee({"p1": "vp", "p2": "director", "p3": None, "p4": None}, [0, 3, 6, 9]).until(300)
    changes = run(log).changes
    assert [change.sequence for change in changes] == list(range(1, len(changes) + 1))
    assert len({change.id for change in changes}) == len(changes)
    assert all(sum(factor.points for factor in change.factors) == change.score for change in changes)


def test_a_lesser_role_brings_the_fall_forward():
    log = Log().signal(0, "webinar", "p1", role="c_level")
    assert run(log.until(61)).path("stage") == [(0, "engaged"), (61, "watch")]  # 60 points; 15 are left on day 60
    log = Log().signal(0, "webinar", "p1", role="c_level").update(1, contacts={"p1": "intern"})
    assert run(log.until(61)).path("stage") == [(0, "engaged"), (31, "watch")]
    log = Log().signal(0, "webinar", "p1", role="c_level").signal(1, "email_open", "p1", role="intern")
    assert run(log.until(61)).path("stage") == [(0, "engaged"), (31, "watch")]


def test_an_account_may_fall_the_very_next_day():
    log = Log().update(0, attributes=FITTING, region="APAC").signal(40, "demo_request", "p1", occurred=11).until(53)
    log.signal(53, "page", "p1")
    assert run(log.until(54)).path("stage") == [(40, "mqa"), (54, "engaged")]
    text = "signals: {page: {points: 1, window: 1d}}\nstage: {engaged: {enter: {score: 1}}}"
    log = Log(load_rulebook(text, "x")).signal(0, "page", "p1")
    assert run(log.until(2)).path("stage") == [(0, "engaged"), (1, "watch")]


def test_a_tier_that_hangs_on_the_stage_announces_the_day_on_which_the_stage_lets_it_go():
    text = """
        signals: {page: {points: 8, half_life: 10d}}
        stage: {engaged: {enter: {score: 1}}, mqa: {enter: {score: 4}}}
        tier: {tier_3: {enter: {stage: engaged}}}
    """
    stage, tier = run(Log(load_rulebook(text, "x")).signal(0, "page", "p1")).changes
    assert stage.expires_at == iso_instant(midnight(FIRST_DAY + 11))
    assert tier.expires_at == iso_instant(midnight(FIRST_DAY + 31))
    log = Log(load_rulebook(text, "x")).signal(0, "page", "p1").until(40)
    assert run(log).path("stage") == [(0, "mqa"), (11, "engaged"), (31, "watch")]
    assert run(log).path("tier") == [(0, "tier_3"), (31, "untiered")]


def test_a_silent_strategic_logo_that_fits_is_in_tier_1_and_no_mqa():
    result = run(Log().update(0, attributes=FITTING, region="APAC").update(1, strategic=True).until(365))
    assert result.path("tier") == [(0, "tier_3"), (1, "tier_1")]
    assert result.path("stage") == []


def test_a_quiet_quarter_ends_the_stage_and_not_tier_1():
    log = committee({"p1": "c_level", "p2": "vp", "p3": "director", "p4": None}, [0, 3, 6, 9]).update(10, expected_ltv=1_000_000)
    # Three people are at their cap of 60; the fourth has 15 x (0.79 + 0.85 + 0.91 + 0.98) = 53, and pages: 233, over 220.
    assert run(log).path("tier")[-1] == (10, "tier_1")
    result = run(log.until(9 + 91))
    assert result.rung("stage") is None
    assert result.rung("tier") == "tier_1"
