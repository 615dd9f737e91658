"""The key under which people are hashed, as the environment variables have it."""

import os
import re
from typing import NamedTuple

from engagement.errors import Refused
from engagement.written import shown
from streams.secrets import read_secret

DEVELOPMENT_SECRET = "not-a-secret"  # noqa: S105 - as it says
KEY_ID = "k1"


class PersonKey(NamedTuple):
    """What `streams.identity.make_identity` is given."""

    secret: bytes
    key_id: str
    before: "PersonKey | None" = None  # the key that it replaces, while people known under that one are to stay who they are

    def __repr__(self) -> str:
        """Name the key; its secret never shows."""
        return f"PersonKey(key_id={self.key_id!r}, before={self.before!r})"


def person_key(clock: str) -> PersonKey:
    """Read ``MQA_PERSON_SECRET``, any bytes, and ``MQA_PERSON_KEY_ID``, up to 16 letters, digits, ``_`` and ``-``.

    Likewise ``MQA_PERSON_SECRET_BEFORE`` and ``MQA_PERSON_KEY_ID_BEFORE``, the key that is being replaced: both or neither. What is
    empty is not set; a secret may stand in a file (`read_secret`). Raises `Refused` for another id, where both keys have one, and without a
    secret by the ``wall``: people are real then.
    """
    secret = read_secret("MQA_PERSON_SECRET")
    if not secret and clock == "wall":
        msg = (
            "MQA_PERSON_SECRET is not set: people are stored as hashes under a key that must be yours; set it to a long random word, "
            "or MQA_PERSON_SECRET_FILE to a file that holds one"
        )
        raise Refused(msg)
    key_id = _checked("MQA_PERSON_KEY_ID", os.environ.get("MQA_PERSON_KEY_ID") or KEY_ID)
    key = PersonKey(os.fsencode(secret or DEVELOPMENT_SECRET), key_id, _key_before(key_id))
    if key.before is not None and key.before.secret == key.secret:
        msg = f"MQA_PERSON_SECRET is the former one, of {key.before.key_id!r}, under another id; set it to a new long random word"
        raise Refused(msg)
    return key


def _key_before(key_id: str) -> PersonKey | None:
    secret = read_secret("MQA_PERSON_SECRET_BEFORE")
    before = os.environ.get("MQA_PERSON_KEY_ID_BEFORE")
    if not secret and not before:
        return None
    if not secret or not before:
        missing = "KEY_ID" if secret else "SECRET"
        msg = f"MQA_PERSON_{missing}_BEFORE is not set: a key that is being replaced has a secret and an id; set both, or neither"
        raise Refused(msg)
    if _checked("MQA_PERSON_KEY_ID_BEFORE", before) == key_id:
        msg = f"MQA_PERSON_KEY_ID_BEFORE: {key_id!r} is the new key's id too; name that one with MQA_PERSON_KEY_ID, for instance k2"
        raise Refused(msg)
    return PersonKey(os.fsencode(secret), before)


def _checked(variable: str, key_id: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,16}", key_id):  # it stands in front of every hash, for ever
        msg = f"{variable}: {shown(key_id)!r} must be 1 to 16 letters, digits, '_' and '-'; name the first key {KEY_ID}, the next k2"
        raise Refused(msg)
    return key_id
