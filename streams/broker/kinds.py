"""Which broker runs on this machine: a real Kafka where it can, else the embedded one.

`MQA_BROKER` (``kafka`` or ``embedded``) chooses explicitly.
"""

import os
from pathlib import Path
from typing import IO, Protocol

from engagement.errors import Refused
from streams.broker.embedded import Embedded
from streams.broker.kafka import Kafka


class Kind(Protocol):
    """What `streams.broker.local` starts."""

    name: str
    title: str  # in messages
    needs: str  # in messages

    def check(self) -> None:
        """Raise `Refused`, with the line that installs what is missing, where it cannot run here."""

    def prepare(self, folder: Path, listener: int, other: int, log: IO[bytes]) -> list[str]:
        """Make ``folder`` ready for a broker at port ``listener`` (``other`` is free too); gives the command that runs it."""


def chosen_kind(name: str | None = None) -> Kind:
    """The kind of that name, else the one `MQA_BROKER` names, else Kafka where that can run, else the embedded broker where its wheel is.

    Raises `Refused` where none is left, or the one that is named cannot run.
    """
    kinds: dict[str, Kind] = {kind.name: kind for kind in (Kafka(), Embedded())}
    named = name or os.environ.get("MQA_BROKER") or None
    if named is not None:
        if named not in kinds:
            msg = f"MQA_BROKER: {named!r} is unknown; use one of {', '.join(kinds)}"
            raise Refused(msg)
        kinds[named].check()
        return kinds[named]
    complaints = []
    for kind in kinds.values():
        try:
            kind.check()
        except Refused as refusal:
            complaints.append(str(refusal))
        else:
            return kind
    raise Refused("; or ".join(complaints))
