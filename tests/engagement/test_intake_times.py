"""The Kafka time of a record is a producer's word like any other: what cannot be meant is dead, and stops nobody."""

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engagement.days import EARLIEST, LATEST, iso_instant
from engagement.events import Family
from tests.engagement.intake_world import KEY, NOON, fate_of, intent, new_intake, record, run, update, visit

VISITS = Family.WEB_VISITS
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(timezones=OFFSETS).map(datetime.isoformat)
BEFORE_YEAR_1, AFTER_YEAR_9999 = "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"
YEAR_9999 = 253_402_300_799_000
MEANT_IN_SECONDS, MEANT_IN_MICROSECONDS = NOON // 1000, NOON * 1000


@pytest.mark.parametrize(
    "received_at", [-(2**63), -1, 0, MEANT_IN_SECONDS, EARLIEST - 1, LATEST, YEAR_9999, MEANT_IN_MICROSECONDS, 2**63 - 1]
)
@pytest.mark.parametrize("partition", [0, 1])  # KEY's own, and a wrong one: no broker need take a copy with such a time
def test_a_record_received_when_nothing_can_be_is_dead_where_it_lies(received_at: int, partition: int) -> None:
    fate, (output,) = fate_of(record(VISITS, visit(), key=KEY, received_at=received_at, partition=partition), partition=partition)
    assert (fate, output.topic, output.value, output.timestamp) == ("dead:invalid", "dead-letters", visit(), None)
    detail = dict(output.headers)["detail"].decode()
    assert detail.startswith(f"the record's timestamp = {received_at}: ")
    assert detail.endswith("milliseconds from 2000-01-01T00:00:00.000Z until before 2200-01-01T00:00:00.000Z")


@pytest.mark.parametrize("received_at", [EARLIEST, LATEST - 1])
def test_the_first_and_the_last_instant_count(received_at: int) -> None:
    assert fate_of(record(VISITS, visit(occurred_at=iso_instant(received_at)), received_at=received_at))[0] == "counted"


def test_such_a_record_is_not_the_newest_there_ever_was() -> None:
    intake = new_intake()
    run(intake, [record(VISITS, visit(id=name), offset=at, received_at=when) for at, (name, when) in enumerate(_A_B_A)])
    assert intake.position.fates == {"in": 3, "counted": 1, "dead:invalid": 1, "filtered:duplicate": 1}


_A_B_A = (("a", NOON), ("b", YEAR_9999), ("a", NOON + 1))


@pytest.mark.parametrize(
    ("occurred_at", "fate"), [("0001-01-01T00:00:00+14:00", "dead:late"), ("9999-12-31T23:59:59.999999-14:00", "dead:future")]
)
def test_an_event_of_any_year_has_a_fate(occurred_at: str, fate: str) -> None:
    assert fate_of(record(VISITS, visit(occurred_at=occurred_at)))[0] == fate


@pytest.mark.parametrize("occurred_at", [BEFORE_YEAR_1, AFTER_YEAR_9999, "1999-12-31T23:59:59Z", "2200-01-01T00:00:00Z"])
def test_an_event_that_was_counted_on_no_day_that_can_be_is_retracted_by_nobody(occurred_at: str) -> None:
    said = update(retract={"events": [{"id": "a", "kind": "pricing", "occurred_at": occurred_at}]})
    fate, (output,) = fate_of(record(Family.ACCOUNT_UPDATES, said))
    assert fate == "dead:invalid"
    detail = dict(output.headers)["detail"].decode()
    assert detail.startswith(f"retract.events.0.occurred_at = {occurred_at.replace('Z', '+00:00')}: ")
    assert detail.endswith("Input should be a day from 2000-01-01 to 2199-12-31")


@given(INSTANTS | st.just(iso_instant(NOON)), INSTANTS, st.dates())
@example(iso_instant(NOON), BEFORE_YEAR_1, date.min)
@example(iso_instant(NOON), AFTER_YEAR_9999, date.max)
def test_whatever_instants_are_said_each_record_has_a_fate(occurred_at: str, another: str, until: date) -> None:
    retraction = {"events": [{"id": "a", "kind": "pricing", "occurred_at": another}]}
    said = (
        (Family.ACCOUNT_UPDATES, update(occurred_at=occurred_at, retract=retraction)),
        (Family.ACCOUNT_UPDATES, update(occurred_at=occurred_at, pin={"ladder": "stage", "rung": "mqa", "until": until.isoformat()})),
        (Family.INTENT_SIGNALS, intent(occurred_at=occurred_at, sent_at=another)),
        (Family.WEB_VISITS, visit(occurred_at=occurred_at)),
    )
    for family, value in said:
        fate, _ = fate_of(record(family, value))
        assert fate.startswith(("counted", "dead:", "filtered:"))
