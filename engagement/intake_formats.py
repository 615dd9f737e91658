"""A record in another format (`engagement.adapters`): what it holds goes on to its topics and partitions, as events of ours.

So every event is read where its key belongs, wherever its tracker put it; and whatever intake does with events, it does with these.
"""

from collections.abc import Callable
from typing import NamedTuple

from engagement.adapters.formats import adapted
from engagement.adapters.mapping import Format, Mapping
from engagement.adapters.outcome import LeftOut, Taken, Unusable
from engagement.dead_letters import dead_letter
from engagement.fates import ADAPTED, Fates
from engagement.filtered import Ends
from engagement.intake_records import Arrival, adapted_copy
from engagement.machine import Output, Record


class Foreign(NamedTuple):
    """A record in another format."""

    record: Record
    value: bytes
    came: Arrival
    written_in: Format
    ends: Ends


def send_on(foreign: Foreign, mapping: Mapping, partition_of: Callable[[bytes], int], outputs: list[Output], fates: Fates) -> str:
    """Append what a record holds, and what of it cannot be used to the dead letters; give the record's fate.

    That is ``adapted`` where an event was sent on, else the last event's. Every other event that is not sent on is ended in ``fates``.
    """
    ends = []
    is_sent_on = False
    for number, outcome in enumerate(adapted(foreign.value, foreign.written_in, mapping)):
        match outcome:
            case Taken(events=events):
                outputs += [adapted_copy(each, foreign.came, partition_of(each.key.encode())) for each in events]
                fates.add(f"{ADAPTED}:events", len(events))
                is_sent_on = True
            case LeftOut(reason=reason):
                ends.append(foreign.ends.own(f"filtered:{reason}", None, number))
            case Unusable(dead=dead, payload=payload, written_in=written_in):
                inner = None if written_in is foreign.written_in else written_in
                outputs.append(dead_letter(foreign.record, foreign.came, dead, payload, inner))
                ends.append(f"dead:{dead.reason}")
    fate = ADAPTED if is_sent_on else ends.pop()
    for end in ends:
        fates.end(end)
    return fate
