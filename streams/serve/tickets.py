"""Leave to open one thing for some minutes without a token, for what a browser opens by itself: it sends no header of ours."""

import hmac
from collections.abc import Callable
from secrets import token_bytes
from time import time

LASTS_SECONDS = 600


class Tickets:
    """Of one server, as long as it runs."""

    def __init__(self, now: Callable[[], float] = time) -> None:
        self._secret, self._now = token_bytes(32), now

    def issue(self, name: str) -> str:
        """Make a ticket for what is called so."""
        until = int(self._now()) + LASTS_SECONDS
        return f"{until}.{self._seal(name, until)}"

    def opens(self, name: str, ticket: str) -> bool:
        """Whether it is one for that, and not over."""
        said, _, seal = ticket.partition(".")
        if not (said.isascii() and said.isdigit() and len(said) < len(str(2**53))):
            return False
        until = int(said)
        return self._now() < until and hmac.compare_digest(seal.encode(), self._seal(name, until).encode())

    def _seal(self, name: str, until: int) -> str:
        return hmac.digest(self._secret, f"{until} {name}".encode(), "sha256").hex()[:32]
