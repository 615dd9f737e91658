"""An account explained: the parts add up, what is missing would be enough, and what silence is said to bring comes."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.counts import MAX_PEOPLE
from engagement.days import iso_day
from engagement.explain.account import explain
from engagement.explain.explanation import Explanation, NextRung, Standing
from engagement.judging import judge_by
from engagement.records import DAY_KEY
from engagement.rulebook import Rulebook, load_rulebook
from tests.engagement.log_world import DEFAULT, FIRST_DAY, FITTING, Log, run
from tests.engagement.test_qualify_properties import RICH, RULEBOOKS, SCRIPTS, written

LATER = 240
"""Days after which nothing moves any more under the rulebooks here."""


def explained(log: Log, rulebook: Rulebook = DEFAULT, account: str = "acme.com") -> Explanation:
    result = run(log)
    changes = [change for change in result.changes if change.account == account]
    return explain(account, result.state(account), FIRST_DAY + log.day, judge_by(rulebook.canonical(), rulebook.version), changes)


def until_the_last_word(script: Any, rulebook: Rulebook) -> Log:
    """The log of a script without the long silence at its end."""
    log = written(script, rulebook)
    words = [at for at, record in enumerate(log.records) if record.key != DAY_KEY and record.value != b"{"]
    log.records = log.records[: words[-1] + 1]
    log.day = sum(record.key == DAY_KEY for record in log.records) - 1
    return log if log.day >= 0 else Log(rulebook)


def book(text: str) -> Rulebook:
    return load_rulebook(text, "test")


def standing(explanation: Explanation, ladder: str) -> Standing:
    return next(each for each in explanation.standings if each.ladder == ladder)


def upwards(explanation: Explanation, ladder: str) -> NextRung:
    above = standing(explanation, ladder).next
    assert above is not None
    return above


def asked(explanation: Explanation, ladder: str) -> list[tuple[str, ...]]:
    """What is missing, way by way."""
    return [tuple(each.asks for each in way.requirements if not each.met) for way in upwards(explanation, ladder).ways]


# What always holds


@settings(max_examples=40, deadline=None)
@given(SCRIPTS, RULEBOOKS, RULEBOOKS, st.integers(0, 140))
def test_every_account_can_be_explained_on_any_day_by_any_rulebook_and_its_parts_add_up(
    script: Any, lived_by: Rulebook, rulebook: Rulebook, day: int
):
    judge = judge_by(rulebook.canonical(), rulebook.version)
    for account, state in run(until_the_last_word(script, lived_by)).fold.accounts():
        before = msgspec.msgpack.encode(state)
        told = explain(account, state, FIRST_DAY + day, judge)
        assert msgspec.msgpack.encode(state) == before
        assert sum(share.points for share in told.shares) == told.score == judge.facts(account, state, FIRST_DAY + day).score
        people = told.people
        earned = sum(person.points for person in people.known) + people.anonymous + people.merged + people.third_party
        assert earned - people.over_caps_of_kinds == told.score
        assert people.over_caps_of_kinds >= 0
        assert all(bool(share.caps) == bool(share.clipped) for share in told.shares)
        assert all(cap.over == cap.earned - cap.limit > 0 for cap in told.caps)
        assert [(move.day, move.ladder) for move in told.in_silence] == sorted((move.day, move.ladder) for move in told.in_silence)
        assert msgspec.json.decode(msgspec.json.encode(told), type=Explanation).sentence.startswith(f"{account} ")


@settings(max_examples=40, deadline=None)
@given(SCRIPTS, RULEBOOKS)
def test_a_rung_of_which_nothing_is_missing_is_one_that_the_account_would_enter(script: Any, rulebook: Rulebook):
    judge = judge_by(rulebook.canonical(), rulebook.version)
    log = until_the_last_word(script, rulebook)
    day = FIRST_DAY + log.day
    for account, state in run(log).fold.accounts():
        facts = judge.facts(account, state, day)
        judge.moves(state, day, facts)
        for ladder, shown in zip(rulebook.ladders, explain(account, state, day, judge).standings, strict=True):
            if shown.next is not None:
                rung = next(rung for rung in ladder.rungs if rung.name == shown.next.rung)
                nearest, *_ = shown.next.ways
                assert rung.enter.holds(facts) == (nearest.missing == 0)
                assert nearest.missing > 0 or shown.next.barred is not None


@settings(max_examples=20, deadline=None)
@given(SCRIPTS, RULEBOOKS)
def test_what_silence_is_said_to_bring_is_what_the_days_then_bring(script: Any, rulebook: Rulebook):
    log = until_the_last_word(script, rulebook)
    before = run(log)
    judge = judge_by(rulebook.canonical(), rulebook.version)
    told = {account: explain(account, state, FIRST_DAY + log.day, judge) for account, state in before.fold.accounts()}
    come = run(log.until(log.day + LATER)).changes[len(before.changes) :]
    for account, explanation in told.items():
        expected = [(move.day, move.ladder, move.from_, move.to, move.is_fall) for move in explanation.in_silence]
        brought = [each for each in come if each.account == account]
        assert expected == [(each.effective_at[:10], each.ladder, each.from_, each.to, each.direction == "demotion") for each in brought]
        for shown in explanation.standings:
            falls = [each.effective_at[:10] for each in brought if (each.ladder, each.direction) == (shown.ladder, "demotion")]
            assert shown.expires == next(iter(falls), None)


# The sentence


def test_the_sentence_says_where_who_what_and_until_when():
    log = Log().update(0, attributes=FITTING, region="APAC")
    for day in (0, 3, 6, 9):
        for person in ("p1", "p2", "p3"):
            log.signal(day, "pricing", person).signal(day, "page", person)
    told = explained(log)
    assert told.sentence == (
        "acme.com is an MQA in tier 2: 3 people earned 172.4 points, most of it from pricing; "
        f"it falls back to engaged on {told.in_silence[0].day} if nothing more happens."
    )


def test_the_sentence_names_every_sort_of_source():
    log = Log().signal(0, "pricing", "p1").signal(0, "pricing").signal(0, "surge", "p2")
    assert ": 1 person, anonymous visitors and third-party signals earned 37.5 points, most of it from pricing;" in (
        explained(log).sentence
    )


def test_an_account_of_which_only_the_name_is_known_has_a_sentence_too():
    told = explained(Log().update(0, name="Acme"))
    assert told.sentence == "acme.com is being watched without a tier: it has no points; it stays there if nothing more happens."
    assert told.shares == ()


def test_a_rulebook_with_one_ladder_of_other_names_has_a_sentence_too():
    rulebook = book("signals: {page: {points: 8}}\nstage: {very_keen: {enter: {score: 5}}}")
    assert explained(Log(rulebook).signal(0, "page", "p1"), rulebook).sentence.startswith(
        "acme.com is on stage very keen: 1 person earned 8"
    )
    rulebook = book("signals: {page: {points: 8}}\ntier: {tier_1: {enter: {score: 5}}}")
    assert explained(Log(rulebook).signal(0, "page", "p1"), rulebook).sentence.startswith("acme.com is in tier 1: ")


def test_a_suppressed_account_says_why_first_and_nothing_bars_its_score():
    told = explained(Log().update(0, relationship="own_staff").signal(1, "demo_request", "p1"))
    assert told.sentence.startswith(
        "acme.com stands at the bottom of every ladder because its relationship is own staff: 1 person earned 100"
    )
    assert upwards(told, "stage").barred == "never while its relationship is own staff"


# Caps


def test_what_is_clipped_names_its_cap_and_whose_it_is():
    log = Log()
    for _ in range(5):
        log.signal(0, "webinar", "p1")
    told = explained(log)
    (share,) = told.shares
    (cap,) = told.caps
    assert (share.points, share.clipped, share.caps) == (60_000, 30_000, ("person",))
    assert (cap.person, cap.limit, cap.earned, cap.over) == ("p1", 60_000, 90_000, 30_000)
    assert (share.signals, share.beyond_repeats) == (5, 2)  # 3 of a day count, the other 2 never reached the cap


def test_an_act_now_signal_is_under_no_cap():
    told = explained(Log().signal(0, "demo_request", "p1").signal(1, "demo_request", "p1"))
    assert told.caps == ()
    assert [share.clipped for share in told.shares] == [0]


def test_the_cap_of_a_kind_is_told_apart_from_those_of_people():
    log = Log()
    for number in range(12):
        for _ in range(3):
            log.signal(0, "page", f"p{number}")
    told = explained(log)
    assert [(cap.name, cap.over) for cap in told.caps] == [("account.page", 16_000)]
    assert told.people.over_caps_of_kinds == 16_000


# People, fit, interest


def test_people_stand_with_role_points_and_last_day_and_the_committee_says_who_is_missing():
    rulebook = book(
        """
        signals: {page: {points: 8}, note: {points: 0}}
        roles: {intern: 0}
        committee: {required: [champion, economic_buyer], blockers: [procurement]}
        stage: {engaged: {enter: {score: 5}}}
        """
    )
    log = (
        Log(rulebook)
        .signal(0, "page", "p1", role="champion")
        .signal(4, "page", "p1")
        .signal(5, "page", "p2", role="intern")
        .signal(6, "page")
    )
    people = explained(log.update(7, contacts={"p3": "procurement"}), rulebook).people
    assert [(each.person, each.role, each.points, each.last_active, each.counts) for each in people.known] == [
        ("p1", "champion", 16_000, iso_day(FIRST_DAY + 4), True),
        ("p2", "intern", 0, iso_day(FIRST_DAY + 5), False),
        ("p3", "procurement", 0, None, True),
    ]
    assert (people.active, people.anonymous, people.anonymous_signals) == (1, 4_000, 1)
    assert people.committee is not None
    assert (people.committee.known, people.committee.missing, people.committee.share) == (("champion",), ("economic_buyer",), 500)
    assert people.committee.blockers == ("procurement",)


def test_an_account_of_too_many_people_says_that_it_is_coarsened():
    log = Log()
    for number in range(MAX_PEOPLE + 10):
        log.signal(0, "pricing", f"p{number:04}")
    told = explained(log)
    assert told.coarsened
    assert len(told.people.known) == MAX_PEOPLE
    assert told.people.merged == 45_000  # 10 people in one cell: 3 of a day count


def test_fit_says_of_every_criterion_whether_it_is_met():
    told = explained(Log().update(0, attributes={"industry": "Fintech", "employees": 99, "revenue": "a lot"}))
    assert told.fit is not None
    assert [(each.name, each.weight, each.answer, each.asks) for each in told.fit.criteria] == [
        ("industry", 30, "met", "fintech"),
        ("employees", 25, "not met", "100 to 500"),
        ("revenue", 20, "unknown", "10M to 50M"),
        ("region", 15, "unknown", "APAC"),
        ("uses", 10, "unknown", "salesforce"),
    ]
    assert (told.fit.score, told.fit.known, told.fit.grade) == (54, 550, "unknown")


def test_interest_says_what_surges_and_why_a_score_is_unknown():
    log = Log(RICH).signal(0, "page", "p1", topic="aml")
    assert [(each.name, each.unknown) for each in explained(log, RICH).interests if each.recent] == [
        ("fraud", "0 weeks of history, 3 needed"),
        ("some", "0 weeks of history, 3 needed"),
        ("aml", "0 weeks of history, 3 needed"),
    ]
    log.signal(22, "page", "p1", topic="aml")
    fraud, some, aml = explained(log, RICH).interests
    assert (aml.unknown, aml.score) == ("1 signal in 3 weeks, 2 needed", None)
    log.signal(22, "page", "p1", topic="AML").signal(22, "page", "p1", topic="Aml")
    fraud, some, aml = explained(log, RICH).interests
    assert (aml.recent, aml.baseline, aml.people, aml.score, aml.surges) == (3, 1, 1, 72, True)  # 50 + 25 log2(2 / (13/12))
    assert (fraud.is_need, fraud.score, fraud.surges) == (True, 72, True)
    assert (some.score, some.surging_topics, some.surges) == (None, ("aml",), True)


# What is missing


def test_the_way_that_lacks_least_comes_first():
    rulebook = book("signals: {page: {points: 30}}\nstage: {mqa: {enter: {any: [{score: 100, people: 3}, {score: 40}, {listed: 1}]}}}")
    told = explained(Log(rulebook).signal(0, "page", "p1"), rulebook)
    assert asked(told, "stage") == [("40 points",), ("100 points", "3 active people"), ("on the list for tier 1",)]
    first, second, _ = upwards(told, "stage").ways
    assert [(each.has, each.lacks) for each in first.requirements] == [("30", "10")]
    assert [(each.has, each.lacks) for each in second.requirements] == [("30", "70"), ("1", "2")]


def test_what_is_there_already_stands_beside_what_is_missing():
    told = explained(Log().signal(0, "webinar", "p1").signal(1, "webinar", "p2").update(1, attributes=FITTING, region="APAC"))
    nearest, demo = upwards(told, "stage").ways
    assert (upwards(told, "stage").rung, nearest.missing, demo.missing) == ("mqa", 1, 1)
    assert {each.asks: each.has for each in nearest.requirements if each.met} == {
        "2 active people": "2",
        "activity on 2 days": "2",
        "activity on our own channels": "yes",
        "fit A, B, C or unknown": "A",
    }


def test_not_turns_the_choices_round():
    rulebook = book(
        """
        signals: {page: {points: 30}, quote: {points: 0}}
        stage: {mqa: {enter: {not: {any: [{score: 10}, {all: [{signals: {kind: quote}}, {strategic: true}]}]}}}}
        """
    )
    told = explained(Log(rulebook).signal(0, "page", "p1").signal(0, "quote", "p1").update(0, strategic=True), rulebook)
    assert asked(told, "stage") == [("not: 10 points", "not: 1 quote signal"), ("not: 10 points", "not: marked as strategic")]
    told = explained(Log(rulebook).signal(0, "page", "p1").signal(0, "quote", "p1"), rulebook)
    assert asked(told, "stage") == [("not: 10 points",)]


def test_a_choice_that_is_met_already_is_offered_in_no_other_way():
    rulebook = book("signals: {page: {points: 30}}\nstage: {mqa: {enter: {score: 90, any: [{people: 1}, {listed: 1}, {act_now: 5d}]}}}")
    assert asked(explained(Log(rulebook).signal(0, "page", "p1"), rulebook), "stage") == [("90 points",)]


def test_a_thicket_of_choices_gives_a_few_ways_at_once():
    choice = "{any: [{people: 2}, {score: 90}, {roles: 2}, {active_days: 3}]}"
    thicket = f"signals: {{page: {{points: 30}}}}\nstage: {{mqa: {{enter: {{all: [{', '.join([choice] * 200)}]}}}}}}"
    rulebook = book(thicket)
    ways = upwards(explained(Log(rulebook).signal(0, "page", "p1"), rulebook), "stage").ways
    assert len(ways) == 6
    assert set(asked(explained(Log(rulebook).signal(0, "page", "p1"), rulebook), "stage")[0]) == {"2 active people"}


def test_points_that_are_missing_are_enough_when_they_come():
    rulebook = book("signals: {page: {points: 30.123}}\nstage: {mqa: {enter: {score: 100}}}")
    (way,) = upwards(explained(Log(rulebook).signal(0, "page", "p1"), rulebook), "stage").ways
    assert [each.lacks for each in way.requirements] == ["69.9"]  # 69.877


def test_every_word_has_plain_words():
    every = """
        signals: {page: {points: 30}, demo_request: {points: 100, act_now: true}}
        committee: {required: [champion], blockers: [procurement]}
        fit: {industry: {weight: 1, in: [fintech]}}
        grades: {A: 80, known: 50%}
        needs: {fraud: {topics: [aml]}}
        segments: {keen: {score: 5000}}
        stage: {engaged: {enter: {score: 1}}, mqa: {enter: {score: 9000}}}
        tier:
          tier_1:
            enter:
              score: 500
              people: 2
              active_days: 2
              roles: 3
              first_party: true
              act_now: 30d
              idle_under: 60d
              idle: 1d
              signals: {kind: [page, demo_request], at_least: 2, within: 30d, people: 1}
              people_with: {roles: [director], score: 30, at_least: 2}
              committee: 60%
              blocked: true
              surge: [fraud]
              surging: 2
              rolled_up_score: 600
              rolled_up_people: 1
              fit: [A, unknown]
              value: high
              strategic: true
              listed: 2
              relationship: customer
              disposition: accepted
              opportunity: [open, won]
              attributes: {employees: {at_least: 1000}, uses: {all: [kafka, python]}, city: {matches: ["new*"]}, public: {is: false}}
              segment: [keen]
              stage: mqa
    """
    rulebook = book(every)
    (way,) = upwards(explained(Log(rulebook).update(0, name="Acme"), rulebook), "tier").ways
    assert {each.word: (each.asks, each.has) for each in way.requirements} == {
        "score": ("500 points", "0"),
        "people": ("2 active people", "0"),
        "active_days": ("activity on 2 days", "0"),
        "roles": ("3 different roles among them", "0"),
        "first_party": ("activity on our own channels", "no"),
        "act_now": ("demo request within 30 days", "never"),
        "idle_under": ("activity within 60 days", "never"),
        "idle": ("1 day of silence", "never"),
        "signals": ("2 page or demo request signals within 30 days by 1 person", "0 by 0 people"),
        "people_with": ("2 people who are director with 30 points each", "0"),
        "committee": ("60% of the buying committee known", "0%"),
        "blocked": ("somebody who may block", "no"),
        "surge": ("a surge in fraud", "none"),
        "surging": ("2 topics that surge", "0"),
        "rolled_up_score": ("600 points together with the accounts below it", "0"),
        "rolled_up_people": ("1 active person together with the accounts below it", "0"),
        "fit": ("fit A or unknown", "unknown"),
        "value": ("value high", "unknown"),
        "strategic": ("marked as strategic", "no"),
        "listed": ("on the list for tier 2", "none"),
        "relationship": ("relationship customer", "none"),
        "disposition": ("accepted by sales", "none"),
        "opportunity": ("an opportunity that is open or won", "none"),
        "attributes": (
            "employees 1000 or more and uses kafka and python and city like new* and public no",
            "employees unknown, uses unknown, city unknown, public unknown",
        ),
        "segment": ("segment keen", "none"),
        "stage": ("stage mqa or above", "watch"),
    }


# Pins, cool-downs, the past


def test_a_pin_stands_beside_what_the_numbers_say():
    pin = {"ladder": "tier", "rung": "tier_1", "reason": "board contact", "author": "ana", "until": FIRST_DAY + 20}
    told = explained(Log().update(0, attributes=FITTING, region="APAC").update(1, pin=pin))
    shown = standing(told, "tier")
    assert "(tier pinned by ana)" in told.sentence
    assert (shown.rung, shown.next is not None and shown.next.rung) == ("tier_1", "tier_2")
    assert shown.pin is not None
    assert (shown.pin.computed, shown.pin.active, shown.pin.until) == ("tier_3", True, iso_day(FIRST_DAY + 20))
    assert [(move.day, move.to) for move in told.in_silence] == [(iso_day(FIRST_DAY + 21), "tier_3")]


def test_a_pin_that_is_suppressed_is_shown_as_not_holding():
    told = explained(Log().update(0, pin={"ladder": "tier", "rung": "tier_1"}).update(1, relationship="competitor"))
    shown = standing(told, "tier")
    assert shown.rung == "untiered"
    assert shown.pin is not None
    assert not shown.pin.active


def test_a_cool_down_bars_the_way_until_a_day():
    rulebook = book("signals: {page: {points: 8, window: 2d}}\nstage: {keen: {enter: {score: 5}, cool_down: 10d}}")
    log = Log(rulebook).signal(0, "page", "p1").until(2)
    assert upwards(explained(log.signal(3, "page", "p1"), rulebook), "stage").barred == (
        f"not before {iso_day(FIRST_DAY + 12)}, because it fell from there on {iso_day(FIRST_DAY + 2)}"
    )
    assert upwards(explained(log.until(12), rulebook), "stage").barred is None


def test_the_timeline_is_what_was_told_oldest_first():
    told = explained(Log().signal(0, "demo_request", "p1").until(60))
    assert [(past.day, past.from_, past.to, past.reason, past.score) for past in told.timeline] == [
        (iso_day(FIRST_DAY), "watch", "mqa", "signal", 100_000),
        (iso_day(FIRST_DAY + 30), "mqa", "engaged", "silence", 50_000),
    ]


def test_the_score_of_later_days_is_that_of_an_explanation_then():
    log = Log().signal(0, "demo_request", "p1").signal(0, "page", "p2")
    expected = [explained(Log().signal(0, "demo_request", "p1").signal(0, "page", "p2").until(day)).score for day in (7, 14, 30)]
    assert [ahead.score for ahead in explained(log).ahead] == expected
