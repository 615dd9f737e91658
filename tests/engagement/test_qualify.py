"""The fold at its edges: what it refuses, what it sets aside, and what it writes beside the body of a change."""

import json
import re
from typing import Any

import pytest

from engagement.days import midnight
from engagement.errors import Refused
from engagement.machine import POSITION_KEY, RULEBOOK_KEY
from engagement.qualify import QualifyPosition
from engagement.records import DAY_KEY, GENESIS_KEY, LIVE_KEY, Activation, Day, Genesis, GoLive, encode
from engagement.rulebook import load_rulebook
from tests.engagement.log_world import DEFAULT, DEFAULT_TEXT, FIRST_DAY, TOPIC, Log, Run, restored, run


def genesis(*, day: int | None = None, semantics: int = 1) -> Genesis:
    return Genesis(partitions=1, clock="wall", day=day, semantics=semantics, rulebook=DEFAULT_TEXT, version=DEFAULT.version)


def test_a_missing_day_is_refused():
    log = Log()
    log.append(DAY_KEY, Day(day=FIRST_DAY + 2), FIRST_DAY + 2)
    with pytest.raises(
        Refused, match=r"mqa\.account-log/0 offset 4: begins 2025-01-03 after 2025-01-01: days are missing between; .*replay"
    ):
        run(log)


def test_a_day_that_has_been_is_ignored():
    log = Log().signal(3, "demo_request", "p1")
    log.append(DAY_KEY, Day(day=FIRST_DAY + 1), FIRST_DAY + 1)
    assert run(log).fold.position.rule_day == FIRST_DAY + 3


def test_the_genesis_may_say_the_first_day():
    log = Log().signal(0, "page")
    log.records[:2] = [log.records[0]._replace(value=encode(genesis(day=FIRST_DAY)))]
    assert run(log).fold.position.rule_day == FIRST_DAY


def test_a_signal_before_any_genesis_is_refused():
    with pytest.raises(Refused, match="comes before any genesis"):
        Run(Log().signal(0, "page").records[2:])


@pytest.mark.parametrize("restart", [False, True])
def test_what_came_before_the_first_day_is_judged_when_that_day_begins(restart: bool):
    log = Log().signal(0, "demo_request", "p1").signal(0, "page", account="other.com").update(0, account="third.com", listed_tier=1)
    genesis_record, day, *rest = log.records
    early = [genesis_record, *(record._replace(offset=2 + 2 * number) for number, record in enumerate(rest)), day._replace(offset=20)]
    result = Run(early, chunk=2, restart=restart)
    assert [(change.account, change.to, change.cause) for change in result.changes] == [
        ("acme.com", "mqa", "day:2025-01-01"),
        ("third.com", "tier_1", "day:2025-01-01"),
    ]
    assert result.fold.position.fates["signals"] == 2


def test_an_account_is_judged_at_its_first_signal_even_where_that_is_worth_nothing():
    everyone = load_rulebook("signals: {page: {points: 1}, email_open: {points: 0}}\ntier: {tier_3: {enter: {fit: unknown}}}", "everyone")
    (change,) = run(Log(everyone).signal(0, "email_open").signal(0, "email_open")).changes
    assert (change.to, change.score, change.sequence) == ("tier_3", 0, 1)


def test_an_update_that_would_pass_the_bound_is_a_dead_letter_and_changes_nothing():
    log = Log().update(0, region="EU", attributes={f"a{number}": "x" * 1000 for number in range(60)})
    log.update(1, region="US", attributes={f"b{number}": "x" * 1000 for number in range(60)}, contacts={"p1": None})
    before, result = log.records[:-1], run(log.signal(1, "page"))
    assert result.state().attributes == Run(before).state().attributes
    assert (result.state().region, result.state().roles) == ("EU", {})
    (dead,) = result.outputs
    headers = dict(dead.headers)
    assert dead.value == log.records[-2].value
    assert (headers["reason"], headers["source-topic"]) == (b"account_full", b"account-log")
    assert result.fold.position.fates == {"in": 6, "genesis": 1, "days": 2, "updates": 1, "dead:account_full": 1, "signals": 1}


def test_a_second_genesis_is_refused():
    log = Log()
    log.append(GENESIS_KEY, genesis(), FIRST_DAY)
    with pytest.raises(Refused, match="is a second genesis"):
        run(log)


def test_unknown_semantics_are_refused():
    log = Log()
    log.records[0] = log.records[0]._replace(value=encode(genesis(semantics=2)))
    with pytest.raises(Refused, match="format 1 and semantics 2, this version knows 1 and 1"):
        run(log)


def test_an_activation_of_unknown_semantics_is_refused():
    log = Log()
    log.append(b"__activation__", Activation(rulebook=DEFAULT_TEXT, version="v2", semantics=2, received_at=0), FIRST_DAY)
    with pytest.raises(Refused, match="activates semantics 2, this version knows 1"):
        run(log)


def test_a_type_from_the_future_is_refused_not_lost():
    log = Log()
    log.append(b"acme.com", b'{"type":"pin"}', FIRST_DAY)
    with pytest.raises(Refused, match="has a shape this version does not know"):
        run(log)


@pytest.mark.parametrize("fields", [{"disposition": 5}, {"attributes": [1]}, {"opportunity": {"id": "o"}}, {"contacts": {"p": 1}}])
def test_an_update_of_another_shape_is_refused_before_it_is_folded(fields: dict[str, Any]):
    with pytest.raises(Refused, match="has a shape this version does not know"):
        run(Log().update(0, **fields))


def test_an_instant_out_of_range_is_refused_before_it_is_folded():
    log = Log().signal(0, "page")
    assert log.records[-1].value is not None
    for name in (b"occurred_at", b"received_at"):
        value = re.sub(rb'"%s":[0-9]+' % name, rb'"%s":%d' % (name, 2**63), log.records[-1].value)
        with pytest.raises(Refused, match="has a shape this version does not know"):
            Run([*log.records[:-1], log.records[-1]._replace(value=value)])


def test_an_account_record_needs_an_account():
    log = Log().signal(0, "page")
    log.records[-1] = log.records[-1]._replace(key=None)
    with pytest.raises(Refused, match="has the key None, which is no account"):
        run(log)


@pytest.mark.parametrize("value", [b"{", b"", None, b"\xff", b"{}", b"[1]", b'{"type": 7}', b"[" * 100_000])
def test_what_is_no_log_record_goes_to_the_dead_letters_as_it_came(value: bytes | None):
    log = Log()
    log.records.append(log.records[-1]._replace(key=b"acme.com", value=value, offset=5, timestamp=5))
    result = run(log)
    (dead,) = result.outputs
    headers = dict(dead.headers)
    assert (dead.topic, dead.key, dead.value) == ("dead-letters", b"acme.com", value)
    assert (headers["reason"], headers["source-topic"], headers["source-partition"], headers["source-offset"]) == (
        b"not_a_log_record",
        b"account-log",
        b"0",
        b"5",
    )
    assert result.fold.position.fates["dead:not_a_log_record"] == result.fold.position.dead_run == 1
    assert run(log.signal(0, "page")).fold.position.dead_run == 0


def test_a_record_that_the_account_has_is_skipped():
    result = run(Log().signal(0, "page"))
    position = json.loads(result.changelog[POSITION_KEY] or b"")
    position["next"][TOPIC] = 4  # state ahead of its position, as after a crash without transactions
    del position["sources"]
    fold = restored(result.changelog | {POSITION_KEY: json.dumps(position).encode()})
    step = fold.step(Log().signal(0, "page").records, 100)
    assert step.position.fates["skipped"] == 1
    assert step.position.rows == 1


def test_a_change_is_a_cloud_event_with_its_coordinates_outside_the_body():
    (output,) = run(Log().signal(2, "demo_request", "p1")).outputs
    headers = {name: value.decode() for name, value in output.headers}
    body = json.loads(output.value)
    assert headers == {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": body["id"],
        "ce_source": "/mqa",
        "ce_type": "mqa.tier-change.v1",
        "ce_subject": "acme.com",
        "ce_time": "2025-01-03T12:00:00.000Z",
        "mode": "baseline",
        "mqa-log": "0/8",
    }
    assert (output.key, output.timestamp) == (b"acme.com", midnight(FIRST_DAY + 2) + 43_200_000)
    assert (body["from"], body["to"], body["reason"], body["cause"]) == ("watch", "mqa", "signal", "intent-signals:e4")
    assert body["factors"] == [{"kind": "demo_request", "points": 100_000, "clipped": 0, "count": 1, "people": 1, "events": ["e4"]}]


def test_what_the_days_before_going_live_bring_is_baseline_and_what_comes_after_is_live():
    log = Log().signal(0, "demo_request", "p1").until(31)  # it falls on the 30th day
    log.append(LIVE_KEY, GoLive(received_at=midnight(FIRST_DAY + 31)), FIRST_DAY + 31)
    outputs = run(log.signal(31, "demo_request", "p1")).outputs
    modes = [(json.loads(output.value)["to"], dict(output.headers)["mode"]) for output in outputs]
    assert modes == [("mqa", b"baseline"), ("engaged", b"baseline"), ("mqa", b"live")]


def test_lost_rows_are_noticed_at_restore():
    changelog = run(Log().signal(0, "page")).changelog
    with pytest.raises(Refused, match="restored 0 rows"):
        restored({key: value for key, value in changelog.items() if key != b"acme.com"})


def test_a_lost_rulebook_is_noticed_at_restore():
    changelog = run(Log().signal(0, "page")).changelog
    with pytest.raises(Refused, match=f"the text of rulebook {DEFAULT.version} is missing"):
        restored({key: value for key, value in changelog.items() if key != RULEBOOK_KEY})


def test_a_position_without_a_genesis_is_noticed_at_restore():
    with pytest.raises(Refused, match="has no rulebook: the log's genesis was not read"):
        restored({POSITION_KEY: b'{"next":{"mqa.account-log":5}}'})


def test_a_step_is_forgotten_unless_it_is_accepted():
    log = Log().signal(1, "demo_request", "p1")
    fold = Run(log.records[:3]).fold
    tried, again = fold.step(log.records[3:], 100), fold.step(log.records[3:], 100)
    assert tried == again
    assert len(tried.outputs) == 1


def test_a_day_that_concerns_many_is_done_in_slices():
    log = Log()
    for number in range(10):
        log.signal(0, "demo_request", "p1", account=f"a{number}.com")
    result = run(log.until(31), limit=3)
    under_way = [step for step in result.steps if isinstance(step.position, QualifyPosition) and step.position.cursor is not None]
    assert len(under_way) == 3
    assert [change.account for change in result.changes if change.direction == "demotion"] == [f"a{number}.com" for number in range(10)]
    assert all(len(step.outputs) <= 3 for step in result.steps)


@pytest.mark.parametrize("kind", ["page", "newsletter"])
def test_a_late_signal_by_which_the_account_is_known_for_longer_lets_a_topic_surge(kind: str):
    text = "signals: {page: {points: 1}, newsletter: {points: 0}}\nstage: {engaged: {enter: {any: [{surge: aml}, {score: 90}]}}}"
    log = Log(load_rulebook(text, "x")).signal(60, "page", "p1", topic="aml")
    for _ in range(5):
        log.signal(60, "page", "p2", topic="aml")
    assert not run(log).changes  # known for less than the 8 weeks that it takes
    (change,) = run(log.signal(60, kind, occurred=4)).changes
    assert (change.to, change.reason) == ("engaged", "signal")
