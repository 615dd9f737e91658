"""The fault runs' check of filtered events sees what it is there to see."""

from collections import Counter

import pytest

from engagement.filtered import FilteredEvent
from tests.faults.live.fates import Fates

COUNTERS = Counter({"filtered:robot": 2, "filtered:own_domain": 1, "counted": 7})


def event(reason: str, offset: int, *, undo: bool = False, by: int = 9) -> FilteredEvent:
    return FilteredEvent(reason=reason, undo=undo, id="e", source=("web-visits", 0, offset, 0), read=(0, by, 0), received_at=1)


ROBOTS = [event("robot", 1), event("robot", 2)]
STAFF = [event("own_domain", 3), event("own_domain", 3, undo=True, by=10), event("own_domain", 3, by=11)]


def checked(*records: FilteredEvent, may_repeat: bool = False) -> Fates:
    fates = Fates()
    fates.compare_filtered(Counter(records), COUNTERS, may_repeat=may_repeat)
    return fates


def test_each_filtered_event_recorded_once_is_no_fault() -> None:
    assert checked(*ROBOTS, *STAFF).faults == 0


@pytest.mark.parametrize(
    ("records", "fault"),
    [
        ([ROBOTS[0], *STAFF], "lost"),
        ([*ROBOTS, ROBOTS[0], *STAFF], "double"),
        ([*ROBOTS, STAFF[0], STAFF[2]], "double"),
        ([*ROBOTS, *STAFF[:2]], "lost"),
        ([*ROBOTS, *STAFF, event("asset", 4)], "mismatch"),
    ],
    ids=["missing", "twice", "undo missing", "taken out and not put back", "counted nowhere"],
)
def test_what_the_counters_do_not_say_is_a_fault(records: list[FilteredEvent], fault: str) -> None:
    found = checked(*records)
    assert (getattr(found, fault), found.faults) == (1, 1)


def test_without_transactions_records_may_come_again_and_none_may_be_missing() -> None:
    again = checked(*ROBOTS, *ROBOTS, *STAFF, may_repeat=True)
    assert (again.faults, again.repeats) == (0, 2)
    assert checked(ROBOTS[0], ROBOTS[0], *STAFF, may_repeat=True).lost == 1
