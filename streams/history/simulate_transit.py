"""What happens to an event between its producer and the topic: a few seconds, mostly; or days, twice, or damage.

Rates are parts of ten thousand events. Journeys travel undisturbed.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

import msgspec

from engagement.days import MS_PER_DAY, iso_instant
from engagement.events import Family
from streams.history.lines import encode_line
from streams.history.simulate_moves import MINUTE, Letter, Move, write
from streams.history.simulate_world import Company

_DUPLICATED = 100
_DELAYED = 50  # by days, as a booth's scanner that is emptied after the show
_LATE = 15  # by more than a quarter: no use to anybody
_FUTURE = 10  # a producer's clock is wrong
_DAMAGED = 40
_ALL = 10_000


class Delivery(NamedTuple):
    """One line of a history. Sorts by time, and at the same time by content: order never depends on who was asked first."""

    received_at: int
    line: bytes


def deliver(letter: Letter, received_at: int) -> Delivery:
    """An event that arrives as it was sent."""
    return Delivery(received_at, encode_line(letter.family, received_at, letter.key, value=letter.value))


def undisturbed(company: Company, move: Move, rng: Random) -> Iterator[Delivery]:
    """Two seconds on the way."""
    yield deliver(write(company, move, move.at - 2000, rng), move.at)


def disturbed(company: Company, move: Move, rng: Random) -> Iterator[Delivery]:
    """As it goes in the world: one arrival, two for a duplicate."""
    letter = write(company, move, move.at - delay(rng), rng)
    if rng.randrange(_ALL) < _DAMAGED:
        yield damaged(letter, move.at, rng)
        return
    yield deliver(letter, move.at)
    if rng.randrange(_ALL) < _DUPLICATED:
        yield deliver(letter, move.at + rng.randint(1, 40) * MINUTE)


def delay(rng: Random) -> int:
    """Milliseconds between an event and its arrival; negative for a clock that runs ahead."""
    fate = rng.randrange(_ALL)
    if fate < _LATE:
        return rng.randint(100, 300) * MS_PER_DAY
    if fate < _LATE + _FUTURE:
        return -rng.randint(1, 30) * MS_PER_DAY
    if fate < _LATE + _FUTURE + _DELAYED:
        return int(rng.uniform(1, 6) * MS_PER_DAY)
    return 500 + int(rng.expovariate(1 / 4000))


def damaged(letter: Letter, received_at: int, rng: Random) -> Delivery:
    """One of the ways in which producers go wrong. Some can be mended (a missing key, a wrong partition), the rest are dead letters."""
    return Delivery(received_at, rng.choice(DAMAGES)(letter, received_at))


def torn(letter: Letter, received_at: int) -> bytes:
    """The connection broke in the middle of the JSON."""
    text = msgspec.json.encode(letter.value).decode()
    return encode_line(letter.family, received_at, letter.key, raw=text[: len(text) // 2])


def empty(letter: Letter, received_at: int) -> bytes:
    """No bytes at all."""
    return encode_line(letter.family, received_at, letter.key, raw="")


def null(letter: Letter, received_at: int) -> bytes:
    """A tombstone, on a topic that has none."""
    return encode_line(letter.family, received_at, letter.key)


def mistyped(letter: Letter, received_at: int) -> bytes:
    """The id became a number on the way through a spreadsheet."""
    return encode_line(letter.family, received_at, letter.key, value=letter.value | {"id": 1.5e15})


def dateless(letter: Letter, received_at: int) -> bytes:
    """A local time, of nobody knows where."""
    return encode_line(letter.family, received_at, letter.key, value=letter.value | {"occurred_at": iso_instant(received_at)[:-5]})


def from_tomorrow(letter: Letter, received_at: int) -> bytes:
    """A producer that speaks a version nobody has heard of."""
    return encode_line(letter.family, received_at, letter.key, value=letter.value | {"schema_version": 2})


def unheard_of(letter: Letter, received_at: int) -> bytes:
    """A kind of signal that is in no rulebook."""
    event = {
        "id": letter.value["id"],
        "occurred_at": letter.value["occurred_at"],
        "kind": "podcast_listen",
        "email": "guest@podcast.example",
    }
    return encode_line(Family.INTENT_SIGNALS, received_at, "guest@podcast.example", value=event)


def keyless(letter: Letter, received_at: int) -> bytes:
    """A producer that forgot the key; the event holds what it should have been."""
    return encode_line(letter.family, received_at, None, value=letter.value)


def astray(letter: Letter, received_at: int) -> bytes:
    """A producer with a partitioner of its own sends everything to partition 0."""
    return encode_line(letter.family, received_at, letter.key, value=letter.value, partition=0)


DAMAGES: tuple[Callable[[Letter, int], bytes], ...] = (
    torn,
    empty,
    null,
    mistyped,
    dateless,
    from_tomorrow,
    unheard_of,
    keyless,
    astray,
)
