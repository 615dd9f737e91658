from pathlib import Path

import pytest

from engagement.errors import Refused
from streams.history.networks import read_networks


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "networks.csv"


def refusal(table: Path, text: str) -> str:
    table.write_text(text)
    with pytest.raises(Refused) as refused:
        read_networks(table)
    return str(refused.value)


def test_the_longest_network_decides_whatever_the_order(table: Path) -> None:
    table.write_text(
        "203.0.113.0/24,wide.example\n203.0.113.128/25,half.example\n0.0.0.0/0,everybody.example\n203.0.113.200/32,one.example\n"
    )
    networks = read_networks(table)
    assert [networks.domain_of(f"203.0.113.{host}") for host in (1, 129, 200)] == ["wide.example", "half.example", "one.example"]
    assert networks.domain_of("198.51.100.1") == "everybody.example"


def test_both_families_have_their_networks(table: Path) -> None:
    table.write_text("2001:db8:1::/48,six.example\n192.0.2.0/24,four.example\n")
    networks = read_networks(table)
    assert networks.domain_of("2001:db8:1::77") == "six.example"
    assert networks.domain_of("2001:db8:2::77") is None
    assert networks.domain_of("192.0.2.77") == "four.example"


def test_a_mapped_address_is_the_one_it_maps(table: Path) -> None:
    table.write_text("192.0.2.0/24,four.example\n")
    assert read_networks(table).domain_of("::ffff:192.0.2.1") == "four.example"


def test_a_mapped_network_is_the_one_it_maps(table: Path) -> None:
    table.write_text("::ffff:192.0.2.0/120,four.example\n::/0,six.example\n")
    networks = read_networks(table)
    assert networks.domain_of("192.0.2.1") == networks.domain_of("::ffff:192.0.2.1") == "four.example"
    assert networks.domain_of("192.0.3.1") is None
    assert networks.domain_of("2001:db8::1") == "six.example"
    assert "192.0.2.0/24 is four.example's already" in refusal(table, "::ffff:192.0.2.0/120,four.example\n192.0.2.0/24,acme.com\n")


def test_a_host_name_belongs_to_nobody(table: Path) -> None:
    table.write_text("0.0.0.0/0,everybody.example\n")
    assert read_networks(table).domain_of("crawler.host.example") is None


def test_header_blank_lines_spaces_and_a_byte_order_mark_are_allowed(table: Path) -> None:
    table.write_text("\ufeffnetwork,domain\n\n 192.0.2.0/24 , four.example \n")
    assert read_networks(table).domain_of("192.0.2.1") == "four.example"


def test_an_empty_table_knows_nobody(table: Path) -> None:
    table.write_text("")
    assert read_networks(table).domain_of("192.0.2.1") is None


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("192.0.2.0/33,acme.com", "192.0.2.0/33"),
        ("192.0.2.1/24,acme.com", "192.0.2.1/24 has host bits set"),
        ("banana,acme.com", "'banana'"),
        ("192.0.2.0/24,acme", "'acme' is no registrable domain"),
        ("192.0.2.0/24,a@acme.com", "'a@acme.com' is no registrable domain"),
        ("192.0.2.0/24,co.uk", "'co.uk' is no registrable domain"),
        ('"192.0.2.0"x,acme.com', "',' expected after"),
        ("192.0.2.0/24", "has 1 columns"),
        ("192.0.2.0/24,acme.com,more", "has 3 columns"),
        ("198.51.100.0/24,other.example", "198.51.100.0/24 is acme.com's already, and cannot be other.example's as well"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_value(table: Path, row: str, says: str) -> None:
    message = refusal(table, f"network,domain\n198.51.100.0/24,acme.com\n{row}\n")
    assert message.startswith(f"{table}:3: ")
    assert says in message
    assert message.endswith("write lines such as 203.0.113.0/24,acme.com")


def test_the_same_row_twice_is_no_harm(table: Path) -> None:
    table.write_text("192.0.2.0/24,acme.com\n192.0.2.0/24,acme.com\n")
    assert read_networks(table).domain_of("192.0.2.1") == "acme.com"


def test_a_missing_or_binary_table_is_refused(table: Path) -> None:
    with pytest.raises(Refused, match="No such file"):
        read_networks(table)
    table.write_bytes(b"192.0.2.0/24,acme.com\n198.51.100.0/24,\xff.com\n")
    with pytest.raises(Refused, match=rf"{table}:2: .* is no registrable domain; write lines such as"):
        read_networks(table)
