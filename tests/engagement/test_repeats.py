"""What intake appended before is skipped wherever it comes again, and nothing else is."""

from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engagement import records
from engagement.days import midnight
from engagement.machine import PlainRecord
from engagement.records import Read, Signal
from tests.engagement.log_world import FIRST_DAY, TOPIC, Log, Run

DAY_RECORDS = Log().records  # genesis and a first day


def signal(offset: int, *, partition: int = 0, read: Read | None = None) -> Signal:
    return Signal(
        id=f"e{partition}-{offset}-{read}",
        kind="page",
        occurred_at=midnight(FIRST_DAY),
        received_at=midnight(FIRST_DAY),
        person=f"p{offset}",
        source=("web-visits", partition, offset, 0),
        read=read,
        rulebook="r",
    )


def fold(signals: Sequence[Signal]) -> Run:
    begin = len(DAY_RECORDS) * 2
    log = [PlainRecord(TOPIC, 0, begin + n, 0, b"acme.com", records.encode(each)) for n, each in enumerate(signals)]
    return Run([*DAY_RECORDS, *log])


def fates(signals: Sequence[Signal]) -> tuple[int, int]:
    """(counted, repeated)."""
    found = fold(signals).fold.position.fates
    assert found["in"] == sum(count for fate, count in found.items() if fate != "in" and not fate.startswith("changes:"))
    return found.get("signals", 0), found.get("repeated", 0)


def test_a_record_that_comes_again_counts_once():
    once, twice = fold([signal(1), signal(2)]), fold([signal(1), signal(2), signal(1), signal(2)])
    assert fates([signal(1), signal(2), signal(1), signal(2)]) == (2, 2)
    assert twice.state() == once.state()
    assert [change.id for change in twice.changes] == [change.id for change in once.changes]


def test_offsets_of_other_partitions_are_no_measure():
    assert fates([signal(7), signal(3, partition=1), signal(8), signal(4, partition=1)]) == (4, 0)


def test_a_copy_comes_when_its_own_partition_is_read_whatever_its_source():
    copies = [signal(2, read=(1, 20, 0)), signal(6, read=(1, 21, 0))]  # of partition 0, read in partition 1
    assert fates([signal(1), signal(9), *copies]) == (4, 0)
    assert fates([copies[0], signal(1), copies[1], copies[1], signal(9)]) == (4, 1)


def test_a_source_that_a_producer_invented_hides_no_other_record():
    assert fates([signal(10**17, read=(0, 4, 0)), signal(5), signal(6)]) == (3, 0)


def test_a_topic_that_was_made_anew_begins_again():
    anew = [signal(offset, read=(0, offset, 1)) for offset in range(3)]
    assert fates([signal(8), *anew, anew[1], signal(8)]) == (4, 2)


def test_of_what_one_record_makes_the_numbers_grow():
    """An identify is read at 9 in partition 0, and moves visits that came in before, of this and of another partition."""
    moved = [
        msgspec.structs.replace(signal(offset, partition=partition, read=(0, 9, 0)), source=("web-visits", partition, offset, n))
        for n, (partition, offset) in enumerate([(0, 2), (0, 2), (1, 77), (0, 5)])
    ]
    assert fates([signal(8), *moved, signal(10)]) == (6, 0)
    assert fates([signal(8), *moved[:2], *moved, signal(10), *moved]) == (6, 6)


@given(st.data())
def test_however_often_writers_begin_again_and_however_they_interleave_every_record_counts_once(data: st.DataObject):
    """A writer begins where everything before is in the log, and writes on in order; several may be at it at once."""
    length = data.draw(st.integers(1, 12), "length")
    written: list[int] = []
    writers: list[int] = [0]  # what each writes next
    while max(writers) < length or len(written) < length:
        if data.draw(st.booleans(), "another writer begins"):
            writers.append(data.draw(st.integers(0, max([-1, *written]) + 1), "where"))
        writer = data.draw(st.integers(0, len(writers) - 1), "who")
        if writers[writer] < length:
            written.append(writers[writer])
            writers[writer] += 1
        elif max(writers) >= length and set(written) == set(range(length)):
            break
    counted, repeated = fates([signal(offset) for offset in written])
    assert (counted, repeated) == (length, len(written) - length)
