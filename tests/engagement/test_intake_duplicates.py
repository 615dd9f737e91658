"""An event id counts once within a window of received time and among a number of ids (here one hour and five)."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.duplicates import AcceptedIds, family_and_first
from engagement.events import Family
from engagement.intake import Intake
from engagement.machine import PlainRecord
from tests.engagement.intake_world import HOUR, NOON, fate_of, intent, new_intake, record, run, visit

VISITS, INTENT, _ = Family


def arriving(offset: int, event_id: str, after: int = 0) -> PlainRecord:
    return record(VISITS, visit(id=event_id), offset=offset, received_at=NOON + after)


def rows_of_ids(intake: Intake) -> int:
    return sum(key.startswith(b"ids:") for key in intake._table)


def test_the_second_of_two_equal_ids_is_a_duplicate() -> None:
    assert fate_of(arriving(0, "a"), arriving(1, "a"))[0] == "filtered:duplicate"


def test_another_family_may_use_the_same_id() -> None:
    assert fate_of(arriving(0, "a"), record(INTENT, intent(id="a")))[0] == "counted"


def test_the_window_ends_after_its_last_millisecond() -> None:
    assert fate_of(arriving(0, "a"), arriving(1, "a", HOUR))[0] == "filtered:duplicate"
    assert fate_of(arriving(0, "a"), arriving(1, "a", HOUR + 1))[0] == "counted"


def test_a_duplicate_does_not_prolong_the_window() -> None:
    assert fate_of(arriving(0, "a"), arriving(1, "a", HOUR), arriving(2, "a", HOUR + 1))[0] == "counted"


def test_the_fifth_id_after_it_pushes_an_id_out() -> None:
    others = [arriving(n, f"other-{n}") for n in range(1, 6)]
    assert fate_of(arriving(0, "a"), *others[:4], arriving(9, "a"))[0] == "filtered:duplicate"
    assert fate_of(arriving(0, "a"), *others, arriving(9, "a"))[0] == "counted"


def test_a_filtered_event_is_remembered_and_a_dead_one_is_not() -> None:
    filtered = record(VISITS, visit(id="a", user_agent="bot"), offset=0)
    dead = record(VISITS, visit(id="a", occurred_at="2031-01-01T00:00:00Z"), offset=0)
    assert fate_of(filtered, arriving(1, "a"))[0] == "filtered:duplicate"
    assert fate_of(dead, arriving(1, "a"))[0] == "counted"


def test_a_late_copy_counts_as_received_when_the_newest_before_it_was() -> None:
    headers = (("mqa-received-at", str(NOON).encode()), ("mqa-source", b"web-visits/3/0"))
    newest = arriving(0, "b", HOUR)
    copy = record(VISITS, visit(id="a"), offset=1, received_at=NOON + HOUR, headers=headers)
    assert fate_of(newest, copy, arriving(2, "a", 2 * HOUR))[0] == "filtered:duplicate"


def test_rows_go_when_all_their_ids_are_out_and_the_newest_stays() -> None:
    intake = new_intake()
    run(intake, [arriving(0, "a"), arriving(1, "b")])
    run(intake, [arriving(2, "c", 10)])
    assert rows_of_ids(intake) == 2
    run(intake, [arriving(3, "d", HOUR + 1)])
    assert rows_of_ids(intake) == 2  # a and b are out of the window; c is not
    run(intake, [arriving(4, "d", 9 * HOUR)])
    assert rows_of_ids(intake) == 1


def test_a_row_with_an_id_at_the_edge_of_the_window_stays() -> None:
    intake = new_intake()
    run(intake, [arriving(0, "a")])
    run(intake, [arriving(1, "b", HOUR)])
    run(intake, [arriving(2, "a", HOUR)])
    assert intake.position.fates == {"in": 3, "counted": 2, "filtered:duplicate": 1}


def test_an_id_that_was_accepted_anew_outlives_the_row_of_its_first_time() -> None:
    intake = new_intake()
    run(intake, [arriving(n, event_id) for n, event_id in enumerate("abcde")])
    run(intake, [arriving(5, "f"), arriving(6, "a")])  # a is the sixth before: it counts anew
    run(intake, [arriving(n, event_id) for n, event_id in enumerate("ghi", 7)])
    assert rows_of_ids(intake) == 2  # the first row went with this step
    run(intake, [arriving(10, "a")])
    assert intake.position.fates == {"in": 11, "counted": 10, "filtered:duplicate": 1}


def test_after_a_pause_rows_go_a_thousand_a_step() -> None:
    ids = AcceptedIds(VISITS, window=HOUR, count=5000)
    gone = []
    for number in [*range(1200), 1200, 1201]:
        ids.begin()
        ids.add(f"e{number}", NOON if number < 1200 else NOON + 2 * HOUR)
        changes = ids.changes()
        for key, row in changes.items():
            ids.apply(family_and_first(key)[1], row)
        gone.append(list(changes.values()).count(None))
    assert gone[-3:] == [0, 1000, 200]


def test_memory_holds_no_more_than_the_count_and_one_step() -> None:
    intake = new_intake()
    for n in range(100):
        run(intake, [arriving(n, f"e{n}")])
    assert rows_of_ids(intake) == 5


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([0, 1, HOUR // 3, HOUR // 2, -HOUR])), max_size=60),
    st.lists(st.integers(1, 7)),
)
def test_duplicates_are_those_that_a_plain_list_of_the_accepted_tells(arrivals: list[tuple[str, int]], limits: list[int]) -> None:
    accepted: list[tuple[str, int]] = []
    records, now, newest = [], NOON, NOON
    for offset, (event_id, later) in enumerate(arrivals):
        now += later
        newest = max(newest, now) if accepted else now
        if not any(event_id == earlier and newest - received_at <= HOUR for earlier, received_at in accepted[-5:]):
            accepted.append((event_id, newest))
        newest = accepted[-1][1]
        said = visit(id=event_id, occurred_at="2024-12-31T00:00:00Z")
        records.append(record(VISITS, said, offset=offset, received_at=now))
    intake = new_intake()
    run(intake, records, limits)
    assert intake.position.fates.get("counted", 0) == len(accepted)
