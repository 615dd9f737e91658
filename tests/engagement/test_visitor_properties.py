"""Whatever comes in whatever order: nothing is lost or doubled, borders between steps show nowhere, and when a visitor is known neither."""

from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.events import Family
from engagement.fates import adds_up
from engagement.machine import POSITION_KEY, PlainRecord
from engagement.rulebook import Rulebook
from tests.engagement.intake_world import DAY, IDENTITY, NOON, entries, intent, record, steps
from tests.engagement.visitor_world import World, book, counts_of, known, seen, unlinked

FAMILY = "{acme.example: holding.example, beta.example: holding.example}"
RULES = [("last", 0), ("first", 0), ("last", 2)]
"""Which of two accounts a visitor belongs to, and how many pages a minute a person opens."""


def books(bounds: str) -> list[Rulebook]:
    return [
        book(resolve=f"{{parents: {FAMILY}}}", visitors=f"{{{bounds}, two_accounts: {account}, pages_a_minute: {pages}}}")
        for account, pages in RULES
    ]


BOUNDED = books("visits: 3, age: 2d, count: 2")
ROOMY = books("visits: 13, age: 9d")
ENDLESS = books("visits: 40, age: 120d")
AFTER_NETWORK = book(resolve="{order: [visitor, network, email]}", visitors="{visits: 13, age: 9d, pages_a_minute: 3}")

PEOPLE = st.sampled_from(
    ["jane@acme.example", "joe@acme.example", "bob@beta.example", "me@us.example", "ann@gmail.example", "x@gmail.example"]
)
ADDRESS = st.sampled_from([None, None, "10.0.0.1", "10.0.1.1", "10.0.2.1", "10.0.3.1", "10.0.4.1"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that a visitor does, or that is said of one."""

    is_visit: bool
    visitor: str
    said: dict[str, Any]

    def value(self, number: int) -> bytes:
        return seen(f"e{number}", visitor_id=self.visitor, **self.said)


VISITOR = st.sampled_from(["v1", "v2", "v3"])
VISITS = st.builds(
    lambda visitor, ip, url, wish, minute, kind: Happening(
        is_visit=True, visitor=visitor, said={"ip": ip, "url": url, "gpc": wish, "occurred_at": f"2025-01-01T10:{minute}Z", "kind": kind}
    ),
    VISITOR,
    ADDRESS,
    st.sampled_from(["/", "/pricing", "/login"]),
    st.sampled_from([None, None, False, True]),
    st.sampled_from(["00:00", "00:00", "00:59", "01:00"]),
    st.sampled_from([None, None, "webinar"]),
)
SAYINGS = st.one_of(
    st.builds(
        lambda visitor, email: Happening(is_visit=False, visitor=visitor, said={"type": "identify", "email": email}), VISITOR, PEOPLE
    ),
    st.builds(lambda visitor, email: Happening(is_visit=False, visitor=visitor, said={"email": email, "role": "vp"}), VISITOR, PEOPLE),
    st.builds(lambda visitor: Happening(is_visit=False, visitor=visitor, said={"account": "acme.example"}), VISITOR),
    st.builds(lambda visitor: Happening(is_visit=False, visitor=visitor, said={"type": "unlink"}), VISITOR),
)
FORGETTING = st.builds(lambda visitor: Happening(is_visit=False, visitor=visitor, said={"type": "forget"}), VISITOR)


@st.composite
def histories(draw: st.DrawFn) -> list[PlainRecord]:
    """Web visits of three visitors, and intent signals that know one, over some days."""
    now, offsets, records = NOON, {Family.WEB_VISITS: 0, Family.INTENT_SIGNALS: 0}, []
    for number in range(draw(st.integers(0, 30))):
        now += draw(st.sampled_from([0, 0, 1, DAY // 2, DAY, 2 * DAY + 1]))
        family = draw(st.sampled_from([Family.WEB_VISITS] * 5 + [Family.INTENT_SIGNALS]))
        happening = draw(VISITS | SAYINGS | FORGETTING)
        occurred_at = {"occurred_at": "2025-01-01T12:00:00Z"}
        value = (
            happening.value(draw(st.integers(0, number)))  # at times an id that came before
            if family is Family.WEB_VISITS
            else intent(id=f"i{number}", email=draw(PEOPLE | st.none()), visitor_id=happening.visitor, **occurred_at)
        )
        records.append(record(family, value, offset=offsets[family], received_at=now))
        offsets[family] += draw(st.integers(1, 3))
    return records


@settings(deadline=None)
@given(histories(), st.sampled_from([*BOUNDED, *ROOMY, AFTER_NETWORK]), st.lists(st.integers(1, 4), max_size=12))
def test_every_event_is_counted_waits_or_is_filtered_after_every_step(
    records: list[PlainRecord], rulebook: Rulebook, limits: list[int]
) -> None:
    world = World(rulebook)
    world.fold(records, limits)  # which looks at the counters, the rows and the log
    assert set(world.counts().values()) <= {1}  # and nothing was taken out where it was not


@settings(deadline=None)
@given(histories(), st.sampled_from(BOUNDED), st.lists(st.integers(1, 4), max_size=12), st.integers(0, 30))
def test_where_steps_end_and_when_it_restarts_shows_nowhere(
    records: list[PlainRecord], rulebook: Rulebook, limits: list[int], at: int
) -> None:
    whole, parted = World(rulebook), World(rulebook)
    whole.fold(records)
    parted.fold(records[:at], limits)
    parted.restart()
    parted.fold(records[at:], limits)
    assert parted.outputs == whole.outputs
    assert parted.visitors() == whole.visitors()
    assert list(parted.intake._visitors._rows) == list(whole.intake._visitors._rows)  # the order in which they go
    for field in ("fates", "next", "seen"):
        assert getattr(parted.intake.position, field) == getattr(whole.intake.position, field)


@settings(deadline=None)
@given(st.lists(VISITS, max_size=8), st.lists(SAYINGS, max_size=5), st.sampled_from([*ROOMY, AFTER_NETWORK]), st.data())
def test_it_does_not_matter_when_a_visitor_says_who_they_are_or_in_which_order_visits_come(
    visits: list[Happening], sayings: list[Happening], rulebook: Rulebook, data: st.DataObject
) -> None:
    values = {id(each): each.value(number) for number, each in enumerate([*visits, *sayings])}
    mixed = [*visits]
    for place, saying in zip(
        sorted(data.draw(st.lists(st.integers(0, len(visits)), min_size=len(sayings), max_size=len(sayings)))), sayings, strict=True
    ):
        mixed.insert(place + sum(not each.is_visit for each in mixed), saying)
    worlds = []
    for order in ([*sayings, *visits], [*visits, *sayings], mixed, [*sayings, *data.draw(st.permutations(visits))]):
        world = World(rulebook)
        world.visit(*(values[id(each)] for each in order))
        worlds.append((world.counts(), world.same(), world.fates))
    assert worlds[0] == worlds[1] == worlds[2] == worlds[3]


@settings(deadline=None)
@given(histories(), st.sampled_from(ROOMY))
def test_an_account_can_tell_an_entry_that_comes_again(records: list[PlainRecord], rulebook: Rulebook) -> None:
    """Of what one input record makes the numbers grow; of what one partition of a family makes, where it was read."""
    world = World(rulebook)
    world.fold(records)
    last: dict[str, tuple[int, int]] = {}
    for _, entry in entries(world.outputs):
        family, _, offset, number = entry.source
        at = (offset if entry.read is None else entry.read[1], number)
        assert at > last.get(family, (-1, 0))
        last[family] = at


@settings(deadline=None, max_examples=200)
@given(histories(), st.sampled_from(ENDLESS), st.lists(st.integers(1, 6), max_size=8), st.data())
def test_state_that_is_ahead_of_its_position_makes_nothing_lost_or_double(
    records: list[PlainRecord], rulebook: Rulebook, limits: list[int], data: st.DataObject
) -> None:
    whole = World(rulebook)
    made = list(steps(whole.intake, records, limits)) if records else []
    if not made:
        return
    died = data.draw(st.integers(0, len(made) - 1))
    # What is deleted is deleted with the position.
    ahead = [(key, row) for key, row in made[died].changelog.items() if key != POSITION_KEY and row is not None]
    written = len(ahead) - data.draw(st.integers(0, len(ahead)))
    again = World(rulebook)
    for key, row in [*(each for step in made[:died] for each in step.changelog.items()), *ahead[:written]]:
        again.intake.load(key, row)
    again.intake.loaded(exact=False)
    following = again.intake.position.next
    left = [each for each in records if each.offset >= following.get(each.topic, 0)]
    repeated = [output for step in steps(again.intake, left) for output in step.outputs] if left else []
    outputs = [output for step in made[: died + 1] for output in step.outputs] + repeated
    once = list(dict.fromkeys(outputs))
    assert sorted(map(repr, once)) == sorted(repr(output) for step in made for output in step.outputs)
    assert adds_up(again.fates)
    for fate in (
        "in",
        "waiting",
        "identify",
        "unlink",
        "to_visitor",
        "derived",
    ):  # the rest is counted as far as rows that are ahead can tell
        assert again.fates.get(fate) == whole.fates.get(fate)


def test_a_moved_visit_is_the_same_whenever_it_is_moved() -> None:
    early, late = World(ROOMY[0]), World(ROOMY[0])
    early.visit(known("who"), seen("a"), unlinked("not"), known("again", "bob@beta.example"))
    late.visit(seen("a"), known("again", "bob@beta.example"))
    assert counts_of(early.outputs) == counts_of(late.outputs)
    assert IDENTITY.person("bob@beta.example") in {person for *_, person in early.counts()}
