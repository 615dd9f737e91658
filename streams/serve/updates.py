"""What people say of an account through the API, as records of ``account-updates``."""

from typing import NamedTuple, Protocol

from engagement.events import AccountUpdate


class Sent(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int


class UpdateSink(Protocol):
    """Where account updates go."""

    async def send(self, update: AccountUpdate) -> Sent:
        """Append one; returns once all replicas have it. Raises `Refusal` (503) where that is not known: it may lie there all the same."""

    async def is_well(self) -> bool:
        """Whether Kafka takes updates now."""
