"""A MaxMind DB says whose an address is by the fields of GeoIP2's databases. The files are written here, in their formats."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from engagement.errors import Refused
from engagement.identity import Network, NetworkKind
from streams.networks.files import read_networks
from streams.networks.maxmind import owner_of
from tests.streams.owners import company

ACME = {"domain": "acme.com"}


def database(path: Path, records: Mapping[str, Any], *, ip_version: int = 6, of: str = "GeoIP2-Domain") -> Path:
    writer = MMDBWriter(ip_version=ip_version, ipv4_compatible=ip_version == 6, database_type=of)
    for block, record in records.items():
        writer.insert_network(IPSet([block]), record)
    writer.to_db_file(str(path))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "GeoIP2.mmdb"


@pytest.mark.parametrize(
    ("record", "owner"),
    [
        # GeoIP2 Domain
        ({"domain": "acme.com"}, ("acme.com", NetworkKind.COMPANY)),
        ({"domain": "WWW.Acme.COM"}, ("acme.com", NetworkKind.COMPANY)),
        ({"domain": "in-addr.arpa"}, None),
        ({"domain": 7}, None),
        # GeoIP2 ISP
        ({"isp": "Level 3", "organization": "Level 3"}, (None, NetworkKind.ISP)),
        ({"isp": "Finecom"}, (None, NetworkKind.ISP)),
        ({"isp": "Level 3", "organization": "Acme"}, None),
        ({"organization": "Acme"}, None),
        ({"isp": "Acme Wireless", "organization": "Acme", "mobile_network_code": "004"}, (None, NetworkKind.ISP)),
        # GeoLite2 ASN
        ({"autonomous_system_number": 721, "autonomous_system_organization": "DoD"}, None),
        # GeoIP2 Anonymous IP
        ({"is_anonymous": True, "is_hosting_provider": True}, (None, NetworkKind.DATA_CENTRE)),
        ({"is_anonymous": True, "is_hosting_provider": True, "is_anonymous_vpn": True}, (None, NetworkKind.ISP)),
        ({"is_anonymous": True, "is_public_proxy": True}, (None, NetworkKind.ISP)),
        ({"is_anonymous": True}, (None, NetworkKind.ISP)),
        # GeoIP2 Enterprise
        (
            {"traits": {"domain": "acme.com", "isp": "Acme", "organization": "Acme", "user_type": "business"}},
            ("acme.com", NetworkKind.COMPANY),
        ),
        ({"traits": {"domain": "acme.com", "isp": "Level 3", "organization": "Acme"}}, ("acme.com", NetworkKind.COMPANY)),
        ({"traits": {"domain": "provider.com", "isp": "Provider", "organization": "Provider"}}, (None, NetworkKind.ISP)),
        ({"traits": {"domain": "provider.com", "user_type": "residential"}}, (None, NetworkKind.ISP)),
        ({"traits": {"domain": "cloud.com", "user_type": "hosting"}}, (None, NetworkKind.DATA_CENTRE)),
        ({"country": {"iso_code": "GB"}}, None),
        ({"traits": []}, None),
        # of another make
        (["acme.com"], None),
        (None, None),
    ],
)
def test_a_record_says_whose_its_network_is(record: object, owner: tuple[str | None, NetworkKind] | None) -> None:
    assert owner_of(record) == owner


def test_both_families_are_found_with_the_prefix_that_the_database_has(path: Path) -> None:
    networks = read_networks([database(path, {"192.0.2.0/25": ACME, "2001:db8::/33": {"domain": "six.com"}})])
    assert networks.find("192.0.2.1") == Network(domain="acme.com", kind=NetworkKind.COMPANY, prefix="192.0.2.0/25")
    assert networks.find("2001:db8::1") == Network(domain="six.com", kind=NetworkKind.COMPANY, prefix="2001:db8::/33")
    assert networks.find("192.0.2.129") is None
    assert networks.find("2001:db9::1") is None
    assert networks.find("banana") is None


def test_a_mapped_address_is_the_one_it_maps(path: Path) -> None:
    networks = read_networks([database(path, {"192.0.2.0/24": ACME})])
    assert networks.find("::ffff:192.0.2.1") == networks.find("192.0.2.1") is not None


def test_a_database_of_ipv4_alone_knows_no_other_address(path: Path) -> None:
    networks = read_networks([database(path, {"192.0.2.0/24": ACME}, ip_version=4)])
    assert company(networks, "192.0.2.1") == "acme.com"
    assert networks.find("2001:db8::1") is None


def test_tables_and_databases_are_one_where_the_longest_network_decides(path: Path, tmp_path: Path) -> None:
    database(path, {"192.0.2.0/24": ACME, "198.51.100.0/24": ACME})
    table = tmp_path / "networks.csv"
    table.write_text("192.0.2.0/25,longer.example\n198.51.100.0/24,equal.example\n203.0.113.0/24,other.example\n")
    addresses = ("192.0.2.1", "192.0.2.129", "198.51.100.1", "203.0.113.1")
    assert [company(read_networks([path, table]), address) for address in addresses] == [
        "longer.example",
        "acme.com",
        "acme.com",
        "other.example",
    ]
    assert [company(read_networks([table, path]), address) for address in addresses] == [
        "longer.example",
        "acme.com",
        "equal.example",
        "other.example",
    ]


def test_what_a_database_is_is_told(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    database(path, {"192.0.2.0/24": ACME}, of="GeoIP2-Domain")
    read_networks([path])
    assert caplog.messages[0].startswith(f"{path}: GeoIP2-Domain of 20")


def test_a_database_that_says_nothing_of_owners_is_refused(path: Path) -> None:
    database(path, {"192.0.2.0/24": {"country": {"iso_code": "GB"}}}, of="GeoIP2-Country")
    with pytest.raises(Refused, match=rf"{path}: GeoIP2-Country of .* says .* neither a domain nor who is there; name a GeoIP2 Domain,"):
        read_networks([path])


@pytest.mark.parametrize("content", [b"", b"network,domain\n", b"\xab\xcd\xefMaxMind.com", b"\x00" * 5_000])
def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(Refused, match=rf"{path}: cannot be read as a MaxMind DB; fetch it again"):
        read_networks([path])


def test_a_database_that_is_cut_off_is_refused(path: Path) -> None:
    whole = database(path, {"192.0.2.0/24": ACME}).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Refused, match=rf"{path}: cannot be read as a MaxMind DB"):
        read_networks([path])


def test_damage_that_shows_only_in_a_look_up_is_refused_there(path: Path) -> None:
    database(path, {"192.0.2.0/24": ACME, "2001:db8::/32": {"domain": "six.com"}})
    path.write_bytes(path.read_bytes().replace(b"six.com", b"\xff\xff\xff.com"))
    networks = read_networks([path])
    assert company(networks, "192.0.2.1") == "acme.com"
    with pytest.raises(Refused, match=rf"{path}: is damaged where 2001:db8::1 stands; fetch it again"):
        networks.find("2001:db8::1")


def test_a_database_that_is_not_there_is_refused(path: Path) -> None:
    with pytest.raises(Refused, match=rf"{path}: No such file or directory; name a MaxMind DB"):
        read_networks([path])
