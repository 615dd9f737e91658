"""What is judged and what need not be: most signals move nothing, and that is known without looking at the whole account."""

from collections import Counter

import pytest

from engagement.judging import Judge
from engagement.rulebook import load_rulebook
from tests.engagement.log_world import DEFAULT, Log, run


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each account was judged."""
    counted: Counter[str] = Counter()
    tallied = Judge.tallied

    def counting(self: Judge, account: str, *more: object) -> object:
        counted[account] += 1
        return tallied(self, account, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(Judge, "tallied", counting)
    return counted


def test_new_people_do_not_matter_while_the_points_are_far_away(judged: Counter[str]) -> None:
    log = Log(DEFAULT).signal(0, "page", "ann")
    for person in ("bob", "cid", "dan", "eve", "fay"):
        log.signal(0, "page", person)
    run(log)
    assert judged["acme.com"] == 1


def test_points_do_not_matter_while_the_account_is_active_on_one_day_only(judged: Counter[str]) -> None:
    log = Log(DEFAULT).signal(0, "webinar", "ann").signal(0, "page", "ann")  # engaged; then judged once, and 70 points from MQA
    assert run(log).rung("stage") == "engaged"
    looks = judged.total()
    for person in ("bob", "cid", "dan", "eve"):
        log.signal(0, "webinar", person)
    judged.clear()
    assert run(log).rung("stage") == "engaged"
    assert judged.total() == looks
    assert run(log.signal(1, "page", "bob")).rung("stage") == "mqa"


def test_who_was_idle_for_long_falls_at_the_first_signal_again() -> None:
    """Idle is the one word that a signal makes false."""
    resting = load_rulebook(
        """
        signals: {page: {points: 1}}
        stage: {sleeping: {enter: {idle: 20d}}}
        """,
        "resting",
    )
    log = Log(resting).signal(0, "page", "ann").until(25)
    log.update(25, owner="ann")  # judged on this day: what it bears from now on is known
    assert run(log).rung("stage") == "sleeping"
    woken = run(log.signal(25, "page", "ann"))
    assert woken.rung("stage") != "sleeping"
    assert woken.changes[-1].reason == "signal"
