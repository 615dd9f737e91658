"""Which dead letters are sent again, and which are not, and why."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from engagement.days import iso_instant
from engagement.dead_letters import why_not
from engagement.errors import Refused
from engagement.written import printable
from streams.dead_letters.letters import Letters, Sort, Wanted, full
from streams.scanning import Place
from streams.topics import Environment


class Choice(NamedTuple):
    """What would be sent again, and what not."""

    wanted: Wanted
    sent: Counter[Sort]
    hopeless: Counter[Sort]
    retried: int  # how many were sent again before


def choose(letters: Letters, wanted: Wanted, environment: Environment, *, is_bounded: bool) -> Choice:
    """Choose what to send of ``letters``, which were found by ``wanted``. ``is_bounded``: those that `Letters.newest` holds alone.

    Raises `Refused` where a place that was named holds no letter, or one that was sent again; and where there are letters, and none of
    them can be sent.
    """
    if wanted.places is not None:
        _refuse_places(wanted.places, letters, environment)
    if is_bounded:
        found = [each for each in letters.newest if each.place not in letters.retried]
        wanted = Wanted(places=frozenset(each.place for each in found))
        left, retried = Counter(each.sort for each in found), len(letters.newest) - len(found)
    else:
        left, retried = letters.sorts - letters.retried_sorts, letters.retried_sorts.total()
    hopeless = Counter({sort: count for sort, count in left.items() if why_not(*sort) is not None})
    if hopeless and hopeless == left:
        raise Refused(f"environment {environment.prefix!r}: cannot be sent again: {'; '.join(hopeless_lines(hopeless))}")
    return Choice(wanted, left - hopeless, hopeless, retried)


def _refuse_places(places: frozenset[Place], letters: Letters, environment: Environment) -> None:
    for place in sorted(places - {each.place for each in letters.newest}):
        raise no_letter(place, environment)
    for place in sorted(places & letters.retried.keys()):
        msg = (
            f"{full(place, environment)}: was sent again {iso_instant(letters.retried[place])}; where it was dead once more, that is "
            f"another letter: see `mqa dead-letters list{environment.option}`"
        )
        raise Refused(msg)


def no_letter(place: Place, environment: Environment) -> Refused:
    """Say that no letter lies at a place that somebody named."""
    return Refused(
        f"{full(place, environment)}: no dead letter lies there (any more); `mqa dead-letters list{environment.option}` shows them"
    )


def hopeless_lines(hopeless: Mapping[Sort, int]) -> Iterator[str]:
    """Count those that cannot be sent again, and say why."""
    yield from (f"{count:,} {printable(reason, 40)}: {why_not(reason, topic)}" for (reason, topic), count in hopeless.items())
