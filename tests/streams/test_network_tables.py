"""A table of networks is read, or refused with the line that is wrong."""

from pathlib import Path

import pytest

from engagement.errors import Refused
from engagement.identity import Network, NetworkKind
from streams.networks import table_file
from streams.networks.files import read_networks
from tests.streams.owners import company


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "networks.csv"


def found(table: Path, text: str, address: str = "192.0.2.1") -> Network | None:
    table.write_text(text)
    return read_networks([table]).find(address)


def refusal(table: Path, text: str) -> str:
    with pytest.raises(Refused) as refused:
        found(table, text)
    return str(refused.value)


def test_a_network_is_a_company_s_where_nothing_else_is_said(table: Path) -> None:
    company = Network(domain="acme.com", kind=NetworkKind.COMPANY, prefix="192.0.2.0/24")
    assert found(table, "192.0.2.0/24,acme.com\n") == company
    assert found(table, "192.0.2.0/24,acme.com,\n") == company
    assert found(table, "192.0.2.0/24,acme.com,company\n") == company


@pytest.mark.parametrize("kind", [NetworkKind.ISP, NetworkKind.DATA_CENTRE, NetworkKind.OWN])
def test_other_kinds_may_go_without_a_domain(table: Path, kind: NetworkKind) -> None:
    assert found(table, f"192.0.2.0/24,,{kind}\n") == Network(domain=None, kind=kind, prefix="192.0.2.0/24")
    assert found(table, f"192.0.2.0/24,acme.com,{kind}\n") == Network(domain="acme.com", kind=kind, prefix="192.0.2.0/24")


def test_only_a_company_s_address_has_a_company(table: Path) -> None:
    table.write_text("192.0.2.0/24,acme.com\n198.51.100.0/24,provider.example,isp\n")
    networks = read_networks([table])
    assert company(networks, "192.0.2.1") == "acme.com"
    assert company(networks, "198.51.100.1") is None
    assert company(networks, "203.0.113.1") is None


def test_a_domain_is_kept_in_its_one_form(table: Path) -> None:
    network = found(table, "192.0.2.0/24,WWW.Bücher.de.\n")
    assert network is not None
    assert network.domain == "xn--bcher-kva.de"


@pytest.mark.parametrize("header", ["network,domain", "network,domain,kind"])
def test_header_blank_lines_spaces_and_a_byte_order_mark_are_allowed(table: Path, header: str) -> None:
    assert found(table, f"\ufeff{header}\n\n 192.0.2.0/24 , four.example \n") is not None


def test_a_network_may_be_written_as_an_address_or_with_a_mask(table: Path) -> None:
    for spelling, prefix in {
        "192.0.2.1": "192.0.2.1/32",
        "192.0.2.0/255.255.255.0": "192.0.2.0/24",
        "192.0.2.0/024": "192.0.2.0/24",
        "::ffff:192.0.2.1": "192.0.2.1/32",
        "::ffff:192.0.2.0/120": "192.0.2.0/24",
    }.items():
        network = found(table, f"{spelling},acme.com\n")
        assert network is not None
        assert network.prefix == prefix


def test_an_empty_table_knows_nobody(table: Path) -> None:
    assert found(table, "") is None


def test_the_same_row_twice_is_no_harm(table: Path) -> None:
    assert found(table, "192.0.2.0/24,acme.com\n192.0.2.0/24,www.acme.com,company\n") is not None


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("192.0.2.0/33,acme.com", "192.0.2.0/33"),
        ("192.0.2.0/-1,acme.com", "192.0.2.0/-1"),
        ("192.0.2.0/٢٤,acme.com", "192.0.2.0/"),
        ("192.0.2.0/,acme.com", "192.0.2.0/"),
        ("192.0.2.1/24,acme.com", "192.0.2.1/24 has host bits set"),
        ("2001:db8::1/64,acme.com", "2001:db8::1/64 has host bits set"),
        ("::ffff:192.0.2.0/90,acme.com", "has host bits set"),
        ("banana,acme.com", "'banana'"),
        ("192.0.2.0/24,acme", "'acme' is no registrable domain"),
        ("192.0.2.0/24,a@acme.com", "'a@acme.com' is no registrable domain"),
        ("192.0.2.0/24,co.uk", "'co.uk' is no registrable domain"),
        ("192.0.2.0/24,", "no registrable domain"),
        ("192.0.2.0/24,acme,isp", "'acme' is no registrable domain"),
        ("192.0.2.0/24,acme.com,telco", "'telco' is no kind of network; known: company, isp, data_centre, own"),
        ('"192.0.2.0"x,acme.com', "',' expected after"),
        ("192.0.2.0/24", "has 1 columns"),
        ("192.0.2.0/24,acme.com,isp,more", "has 4 columns"),
        ("198.51.100.0/24,other.example", "198.51.100.0/24 is acme.com,company in line 2, and cannot be other.example,company as well"),
        ("::ffff:198.51.100.0/120,,isp", "198.51.100.0/24 is acme.com,company in line 2, and cannot be ,isp as well"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_value(table: Path, row: str, says: str) -> None:
    message = refusal(table, f"network,domain\n198.51.100.0/24,acme.com\n{row}\n203.0.113.0/24,acme.com\n")
    assert message.startswith(f"{table}:3: ")
    assert says in message
    assert message.endswith("write lines such as 203.0.113.0/24,acme.com")


def test_a_missing_or_binary_table_is_refused(table: Path) -> None:
    with pytest.raises(Refused, match="No such file"):
        read_networks([table])
    table.write_bytes(b"192.0.2.0/24,acme.com\n198.51.100.0/24,\xff.com\n")
    with pytest.raises(Refused, match=rf"{table}:2: .* is no registrable domain; write lines such as"):
        read_networks([table])


def test_a_table_that_would_fill_the_memory_is_refused(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_file, "MOST_NETWORKS", 2)
    assert found(table, "192.0.2.0/24,acme.com\n198.51.100.0/24,acme.com\n") is not None
    assert "holds more than 2 networks" in refusal(table, "192.0.2.0/24,acme.com\n198.51.100.0/24,acme.com\n203.0.113.0/24,acme.com\n")


def test_what_a_table_holds_is_told_by_kind(table: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    table.write_text("192.0.2.0/24,acme.com\n192.0.2.0/24,acme.com\n2001:db8::/32,other.example\n198.51.100.0/24,,isp\n")
    read_networks([table])
    assert caplog.messages == [f"{table}: 3 networks (2 company, 1 isp)"]
