"""Which addresses count as public."""

import pytest

from engagement.public_addresses import is_public


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.215.14", "192.0.1.1", "2606:4700::1111", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_an_address_on_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "192.0.2.1", "255.255.255.255", "224.0.0.1"),
        *("169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254"),  # where clouds tell their machines secrets
        *("::1", "::", "fe80::1%eth0", "fec0::1", "fc00::1", "ff0e::1", "2001:db8::1", "::127.0.0.1", "64:ff9b:1::1"),
        *("192.0.0.1", "192.0.0.9", "192.0.0.170", "192.0.0.192", "192.88.99.1", "::ffff:192.0.0.192"),  # set apart for protocols
        *("2001:1::1", "2001:20::1", "3ffe::1", "3fff::1", "3fff:fff::1"),  # likewise, for documentation, or nobody's any more
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001::1"),  # another inside
    ],
)
def test_what_is_private_in_any_spelling_is_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f.1", "2130706433", "[::1]"])
def test_what_is_no_address_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        is_public(text)
