"""Who an event is about: the pure look-ups that `Intake` is given, and what a person becomes before anything is kept.

The lists and hashes behind the look-ups live in `streams.identity`; here is only what they promise.
"""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from unicodedata import normalize

_ADDRESS = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,253}")
_PERSON = re.compile(r"[A-Za-z0-9_-]{1,16}\.[0-9a-f]{16}")


class NetworkKind(StrEnum):
    """Who is behind the addresses of a network. Only a company's are an account's."""

    COMPANY = "company"
    ISP = "isp"  # anyone: a provider's customers, mobile phones, guests, a proxy's users
    DATA_CENTRE = "data_centre"  # programs, mostly
    OWN = "own"  # our own staff


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The longest known network that holds an IP address."""

    domain: str | None  # registrable, in its one form; never None of a company
    kind: NetworkKind
    prefix: str  # 203.0.113.0/24


def nobodys(person: str) -> None:
    """Find no account: the contact lists of whoever has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Pure functions: the same argument gives the same answer for as long as the value lives. But for `contact`: lists change."""

    host: Callable[[str], str | None]
    """Host -> the one form of all its spellings (``WWW.Bücher.DE.`` -> ``www.xn--bcher-kva.de``); None for what has none."""
    registrable: Callable[[str], str | None]
    """Host -> registrable domain in that form (``WWW.Acme.COM.`` -> ``acme.com``); None for what is no public host."""
    is_robot: Callable[[str], bool]
    """Whether a user agent is a known robot's."""
    partition_of: Callable[[bytes], int]
    """Kafka key -> its partition, as the Java client's default partitioner has it."""
    person: Callable[[str], str]
    """Normalized e-mail address -> keyed hash; see `person_hasher`."""
    contact: Callable[[str], str | None] = nobodys
    """Person, as `person` has it -> the account whose contact list has them now; None for one on no list. See `engagement.contacts`."""
    key_id: str
    """Of the key under which `person` hashes."""
    person_before: Callable[[str], str] | None = None
    """Like `person`, under the key that is being replaced; None where none is."""
    free_mail: frozenset[str]
    """Domains at which anyone may have an address: never accounts."""
    disposable_mail: frozenset[str]
    """Domains of addresses that are thrown away after a form or two: never accounts either."""
    network: Callable[[str], Network | None] = lambda _: None
    """IP address -> the network that it is of; None for one of nobody known, and for what is no address."""

    @property
    def fingerprint(self) -> str:
        """Tells one key from another without giving it away: the hash of nobody."""
        return self.person("")

    def was(self, email: str) -> str | None:
        """Hash a normalized address under the key that is being replaced; None where none is."""
        return None if self.person_before is None else self.person_before(email)


def person_hasher(secret: bytes, key_id: str) -> Callable[[str], str]:
    """Make what stands for a person wherever something is kept: HMAC-SHA256 of the normalized address, 64 bits as hex digits.

    ``'k1.9f86d081884c7d65'``: the key's id stands in front, so that a later key can be told from this one.
    """

    def person(email: str) -> str:
        return f"{key_id}.{hmac.digest(secret, email.encode(), 'sha256').hex()[:16]}"

    return person


def is_person(text: str) -> bool:
    """Whether this has the shape of what `person_hasher` makes, under whichever key."""
    return _PERSON.fullmatch(text) is not None


def normalize_email(text: str, host: Callable[[str], str | None]) -> str | None:
    """``' Jane.Doe@Acme.com. '`` -> ``'jane.doe@acme.com'``; None for what is no address. ``host`` is `Identity.host`.

    Lower case as a whole: no provider in use tells local parts apart by case, and two spellings must be one person.
    """
    address = normalize("NFC", text.strip().lower())
    if not _ADDRESS.fullmatch(address):
        return None
    local_part, _, said = address.partition("@")
    name = host(said)
    return None if name is None else f"{local_part}@{name}"
