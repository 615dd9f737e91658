"""From a record in a foreign format to events of ours: all that intake and the import need to know of the adapters."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from engagement.adapters import cloudevents, segment, snowplow
from engagement.adapters.mapping import Format, Mapping
from engagement.adapters.outcome import LeftOut, Nothing, Outcome, Taken, Unusable
from engagement.adapters.payload import read_json, write_json
from engagement.adapters.snowplow_columns import flat_event
from engagement.decoding import Dead
from engagement.events import Family

FORMAT_HEADER = "mqa-format"
OWN = "mqa"
"""What the header says of a record that is an event of ours on a topic of which the mapping says otherwise."""

CONTENT_TYPE_HEADER = "content-type"
_CLOUDEVENTS = (b"application/cloudevents+json", b"application/cloudevents-batch+json")


def format_of(headers: Sequence[tuple[str, bytes]], family: Family, mapping: Mapping) -> Format | None:
    """Say what a record of a family's topic is written in; None: it is an event of ours.

    The header ``mqa-format`` decides, then the content type of CloudEvents, then the mapping. Raises `Dead` for a format that nobody knows.
    """
    if not headers:
        return mapping.topics.get(family)
    said = dict(headers)
    named = said.get(FORMAT_HEADER)
    if named is not None:
        name = named.decode(errors="replace")
        if name == OWN:
            return None
        try:
            return Format(name)
        except ValueError:
            raise Dead("invalid", f"header {FORMAT_HEADER} = {name[:60]!r}: Input should be {', '.join((*Format, OWN))}") from None
    if (said.get(CONTENT_TYPE_HEADER) or b"").partition(b";")[0].strip().lower() in _CLOUDEVENTS:
        return Format.CLOUDEVENTS
    return mapping.topics.get(family)


def adapted(value: bytes, written_in: Format, mapping: Mapping) -> list[Outcome]:
    """Read a record's value: an outcome for each event that it holds, and one where it holds none. Raises nothing."""
    try:
        return list(_outcomes(value, written_in, mapping)) or [LeftOut("empty")]
    except Dead as dead:
        return [Unusable(dead, value, written_in)]
    except RecursionError:  # what is nested as deep as JSON can be read is a step too deep to be written again
        return [Unusable(Dead("malformed_json", "nested too deep"), value, written_in)]


def _outcomes(value: bytes, written_in: Format, mapping: Mapping) -> Iterator[Outcome]:
    """Raise `Dead`, before anything is yielded, for a value that cannot be read at all."""
    match written_in:
        case Format.SEGMENT:
            for call in segment.calls(read_json(value)):
                yield _outcome(partial(segment.take, call, mapping.segment), call, written_in)
        case Format.SNOWPLOW:
            yield _outcome(partial(snowplow.take, flat_event(value), mapping.snowplow), value, written_in)
        case Format.CLOUDEVENTS:
            for envelope in cloudevents.envelopes(read_json(value)):
                yield from _opened(envelope, mapping)


def _opened(envelope: object, mapping: Mapping) -> list[Outcome]:
    try:
        content = cloudevents.content(envelope, mapping.cloudevents)
    except Nothing as nothing:
        return [nothing.outcome]
    except Dead as dead:
        return [Unusable(dead, write_json(envelope), Format.CLOUDEVENTS)]
    if isinstance(content.written_in, Format):
        return adapted(content.value, content.written_in, mapping)
    return [_outcome(partial(cloudevents.take, content.written_in, content.value), envelope, Format.CLOUDEVENTS)]


def _outcome(take: Callable[[], Taken], payload: object, written_in: Format) -> Outcome:
    try:
        return take()
    except Nothing as nothing:
        return nothing.outcome
    except Dead as dead:
        return Unusable(dead, payload if isinstance(payload, bytes) else write_json(payload), written_in)
