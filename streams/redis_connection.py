"""How to reach Redis, as the environment says it: where profiles are kept for those who look accounts up."""

import os
import re
import ssl
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from engagement.errors import Refused
from engagement.written import shown
from streams.secrets import read_secret

ANSWER_SECONDS = 5.0
"""How long to wait for a connection, and for an answer: a Redis that hangs is one that is away."""

PORT = 6379

MOST_CONNECTIONS = 32
"""Of one process; who comes when all are in use waits, `ANSWER_SECONDS` at most."""

_RETRY = Retry(ConstantBackoff(0.05), 1)
"""Once more, at once: a connection of the pool does not know that the server was restarted meanwhile. Longer pauses are the caller's."""

_EXAMPLE = "write it like redis://127.0.0.1:6379/0, or rediss:// for TLS"


def find_redis() -> Redis:
    """Make a client of the server that ``REDIS_URL`` names (``redis[s]://[user[:password]@]host[:port][/database]``); not connected yet.

    Its password comes from ``REDIS_PASSWORD``, or a file (`read_secret`). With ``rediss://`` the server must prove its name, to
    ``REDIS_SSL_CAFILE`` or one of the system's authorities. Answers are bytes. Raises `Refused`, which never quotes a password, where
    the settings say nothing that could be reached, or contradict each other.
    """
    url = os.environ.get("REDIS_URL") or None
    if url is None:
        msg = f"REDIS_URL is not set: profiles are kept in Redis; {_EXAMPLE}"
        raise Refused(msg)
    parts = _split(url)
    has_tls = parts.scheme == "rediss"
    authorities = _authorities(url, has_tls=has_tls)
    tls: dict[str, Any] = {"connection_class": SSLConnection, "ssl_ca_certs": authorities, "ssl_check_hostname": True} if has_tls else {}
    pool = BlockingConnectionPool(
        max_connections=MOST_CONNECTIONS,
        timeout=ANSWER_SECONDS,
        host=parts.hostname or "",
        port=parts.port or PORT,
        db=int(parts.path.strip("/") or 0),
        username=None if parts.username is None else unquote(parts.username) or None,
        password=_password(parts),
        socket_connect_timeout=ANSWER_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=_RETRY,
        **tls,
    )
    return Redis.from_pool(pool)


def _without_password(url: str) -> str:
    """What of a server's URL may be shown: its scheme, and what follows a login and goes before options, where these can be told apart."""
    scheme, slashes, rest = url.rpartition("://")
    login, _, place = rest.rpartition("@")
    is_plain = not re.search(r"[?#]", login)
    return shown(f"{scheme}{slashes}{re.split('[?#]', place)[0] if is_plain else '...'}")


def _split(url: str) -> SplitResult:
    """Raise `Refused` for what is no address of a Redis. A query is none: it could switch off that the server proves its name."""
    place = f"REDIS_URL: {_without_password(url)!r}"
    try:
        parts = urlsplit(url)
        is_address = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or parts.scheme not in {"redis", "rediss"} or not re.fullmatch(r"/?|/[0-9]{1,5}", parts.path):
        msg = f"{place} is no address of a Redis; {_EXAMPLE}"
        raise Refused(msg)
    if parts.query or parts.fragment:
        msg = f"{place} goes on with options; leave them out, for REDIS_PASSWORD and REDIS_SSL_CAFILE say it"
        raise Refused(msg)
    return parts


def _password(parts: SplitResult) -> str | None:
    given = None if parts.password is None else unquote(parts.password) or None
    secret = read_secret("REDIS_PASSWORD")
    if given is not None and secret is not None:
        msg = "REDIS_URL has a password, and REDIS_PASSWORD (or REDIS_PASSWORD_FILE) another; leave it out of REDIS_URL"
        raise Refused(msg)
    return secret if given is None else given


def _authorities(url: str, *, has_tls: bool) -> str | None:
    path = os.environ.get("REDIS_SSL_CAFILE") or None
    if path is None:
        return None
    if not has_tls:
        msg = f"REDIS_SSL_CAFILE is set, but REDIS_URL={_without_password(url)} does not encrypt; let it begin with rediss://"
        raise Refused(msg)
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        msg = f"REDIS_SSL_CAFILE: {path} cannot be read as PEM certificates ({error.strerror or error}); name a CA file"
        raise Refused(msg) from None
    return path
