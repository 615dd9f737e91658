"""The longest network that holds an address says whose it is, over both families and all files."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.identity import NetworkKind
from streams.identity import make_identity
from streams.networks.addresses import parse_address, parse_network
from streams.networks.files import read_networks
from streams.networks.lookup import NO_NETWORKS, Networks
from streams.networks.table import Row, Table
from tests.streams.owners import company


def networks_of(*rows: tuple[str, str]) -> Networks:
    return Networks([table_of(*rows)])


def table_of(*rows: tuple[str, str]) -> Table:
    return Table(Row(parse_network(block), domain, NetworkKind.COMPANY, line) for line, (block, domain) in enumerate(rows, 1))


def test_the_longest_network_decides_whatever_the_order() -> None:
    networks = networks_of(
        ("203.0.113.0/24", "wide.example"),
        ("203.0.113.128/25", "half.example"),
        ("0.0.0.0/0", "everybody.example"),
        ("203.0.113.200/32", "one.example"),
    )
    owners = [company(networks, f"203.0.113.{host}") for host in (1, 129, 199, 200, 201, 255)]
    assert owners == ["wide.example", "half.example", "half.example", "one.example", "half.example", "half.example"]
    assert company(networks, "203.0.114.0") == company(networks, "203.0.112.255") == "everybody.example"


def test_neighbours_within_a_network_end_where_they_end() -> None:
    neighbours = [(f"192.0.2.{first}/28", f"n{first}.example") for first in range(0, 160, 16)]
    networks = networks_of(("192.0.2.0/24", "wide.example"), ("192.0.0.0/23", "before.example"), *neighbours)
    owners = [company(networks, f"192.0.2.{host}") for host in range(256)]
    assert owners == [f"n{host // 16 * 16}.example" for host in range(160)] + ["wide.example"] * 96


def test_both_families_have_their_networks() -> None:
    networks = networks_of(("2001:db8:1::/48", "six.example"), ("192.0.2.0/24", "four.example"))
    assert company(networks, "2001:db8:1::77") == "six.example"
    assert company(networks, "2001:db8:2::77") is None
    assert company(networks, "192.0.2.77") == "four.example"
    assert company(networks, "32.1.13.184") is None  # begins with the bits of 2001:db8


def test_all_of_one_family_is_nothing_of_the_other() -> None:
    assert company(networks_of(("::/0", "six.example")), "192.0.2.1") is None
    assert company(networks_of(("0.0.0.0/0", "four.example")), "2001:db8::1") is None


def test_a_mapped_address_is_the_one_it_maps() -> None:
    networks = networks_of(("192.0.2.0/24", "four.example"), ("::/0", "six.example"))
    assert company(networks, "::ffff:192.0.2.1") == company(networks, "::FFFF:c000:201") == "four.example"


@pytest.mark.parametrize("text", ["crawler.host.example", "", "192.0.2.1:443", "[2001:db8::1]", "192.0.2.1 ", "\x00", "\udcff", "::1%eth0"])
def test_what_is_no_address_belongs_to_nobody(text: str) -> None:
    assert networks_of(("0.0.0.0/0", "four.example"), ("::/0", "six.example")).find(text) is None


@given(
    st.text(st.sampled_from("0123456789abcdefF:.%/ x٣"), max_size=20)
    | st.ip_addresses().map(str)
    | st.ip_addresses(v=6).map(lambda a: a.exploded)
)
def test_an_address_is_what_the_standard_library_takes_for_one(text: str) -> None:
    try:
        address = ip_address(text)
    except ValueError:
        assert parse_address(text) is None
        return
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:  # an address of one link, which nobody else can have
            assert parse_address(text) is None
            return
        address = address.ipv4_mapped or address
    assert parse_address(text) == (address.max_prefixlen, int(address))


# Few different bits, so that networks nest and meet; of IPv6 in both halves of the address, and beside mapped ones
_V4 = st.builds(
    lambda a, b: (192 << 24) | a << 16 | b, st.integers(0, 3), st.integers(0, 3) | st.integers(0xFFFC, 0xFFFF)
) | st.sampled_from([0, 2**32 - 1])
_V6 = st.builds(
    lambda a, b, c: (0x2001 << 112) | a << 64 | b << 62 | c, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)
) | st.sampled_from([0, 0xFFFF << 32, (0xFFFF << 32) + (192 << 24), 2**128 - 1])
_NETWORKS = st.builds(IPv4Network, st.tuples(_V4, st.sampled_from([0, 8, 14, 15, 16, 30, 31, 32])), strict=st.just(False)) | st.builds(
    IPv6Network, st.tuples(_V6, st.sampled_from([0, 16, 63, 64, 65, 66, 96, 97, 126, 127, 128])), strict=st.just(False)
)
_ADDRESSES = _V4.map(IPv4Address) | _V6.map(IPv6Address)


@given(st.lists(_NETWORKS, max_size=12, unique=True), st.lists(_ADDRESSES, min_size=1, max_size=12))
def test_a_table_finds_what_a_look_at_every_network_finds(
    blocks: list[IPv4Network | IPv6Network], addresses: list[IPv4Address | IPv6Address]
) -> None:
    blocks = list({unmapped(block): block for block in blocks}.values())
    networks = networks_of(*((str(block), f"n{number}.example") for number, block in enumerate(blocks)))
    for address in addresses:
        found = networks.find(str(address))
        assert (None if found is None else (found.prefix, found.domain)) == scan(blocks, address)


def scan(blocks: Sequence[IPv4Network | IPv6Network], said: IPv4Address | IPv6Address) -> tuple[str, str] | None:
    address = (said.ipv4_mapped or said) if isinstance(said, IPv6Address) else said
    holding = [(unmapped(block), number) for number, block in enumerate(blocks) if address in unmapped(block)]
    if not holding:
        return None
    block, number = max(holding, key=lambda each: each[0].prefixlen)
    return str(block), f"n{number}.example"


def unmapped(block: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    first = block.network_address
    if isinstance(first, IPv6Address) and first.ipv4_mapped is not None and block.prefixlen >= 96:
        return IPv4Network((first.ipv4_mapped, block.prefixlen - 96))
    return block


def test_over_files_the_longest_network_decides_and_of_equal_ones_the_file_named_first(tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("192.0.2.0/24,first.example\n198.51.100.0/24,first.example\n")
    second.write_text("192.0.2.0/25,second.example\n198.51.100.0/24,second.example\n203.0.113.0/24,second.example\n")
    networks = read_networks([first, second])
    addresses = ("192.0.2.1", "192.0.2.129", "198.51.100.1", "203.0.113.1")
    assert [company(networks, address) for address in addresses] == ["second.example", "first.example", "first.example", "second.example"]
    assert company(read_networks([second, first]), "198.51.100.1") == "second.example"


def test_an_identity_knows_the_networks_that_it_is_given() -> None:
    networks = networks_of(("192.0.2.0/24", "acme.com"))
    identity = make_identity(partitions=1, secret=b"", key_id="k1", networks=networks)
    assert identity.network("192.0.2.1") == networks.find("192.0.2.1")
    assert make_identity(partitions=1, secret=b"", key_id="k1").network("192.0.2.1") is None
    assert NO_NETWORKS.find("192.0.2.1") is None
