"""A table of networks as a file: CSV of ``network,domain`` or ``network,domain,kind``, IPv4 and IPv6."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from engagement.errors import Refused
from engagement.identity import NetworkKind
from engagement.written import printable, shown
from streams.identity import registrable
from streams.networks.addresses import parse_network
from streams.networks.table import Row, SecondOwnerError, Table

MOST_NETWORKS = 2_000_000
"""Of one file. A table is read into memory; a MaxMind DB of any size is not."""

_COLUMNS = ["network", "domain", "kind"]
_HEADERS = (_COLUMNS, _COLUMNS[:-1])
_EXAMPLE = "203.0.113.0/24,acme.com"


def read_table(path: Path) -> Table:
    """Read a file, with or without a header. Raises `Refused` with the line that is wrong."""
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:  # bytes that are no UTF-8 are no domain either
            return Table(_rows(file, path))
    except SecondOwnerError as error:
        raise _refusal(path, error.line, error) from None
    except OSError as error:
        msg = f"{path}: {error.strerror}; name a CSV file of lines such as {_EXAMPLE}, or a MaxMind DB (.mmdb)"
        raise Refused(msg) from None


def _rows(file: IO[str], path: Path) -> Iterator[Row]:
    table = csv.reader(file, strict=True)
    count = 0
    try:
        for line in table:
            cells = [cell.strip() for cell in line]
            if not any(cells) or (table.line_num == 1 and cells in _HEADERS):
                continue
            count += 1
            if count > MOST_NETWORKS:
                msg = f"{path}: holds more than {MOST_NETWORKS:,} networks; make a MaxMind DB of it, or several files"
                raise Refused(msg)
            yield _row(cells, table.line_num)
    except (ValueError, csv.Error) as error:
        raise _refusal(path, table.line_num, error) from None


def _row(cells: list[str], line: int) -> Row:
    """Raise ValueError for what is no network, no domain or no kind."""
    if not len(_COLUMNS) - 1 <= len(cells) <= len(_COLUMNS):
        raise ValueError(f"{','.join(cells)!r} has {len(cells)} columns")
    network, domain, *said = cells
    block = parse_network(network)
    kind = _kind(said[0]) if said and said[0] else NetworkKind.COMPANY
    account = registrable(domain)
    if account is None and (domain or kind is NetworkKind.COMPANY):
        raise ValueError(f"{shown(domain)!r} is no registrable domain")
    return Row(block, account, kind, line)


def _kind(said: str) -> NetworkKind:
    try:
        return NetworkKind(said)
    except ValueError:
        raise ValueError(f"{shown(said)!r} is no kind of network; known: {', '.join(NetworkKind)}") from None


def _refusal(path: Path, line: int, error: Exception) -> Refused:
    return Refused(f"{path}:{line}: {printable(str(error), 200)}; write lines such as {_EXAMPLE}")
