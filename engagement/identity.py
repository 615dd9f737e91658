"""Who an event is about: the pure look-ups that `Intake` is given, and what a person becomes before anything is kept.

The lists and hashes behind the look-ups live in `streams.identity`; here is only what they promise.
"""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from unicodedata import normalize

_ADDRESS = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,253}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Pure functions: the same argument gives the same answer for as long as the value lives."""

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
    key_id: str
    """Of the key under which `person` hashes."""
    free_mail: frozenset[str]
    """Domains at which anyone may have an address: never accounts."""

    @property
    def fingerprint(self) -> str:
        """Tells one key from another without giving it away: the hash of nobody."""
        return self.person("")


def person_hasher(secret: bytes, key_id: str) -> Callable[[str], str]:
    """Make what stands for a person wherever something is kept: HMAC-SHA256 of the normalized address, 64 bits as hex digits.

    ``'k1.9f86d081884c7d65'``: the key's id stands in front, so that a later key can be told from this one.
    """

    def person(email: str) -> str:
        return f"{key_id}.{hmac.digest(secret, email.encode(), 'sha256').hex()[:16]}"

    return person


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
