"""The position of a partition whose deliveries end in any order, and what a restart reads again."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.webhooks.undelivered import LONGEST_NOTE, Undelivered


def test_the_position_is_the_lowest_that_is_not_delivered() -> None:
    undelivered = Undelivered(10)
    assert undelivered.position == 10
    for offset in (12, 15):
        undelivered.add(offset)
    undelivered.read_to(20)
    assert undelivered.position == 12
    undelivered.remove(15)
    assert undelivered.position == 12
    undelivered.remove(12)
    assert (undelivered.position, undelivered.note) == (20, "")


def test_what_was_delivered_behind_the_position_is_not_wanted_again() -> None:
    before = Undelivered(0)
    for offset in range(10):
        before.add(offset)
    for offset in (1, 2, 5, 9):
        before.remove(offset)
    after = Undelivered(before.position, before.note)
    assert [offset for offset in range(12) if after.wants(offset)] == [0, 3, 4, 6, 7, 8, 10, 11]


def test_a_note_that_is_too_long_is_left_out_and_all_is_wanted_again() -> None:
    before = Undelivered(0)
    for offset in range(5_000):
        before.add(offset)
    assert before.note == ""
    for offset in range(1, 4_999, 2):
        before.remove(offset)
    assert Undelivered(before.position, before.note).wants(1)


def test_somebody_elses_note_says_nothing() -> None:
    assert Undelivered(3, "metadata of a tool").wants(3)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 30)), max_size=6), st.data())
def test_however_often_it_is_restarted_each_is_delivered_at_least_once_and_what_was_noted_not_again(
    lives: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    """Each life reads so many records, delivers some of those in memory, commits, and delivers some more before it is killed."""
    last = 100
    counts = dict.fromkeys(range(last), 0)
    position, note, vouched = 0, "", set[int]()
    for reads, delivers, unnoted in [*lives, (last, last, 0)]:
        life, waiting = Undelivered(position, note), []
        assert len(note) <= LONGEST_NOTE
        for offset in range(position, min(last, position + reads)):
            if life.wants(offset):
                assert offset not in vouched
                life.add(offset)
                waiting.append(offset)
            life.read_to(offset + 1)
        order = data.draw(st.permutations(waiting))

        def deliver(some: list[int], life: Undelivered = life) -> None:
            for offset in some:
                counts[offset] += 1
                life.remove(offset)

        deliver(order[:delivers])
        position, note = life.position, life.note
        before = vouched
        vouched = {offset for offset in range(last) if not Undelivered(position, note).wants(offset)}
        assert all(counts[offset] for offset in vouched)
        assert before <= vouched
        deliver(order[delivers : delivers + unnoted])
    assert all(counts.values())
