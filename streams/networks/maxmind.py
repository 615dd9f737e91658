"""MaxMind DB files (.mmdb). They are mapped, not read: of any size they cost neither time at the start nor memory of our own."""

from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from itertools import islice
from pathlib import Path

import maxminddb

from engagement.errors import Refused
from engagement.identity import NetworkKind
from engagement.written import shown
from streams.identity import registrable
from streams.networks.addresses import IPV4, IPV6
from streams.networks.lookup import Finding

_BOTH_FAMILIES = 6
"""Version of a tree that holds IPv4 too; of another it is 4."""

_TRIED = 1_000
"""Networks looked at, until a database is taken for one that says nothing of owners."""

_ELSEWHERE = ("is_anonymous_vpn", "is_public_proxy", "is_residential_proxy", "is_tor_exit_node")
_ANYONE = frozenset({"cafe", "cellular", "consumer_privacy_network", "dialup", "library", "residential", "router", "traveler"})
_PROGRAMS = frozenset({"content_delivery_network", "hosting", "search_engine_spider"})


class MaxMindFile:
    """Finds the record of an address, and what it says of the owner."""

    def __init__(self, path: Path) -> None:
        """Raise `Refused` for what is no database, and for one that says nothing of owners (of cities, of countries)."""
        try:
            self._reader = maxminddb.open_database(path)
            self._metadata = self._reader.metadata()
            built = datetime.fromtimestamp(self._metadata.build_epoch, UTC).date()
            is_silent = all(owner_of(record) is None for _, record in islice(self._reader, _TRIED))
        except OSError as error:
            msg = f"{path}: {error.strerror}; name a MaxMind DB (.mmdb)"
            raise Refused(msg) from None
        except (maxminddb.InvalidDatabaseError, ValueError, OverflowError):  # the last two: a tree or a date that cannot be
            msg = f"{path}: cannot be read as a MaxMind DB; fetch it again"
            raise Refused(msg) from None
        self._path = path
        self._summary = f"{shown(self._metadata.database_type)} of {built}"
        if is_silent:
            msg = (
                f"{path}: {self._summary} says of its first {_TRIED:,} networks neither a domain nor who is there; "
                "name a GeoIP2 Domain, ISP, Anonymous IP or Enterprise database"
            )
            raise Refused(msg)

    def __str__(self) -> str:
        return self._summary

    def find(self, bits: int, number: int) -> Finding | None:
        """As `NetworkFile.find`. Raises `Refused` where the file is damaged."""
        if bits == IPV6 and self._metadata.ip_version != _BOTH_FAMILIES:
            return None
        address = IPv4Address(number) if bits == IPV4 else IPv6Address(number)
        try:
            record, length = self._reader.get_with_prefix_len(address)
        except (maxminddb.InvalidDatabaseError, UnicodeDecodeError):
            msg = f"{self._path}: is damaged where {address} stands; fetch it again"
            raise Refused(msg) from None
        owner = owner_of(record)
        return None if owner is None else Finding(length, *owner)


def owner_of(record: object) -> tuple[str | None, NetworkKind] | None:
    """What a record of GeoIP2 Anonymous IP, Enterprise, ISP or Domain says of the owner; None where it says nothing.

    Where it says several things, that nobody can be known there outweighs a domain: a domain is found by the addresses' names,
    and those of a provider's customers are under the provider's.
    """
    if not isinstance(record, Mapping):
        return None
    traits = record.get("traits", record)  # Enterprise has them apart
    if not isinstance(traits, Mapping):
        return None
    kind = _kind(traits)
    if kind is not None:
        return None, kind
    domain = traits.get("domain")
    account = registrable(domain) if isinstance(domain, str) else None
    return None if account is None else (account, NetworkKind.COMPANY)


def _kind(traits: Mapping[str, object]) -> NetworkKind | None:
    """None of what may be a company's."""
    if any(traits.get(flag) for flag in _ELSEWHERE):
        return NetworkKind.ISP
    user_type = traits.get("user_type")
    if traits.get("is_hosting_provider") or user_type in _PROGRAMS:
        return NetworkKind.DATA_CENTRE
    if traits.get("is_anonymous") or user_type in _ANYONE or "mobile_network_code" in traits:
        return NetworkKind.ISP
    # without a user type: the provider has not given the addresses on to anybody
    if user_type is None and "isp" in traits and traits.get("organization", traits["isp"]) == traits["isp"]:
        return NetworkKind.ISP
    return None
