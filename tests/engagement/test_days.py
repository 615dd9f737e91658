from datetime import UTC, datetime

import pytest

from engagement.days import EARLIEST, LATEST, iso_instant, to_ms


def test_things_are_received_from_2000_until_2200() -> None:
    assert (iso_instant(EARLIEST), iso_instant(LATEST)) == ("2000-01-01T00:00:00.000Z", "2200-01-01T00:00:00.000Z")


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
        (datetime(999, 6, 1, 12, 0, 0, 7000, tzinfo=UTC), "0999-06-01T12:00:00.007Z"),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), "9999-12-31T23:59:59.999Z"),
    ],
)
def test_every_year_is_spelled_with_four_digits(moment: datetime, text: str) -> None:
    assert iso_instant(to_ms(moment)) == text
