"""Secrets from outside: an environment variable, or a file, as Docker, Kubernetes and systemd hand them over.

A file is the better place: a process's variables are inherited by all that it starts, and are shown to whoever may look at it.
"""

import os
from pathlib import Path

from engagement.errors import Refused


def read_secret(name: str) -> str | None:
    """Read ``NAME``, else what stands in the file that ``NAME_FILE`` names, without one line end. None where neither is set.

    What is empty is not set. Bytes that are no text come back from `os.fsencode` as they were. Raises `Refused`, which never
    quotes a secret, where both are set, and where the file cannot be read or is empty.
    """
    value, path = os.environ.get(name) or None, os.environ.get(f"{name}_FILE") or None
    if path is None:
        return value
    if value is not None:
        msg = f"{name} and {name}_FILE are both set, and only one can count; unset one of them"
        raise Refused(msg)
    try:
        content = os.fsdecode(Path(path).read_bytes())
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        why = error.strerror if isinstance(error, OSError) else error
        msg = f"{name}_FILE: {path!r} cannot be read ({why}); name a file that holds the secret and that this user may read"
        raise Refused(msg) from None
    secret = content.removesuffix("\n").removesuffix("\r")
    if not secret:
        msg = f"{name}_FILE: {path!r} is empty; write the secret into it, or leave {name}_FILE unset"
        raise Refused(msg)
    return secret
