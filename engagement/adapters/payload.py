"""Reading payloads whose shape others define: fields by their path, and every complaint with path and value.

A path is ``context.page.url``; of a list on the way its first element. Null, the empty text and what is not there are one: nothing.
"""

import re
from datetime import UTC, datetime
from hashlib import sha256
from reprlib import repr as short_repr
from typing import Any
from urllib.parse import urlsplit

import msgspec

from engagement.decoding import Dead

Payload = dict[str, Any]

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,14}")
_YES, _NO = (True, 1, "1", "true", "yes"), (False, 0, "0", "false", "no")


def read_json(value: bytes) -> Any:
    """Read a JSON text. Raises `Dead` (``malformed_json``)."""
    try:
        return msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Dead("malformed_json", str(error)) from None


def write_json(payload: object) -> bytes:
    """Spell a payload as JSON, equal ones in one way."""
    return msgspec.json.encode(payload, order="sorted")


def an_object(path: str, said: object) -> Payload:
    """Take what must be a JSON object. Raises `Dead`."""
    if not isinstance(said, dict):
        raise unusable(path, said, "Input should be an object")
    return said


def found(payload: object, path: str) -> Any:
    """Look up what stands at a path; None where nothing does."""
    here = payload
    for step in path.split("."):
        if isinstance(here, list):
            here = here[0] if here else None
        if not isinstance(here, dict):
            return None
        here = here.get(step)
    return None if here == "" else here


def text(payload: Payload, *paths: str | None) -> str | None:
    """Read the text at the first path that has something; a whole number is one, as ids may be. Raises `Dead`."""
    for path in filter(None, paths):
        match found(payload, path):
            case None:
                continue
            case str(said):
                return said
            case int(number) if not isinstance(number, bool):
                return str(number)
            case other:
                raise unusable(path, other, "Input should be a text")
    return None


def needed_text(payload: Payload, path: str) -> str:
    """Read a text that must be there. Raises `Dead`."""
    said = text(payload, path)
    if said is None:
        raise absent(path)
    return said


def whole(payload: Payload, *paths: str | None) -> int | None:
    """Read the whole number at the first path that has something, be it written as text or as ``5.0``. Raises `Dead`."""
    for path in filter(None, paths):
        match found(payload, path):
            case None:
                continue
            case int(number) if not isinstance(number, bool):
                return number
            case float(number) if number.is_integer():
                return int(number)
            case str(said) if _WHOLE.fullmatch(said):
                return int(said)
            case other:
                raise unusable(path, other, "Input should be a whole number")
    return None


def flag(payload: object, path: str) -> bool | None:
    """Read a yes or no as browsers spell it (``"1"``, ``"yes"``, true); None for nothing and for anything else, like ``"unspecified"``."""
    said = found(payload, path)
    if isinstance(said, str):
        said = said.lower()
    return True if said in _YES else False if said in _NO else None


def instant(payload: Payload, *paths: str, utc: bool = False) -> datetime | None:
    """Read the ISO 8601 instant at the first path that has something. Without an offset it is UTC if ``utc``. Raises `Dead`."""
    for path in paths:
        said = found(payload, path)
        if said is None:
            continue
        try:
            moment = datetime.fromisoformat(said)
        except (TypeError, ValueError):
            raise unusable(path, said, "Input should be an instant as in 2025-01-31T08:00:00Z") from None
        if moment.tzinfo is None and not utc:
            raise unusable(path, said, "Input should have an offset, as in 2025-01-31T08:00:00Z")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return None


def needed_instant(payload: Payload, *paths: str, utc: bool = False) -> datetime:
    """Read an instant that must be there. Raises `Dead`."""
    moment = instant(payload, *paths, utc=utc)
    if moment is None:
        raise absent(paths[0])
    return moment


def is_address(said: str | None) -> bool:
    """Whether a text is meant as an e-mail address."""
    return said is not None and _ADDRESS.fullmatch(said) is not None


def host_of(said: str) -> str:
    """``'https://www.acme.com/about'`` -> ``'www.acme.com'``: people write websites as domains and as addresses."""
    try:
        return urlsplit(said if "://" in said else f"//{said}").hostname or said
    except ValueError:  # brackets that hold no IPv6 address, and the like
        return said


def number_if_whole(said: object) -> object:
    """``'329'`` -> 329, all else as it is: counts often come as text, and no test on an attribute tells one from the other by that."""
    return int(said) if isinstance(said, str) and _WHOLE.fullmatch(said) else said


def digest(said: bytes) -> str:
    """64 bits in hex."""
    return sha256(said).hexdigest()[:16]


def unusable(path: str, said: object, should: str) -> Dead:
    """Word what is wrong with a field, as `engagement.decoding` words it."""
    return Dead("invalid", f"{path} = {short_repr(said)}: {should}")


def absent(path: str) -> Dead:
    """Word that a field is missing."""
    return Dead("invalid", f"{path} absent: Field required")
