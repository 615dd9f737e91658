"""A table of networks whose owner is known: ``network,domain`` as CSV, IPv4 and IPv6."""

import csv
from collections import defaultdict
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

from engagement.errors import Refused
from engagement.written import printable
from streams.identity import registrable

_HEADER = ["network", "domain"]
_MAPPED = IPv6Network("::ffff:0:0/96")
_Shape = tuple[int, int]  # IP version, prefix length


class Networks:
    """Finds the domain of an address: the longest network that holds it decides."""

    def __init__(self) -> None:
        self._domains: defaultdict[_Shape, dict[int, str]] = defaultdict(dict)
        self._longest_first: list[_Shape] = []

    def add(self, network: str, domain: str) -> None:
        """Raise ValueError for what is no network, for what is no domain, and for a second owner."""
        parsed = unmapped_network(ip_network(network))
        if registrable(domain) is None:
            msg = f"{domain!r} is no registrable domain"
            raise ValueError(msg)
        prefix = int(parsed.network_address) >> (parsed.max_prefixlen - parsed.prefixlen)
        owner = self._domains[parsed.version, parsed.prefixlen].setdefault(prefix, domain)
        if owner != domain:
            msg = f"{network} is {owner}'s already, and cannot be {domain}'s as well"
            raise ValueError(msg)
        self._longest_first = sorted(self._domains, key=lambda shape: shape[1], reverse=True)

    def domain_of(self, text: str) -> str | None:
        """The owner; None for an address of nobody known, and for what is no address (a log may hold host names)."""
        try:
            address = unmapped(ip_address(text))
        except ValueError:
            return None
        for shape in self._longest_first:
            version, length = shape
            if version == address.version:
                owner = self._domains[shape].get(int(address) >> (address.max_prefixlen - length))
                if owner is not None:
                    return owner
        return None


def unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """``::ffff:192.0.2.1``, as a server writes that listens on both, is 192.0.2.1."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def unmapped_network(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """``::ffff:192.0.2.0/120`` is 192.0.2.0/24: addresses are looked up as what they map."""
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - _MAPPED.prefixlen))
    return network


def read_networks(path: Path) -> Networks:
    """Read a table, with or without the header ``network,domain``. Raises `Refused` with the line that is wrong."""
    networks = Networks()
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:  # bytes that are no UTF-8 are no domain either
            table = csv.reader(file, strict=True)
            try:
                for row in table:
                    cells = [cell.strip() for cell in row]
                    if not any(cells) or (table.line_num == 1 and cells == _HEADER):
                        continue
                    if len(cells) != len(_HEADER):
                        msg = f"{','.join(cells)!r} has {len(cells)} columns"
                        raise ValueError(msg)  # noqa: TRY301 - one place words every bad row
                    networks.add(*cells)
            except (ValueError, csv.Error) as error:
                msg = f"{path}:{table.line_num}: {printable(str(error), 200)}; write lines such as 203.0.113.0/24,acme.com"
                raise Refused(msg) from None
    except OSError as error:
        msg = f"{path}: {error.strerror}; name a CSV file of lines such as 203.0.113.0/24,acme.com"
        raise Refused(msg) from None
    return networks
