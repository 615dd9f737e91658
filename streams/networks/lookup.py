"""Finding the network of an address over several files."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from engagement.identity import Network, NetworkKind
from streams.networks.addresses import parse_address, prefix_of


class Finding(NamedTuple):
    """What one file knows of an address."""

    length: int  # of the longest network that holds it, in bits
    domain: str | None
    kind: NetworkKind


class NetworkFile(Protocol):
    """What was read of one file."""

    def find(self, bits: int, number: int) -> Finding | None:
        """Look an address up, given as `parse_address` gives it; None where it is in no network, or in one of nobody known."""

    def __str__(self) -> str:
        """What it holds, for the log."""


class Networks:
    """Whose an address is: the longest network of all files says it; of equal ones, that of the file named first."""

    def __init__(self, files: Sequence[NetworkFile]) -> None:
        self._files = tuple(files)

    def find(self, text: str) -> Network | None:
        """None for an address of nobody known, and for what is no address (a log may hold host names)."""
        address = parse_address(text)
        if address is None:
            return None
        best: Finding | None = None
        for file in self._files:
            finding = file.find(*address)
            if finding is not None and (best is None or finding.length > best.length):
                best = finding
        if best is None:
            return None
        return Network(domain=best.domain, kind=best.kind, prefix=prefix_of(*address, best.length))


NO_NETWORKS = Networks(())
