"""Events to be told: one JSON text, or the lines of a file; each as in a history, or the event alone."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from engagement.days import EARLIEST
from engagement.decoding import Dead, decode
from engagement.errors import Refused
from engagement.events import Family, IntentSignal, WebVisit
from engagement.written import printable
from streams.genesis import PARTITIONS
from streams.history.arrivals import Arrival, placed
from streams.history.lines import read_line

_REMEDY = "write an event as its topic has it (see `mqa schema web-visits`), or a line of a history"
_ONLY_VISITS = WebVisit.model_fields.keys() - IntentSignal.model_fields.keys()
_Object = dict[str, msgspec.Raw]
_decode = msgspec.json.Decoder(_Object).decode


def read_event(text: bytes, place: str, number: int = 0) -> Arrival:
    """Read one event. Raises `Refused` where it is no JSON object, or no good line of a history.

    An event alone counts as received when it occurred. ``number`` is its line's, for `placed`.
    """
    try:
        said = _decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        msg = f"{place}: {printable(str(error), 200)}; {_REMEDY}"
        raise Refused(msg) from None
    if "topic" in said and "received_at" in said:
        return placed(read_line(text, place), number, PARTITIONS)
    family = _family_of(said)
    return Arrival(family, number % PARTITIONS, _occurred_at(family, text), None, text)  # intake sends it on where it belongs


def read_events(lines: Iterable[bytes], place: str, refused: Callable[[Refused], None]) -> Iterator[tuple[int, Arrival]]:
    """Each event and its line's number; ``refused`` is told of the lines that hold none. Empty lines are passed over."""
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            event = read_event(text, f"{place}:{number}", number)
        except Refused as refusal:
            refused(refusal)
        else:
            yield number, event


def _family_of(said: _Object) -> Family:
    """Tell by its fields which topic an event belongs to. Visits and signals share some, and with no others they mean the same."""
    if "visitor_id" in said and ("kind" not in said or not _ONLY_VISITS.isdisjoint(said)):
        return Family.WEB_VISITS
    return Family.INTENT_SIGNALS if "kind" in said else Family.ACCOUNT_UPDATES


def _occurred_at(family: Family, text: bytes) -> int:
    try:
        return decode(family, text).occurred_at
    except Dead:
        return EARLIEST  # intake says what is wrong with it, whenever it came
