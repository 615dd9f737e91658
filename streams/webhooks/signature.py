"""Signing by Standard Webhooks 1.0: HMAC-SHA256 of id, time and body, under every secret that a receiver may have.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable

from engagement.errors import Refused
from streams.secrets import read_secret

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64
"""Bytes of a secret, by the convention."""

_MAKE_ONE = "make one: `python -c 'import base64, secrets; print(\"whsec_\" + base64.b64encode(secrets.token_bytes(32)).decode())'`"


class Signer:
    """Signs under one secret, or under several while a secret is being replaced."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        """``secrets``: the newest first."""
        self._secrets = tuple(secrets)

    def headers(self, identity: str, seconds: int, body: bytes) -> dict[str, str]:
        """What goes with ``body``; ``seconds`` since 1970 is when this attempt is made. ``identity`` holds no full stop."""
        signed = b"%b.%d.%b" % (identity.encode(), seconds, body)
        signatures = (b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in self._secrets)
        return {
            "webhook-id": identity,
            "webhook-timestamp": str(seconds),
            "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        }


def read_signer(names: Iterable[str]) -> Signer:
    """Read the secrets of these names (see `streams.secrets`). Raises `Refused` for one that is not set or not as it must be."""
    return Signer([_read(name) for name in names])


def _read(name: str) -> bytes:
    text = read_secret(name)
    if text is None:
        raise Refused(f"{name}: is not set, and webhooks are signed with it; set it or {name}_FILE; {_MAKE_ONE}")
    try:
        secret = b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError:
        raise Refused(f"{name}: is not base64; write it as whsec_ and 24 to 64 bytes in base64; {_MAKE_ONE}") from None
    if not _SHORTEST <= len(secret) <= _LONGEST:
        raise Refused(f"{name}: has {len(secret)} bytes, must have {_SHORTEST} to {_LONGEST}; {_MAKE_ONE}")
    return secret
