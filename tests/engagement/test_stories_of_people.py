"""Journeys under the default rulebook that people turn: a pin, a blocker, a need, a retraction, another role, a cool-down."""

import json
from typing import Any

from engagement.days import iso_instant, midnight
from engagement.rulebook import Rulebook, default_rulebook_text, load_rulebook
from engagement.written import read_yaml
from tests.engagement.log_world import DEFAULT, FIRST_DAY, FITTING, Log, run


def extended() -> Rulebook:
    """The default rulebook with what it leaves out: people who count for nothing, a need, blockers, a cool-down."""
    plain = read_yaml(default_rulebook_text(), "default.yaml")
    plain["roles"]["intern"] = 0
    plain["committee"] = {"required": ["economic_buyer"], "blockers": ["procurement"]}
    plain["needs"] = {"fraud": {"topics": ["aml", "kyc"]}}
    plain["stage"]["mqa"]["cool_down"] = "30d"
    plain["tier"]["tier_2"]["enter"]["any"].append({"surge": "fraud", "blocked": "false", "fit": ["A", "B"]})
    return load_rulebook(json.dumps(plain), "extended")


EXTENDED = extended()


def fitting(rulebook: Rulebook = DEFAULT) -> Log:
    return Log(rulebook).update(0, attributes=FITTING, region="APAC")


def test_a_pin_holds_through_its_last_day_and_shows_what_the_machine_says():
    until = FIRST_DAY + 34
    log = fitting().update(5, pin={"ladder": "tier", "rung": "tier_1", "reason": "board contact", "author": "ana", "until": until})
    result = run(log.until(60))
    assert result.path("tier") == [(0, "tier_3"), (5, "tier_1"), (35, "tier_3")]
    _, up, down = result.changes
    assert (up.reason, down.reason) == ("pin", "pin")
    assert up.expires_at == iso_instant(midnight(FIRST_DAY + 35))
    assert up.pin is not None
    assert (up.pin.computed, up.pin.reason, up.pin.author, up.pin.until) == ("tier_3", "board contact", "ana", "2025-02-04")
    assert down.pin is None


def test_what_is_earned_beneath_a_pin_is_there_when_it_ends():
    log = fitting().update(0, pin={"ladder": "tier", "rung": "tier_1", "until": FIRST_DAY + 20})
    for day in (0, 3, 6):
        for person in ("p1", "p2", "p3"):
            log.signal(day, "pricing", person).signal(day, "webinar", person)
    assert run(log.until(30)).path("tier") == [(0, "tier_3"), (0, "tier_1"), (21, "tier_2")]


def test_a_pin_may_hold_an_account_down_and_be_taken_off():
    log = fitting().update(0, pin={"ladder": "stage", "rung": "watch", "reason": "in court with us"})
    log.signal(1, "demo_request", "p1")
    assert run(log).path("stage") == []
    log.update(3, pin={"ladder": "stage", "rung": None})
    result = run(log)
    assert result.path("stage") == [(3, "mqa")]
    assert result.changes[-1].reason == "pin"


def test_a_competitor_stays_out_even_where_somebody_pins_it():
    log = fitting().update(1, pin={"ladder": "tier", "rung": "tier_1"}).update(2, relationship="competitor")
    assert run(log).path("tier") == [(0, "tier_3"), (1, "tier_1"), (2, "untiered")]
    assert run(log.update(3, relationship=None)).path("tier")[-1] == (3, "tier_1")


def interested(log: Log) -> Log:
    """Six signals on one need, by two people, after two months in which nobody asked."""
    log.signal(0, "page", "p1")
    for day in (60, 61, 62):
        log.signal(day, "surge", "p1", topic="AML").signal(day, "surge", "p2", topic="kyc")
    return log


def test_a_surge_on_a_need_opens_tier_2_on_the_day_it_is_known():
    result = run(interested(fitting(EXTENDED)))
    assert result.path("tier") == [(0, "tier_3"), (62, "tier_2")]
    assert result.changes[-1].surges == ("fraud",)  # neither topic has the six signals it takes
    assert "mqa" not in [rung for _, rung in result.path("stage")]  # intent alone never qualifies


def test_a_blocker_shuts_that_door_until_it_turns_out_to_be_none():
    log = interested(fitting(EXTENDED).signal(1, "email_open", "p9", role="procurement"))
    assert run(log).path("tier") == [(0, "tier_3")]
    log.update(63, contacts={"p9": "economic_buyer"})
    assert run(log).path("tier") == [(0, "tier_3"), (63, "tier_2")]


def taken_out(day: int) -> Log:
    """A demo request on day 0 by what later turns out to be a robot."""
    log = Log().signal(0, "demo_request", "robot").update(day, retract={"person": "robot", "reason": "a scanner fills in forms"})
    return log.update(day, retract={"person": "robot", "reason": "said twice"}).until(60)


def test_a_retraction_takes_an_mqa_back():
    result = run(taken_out(20))
    assert result.path("stage") == [(0, "mqa"), (20, "watch")]
    assert (result.changes[-1].reason, result.changes[-1].score) == ("retraction", 0)


def test_a_retraction_too_waits_for_the_dwell():
    result = run(taken_out(2))
    assert result.path("stage") == [(0, "mqa"), (14, "watch")]


def test_single_events_may_be_taken_out_and_the_rest_stays():
    log = fitting()
    for person in ("p1", "p2"):
        log.signal(0, "webinar", person).signal(1, "webinar", person)
    assert run(log).rung("stage") == "mqa"  # 2 x 60 less a little
    events: list[Any] = [
        {"id": newest_event(log, person), "kind": "webinar", "day": FIRST_DAY + 1, "person": person} for person in ("p1", "p2")
    ]
    log.update(15, retract={"events": events, "reason": "the list of who came was wrong"}).update(15, retract={"events": events})
    result = run(log)
    assert result.path("stage")[-1] == (15, "engaged")
    assert result.changes[-1].score == 42_426  # 2 x 30 x 2 ** (-15/30) = 2 x 21.2132, each floored to 21.213


def newest_event(log: Log, person: str) -> str:
    return max((at, event) for at, event, who in run(log).state().kinds["webinar"].newest if who == person)[1]


def test_a_person_who_becomes_the_boss_lifts_the_account():
    log = fitting().signal(0, "webinar", "p1").signal(0, "webinar", "p2").signal(1, "page", "p1")
    assert run(log).path("stage") == [(0, "engaged")]
    log.update(2, contacts={"p1": "c_level", "p2": "vp"})
    # Day 2: 30 x 2 ** (-2/30) = 28.645, doubled 57.29, and the page of the day before 2 x 0.9517: 59.19. The other's 28.645 x 1.5 = 42.97.
    result = run(log)
    assert result.path("stage") == [(0, "engaged"), (2, "mqa")]
    assert result.changes[-1].score == 57_290 + 1_903 + 42_967
    assert result.changes[-1].reason == "update"


def test_a_person_who_turns_out_to_be_an_intern_takes_all_of_it_along():
    log = fitting(EXTENDED).signal(0, "webinar", "p1", role="c_level").signal(0, "webinar", "p2", role="c_level").signal(1, "page", "p1")
    assert run(log).path("stage")[-1] == (1, "mqa")
    result = run(log.update(16, contacts={"p2": "intern"}))
    assert result.path("stage")[-1] == (16, "engaged")
    assert result.changes[-1].people == 1


def test_an_account_that_fell_waits_for_its_cool_down_however_it_behaves():
    log = Log(EXTENDED).signal(0, "demo_request", "p1").until(30)
    for day in (31, 40, 50):
        log.signal(day, "demo_request", "p1")
    result = run(log.until(65))
    assert result.path("stage") == [(0, "mqa"), (30, "engaged"), (60, "mqa")]  # the last request is ten days old then
    assert result.changes[-1].reason == "silence"
