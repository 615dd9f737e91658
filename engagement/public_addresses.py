"""Which IP addresses are somebody else's on the internet: what a webhook may be sent to unless its subscription says otherwise."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

_UNICAST = IPv6Network(
    "2000::/3"
)  # all that is given out; site-local and IPv4-compatible addresses lie outside, and some stacks still route them
_NAT64 = IPv6Network("64:ff9b::/96")  # how a network of IPv6 alone reaches IPv4
_WIRE_SERVER = IPv4Address("168.63.129.16")  # Azure's machines are told their settings there; it looks public, and is not

_SPECIAL = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # the IETF's own protocols; among them addresses that find a router nearby
            "192.88.99.0/24",  # was the nearest router that unpacks 6to4
            "2001::/23",  # the IETF's own protocols; among them Teredo, which holds any IPv4 address
            "2002::/16",  # 6to4: a router on the way would unpack it into any IPv4 address
            "3ffe::/16",  # was the 6bone, and is nobody's
            "3fff::/20",  # for documentation
        ),
    )
)
"""Of IANA's registries of special-purpose addresses (iana-ipv4-special-registry, iana-ipv6-special-registry) and of RFC 3701 what Python's
`ipaddress` takes for public in one version or another."""


def is_public(text: str) -> bool:
    """Whether an address, without brackets, is public: not private, loopback, link-local (as clouds' metadata is), shared or reserved.

    Raises ValueError for what is no address.
    """
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        embedded = IPv4Address(int(address) & 0xFFFF_FFFF) if address in _NAT64 else address.ipv4_mapped
        if embedded is None:
            return address.is_global and address in _UNICAST and not _is_special(address)
        address = embedded
    return address.is_global and not address.is_multicast and address != _WIRE_SERVER and not _is_special(address)


def _is_special(address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in _SPECIAL)
