"""Dead letters in words, and for programs."""

from collections import Counter
from collections.abc import Iterable, Iterator
from sys import maxsize
from typing import Any

from engagement.days import EARLIEST, LATEST, iso_instant
from engagement.explain.wording import several
from engagement.written import printable
from streams.dead_letters.choice import Choice, hopeless_lines
from streams.dead_letters.letters import Found, Letters, Sort, full
from streams.scanning import original_lines
from streams.topics import Environment

_LONGEST_DETAIL = 80  # characters on a terminal; `show` and JSON have the whole


def listed(letters: Letters, environment: Environment) -> Iterator[str]:
    """One line for each that is kept: when, why, which, where from, and what is wrong with it."""
    rows = [
        (
            _received(each),
            f"{printable(each.letter.reason, _LONGEST_DETAIL)}{' (retried)' if each.place in letters.retried else ''}",
            full(each.place, environment),
            printable(each.letter.source[0], _LONGEST_DETAIL),
            printable(each.letter.detail, _LONGEST_DETAIL),
        )
        for each in letters.newest
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    for row in rows:
        yield "  ".join([*(part.ljust(width) for part, width in zip(row, widths, strict=False)), row[4]])


def count_line(sorts: Counter[Sort], retried: int = 0, foreign: int = 0) -> str:
    """How many there are by reason and by topic, how many of them were sent again, and how many records are no letters."""
    parts = [f"{several(sorts.total(), 'dead letter', 'dead letters')}{_by_sort(sorts)}"]
    if retried:
        parts.append(f"{retried:,} of them sent again")
    if foreign:
        parts.append(f"{several(foreign, 'record that is no dead letter is', 'records that are no dead letters are')} left out")
    return "; ".join(parts)


def choice_lines(choice: Choice) -> Iterator[str]:
    """What would be sent again, and what is left out."""
    yield count_line(choice.sent)
    if choice.retried:
        yield f"left out: {choice.retried:,} sent again before"
    yield from (f"left out: {line}" for line in hopeless_lines(choice.hopeless))


def shown(found: Found, original: bytes | None, retried_at: int | None, environment: Environment) -> Iterator[str]:
    """Everything of one letter."""
    letter = found.letter
    topic, partition, offset = letter.source
    yield f"place      {full(found.place, environment)}"
    yield f"reason     {printable(letter.reason, maxsize)}"
    yield f"detail     {printable(letter.detail, maxsize)}"
    yield f"source     {printable(environment.topic(topic), maxsize)}/{partition}/{offset}"
    yield f"received   {_received(found)}"
    yield f"died       {iso_instant(found.died_at)}"
    yield f"key        {'none' if found.key is None else printable(found.key.decode(errors='replace'), maxsize)}"
    for name, value in letter.written_in:
        yield f"header     {name}: {printable(value.decode(errors='replace'), maxsize)}"
    yield f"retried    {'no' if retried_at is None else iso_instant(retried_at)}"
    if original is None:
        yield "original   none"
    else:
        yield f"original   {several(len(original), 'byte', 'bytes')}"
        yield from original_lines(original, maxsize)


def fields(found: Found, retried_at: int | None, environment: Environment) -> dict[str, Any]:
    """Give what is known of one letter but its original, in JSON's types."""
    letter = found.letter
    return {
        "place": full(found.place, environment),
        "at": iso_instant(found.died_at),
        "reason": letter.reason,
        "detail": letter.detail,
        "source": letter.source,
        "received_at": letter.received_at,
        "key": None if found.key is None else found.key.decode(errors="replace"),
        "headers": {name: value.decode(errors="replace") for name, value in letter.written_in},
        "retried_at": None if retried_at is None else iso_instant(retried_at),
    }


def _received(found: Found) -> str:
    """When the original came in; Kafka takes any number from a producer."""
    return iso_instant(found.received_at) if EARLIEST <= found.received_at < LATEST else f"at {found.received_at} ms"


def _by_sort(sorts: Counter[Sort]) -> str:
    if not sorts:
        return ""
    reasons: Counter[str] = Counter()
    topics: Counter[str] = Counter()
    for (reason, topic), count in sorts.items():
        reasons[reason] += count
        topics[topic] += count
    return f": {_counted(reasons.most_common())}; of {_counted(topics.most_common())}"


def _counted(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{printable(name, 40)} {count:,}" for name, count in counts)
