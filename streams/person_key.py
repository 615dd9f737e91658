"""The key under which people are hashed, as the environment variables have it."""

import os
from typing import NamedTuple

from engagement.errors import Refused

DEVELOPMENT_SECRET = "not-a-secret"  # noqa: S105 - as it says
KEY_ID = "k1"


class PersonKey(NamedTuple):
    """What `streams.identity.make_identity` is given."""

    secret: bytes
    key_id: str


def person_key(clock: str) -> PersonKey:
    """Read ``MQA_PERSON_SECRET`` and ``MQA_PERSON_KEY_ID``. By the ``wall`` people are real: raises `Refused` without a secret."""
    secret = os.environ.get("MQA_PERSON_SECRET")
    if not secret and clock == "wall":
        msg = "MQA_PERSON_SECRET is not set: people are stored as hashes under a key that must be yours; set it to a long random word"
        raise Refused(msg)
    return PersonKey((secret or DEVELOPMENT_SECRET).encode(), os.environ.get("MQA_PERSON_KEY_ID") or KEY_ID)
