"""What a person reads after a replay adds up, and says everything once."""

import pytest

from engagement.account import AccountState, Standing
from engagement.fates import adds_up
from streams.history.summary import changes_lines, fates_lines, funnel_lines, funnel_of, records_line, where_events_ended
from tests.streams.histories import RULEBOOK

FATES = {"in": 1_010, "counted": 1_000, "filtered:robot": 6, "filtered:asset": 1, "dead:late": 3, "rerouted": 2}


def test_fates_add_up_with_those_sent_on_apart() -> None:
    assert fates_lines(FATES) == [
        "1,010 events in = 1,000 counted + 7 filtered + 3 dead",
        "  filtered: robot 6, asset 1",
        "  dead: late 3",
        "  apart from these, 2 came in a wrong partition and were sent on to the right one",
    ]


@pytest.mark.parametrize("fate", ["in", "counted", "filtered:robot", "dead:late"])
def test_one_event_more_or_less_in_any_place_does_not_add_up(fate: str) -> None:
    assert adds_up(FATES)
    assert not adds_up(FATES | {fate: FATES[fate] + 1})


def test_an_event_sent_on_does_not_count_twice() -> None:
    assert adds_up(FATES | {"rerouted": 99})


def test_an_update_that_an_account_could_not_take_is_dead_and_no_longer_counted() -> None:
    ended = where_events_ended(FATES, {"in": 1_000, "updates": 10, "dead:account_full": 4, "dead:not_a_log_record": 1})
    assert (ended["counted"], ended["dead:account_full"]) == (996, 4)
    assert adds_up(ended)
    assert where_events_ended(FATES, {"in": 1_000}) == FATES


def test_steps_stand_in_the_order_of_their_ladder() -> None:
    fates = {"in": 9, "changes:tier:untiered:tier_3": 1, "changes:stage:engaged:mqa": 2, "changes:stage:watch:engaged": 1_200}
    assert changes_lines(fates, RULEBOOK) == [
        "1,203 tier changes",
        "  stage: watch → engaged 1,200",
        "  stage: engaged → mqa 2",
        "  tier: untiered → tier_3 1",
    ]


def test_log_records_are_told_by_kind() -> None:
    assert records_line({"in": 12, "signals": 7, "days": 5, "changes:stage:watch:engaged": 3}) == "12 log records: signals 7, days 5"


def test_the_funnel_has_every_rung_from_the_bottom_up() -> None:
    states = [AccountState(), AccountState(standings={"stage": Standing("mqa", 1), "tier": Standing("tier_2", 1)})]
    assert funnel_lines(funnel_of(states, RULEBOOK)) == [
        "stage: watch 1  engaged 0  mqa 1  accepted 0  opportunity 0  customer 0",
        "tier: untiered 1  tier_3 0  tier_2 1  tier_1 0",
    ]
