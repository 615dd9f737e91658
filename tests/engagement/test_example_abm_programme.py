"""A whole account-based marketing programme: the ideal customer, its committee, its needs, and how much attention it gets."""

from typing import Any

import pytest

from engagement.adapters.mapping import Format
from engagement.events import Family
from tests.engagement.adapter_world import taken
from tests.engagement.example_world import example, fates, intake_by, page_kind, score, seen
from tests.engagement.intake_world import HOUR, NOON, intent, record, visit
from tests.engagement.intake_world import run as run_intake
from tests.engagement.log_world import Log, run

RULEBOOK = example("abm_programme")
IDEAL = {"industry": "fintech", "employees": 250, "revenue": 20_000_000, "uses": ["Salesforce"]}
# 30 + 20 + 15 for the first three, 10 for Salesforce, and the region's 10: 85. Not on Kafka: 4 that are known and not met.


def ideal() -> Log:
    return Log(RULEBOOK).update(0, attributes=IDEAL, region="APAC")


def fit(**attributes: object) -> tuple[int | None, int, str]:
    found = seen(Log(RULEBOOK).update(0, attributes=attributes, region="apac"), RULEBOOK).fit
    return found.score, found.known, found.grade


# ---- Who they are


def test_the_ideal_customer_has_the_best_grade():
    assert fit(**IDEAL) == (95, 890, "A")  # 85 of 89 that are known = 95.5


def test_each_criterion_weighs_what_it_says():
    assert fit(**IDEAL, founded=2010, churn=5, culture="Remote first", stock_listed=False) == (96, 1000, "A")  # 85 + 3 + 3 + 3 + 2 = 96
    assert fit(**IDEAL, founded=2009, churn=5, culture="Remote first", stock_listed=False) == (93, 1000, "A")
    assert fit(**IDEAL, founded=2010, churn=6, culture="Remote first", stock_listed=False) == (93, 1000, "A")
    assert fit(**IDEAL, founded=2010, churn=5, culture="in the office", stock_listed=False) == (93, 1000, "A")
    assert fit(**IDEAL, founded=2010, churn=5, culture="Remote first", stock_listed=True) == (94, 1000, "A")
    assert fit(**(IDEAL | {"uses": ["salesforce", "kafka", "kubernetes"]})) == (100, 890, "A")  # 89 of 89
    assert fit(**(IDEAL | {"uses": ["kafka", "kubernetes"]})) == (88, 890, "A")  # 79 of 89 = 88.8
    assert fit(**(IDEAL | {"employees": 501})) == (73, 890, "B")  # 65 of 89 = 73.0
    assert fit(**(IDEAL | {"industry": "retail"})) == (61, 890, "C")  # 55 of 89 = 61.8
    assert fit(**(IDEAL | {"industry": "retail", "revenue": 9_999_999})) == (44, 890, "none")  # 40 of 89 = 44.9


def test_an_account_of_which_too_little_is_known_has_no_grade():
    assert fit(industry="fintech") == (100, 400, "unknown")  # 30 and the region's 10 of 100
    assert fit(industry="fintech", employees=250) == (100, 600, "A")  # 60 of 100: enough


def test_value_is_apart_from_fit():
    log = Log(RULEBOOK).update(0, attributes={"industry": "retail"}, expected_ltv=1_000_000)
    assert seen(log, RULEBOOK).facts.value == "high"
    assert seen(ideal().update(0, expected_ltv=999_999), RULEBOOK).facts.value == "low"
    assert seen(ideal().update(0, strategic=True), RULEBOOK).facts.value == "high"


# ---- What they look into


def reads(log: Log, day: int, topic: str, people: tuple[str, ...], times: int) -> Log:
    for _ in range(times):
        for person in people:
            log.signal(day, "topic_read", person, topic=topic)
    return log


def surges(log: Log) -> tuple[str, ...]:
    return seen(log, RULEBOOK).facts.surges


def test_a_need_surges_on_its_topics_together():
    log = ideal().signal(0, "page", "p1")  # known since day 0, more than 8 weeks before day 60
    reads(log, 60, "card payments", ("p1",), 3)
    reads(log, 60, "SEPA", ("p2",), 2)
    assert surges(log) == ()  # 5 of the 6 signals it takes
    # 6 in the last 3 weeks are 2 a week, none before: 50 + 25 log2((2 + 1) / (0 + 1)) = 50 + 25 x 1.58 = 89, over 60.
    assert surges(reads(log, 60, "sepa", ("p2",), 1)) == ("payments",)  # neither topic by itself, with 3 each
    assert surges(log.until(80)) == ("payments",)  # 20 days old: still recent
    assert surges(log.until(81)) == ()


def test_one_reader_is_no_surge():
    log = ideal().signal(0, "page", "p1")
    assert surges(reads(log, 60, "sepa", ("p1",), 10)) == ()


def test_a_topic_that_was_always_read_does_not_surge():
    log = ideal()
    for week in range(12):
        reads(log, 7 * week, "sepa", ("p1", "p2"), 1)  # 2 a week on days 0, 7, .. 77
    reads(log, 98, "sepa", ("p1", "p2"), 3)  # 6 in the last 3 weeks: 2 a week, and 24 in the 12 weeks before: 2 a week
    assert surges(log) == ()  # 50 + 25 log2(3 / 3) = 50


def test_a_young_history_says_nothing_of_surges():
    log = ideal().signal(4, "page", "p1")  # on day 60 that is 56 days ago, 8 weeks
    assert surges(reads(log, 60, "sepa", ("p1", "p2"), 3)) == ("payments", "sepa")
    log = ideal().signal(5, "page", "p1")  # 55 days, 7 weeks and a little
    assert surges(reads(log, 60, "sepa", ("p1", "p2"), 3)) == ()


def test_a_need_with_a_share_surges_where_enough_of_its_topics_do():
    log = ideal().signal(0, "page", "p1")
    reads(log, 60, "fraud detection", ("p1", "p2"), 3)
    assert surges(log) == ("fraud detection",)  # one of three: 33 %, under 60 %
    assert "curious" not in seen(log, RULEBOOK).facts.segments
    reads(log, 60, "AML", ("p1", "p3"), 3)
    assert surges(log) == ("aml", "fraud", "fraud detection")  # two of three: 66 %
    assert "curious" in seen(log, RULEBOOK).facts.segments  # two topics; the need is none


# ---- What they did, and who did it


@pytest.mark.parametrize(
    ("kind", "today", "day", "later"),
    [
        ("page", 1_000, 14, 500),
        ("pricing", 15_000, 30, 7_500),
        ("whitepaper", 20_000, 30, 10_000),
        ("webinar", 30_000, 30, 15_000),
        ("topic_read", 2_000, 29, 2_000),
        ("topic_read", 2_000, 30, 0),
        ("demo_request", 100_000, 30, 50_000),
        ("email_open", 0, 1, 0),
    ],
)
def test_what_a_signal_is_worth_today_and_later(kind: str, today: int, day: int, later: int):
    assert score(Log(RULEBOOK).signal(0, kind, "p1"), RULEBOOK) == today
    assert score(Log(RULEBOOK).signal(0, kind, "p1").until(day), RULEBOOK) == later


def test_who_was_here_ninety_days_ago_is_not_active_any_more():
    log = Log(RULEBOOK).signal(0, "page", "p1")
    assert seen(log.until(89), RULEBOOK).facts.people == 1
    assert seen(log.until(90), RULEBOOK).facts.people == 0


def test_roles_weigh_and_interns_count_for_nothing():
    log = Log(RULEBOOK).signal(0, "webinar", "p1", role="economic_buyer").signal(0, "webinar", "p2", role="intern")
    assert score(log, RULEBOOK) == 60_000  # 30 x 2, and 30 x 0
    assert score(log.signal(0, "whitepaper", "p1"), RULEBOOK) == 60_000  # 60 + 20 x 2 = 100, capped at 60 for a person
    assert score(log.signal(0, "whitepaper", "p3", role="champion"), RULEBOOK) == 90_000  # + 20 x 1.5


def test_what_the_caps_let_through():
    log = Log(RULEBOOK)
    for _ in range(5):
        log.signal(0, "pricing", None)
    assert score(log, RULEBOOK) == 22_500  # min(5, 3) x 15 x 0.5
    assert score(log.signal(1, "webinar", None), RULEBOOK) == 30_000  # and about 15 more, capped at 30
    log = Log(RULEBOOK)
    for person in range(8):
        for _ in range(3):
            log.signal(0, "page", f"p{person}").signal(0, "topic_read", f"p{person}")
    assert score(log, RULEBOOK) == 60_000  # 8 x 3 pages are 24, capped at 20, and 8 x 3 x 2 of the vendor's 48, capped at 40


def test_a_call_is_worth_its_minutes_and_fades_evenly():
    log = Log(RULEBOOK).signal(0, "sales_call", "p1", seconds=1800)
    assert score(log, RULEBOOK) == 30_000
    assert score(log.until(45), RULEBOOK) == 15_000
    assert score(log.until(90), RULEBOOK) == 0


def test_the_committee_is_of_those_seen_and_those_only_known():
    log = ideal().signal(0, "email_open", "p1", role="champion")
    assert seen(log, RULEBOOK).facts.committee == 250  # one of four roles, in thousandths
    log.update(1, contacts={"p2": "economic_buyer", "p3": "technical_buyer", "p4": "champion"})
    assert seen(log, RULEBOOK).facts.committee == 750


# ---- How much attention they get


def test_who_fits_is_in_tier_3_and_waits():
    assert run(ideal()).path("tier") == [(0, "tier_3")]
    assert run(Log(RULEBOOK).update(0, listed_tier=3)).path("tier") == [(0, "tier_3")]
    assert run(Log(RULEBOOK).update(0, attributes={"industry": "retail"})).path("tier") == []


def test_an_mqa_with_most_of_its_committee_is_in_tier_2():
    log = ideal().signal(1, "demo_request", "p1", role="champion")
    assert run(log).path("tier") == [(0, "tier_3")]
    log.update(2, contacts={"p2": "economic_buyer", "p3": "technical_buyer"})
    assert run(log).path("tier") == [(0, "tier_3"), (2, "tier_2")]


def test_a_committee_may_be_completed_by_somebody_who_only_opens_mail():
    log = ideal().signal(1, "demo_request", "p1", role="champion").update(1, contacts={"p2": "economic_buyer"})
    log.signal(2, "email_open", "p3", role="technical_buyer")
    assert run(log).path("tier") == [(0, "tier_3"), (2, "tier_2")]


def test_an_mqa_that_is_researching_is_in_tier_2():
    log = ideal().signal(1, "demo_request", "p1").signal(1, "pricing", "p1").signal(2, "pricing", "p1")
    assert run(log.signal(3, "whitepaper", "p1")).rung("tier") == "tier_3"  # three, by one person
    assert run(log.signal(4, "pricing", "p2")).rung("tier") == "tier_2"


def test_an_mqa_whose_need_surges_is_in_tier_2():
    log = ideal().signal(0, "page", "p1").signal(60, "demo_request", "p1")
    reads(log, 60, "sepa", ("p1", "p2"), 2)
    assert run(log).rung("tier") == "tier_3"
    assert run(reads(log, 61, "card payments", ("p1", "p2"), 1)).rung("tier") == "tier_2"
    log = ideal().signal(0, "page", "p1").signal(60, "demo_request", "p1")
    reads(reads(log, 60, "aml", ("p1", "p2"), 3), 60, "kyc", ("p1", "p2"), 3)
    assert run(log).rung("tier") == "tier_2"  # two of the three topics of fraud
    assert run(log.update(61, attributes={"employees": 501})).rung("tier") == "tier_2"  # B
    assert run(log.update(61, attributes={"industry": "retail"})).rung("tier") is None  # 35 of 89


def test_an_mqa_without_a_good_fit_is_not_in_tier_2():
    def tier(**attributes: object) -> str | None:
        log = Log(RULEBOOK).update(0, attributes=IDEAL | attributes, region="APAC").signal(1, "demo_request", "p1", role="champion")
        result = run(log.update(1, contacts={"p2": "economic_buyer", "p3": "technical_buyer"}))
        assert result.rung("stage") == "mqa"
        return result.rung("tier")

    assert tier(employees=501) == "tier_2"  # 65 of 89: B
    assert tier(industry="retail") == "tier_3"  # 55 of 89: C
    assert tier(industry=None, employees=None) is None  # 39 of 100 are known


def test_a_blocker_keeps_an_account_out_of_tier_2():
    log = ideal().signal(1, "demo_request", "p1", role="champion").signal(1, "email_open", "p9", role="procurement")
    log.update(2, contacts={"p2": "economic_buyer", "p3": "technical_buyer"})
    assert run(log).rung("tier") == "tier_3"
    assert run(log.update(3, contacts={"p9": "user"})).path("tier") == [(0, "tier_3"), (3, "tier_2")]


def test_tier_2_ends_with_sixty_days_of_silence_and_not_with_the_stage():
    log = ideal().update(0, contacts={"p2": "economic_buyer", "p3": "technical_buyer"}).signal(1, "demo_request", "p1", role="champion")
    log.until(80)
    # 100 x 1.5 = 150 points, halved every 30 days: 60 are kept until 150 x 2 ** (-39/30) = 60.9 on day 40, and 59.5 on day 41.
    # 30 are enough for engaged to day 70: 150 x 2 ** (-69/30) = 30.5; then 15 keep it to the end of the log.
    assert run(log).path("stage") == [(1, "mqa"), (41, "engaged")]
    assert run(log).path("tier") == [(0, "tier_3"), (1, "tier_2"), (61, "tier_3")]
    assert "gone_quiet" in run(log).changes[-1].segments


def test_a_list_holds_tier_2_through_any_silence():
    log = ideal().update(1, listed_tier=2).until(200)
    assert run(log).path("tier") == [(0, "tier_3"), (1, "tier_2")]


def test_a_strategic_logo_that_fits_is_in_tier_1_and_stays():
    log = ideal().update(1, strategic=True).until(200)
    assert run(log).path("tier") == [(0, "tier_3"), (1, "tier_1")]
    log = Log(RULEBOOK).update(0, strategic=True, attributes=IDEAL | {"industry": "retail"}, region="APAC")
    assert run(log).rung("tier") == "tier_3"


def test_tier_1_is_kept_by_those_who_fit_whatever_earned_it():
    log = ideal().update(1, strategic=True).update(2, strategic=None, attributes={"employees": 501})
    assert run(log).path("tier") == [(0, "tier_3"), (1, "tier_1")]  # 65 of 89: B
    assert run(log.update(3, attributes={"employees": 250})).rung("tier") == "tier_1"  # A
    log.update(4, attributes={"industry": "retail"})
    assert run(log).path("tier")[-1] == (4, "tier_3")  # C


def test_a_list_says_tier_1_too_and_there_is_room_for_twenty():
    assert run(Log(RULEBOOK).update(0, listed_tier=1)).path("tier") == [(0, "tier_1")]
    assert RULEBOOK.tier is not None
    assert [rule.seats for rule in RULEBOOK.tier.values()] == [1500, 200, 20]


def test_a_valuable_deal_with_everybody_at_the_table_is_in_tier_1():
    log = ideal().update(1, expected_ltv=1_000_000).update(1, opportunity={"id": "o1", "stage": "open"})
    log.update(2, contacts={"p1": "champion", "p2": "economic_buyer", "p3": "technical_buyer"})
    assert run(log).path("tier") == [(0, "tier_3"), (2, "tier_2")]
    assert run(log.update(3, contacts={"p4": "user"})).path("tier")[-1] == (3, "tier_1")


@pytest.mark.parametrize(
    "lacking",
    [
        {"expected_ltv": 999_999},
        {"opportunity": {"id": "o1", "stage": "lost"}},
        {"contacts": {"p5": "legal"}},
        {"attributes": {"employees": 501}},
    ],
)
def test_such_a_deal_needs_all_of_it(lacking: dict[str, Any]):
    log = ideal().update(1, expected_ltv=1_000_000).update(1, opportunity={"id": "o1", "stage": "open"}).update(1, **lacking)
    log.update(2, contacts={"p1": "champion", "p2": "economic_buyer", "p3": "technical_buyer", "p4": "user"})
    assert run(log).rung("tier") != "tier_1"


def test_the_rungs_that_people_decide():
    log = ideal().update(1, disposition={"status": "accepted"}).update(2, opportunity={"id": "o1", "stage": "open"})
    log.update(3, relationship="customer")
    assert run(log).path("stage") == [(1, "accepted"), (2, "opportunity"), (3, "customer")]


def two_people_on_two_days(log: Log) -> Log:
    for person in ("p1", "p2"):
        log.signal(1, "webinar", person).signal(1, "whitepaper", person)  # 50 each
    assert run(log).rung("stage") == "engaged"  # 100 by two people, but on one day
    # Day 2: 50 x 2 ** (-1/30) = 48.9 each, and 15: 60 (the cap) for the first and 48.9 for the second.
    return log.signal(2, "pricing", "p1")


def test_the_interest_of_two_people_on_two_days_makes_an_mqa():
    assert run(two_people_on_two_days(ideal())).path("stage") == [(1, "engaged"), (2, "mqa")]
    assert run(two_people_on_two_days(Log(RULEBOOK))).path("stage") == [(1, "engaged"), (2, "mqa")]  # of a fit that nobody knows


def test_a_bad_fit_makes_no_mqa_by_interest_nor_by_a_demo_request():
    log = Log(RULEBOOK).update(0, attributes=IDEAL | {"industry": "retail", "revenue": 1_000_000}, region="APAC")  # 40 of 89: none
    assert run(two_people_on_two_days(log).signal(3, "demo_request", "p1")).path("stage") == [(1, "engaged")]


def test_an_mqa_is_one_for_two_weeks_at_least():
    log = Log(RULEBOOK).signal(40, "demo_request", "p1", occurred=11).until(60)
    # 29 days old, "now" for the last day; 100 x 2 ** (-29/30) = 51 are under the 60 to keep, but until day 54 it is held.
    assert run(log).path("stage") == [(40, "mqa"), (54, "engaged")]


def test_who_fell_from_mqa_waits_a_month():
    log = Log(RULEBOOK).signal(0, "demo_request", "p1").until(34)
    # The request is "now" until day 29; 100 x 2 ** (-30/30) = 50 on day 30 are too few to keep it.
    assert run(log).path("stage") == [(0, "mqa"), (30, "engaged")]
    log.signal(35, "demo_request", "p2").until(65)
    assert run(log).path("stage") == [(0, "mqa"), (30, "engaged"), (60, "mqa")]  # the month is over, and the second request is 25 days old


def test_competitors_partners_own_staff_and_an_embargoed_account_stay_at_the_bottom():
    def moved(account: str, relationship: str) -> bool:
        log = Log(RULEBOOK).update(0, account=account, attributes=IDEAL, region="APAC", relationship=relationship, strategic=True)
        return bool(run(log.signal(1, "demo_request", "p1", account=account)).changes)

    assert moved("acme.com", "prospect")
    assert not any(moved("acme.com", relationship) for relationship in ("competitor", "partner", "own_staff"))
    assert not moved("embargoed.example", "prospect")


# ---- Named groups


def segments(log: Log) -> list[str]:
    return seen(log, RULEBOOK).facts.segments


def test_an_account_of_which_nothing_was_heard_is_in_the_quiet_groups():
    assert segments(ideal()) == ["gone_quiet", "mail_unread"]


def test_groups_by_what_is_known():
    assert "strategic_logo" in segments(ideal().update(0, strategic=True))
    assert "too_large" in segments(ideal().update(0, attributes={"employees": 1000}))
    assert "too_large" not in segments(ideal().update(0, attributes={"employees": 999}))
    assert "sales_said_no" in segments(ideal().update(0, disposition={"status": "recycled"}))
    assert "sales_said_no" in segments(ideal().update(0, disposition={"status": "rejected"}))
    assert "sales_said_no" not in segments(ideal().update(0, disposition={"status": "accepted"}))


def test_groups_by_what_is_done():
    log = ideal().signal(0, "email_open", "p1")
    assert segments(log) == ["gone_quiet"]  # mail that is opened is worth no point
    assert segments(log.signal(1, "page", "p1").until(29)) == []
    assert segments(log.until(30)) == ["mail_unread"]  # 30 days after it was opened
    assert segments(log.until(60)) == ["mail_unread"]
    assert segments(log.until(61)) == ["gone_quiet", "mail_unread"]  # 60 days after the page


def test_research_is_three_by_two_people_in_thirty_days():
    log = ideal().signal(0, "pricing", "p1").signal(5, "whitepaper", "p2")
    assert "researching" not in segments(log)
    assert "researching" in segments(log.signal(6, "pricing", "p1"))
    assert "researching" in segments(log.until(29))
    assert "researching" not in segments(log.until(30))  # the first is 30 days old
    assert "researching" not in segments(ideal().signal(0, "pricing", "p1").signal(0, "pricing", "p1").signal(0, "whitepaper", "p1"))


def test_a_lost_deal_that_stirs_is_one_to_win_back():
    log = ideal().update(0, opportunity={"id": "o1", "stage": "lost"})
    assert "lost_to_others" in segments(log)
    assert "win_back" not in segments(log)
    assert "win_back" in segments(log.signal(1, "page", "p1"))


# ---- What comes in


def test_pages_are_told_apart_by_their_address():
    assert [page_kind(RULEBOOK, path) for path in ("/pricing/eu", "/blog")] == ["pricing", "page"]
    assert fates(RULEBOOK, Family.WEB_VISITS, visit(url="https://us.example/careers")) == {"filtered:ignored_url": 1}


@pytest.mark.parametrize(
    ("said", "fate"),
    [
        ({}, "counted"),
        ({"kind": "topic_read", "score": 50}, "counted"),
        ({"kind": "topic_read", "score": 49}, "filtered:below_min_score"),
        ({"kind": "topic_read"}, "counted"),  # a vendor that gives no score
        ({"email": "jane@webmail.example"}, "filtered:free_mail"),
        ({"email": "jane@throwaway.example"}, "filtered:disposable_mail"),
        ({"email": "ana@ourselves.example", "account": "acme.example"}, "filtered:own_domain"),
        ({"sent_at": "2025-01-01T11:58:50Z"}, "counted"),  # it occurred ten seconds later
        ({"sent_at": "2025-01-01T11:58:50.001Z"}, "filtered:scanner"),
        ({"occurred_at": "2024-11-02T12:00:00Z"}, "counted"),  # received on 1 January 2025, 60 days later
        ({"occurred_at": "2024-11-01T12:00:00Z"}, "dead:late"),  # 61 days
        ({"occurred_at": "2025-01-01T12:10:00Z"}, "counted"),  # received at 12:00
        ({"occurred_at": "2025-01-01T12:10:01Z"}, "dead:future"),
    ],
)
def test_what_becomes_of_an_event(said: dict[str, object], fate: str):
    assert fates(RULEBOOK, Family.INTENT_SIGNALS, intent(**said)) == {fate: 1}


def test_what_a_data_centre_looks_at_counts_for_nobody_named_or_not():
    assert fates(RULEBOOK, Family.WEB_VISITS, visit(url="/pricing", ip="10.0.3.1")) == {"filtered:data_centre": 1}
    assert fates(RULEBOOK, Family.WEB_VISITS, visit(url="/pricing", ip="10.0.2.1")) == {"counted": 1}


@pytest.mark.parametrize(("hours", "times"), [(48, 1), (49, 2)])
def test_an_event_sent_twice_within_two_days_counts_once(hours: int, times: int):
    intake = intake_by(RULEBOOK)
    arrivals = enumerate((NOON, NOON + hours * HOUR))
    run_intake(intake, [record(Family.INTENT_SIGNALS, intent(), offset=offset, received_at=at) for offset, at in arrivals])
    assert intake.position.fates["counted"] == times
    assert RULEBOOK.intake.dedupe_count == 100_000


def test_what_other_tools_call_it():
    assert RULEBOOK.adapters is not None
    envelope = {"specversion": "1.0", "type": "com.crm.account.changed", "source": "/crm", "id": "7", "time": "2025-01-01T12:00:00Z"}
    ((family, key, update),) = taken(Format.CLOUDEVENTS, envelope | {"data": {"account": "acme.example", "owner": "Jo"}}, RULEBOOK.adapters)
    assert (family, key, update["owner"]) == ("account-updates", "acme.example", "Jo")
    traits = {"email": "jane@acme.example", "buying_role": "champion"}
    call = {"type": "track", "event": "Whitepaper Downloaded", "messageId": "m1", "timestamp": "2025-01-01T12:00:00Z", "traits": traits}
    ((_, _, signal),) = taken(Format.SEGMENT, call, RULEBOOK.adapters)
    assert (signal["kind"], signal["role"]) == ("whitepaper", "champion")
