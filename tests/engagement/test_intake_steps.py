"""Fates, outputs and state depend on the records alone: not on step borders, other topics, retries or restarts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.errors import Refused
from engagement.events import Family
from engagement.fates import APART, adds_up
from engagement.identity import Identity, person_hasher
from engagement.intake import Intake
from engagement.machine import POSITION_KEY, Output, PlainRecord
from engagement.records import GENESIS_KEY
from tests.engagement.intake_world import (
    ELSEWHERE,
    HOUR,
    IDENTITY,
    KEY,
    NOON,
    counted,
    intent,
    new_intake,
    record,
    run,
    steps,
    update,
    visit,
)

BODIES = {
    Family.WEB_VISITS: visit,
    Family.INTENT_SIGNALS: intent,
    Family.ACCOUNT_UPDATES: update,
}
MAYBE_WRONG = st.fixed_dictionaries(
    {"id": st.sampled_from("abcdefghij")},
    optional={
        "email": st.sampled_from(["joe@acme.example", "x@gmail.example", "me@us.example", "nobody", None]),
        "account": st.sampled_from(["beta.example", "gmail.example", "Acme Inc"]),
        "occurred_at": st.sampled_from(
            ["2024-01-01T00:00:00Z", "2025-01-01T12:00:00", "2026-01-01T00:00:00Z", "2025-01-01T13:59:00.5+02:00"]
        ),
        "url": st.sampled_from(["/pricing", "/careers", "/a.js"]),
        "kind": st.sampled_from(["page", "seance"]),
        "schema_version": st.sampled_from([1, 2]),
        "user_agent": st.just("robot"),
        "visitor_id": st.sampled_from(["v1", "v2", "v3"]),
        "type": st.sampled_from(["identify", "unlink", None]),
        "gpc": st.booleans(),
    },
)
GARBAGE = st.one_of(st.none(), st.binary(max_size=20), st.sampled_from([b"{}", b"[]", b"null", b'{"id": NaN}', visit() + b"}"]))


@st.composite
def streams(draw: st.DrawFn) -> list[PlainRecord]:
    """Records of three topics in one partition, each topic's in order of offset and received time."""
    following = dict.fromkeys(Family, 0)
    now = NOON
    records = []
    for _ in range(draw(st.integers(0, 25))):
        family = draw(st.sampled_from(list(Family)))
        now += draw(st.sampled_from([0, 1, HOUR // 2, HOUR]))
        value = draw(GARBAGE) if draw(st.integers(0, 4)) == 0 else BODIES[family](**draw(MAYBE_WRONG))
        key = draw(st.sampled_from([KEY, KEY, KEY, ELSEWHERE, None]))
        records.append(record(family, value, key=key, offset=following[family], received_at=now))
        following[family] += draw(st.integers(1, 3))  # transaction markers leave gaps
    return records


def recorded(intake: Intake, records: Sequence[PlainRecord], limits: Sequence[int]) -> tuple[list[Output], dict[bytes, bytes]]:
    """Fold in steps; the outputs, and the changelog as compaction would leave it."""
    outputs: list[Output] = []
    changelog: dict[bytes, bytes] = {}
    for step in steps(intake, records, limits):
        outputs += step.outputs
        for key, value in step.changelog.items():
            changelog.pop(key, None)
            if value is not None:
                changelog[key] = value
    return outputs, changelog


def restored(changelog: dict[bytes, bytes], identity: Identity = IDENTITY) -> Intake:
    intake = new_intake(identity=identity)
    for key, value in changelog.items():
        intake.load(key, value)
    intake.loaded()
    return intake


@settings(deadline=None)
@given(streams(), st.lists(st.integers(1, 6), max_size=8))
def test_every_record_has_exactly_one_fate_and_dead_ones_keep_their_bytes(records: list[PlainRecord], limits: list[int]) -> None:
    intake = new_intake()
    outputs = run(intake, records, limits)
    fates = Counter(intake.position.fates)
    dead = [r for r in outputs if r.topic == "dead-letters"]
    assert fates["in"] + sum(fates[fate] for fate in APART) == len(records)
    assert adds_up(fates)
    assert {fate.partition(":")[0] for fate in fates} <= {"in", "counted", "waiting", "filtered", "dead", "visitors", "derived", *APART}
    assert fates["counted"] == counted(outputs)
    assert fates["rerouted"] + fates["to_visitor"] + fates["derived"] == sum(
        output.topic in {family.value for family in Family} for output in outputs
    )
    assert sum(count for fate, count in fates.items() if fate.startswith("dead:")) == len(dead)
    sent = {(r.topic.removeprefix("t."), str(r.offset)): (r.key, r.value) for r in records}
    for letter in dead:
        headers = {name: value.decode() for name, value in letter.headers}
        assert sent[headers["source-topic"], headers["source-offset"]] == (letter.key, letter.value)


@settings(deadline=None)
@given(streams(), st.lists(st.integers(1, 4), max_size=12))
def test_step_borders_do_not_matter(records: list[PlainRecord], limits: list[int]) -> None:
    whole, parted = new_intake(), new_intake()
    assert run(whole, records) == run(parted, records, limits)
    assert whole.position.fates == parted.position.fates
    assert whole.position.next == parted.position.next
    assert whole.position.dead_run == parted.position.dead_run


@settings(deadline=None)
@given(streams(), st.lists(st.integers(1, 4), max_size=12))
def test_a_restored_intake_goes_on_as_if_nothing_had_happened(records: list[PlainRecord], limits: list[int]) -> None:
    half = len(records) // 2
    steady = new_intake()
    _, changelog = recorded(steady, records[:half], limits)
    again = restored(changelog)
    assert again.position == steady.position
    assert recorded(again, records, limits) == recorded(steady, records, limits)


@settings(deadline=None)
@given(streams())
def test_how_topics_interleave_changes_no_fate(records: list[PlainRecord]) -> None:
    by_topic = sorted(records, key=lambda r: r.topic)  # stable: each topic's order stays
    mixed, sorted_ = new_intake(), new_intake()
    key = repr
    assert sorted(run(mixed, records), key=key) == sorted(run(sorted_, by_topic), key=key)
    assert mixed.position.fates == sorted_.position.fates


@settings(deadline=None, max_examples=50)
@given(streams(), st.integers(1, 5))
def test_a_step_that_was_not_accepted_leaves_no_trace(records: list[PlainRecord], limit: int) -> None:
    intake, calm = new_intake(), new_intake()
    intake.step(records, limit)
    assert recorded(intake, records, [limit]) == recorded(calm, records, [limit])


def test_a_step_ends_at_its_limit_and_skips_what_is_done_for_nothing() -> None:
    intake = new_intake()
    records = [record(Family.WEB_VISITS, visit(id=f"e{n}"), offset=n) for n in range(5)]
    run(intake, records[:2])
    assert intake.step(records, 2).consumed == 4


def test_a_step_names_the_next_offset_of_each_topic_it_moved() -> None:
    intake = new_intake()
    run(intake, [record(Family.INTENT_SIGNALS, intent(), offset=4)])
    step = intake.step([record(Family.WEB_VISITS, visit(), offset=7), record(Family.INTENT_SIGNALS, intent(), offset=4)], 10)
    assert step.positions == {"t.web-visits": 8}
    assert step.consumed == 2
    assert step.position.next == {"t.web-visits": 8, "t.intent-signals": 5}


def test_state_that_lost_a_row_is_refused() -> None:
    _, changelog = recorded(new_intake(), [record(Family.WEB_VISITS, visit())], [])
    row, _ = (key for key in changelog if key != POSITION_KEY)
    del changelog[row]
    with pytest.raises(Refused, match="intake-changelog, partition 0: restored 1 rows"):
        restored(changelog)


def test_a_position_of_an_unknown_format_is_refused() -> None:
    with pytest.raises(Refused, match="format 9, this version reads 1"):
        restored({POSITION_KEY: b'{"format": 9}'})


def test_state_of_people_hashed_under_another_key_is_refused() -> None:
    _, changelog = recorded(new_intake(), [record(Family.WEB_VISITS, visit())], [])
    other = replace(IDENTITY, person=person_hasher(b"another secret", "k1"))
    with pytest.raises(Refused, match=r"hashed under another key of the id 'k1'.*MQA_PERSON_KEY_ID"):
        restored(changelog, other)


def test_a_new_key_under_an_id_of_its_own_is_taken() -> None:
    _, changelog = recorded(new_intake(), [record(Family.WEB_VISITS, visit())], [])
    restored(changelog, replace(IDENTITY, person=person_hasher(b"another secret", "k2"), key_id="k2"))


def test_a_fresh_changelog_with_its_genesis_is_an_empty_state() -> None:
    assert restored({GENESIS_KEY: b"{}"}).position == new_intake().position
