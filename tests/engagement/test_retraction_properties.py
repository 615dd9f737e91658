"""What is taken out afterwards leaves an account as if it had never come."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.account import AccountState
from engagement.days import day_of
from engagement.judging import judge_by
from engagement.records import Signal
from engagement.records import decode as decode_record
from engagement.rulebook import Rulebook
from tests.engagement.log_world import FIRST_DAY, Log, run
from tests.engagement.test_qualify_properties import RULEBOOKS

SIGNALS = st.lists(
    st.tuples(
        st.sampled_from(["page", "pricing", "webinar", "surge", "email_open", "demo_request"]),
        st.sampled_from([None, "p1", "p2", "p3"]),
        st.integers(0, 3),
        st.sampled_from([None, "aml", "Sepa"]),
        st.sampled_from([None, 30, 600]),
    ),
    max_size=12,
)


def written(signals: Any, rulebook: Rulebook) -> Log:
    log = Log(rulebook)
    for kind, person, age, topic, seconds in signals:
        log.signal(3, kind, person, occurred=3 - age, topic=topic, seconds=seconds)
    return log.until(3)


def told(state: AccountState, rulebook: Rulebook) -> Any:
    """All but the evidence, of which an account remembers the newest only, and where it stands: history stays."""
    evaluation = judge_by(rulebook.canonical(), rulebook.version).evaluate("acme.com", state, FIRST_DAY + 3)
    factors = [(factor.kind, factor.points, factor.clipped, factor.count, factor.people) for factor in evaluation.factors]
    facts = {name: fact for name, fact in evaluation.facts._asdict().items() if name not in ("state", "signals", "people_with", "rungs")}
    return facts, factors


def retraction(log: Log, position: int) -> dict[str, Any]:
    entry = decode_record(log.records[position].value or b"")
    assert isinstance(entry, Signal)
    return {
        "id": entry.id,
        "kind": entry.kind,
        "day": day_of(entry.occurred_at),
        "person": entry.person,
        "topic": entry.topic,
        "seconds": entry.seconds,
    }


@settings(max_examples=150, deadline=None)
@given(SIGNALS, SIGNALS, RULEBOOKS)
def test_events_taken_out_have_never_been(kept: Any, taken: Any, rulebook: Rulebook):
    first = len(written(kept, rulebook).records)
    log = written([*kept, *taken], rulebook)
    events = [retraction(log, position) for position in range(first, len(log.records))]
    never = dict(run(written(kept, rulebook).update(3, region="EU")).fold.accounts())["acme.com"]
    log.update(3, region="EU", retract={"events": events})
    once = dict(run(log).fold.accounts())["acme.com"]
    again = dict(run(log.update(3, retract={"events": events})).fold.accounts())["acme.com"]
    assert told(once, rulebook) == told(again, rulebook) == told(never, rulebook)


@settings(max_examples=150, deadline=None)
@given(SIGNALS, st.sampled_from(["p1", "p2"]), RULEBOOKS)
def test_a_person_taken_out_has_never_been(signals: Any, person: str, rulebook: Rulebook):
    others = [signal for signal in signals if signal[1] != person]
    never = dict(run(written(others, rulebook).update(3, region="EU")).fold.accounts())["acme.com"]
    log = written(signals, rulebook).update(3, region="EU", retract={"person": person})
    once = dict(run(log).fold.accounts())["acme.com"]
    again = dict(run(log.update(3, retract={"person": person})).fold.accounts())["acme.com"]
    assert told(once, rulebook) == told(again, rulebook) == told(never, rulebook)
    assert person not in once.roles
