"""What a projector makes of records: of each account the newest, of a foreign record nothing, of an unknown format a refusal."""

import msgspec
import pytest

from engagement.account import AccountState, Row, encode
from engagement.contacts import ContactRow
from engagement.days import iso_day
from engagement.errors import Refused
from engagement.machine import CLOCK_KEY, LANDMARKS_KEY, POSITION_KEY, RULEBOOK_KEY, PlainRecord
from engagement.qualify import QualifyPosition
from engagement.records import GENESIS_KEY
from streams.profiles.changelog import newest_position
from streams.profiles.rows import contact_rows, cut, make_account, newest_rows, tier_changes
from streams.profiles.store import MOST_OF_BATCH
from tests.streams.histories import FIRST_DAY, JUDGE, new_replay, simulated_days

LOG = "account-log"


def record(offset: int, key: bytes | None, value: bytes | None, **headers: bytes) -> PlainRecord:
    return PlainRecord("topic", 0, offset, 0, key, value, tuple(headers.items()))


def row(applied: int) -> bytes:
    return encode(Row(state=AccountState(), applied=applied, due=0))


def position(next_: int, **said: object) -> bytes:
    return msgspec.json.encode(QualifyPosition(next={LOG: next_}, **said))  # type: ignore[arg-type]  # a few of its fields


def test_of_each_account_the_newest_row_is_left() -> None:
    records = [record(0, b"a", row(1)), record(1, b"b", row(2)), record(2, b"a", row(3)), record(3, b"c", None)]
    assert newest_rows(records).records == records[1:]


def test_a_row_of_a_worker_that_did_not_know_it_was_replaced_changes_nothing() -> None:
    records = [record(0, b"a", row(7)), record(1, b"a", row(5))]
    assert newest_rows(records).records == records[:1]


def test_an_account_that_was_deleted_and_came_again_is_there() -> None:
    records = [record(0, b"a", row(7)), record(1, b"a", None), record(2, b"a", row(1))]
    assert newest_rows(records).records == records[2:]


def test_what_concerns_the_whole_partition_is_no_account_and_nothing_foreign() -> None:
    reserved = (POSITION_KEY, RULEBOOK_KEY, CLOCK_KEY, LANDMARKS_KEY, GENESIS_KEY)
    assert newest_rows([record(offset, key, b"{}") for offset, key in enumerate(reserved)]) == ([], 0)


@pytest.mark.parametrize("key", [None, b"", b"__odd__", "ünïcode.example".encode(), b"\xff"])
def test_a_key_that_no_account_can_have_is_left_out_and_counted(key: bytes | None) -> None:
    assert newest_rows([record(0, key, row(1))]) == ([], 1)


@pytest.mark.parametrize("value", [b"\x09" + row(1)[1:], b"", b"{}"])
def test_a_row_of_an_unknown_format_is_refused_with_what_to_do(value: bytes) -> None:
    said = r"^topic/0 offset 17, key b'acme.com': a row has format .* run the version that wrote it, or, if somebody else wrote it, restore"
    with pytest.raises(Refused, match=said):
        newest_rows([record(0, b"a", row(1)), record(17, b"acme.com", value)])


def test_a_row_that_is_cut_off_is_refused_with_its_account() -> None:
    with pytest.raises(Refused, match=r"the row of acme.com cannot be read .* run the version that wrote it"):
        make_account("acme.com", row(1)[:-3], 0, FIRST_DAY, JUDGE)


def test_of_positions_that_got_furthest_counts_and_of_equals_the_last() -> None:
    said = [position(9, rule_day=3), position(7, rule_day=9), position(9, rule_day=4), position(9, rule_day=5, cursor=(9, b"a"))]
    records = [record(offset, POSITION_KEY, value) for offset, value in enumerate(said)]
    assert [found.rule_day for end in range(1, 5) if (found := newest_position(records[:end])) is not None] == [3, 3, 4, 5]
    known = QualifyPosition(next={LOG: 100}, rule_day=90)
    assert newest_position(records, known) is known
    assert newest_position([record(0, b"a", row(1))]) is None


@pytest.mark.parametrize("value", [b"{}", b'{"format": 2}', b"[", b"\xff"])
def test_a_position_of_an_unknown_format_is_refused_with_its_place(value: bytes) -> None:
    read = [record(0, POSITION_KEY, value)]
    if value == b"{}":  # every field has a default: a worker that has folded nothing
        assert newest_position(read) == QualifyPosition()
        return
    with pytest.raises(Refused, match=r"topic/0: .*position.* run the version that wrote it"):
        newest_position(read)


@pytest.fixture(scope="module")
def told() -> list[PlainRecord]:
    """Tier changes of a simulated history, as a worker sends them."""
    engine = new_replay()
    found: list[PlainRecord] = []
    for day, arrivals in simulated_days(accounts=40, days=20):
        for output in [*engine.begin(day), *engine.receive(arrivals)]:
            found.append(PlainRecord("tier-changes", 0, len(found), 0, output.key, output.value, output.headers))
    return found


def test_tier_changes_are_kept_as_they_were_sent(told: list[PlainRecord]) -> None:
    assert len(told) > 10
    changes, foreign = tier_changes(told)
    assert foreign == 0
    assert [(account.encode(), change.offset, change.body) for account, change in changes] == [
        (each.key, each.offset, each.value) for each in told
    ]
    assert {change.mode for _, change in changes} == {"baseline"}


def test_what_is_no_tier_change_is_left_out_and_counted(told: list[PlainRecord]) -> None:
    good = told[0]
    odd = [
        good._replace(value=None),
        good._replace(value=b"{"),
        good._replace(value=b"{}"),
        good._replace(value=b"\xff"),
        good._replace(key=None),
        good._replace(key=b"somebody-else.example"),
        good._replace(headers=(("mode", b"dry run"),)),
    ]
    assert tier_changes([*odd, good]) == (tier_changes([good])[0], len(odd))


def test_of_contact_rows_the_newest_is_left_and_what_is_none_is_counted() -> None:
    ann = msgspec.json.encode(ContactRow(email="ann@acme.com", account="acme.com"))
    records = [
        record(0, b"p1", ann),
        record(1, b"p2", ann),
        record(2, b"p2", None),
        record(3, b"p3", b"{}"),
        record(4, b"\xff", ann),
        record(5, None, ann),
    ]
    assert contact_rows(records) == ({"p1": ann, "p2": None}, 3)


def test_batches_lead_without_a_gap_from_the_first_record_to_behind_what_was_read() -> None:
    records = [record(offset * 2, b"a", None) for offset in range(MOST_OF_BATCH * 2 + 1)]
    parts = list(cut(records, 5_000))
    assert [len(part) for part, _ in parts] == [MOST_OF_BATCH, MOST_OF_BATCH, 1]
    assert [stop for _, stop in parts] == [MOST_OF_BATCH * 2, MOST_OF_BATCH * 4, 5_000]
    assert list(cut([], 7)) == [([], 7)]


def test_an_account_is_profiled_as_of_the_day_that_is_asked_for() -> None:
    made = [make_account("acme.com", row(7), 3, day, JUDGE) for day in (FIRST_DAY, FIRST_DAY + 1)]
    assert [account.profile.day for account in made] == [iso_day(FIRST_DAY), iso_day(FIRST_DAY + 1)]
    assert {(account.row, account.applied, account.partition) for account in made} == {(row(7), 7, 3)}
