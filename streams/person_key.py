"""The key under which people are hashed, as the environment variables have it."""

import os
import re
from typing import NamedTuple

from engagement.errors import Refused
from engagement.written import shown

DEVELOPMENT_SECRET = "not-a-secret"  # noqa: S105 - as it says
KEY_ID = "k1"


class PersonKey(NamedTuple):
    """What `streams.identity.make_identity` is given."""

    secret: bytes
    key_id: str


def person_key(clock: str) -> PersonKey:
    """Read ``MQA_PERSON_SECRET``, any bytes, and ``MQA_PERSON_KEY_ID``, up to 16 letters, digits, ``_`` and ``-``.

    Raises `Refused` for another id, and without a secret by the ``wall``: people are real then.
    """
    secret = os.environ.get("MQA_PERSON_SECRET")
    if not secret and clock == "wall":
        msg = "MQA_PERSON_SECRET is not set: people are stored as hashes under a key that must be yours; set it to a long random word"
        raise Refused(msg)
    key_id = os.environ.get("MQA_PERSON_KEY_ID") or KEY_ID
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,16}", key_id):  # it stands in front of every hash, for ever
        msg = f"MQA_PERSON_KEY_ID: {shown(key_id)!r} must be 1 to 16 letters, digits, '_' and '-'; name the first key {KEY_ID}, the next k2"
        raise Refused(msg)
    return PersonKey(os.fsencode(secret or DEVELOPMENT_SECRET), key_id)
