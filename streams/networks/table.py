"""The networks of one table, searched in a microsecond: arrays of numbers, and no object for a network.

Networks nest, so they are flattened first: the addresses are cut wherever a network begins or ends, and each piece keeps the longest
network that holds it. The pieces are in order, so bisection finds an address's. ``n`` networks make at most ``2n + 1`` pieces of 21 bytes
each, beside 9 bytes and the letters of its domain for each network.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from engagement.identity import NetworkKind
from streams.networks.addresses import IPV4, IPV6, Block
from streams.networks.lookup import Finding

_KINDS = tuple(NetworkKind)
_NUMBER_OF_KIND = {kind: number for number, kind in enumerate(_KINDS)}
_NOBODY = 0xFFFF_FFFF  # where a row's number would stand


class Row(NamedTuple):
    """One line of a table."""

    block: Block
    domain: str | None  # ASCII
    kind: NetworkKind
    line: int


class SecondOwnerError(ValueError):
    """Two rows name different owners of one network."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line  # of the second


class Table:
    """Finds the longest network that holds an address."""

    def __init__(self, rows: Iterable[Row]) -> None:
        """Raise `SecondOwnerError` where a network stands twice with different owners; the same row twice is no harm."""
        self._counts: Counter[NetworkKind] = Counter()
        self._owners = _Owners()
        keys: dict[int, list[int]] = {IPV4: [], IPV6: []}
        lines = array("I")
        for number, row in enumerate(rows):
            # in this order: by first address, a network before those within it, and as they stand in the file
            keys[row.block.bits].append(row.block.number << 40 | row.block.length << 32 | number)
            self._owners.append(row.domain, row.kind)
            lines.append(row.line)
        self._pieces = {bits: self._flattened(bits, keys.pop(bits), lines) for bits in (IPV4, IPV6)}

    def __str__(self) -> str:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in self._counts.most_common())
        return f"{self._counts.total():,} networks ({kinds or 'empty'})"

    def find(self, bits: int, number: int) -> Finding | None:
        """As `NetworkFile.find`."""
        length, owner = self._pieces[bits].find(number << (IPV6 - bits))
        return None if owner == _NOBODY else Finding(length, *self._owners[owner])

    def _flattened(self, bits: int, keys: list[int], lines: "array[int]") -> "_Pieces":
        keys.sort()
        shift = IPV6 - bits
        pieces = _Pieces()
        pieces.cut(0, 0, _NOBODY)
        around = [(1 << bits, 0, _NOBODY)]  # end, length and owner of the networks that hold the place reached, the widest first
        last = -1, _NOBODY
        for key in keys:
            network, owner = key >> 32, key & 0xFFFF_FFFF
            start, length = network >> 8, network & 0xFF
            if network == last[0]:
                self._refuse_second(Block(bits, start, length), last[1], owner, lines)
                continue
            last = network, owner
            self._counts[self._owners[owner][1]] += 1
            while around[-1][0] <= start:
                end, *_ = around.pop()
                pieces.cut(end << shift, *around[-1][1:])
            around.append((start + (1 << (bits - length)), length, owner))
            pieces.cut(start << shift, length, owner)
        while len(around) > 1:
            end, *_ = around.pop()
            if end < 1 << bits:
                pieces.cut(end << shift, *around[-1][1:])
        return pieces

    def _refuse_second(self, block: Block, first: int, second: int, lines: "array[int]") -> None:
        owners = [",".join((domain or "", kind)) for domain, kind in (self._owners[first], self._owners[second])]
        if owners[0] != owners[1]:
            msg = f"{block} is {owners[0]} in line {lines[first]}, and cannot be {owners[1]} as well"
            raise SecondOwnerError(lines[second], msg)


class _Owners:
    """Domain and kind by number, the domains as one text."""

    def __init__(self) -> None:
        self._letters = bytearray()
        self._ends = array("Q", [0])
        self._kinds = array("B")

    def append(self, domain: str | None, kind: NetworkKind) -> None:
        self._letters += (domain or "").encode("ascii")
        self._ends.append(len(self._letters))
        self._kinds.append(_NUMBER_OF_KIND[kind])

    def __getitem__(self, number: int) -> tuple[str | None, NetworkKind]:
        domain = self._letters[self._ends[number] : self._ends[number + 1]].decode("ascii")
        return domain or None, _KINDS[self._kinds[number]]


class _Pieces:
    """Where each piece begins, on a scale of 128 bits (an IPv4 address is the first 32 of them), and whose it is."""

    def __init__(self) -> None:
        self._high = array("Q")
        self._low = array("Q")
        self._lengths = array("B")
        self._owners = array("I")

    def cut(self, start: int, length: int, owner: int) -> None:
        """Begin a piece, behind or in place of the last one."""
        high, low = start >> 64, start & 0xFFFF_FFFF_FFFF_FFFF
        if self._high and self._high[-1] == high and self._low[-1] == low:
            self._lengths[-1], self._owners[-1] = length, owner
            return
        self._high.append(high)
        self._low.append(low)
        self._lengths.append(length)
        self._owners.append(owner)

    def find(self, place: int) -> tuple[int, int]:
        """Length and owner."""
        high = place >> 64
        behind = bisect_right(self._high, high)
        if self._high[behind - 1] == high:  # the other half of the place decides among those that begin with this one
            behind = bisect_right(self._low, place & 0xFFFF_FFFF_FFFF_FFFF, bisect_left(self._high, high, 0, behind), behind)
        return self._lengths[behind - 1], self._owners[behind - 1]
