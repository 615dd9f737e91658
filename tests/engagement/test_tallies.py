"""What a step counts for whoever watches agrees with what it did, however its records are cut into steps."""

from collections import Counter

import pytest

from engagement.events import Family
from engagement.fates import APART, WAITING
from engagement.machine import RESERVED_KEYS
from tests.engagement.intake_world import ELSEWHERE, intent, new_intake, record, steps, update, visit
from tests.engagement.log_world import Log, restored, run

RECORDS = [
    record(Family.WEB_VISITS, visit(id="a", url="/pricing"), offset=0),
    record(Family.WEB_VISITS, visit(id="a", url="/pricing"), offset=1),
    record(Family.WEB_VISITS, visit(id="b", url="/pricing", email=None, visitor_id="nobody"), offset=2),
    record(Family.WEB_VISITS, visit(id="c", url="/a.js"), offset=3),
    record(Family.WEB_VISITS, b"{", offset=4),
    record(Family.WEB_VISITS, visit(id="d"), key=ELSEWHERE, offset=5),
    record(Family.INTENT_SIGNALS, intent(id="a"), offset=0),
    record(Family.INTENT_SIGNALS, intent(id="b", email="x@gmail.example"), offset=1),
    record(Family.INTENT_SIGNALS, intent(id="c", kind="seance"), offset=2),
    record(Family.ACCOUNT_UPDATES, update(attributes={"industry": "fintech"}), offset=0),
]


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_every_record_of_intake_is_tallied_once_with_its_family_kind_and_fate(limit: int) -> None:
    tally: Counter[tuple[str, ...]] = Counter()
    intake = new_intake()
    for step in steps(intake, RECORDS, [limit] * len(RECORDS)):
        tally.update(step.tally)
    assert tally == Counter(
        {
            ("web-visits", "pricing", "counted"): 1,
            ("web-visits", "pricing", "filtered:duplicate"): 1,
            ("web-visits", "pricing", WAITING): 1,
            ("web-visits", "", "filtered:asset"): 1,
            ("web-visits", "", "dead:malformed_json"): 1,
            ("web-visits", "", "rerouted"): 1,
            ("intent-signals", "webinar", "counted"): 1,
            ("intent-signals", "webinar", "filtered:free_mail"): 1,
            ("intent-signals", "", "dead:unknown_kind"): 1,
            ("account-updates", "", "counted"): 1,
        }
    )
    assert sum(count for (_, _, fate), count in tally.items() if fate not in APART) == intake.position.fates["in"]


def test_tier_changes_are_tallied_as_they_are_told() -> None:
    done = run(Log().signal(0, "demo_request", "ann").signal(1, "webinar", "bob").until(60))
    told = Counter((change.ladder, change.from_, change.to, change.reason) for change in done.changes)
    tally: Counter[tuple[str, ...]] = Counter()
    for step in done.steps:
        tally.update(step.tally)
    assert tally == told
    assert {reason for *_, reason in told} >= {"signal", "silence"}


def test_state_bytes_are_those_of_the_rows_and_a_restore_finds_the_same() -> None:
    done = run(Log().signal(0, "demo_request", "ann").signal(1, "webinar", "bob", account="beta.com").until(200), limit=2)
    rows = sum(len(key) + len(row) for key, row in done.changelog.items() if row is not None and key not in RESERVED_KEYS)
    assert done.fold.state_bytes == rows > 0
    assert restored(done.changelog).state_bytes == rows
