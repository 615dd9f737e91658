"""The topic ``webhooks-parked``: deliveries that were given up, and which of them were delivered by hand since.

A record's key is the account, its value the body as it was sent, its headers say the rest. Where it is delivered after all, a note says
so: a record with the same headers and ``delivered``, without a value, in its partition.
"""

from collections.abc import Callable
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from engagement.errors import Refused
from engagement.machine import Headers, Record
from engagement.written import printable
from streams.scanning import Place
from streams.topics import WEBHOOKS_PARKED, Environment
from streams.transaction import send
from streams.webhooks.attempt import Answer
from streams.webhooks.lanes import Delivery
from streams.webhooks.message import Message

_DELIVERED = "delivered"  # offset of the record that a note is about


def read_place(text: str) -> Place:
    """Read ``3/17``, as `mqa webhooks parked list` writes it. Raises `Refused` for anything else."""
    partition, _, offset = text.partition("/")
    if not all(number.isascii() and number.isdigit() for number in (partition, offset)):
        raise Refused(f"PLACE: {printable(text, 80)!r} is where nothing is parked; write it as `mqa webhooks parked list` does, like 3/17")
    return Place(int(partition), int(offset))


class Parked(NamedTuple):
    """One delivery that was given up."""

    place: Place
    at: int  # ms
    subscription: str
    message: Message
    source: str  # partition/offset in ``tier-changes``
    attempts: int
    answer: str  # the last
    headers: Headers


async def park(  # noqa: PLR0917 - that of `courier.Park`, after what is filled in
    producer: AIOKafkaProducer,
    environment: Environment,
    subscription: str,
    delivery: Delivery,
    attempts: int,
    lasted: int,
    answer: Answer,
) -> None:
    """Return when it is kept."""
    number, offset = delivery.partition.partition, delivery.offset
    said = {
        "subscription": subscription,
        "webhook-id": delivery.message.id,
        "source": f"{number}/{offset}",
        "attempts": str(attempts),
        "lasted-seconds": str(lasted),
        "answer": answer.detail,
    }
    headers = tuple((name, value.encode()) for name, value in said.items())
    destination = TopicPartition(environment.topic(WEBHOOKS_PARKED), number)
    await send(producer, {destination: [(delivery.message.account.encode(), delivery.message.body, headers, None)]})


async def note_delivered(producer: AIOKafkaProducer, environment: Environment, parked: Parked) -> None:
    """Return when it is noted that it was delivered after all."""
    destination = TopicPartition(environment.topic(WEBHOOKS_PARKED), parked.place.partition)
    headers = (*parked.headers, (_DELIVERED, str(parked.place.offset).encode()))
    await send(producer, {destination: [(parked.message.account.encode(), None, headers, None)]})


class ParkedTopic:
    """What the topic holds that was not delivered since, gathered batch by batch."""

    def __init__(self, wanted: Callable[[Parked], bool]) -> None:
        """``wanted``: which to keep."""
        self._wanted = wanted
        self._found: dict[Place, Parked] = {}
        self.foreign = 0  # records that nobody parked

    def take(self, batch: list[Record]) -> None:
        """Read records that follow those before in their partition."""
        for record in batch:
            said = dict(record.headers)
            try:
                if _DELIVERED in said:
                    self._found.pop(Place(record.partition, int(said[_DELIVERED])), None)
                    continue
                parked = _read(record, said)
            except (KeyError, ValueError):
                self.foreign += 1
                continue
            if self._wanted(parked):
                self._found[parked.place] = parked

    @property
    def found(self) -> list[Parked]:
        """In the order in which their accounts' changes came, partition after partition."""
        return list(self._found.values())


def _read(record: Record, said: dict[str, bytes]) -> Parked:
    if record.key is None or record.value is None:
        raise ValueError(record.offset)
    return Parked(
        place=Place(record.partition, record.offset),
        at=record.timestamp,
        subscription=said["subscription"].decode(),
        message=Message(said["webhook-id"].decode(), record.key.decode(), record.value),
        source=said["source"].decode(),
        attempts=int(said["attempts"]),
        answer=said["answer"].decode(),
        headers=tuple(record.headers),
    )
