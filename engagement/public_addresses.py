"""Which IP addresses are somebody else's on the internet: what a webhook may be sent to unless its subscription says otherwise."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_UNICAST = IPv6Network(
    "2000::/3"
)  # all that is given out; site-local and IPv4-compatible addresses lie outside, and some stacks still route them
_SIX_TO_FOUR = IPv6Network("2002::/16")  # a router on the way would unpack it into any IPv4 address
_NAT64 = IPv6Network("64:ff9b::/96")  # how a network of IPv6 alone reaches IPv4
_WIRE_SERVER = IPv4Address("168.63.129.16")  # Azure's machines are told their settings there; it looks public, and is not


def is_public(text: str) -> bool:
    """Whether an address, without brackets, is public: not private, loopback, link-local (as clouds' metadata is), shared or reserved.

    Raises ValueError for what is no address.
    """
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        embedded = IPv4Address(int(address) & 0xFFFF_FFFF) if address in _NAT64 else address.ipv4_mapped
        if embedded is None:
            return address.is_global and address in _UNICAST and address not in _SIX_TO_FOUR
        address = embedded
    return address.is_global and not address.is_multicast and address != _WIRE_SERVER
