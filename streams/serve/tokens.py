"""Who asks, and what they may: bearer tokens, kept as hashes.

One a line: ``name scopes token``. Scopes are joined by commas: ``read``; ``people`` (names and addresses too); ``write``. The token may
stand there as its hash, ``sha256:`` and 64 hex digits, which is what `mqa serve token` prints; lines that begin with ``#`` say nothing.
"""

import re
from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Literal, NamedTuple, get_args

from engagement.errors import Refused

Scope = Literal["read", "write", "people"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
PLACE = "MQA_API_TOKENS"

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_TOKEN = re.compile(r"[\x21-\x7e]{16,512}")
_REMEDY = "`mqa serve token NAME --scopes read,write` prints one"


class Caller(NamedTuple):
    """Who asks."""

    name: str
    scopes: frozenset[Scope]


NOBODY = Caller("", frozenset())
"""Says nothing of who they are."""

ANYBODY = Caller("", frozenset({"read"}))
"""Where no token is known, and only this machine can ask."""


class Tokens:
    """The tokens that are known. Raises `Refused` for a line that is none; it never repeats a token."""

    def __init__(self, text: str = "") -> None:
        self._callers: list[tuple[bytes, Caller]] = []
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip() and not line.lstrip().startswith("#"):
                self._callers.append(_read(line, f"{PLACE}, line {number}"))

    def __len__(self) -> int:
        return len(self._callers)

    def caller(self, token: str) -> Caller | None:
        """Whose token it is. Takes as long for a wrong one as for a right one."""
        presented, found = sha256(token.encode()).digest(), None
        for hashed, caller in self._callers:
            if compare_digest(hashed, presented):
                found = caller
        return found


def new_token(name: str, scopes: Sequence[str]) -> tuple[str, str]:
    """Make one: the token itself, and its line for the file. Raises `Refused` for a name or a scope that is none."""
    said = ",".join(scopes)
    _check_name(name, f"NAME = {name!r}")
    _read_scopes(said, "--scopes")
    token = token_urlsafe(32)
    return token, f"{name} {said} sha256:{sha256(token.encode()).hexdigest()}"


def _read(line: str, place: str) -> tuple[bytes, Caller]:
    parts = line.split()
    if len(parts) != 3:  # noqa: PLR2004 - the three that are named
        raise Refused(f"{place}: has {len(parts)} words; write name, scopes and token with spaces between, {_REMEDY}")
    name, said, token = parts
    _check_name(name, place)
    scopes = _read_scopes(said, place)
    if _HASH.fullmatch(token):
        return bytes.fromhex(token.removeprefix("sha256:")), Caller(name, scopes)
    if not _TOKEN.fullmatch(token):
        raise Refused(f"{place}: its token must be sha256: and 64 hex digits, or 16 to 512 visible ASCII characters; {_REMEDY}")
    return sha256(token.encode()).digest(), Caller(name, scopes)


def _check_name(name: str, place: str) -> None:
    if not _NAME.fullmatch(name):
        raise Refused(f"{place}: its name must be 1 to 64 letters, digits, '.', '_' and '-'; {_REMEDY}")


def _read_scopes(said: str, place: str) -> frozenset[Scope]:
    scopes = frozenset(scope for scope in SCOPES if scope in said.split(","))
    if len(scopes) != len(said.split(",")):
        raise Refused(f"{place}: scopes = {said!r}: must be some of {', '.join(SCOPES)}, with commas between; {_REMEDY}")
    return scopes
