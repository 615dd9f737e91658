"""Dead letters that are sent again: the original's bytes and key, as a record that comes in only now.

So intake judges everything anew, its time too: what came from the future may be past by now, and what is late is so by the rulebook's
horizon of today. A letter and the note that it was sent are one transaction; without transactions the note comes last, and what a
kill leaves without one is sent twice, for intake to drop.
"""

from collections.abc import Callable
from functools import partial

from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from engagement.days import day_of, midnight
from engagement.dead_letters import DEAD_LETTERS, DeadLetter, again, note, read_letter, why_not
from engagement.errors import Refused
from engagement.machine import Output, Record
from engagement.records import Genesis
from streams.clocks import clock_of
from streams.connection import Connection
from streams.days import last_day_of
from streams.dead_letters.letters import Letters, Wanted
from streams.delivery import Delivery, delivery_of
from streams.history.progress import day_line
from streams.identity import partition_of
from streams.reading import read_to_end, reader
from streams.scanning import Place
from streams.topics import Environment
from streams.transaction import Ambiguous, Fenced, Row

MOST_IN_ONE = 500
MOST_BYTES_IN_ONE = 4 << 20
"""Letters that one transaction sends."""


async def send_again(
    connection: Connection, environment: Environment, genesis: Genesis, producer: AIOKafkaProducer, *, wanted: Wanted, letters: Letters
) -> int:
    """Send those of ``wanted`` that can be, as far as ``letters`` were read; returns how many.

    ``producer``: of `Delivery.make_producer`, started before the letters were read, so that nobody else sends one of them meanwhile.
    Raises `Refused` where somebody does, or the outcome is not known.
    """
    delivery, sent = delivery_of(genesis), 0
    received_at = await _receipt(connection, environment, genesis)
    home = partial(partition_of, partitions=genesis.partitions)
    async with reader(connection) as consumer:
        with day_line("sending") as advance:
            for number, end in letters.ends.items():
                async for batch in read_to_end(consumer, TopicPartition(environment.topic(DEAD_LETTERS), number), end=end):
                    chosen = [
                        (record, letter) for record in batch if (letter := _chosen(record, genesis.partitions, wanted, letters)) is not None
                    ]
                    for some in _bounded(chosen):
                        outputs = [again(record, letter, home, received_at(letter)) for record, letter in some]
                        outputs += [note(record) for record, _ in some]  # last: they vouch for the rest
                        await _commit(delivery, producer, environment, outputs)
                        sent += len(some)
                        advance(day_of(some[-1][0].timestamp), len(some))
    return sent


async def _commit(delivery: Delivery, producer: AIOKafkaProducer, environment: Environment, outputs: list[Output]) -> None:
    rows: dict[TopicPartition, list[Row]] = {}
    for output in outputs:
        destination = TopicPartition(environment.topic(output.topic), output.partition)
        rows.setdefault(destination, []).append((output.key, output.value, output.headers, output.timestamp))
    try:
        await delivery.commit(producer, rows, {}, environment.group)
    except Fenced:
        why = "another `mqa dead-letters retry` has taken over; let it end, then"
    except Ambiguous as error:
        why = f"{error};"
    else:
        return
    raise Refused(f"environment {environment.prefix!r}: {why} run this again: what was sent stays sent, and is left out then")


def _chosen(record: Record, partitions: int, wanted: Wanted, letters: Letters) -> DeadLetter | None:
    letter, place = read_letter(record, partitions), Place(record.partition, record.offset)
    if letter is None:
        return None
    is_chosen = (
        letter.retried is None
        and place not in letters.retried
        and wanted.takes(place, letter)
        and why_not(letter.reason, letter.source[0]) is None
    )
    return letter if is_chosen else None


def _bounded(chosen: list[tuple[Record, DeadLetter]]) -> list[list[tuple[Record, DeadLetter]]]:
    """Cut into pieces that a transaction takes with ease."""
    pieces: list[list[tuple[Record, DeadLetter]]] = []
    size = 0
    for each in chosen:
        length = len(each[0].value or b"")
        if not pieces or len(pieces[-1]) == MOST_IN_ONE or size + length > MOST_BYTES_IN_ONE:
            pieces.append([])
            size = 0
        pieces[-1].append(each)
        size += length
    return pieces


async def _receipt(connection: Connection, environment: Environment, genesis: Genesis) -> Callable[[DeadLetter], int | None]:
    """Say when a letter's original comes in again, in ms; None: now.

    Where the clock is played that is its last day: at the time at which the original came in on it, else at its midnight.
    """
    if await clock_of(connection, environment, genesis) == "wall":
        return lambda _: None
    async with reader(connection) as consumer:
        last_day = await last_day_of(consumer, environment)
    if last_day is None:
        return lambda letter: letter.received_at
    return lambda letter: letter.received_at if day_of(letter.received_at) == last_day else midnight(last_day)
