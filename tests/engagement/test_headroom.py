"""What is judged and what need not be: most signals move nothing, and that is known without looking at the whole account."""

from collections import Counter
from random import Random
from typing import Any

import pytest

from engagement.headroom import Headroom
from engagement.judging import Judge
from engagement.rulebook import load_rulebook
from tests.engagement.log_world import DEFAULT, Log, run
from tests.engagement.random_histories import random_history
from tests.engagement.random_rulebooks import random_rulebook
from tests.engagement.test_oracle import engine


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


def test_a_segment_that_a_signal_makes_true_promotes() -> None:
    warm = load_rulebook("signals: {page: {points: 5}}\nsegments: {warm: {score: 12}}\nstage: {mqa: {enter: {segment: warm}}}", "warm")
    log = Log(warm)
    for _ in range(4):
        log.signal(0, "page", "bob")
    assert run(log).rung("stage") == "mqa"


def test_what_holds_a_rung_as_long_as_something_is_not_so_is_looked_at() -> None:
    calm = load_rulebook(
        "signals: {page: {points: 5}}\nstage: {calm: {enter: {strategic: true, not: {score: 12}}, keep: {not: {score: 12}}}}", "calm"
    )
    log = Log(calm).signal(0, "page", "bob").update(0, strategic=True).update(0, owner="ann")
    assert run(log).rung("stage") == "calm"
    for _ in range(4):
        log.signal(0, "page", "bob")
    assert run(log).rung("stage") != "calm"


def test_a_role_that_is_known_only_from_below_counts_for_what_is_rolled_up() -> None:
    rising = load_rulebook("signals: {page: {points: 10}}\nroles: {vp: 2}\nstage: {mqa: {enter: {rolled_up_score: 100}}}", "rising")
    log = Log(rising).signal(0, "page", "bob", role="vp", via="labs.acme.com")
    for _ in range(6):
        log.signal(0, "page", "bob")
    live, replayed = run(log), run(log, chunk=1, restart=True)
    assert [change.cause for change in live.changes] == [change.cause for change in replayed.changes]
    assert live.rung("stage") == "mqa"


def test_headroom_lasts_to_a_later_day_and_its_points_with_it() -> None:
    log = Log(DEFAULT).signal(0, "download", "ann").signal(0, "page", "ann")  # 21 points of 30
    log.signal(1, "page", "ann").until(2)
    assert run(log).rung("stage") != "engaged"
    assert run(log.signal(2, "email_click", "bob").signal(2, "download", "ann")).rung("stage") == "engaged"


def test_nothing_moves_that_is_borne(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a signal is judged, or known to move nothing, shows nowhere."""
    borne: Counter[bool] = Counter()
    bears = Headroom.bears

    def counted(*args: Any, **options: Any) -> bool:
        borne[answer := bears(*args, **options)] += 1
        return answer

    for seed in range(40):
        random = Random(seed)
        text = random_rulebook(random)
        history, rulebook = random_history(random, text), load_rulebook(text, "random")
        with monkeypatch.context() as always_judged:
            always_judged.setattr(Headroom, "bears", lambda *_, **__: False)
            whole = engine(rulebook, history)
        with monkeypatch.context() as observed:
            observed.setattr(Headroom, "bears", counted)
            outputs = engine(rulebook, history).outputs
        assert outputs == whole.outputs, f"seed {seed}"
    assert borne[True] > 500
