"""What is said of two rulebooks that differ."""

from engagement.rulebook import Rulebook, load_rulebook
from engagement.rulebook_changes import changes

SMALL = """
signals: {page: {points: 1}, pricing: {points: 15, urls: [/pricing*]}}
roles: {vp: 1.5}
stage: {engaged: {enter: {any: [{score: 30}, {people: 2, idle_under: 30d}]}}}
"""


def rulebook(text: str = SMALL) -> Rulebook:
    return load_rulebook(text, "rulebook")


def told(was: str, now: str) -> list[str]:
    """What replacing a text in the small rulebook changes."""
    assert SMALL.count(was) == 1
    return [str(change) for change in changes(rulebook(), rulebook(SMALL.replace(was, now)))]


def test_rulebooks_of_one_version_do_not_differ_however_they_are_spelled():
    assert told("vp: 1.5", "vp: 1.500") == []
    assert told("roles: {vp: 1.5}", "roles: {vp: 1.5}\nwindow: 90d") == []


def test_a_changed_value_stands_with_both_sides():
    assert told("points: 15", "points: 12.5") == ["~ signals.pricing.points: 15 -> 12.5"]
    assert told("[/pricing*]", "[/pricing*, /plans]") == ["~ signals.pricing.urls: [/pricing*] -> [/pricing*, /plans]"]


def test_what_is_added_and_removed_stands_with_its_value():
    assert told("points: 1}", "points: 1, half_life: 14d, act_now: true}") == [
        "~ signals.page.act_now: false -> true",
        "+ signals.page.half_life: 14d",
    ]
    assert told("roles: {vp: 1.5}", "value: {from: expected_ltv, high: 1M}") == [
        "- roles.vp: 1.5",
        "+ value: {from: expected_ltv, high: 1000000, strategic: false}",
    ]


def test_one_more_condition_does_not_change_those_after_it():
    assert told("any: [", "any: [{act_now: 7d}, ") == ["+ stage.engaged.enter.any[0]: {act_now: 7d}"]
    assert told("{score: 30}, ", "") == ["- stage.engaged.enter.any[0]: {score: 30}"]


def test_a_change_in_a_condition_is_told_at_its_place():
    assert told("people: 2, idle_under: 30d", "people: 3, idle_under: 30d") == ["~ stage.engaged.enter.any[1].people: 2 -> 3"]


def test_another_order_is_a_change_too():
    swapped = "signals: {pricing: {points: 15, urls: [/pricing*]}, page: {points: 1}}"
    assert told("signals: {page: {points: 1}, pricing: {points: 15, urls: [/pricing*]}}", swapped) == [
        "~ signals (order): [page, pricing] -> [pricing, page]"
    ]


def test_changes_are_empty_exactly_where_the_versions_are_equal():
    other = rulebook(SMALL.replace("roles: {vp: 1.5}", "roles: {ceo: 2, vp: 1.5}"))
    turned = rulebook(SMALL.replace("roles: {vp: 1.5}", "roles: {vp: 1.5, ceo: 2}"))
    assert other.version != turned.version
    assert changes(other, turned) != []
