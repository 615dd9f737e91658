"""Waiting for the workers, with a line that says how far they are."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from aiokafka.structs import TopicPartition
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from engagement.errors import Refused
from engagement.records import Genesis
from streams.connection import Connection
from streams.days import IntakeProgress
from streams.delivery import delivery_of
from streams.reading import reader
from streams.topics import CHANGELOGS, SOURCES, Environment

PATIENCE = 60.0
LOOK_AGAIN = 0.2


async def wait_until_folded(
    connection: Connection,
    environment: Environment,
    genesis: Genesis,
    role: str,
    *,
    done: str,
    advance: Callable[[int], None] = lambda _: None,
    patience: float = PATIENCE,
) -> None:
    """Return when the workers' ``role`` has folded its topics as far as they go now; ``advance`` is told how many partitions are through.

    Raises `Refused` where nothing was folded for ``patience`` seconds; ``done`` says what is done all the same.
    """
    async with (
        reader(connection) as committed,
        reader(connection, "read_uncommitted") as uncommitted,
        connection.admin() as admin,
    ):
        progress = IntakeProgress(
            environment,
            genesis.partitions,
            committed=committed,
            uncommitted=uncommitted,
            admin=admin,
            topics=SOURCES[role],
            delivery=delivery_of(genesis),
        )
        states = [TopicPartition(environment.topic(CHANGELOGS[role]), number) for number in range(genesis.partitions)]
        left = dict(await progress.ends())
        last, moved_at = None, monotonic()
        while left := {partition: end for partition, end in left.items() if not await progress.has_reached({partition: end})}:
            advance(genesis.partitions - len({partition.partition for partition in left}))
            reached = await uncommitted.end_offsets(states)  # these move with every slice of accounts, positions only after the last
            if reached != last:
                last, moved_at = reached, monotonic()
            elif monotonic() - moved_at > patience:
                msg = (
                    f"environment {environment.prefix!r}: {done}, but nothing was folded for {patience:g} s; "
                    f"is a worker running? Start one with `mqa worker{environment.option}`"
                )
                raise Refused(msg)
            await asyncio.sleep(LOOK_AGAIN)
        advance(genesis.partitions)


@contextmanager
def partitions_line(doing: str, partitions: int) -> Iterator[Callable[[int], None]]:
    """One line on a terminal that says how many partitions are done; nothing where standard error is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("partitions"), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(doing, total=partitions)
        yield lambda finished: progress.update(task, completed=finished)
