"""``mqa baseline``: the first load of a company's history, which alerts nobody.

It is played as any history is; every tier change of a played environment carries the header ``mode: baseline``. What is different: people
are real, so their hashes need a key that is the company's own, and the days end today, so that `mqa go-live` can follow.
"""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from time import time_ns

import click

from engagement.days import day_of, iso_day
from engagement.errors import Refused
from streams.connection import Connection
from streams.genesis import create_environment, existing_topics
from streams.history.arrivals import Arrival
from streams.history.play import Outcome, compression_option, play_file, tell
from streams.history.player import Compression, Player
from streams.people import refuse_other_people
from streams.person_key import PersonKey, person_key
from streams.topics import Environment


class RealStage:
    """A player of real days and real people (a `streams.history.play.Stage`)."""

    def __init__(self, player: Player, *, connection: Connection, environment: Environment, key: PersonKey, today: int) -> None:
        """``key`` must be that of the workers; no day after ``today`` begins."""
        self._player, self._key, self._today = player, key, today
        self._connection, self._environment = connection, environment
        self._is_checked = False

    @property
    def last_day(self) -> int | None:
        """The day that began last."""
        return self._player.last_day

    async def begin(self, day: int) -> None:
        """As a player does. Raises `Refused` for a day that has not come yet."""
        if day > self._today:
            msg = f"the history is at {iso_day(day)}, and today is {iso_day(self._today)}: nothing was received yet then; mend its dates"
            raise Refused(msg)
        await self._player.begin(day)

    async def receive(self, arrivals: Iterable[Arrival]) -> None:
        """As a player does. Raises `Refused` where the workers hash people under another key: at the first events, not at the last."""
        await self._player.receive(arrivals)
        if not self._is_checked:
            await refuse_other_people(self._connection, self._environment, self._player.partitions, self._key)
            self._is_checked = True

    async def settle(self) -> None:
        """As a player does."""
        await self._player.settle()


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--prefix", default="", metavar="PREFIX", help="The environment; made where there is none.", envvar="MQA_PREFIX")
@click.option("--bootstrap", metavar="HOST:PORT", help="Kafka; else KAFKA_BOOTSTRAP, else the local broker.")
@click.option("--quiet-days", type=click.IntRange(0, 3660), default=0, help="Days without events in the end, but none after today.")
@compression_option
def baseline(file: Path, *, prefix: str, bootstrap: str | None, quiet_days: int, compression: Compression) -> None:
    """Load a company's history without alerting anybody.

    FILE (- for standard input) is played, day by day, into an environment with a played clock; its workers must be running, with the
    same MQA_PERSON_SECRET as this command. Tier changes say `mode: baseline`. Several files may follow one another; then `mqa go-live`.
    """
    environment, connection, key = Environment(prefix), Connection.find(bootstrap), person_key("wall")
    today = day_of(time_ns() // 1_000_000)

    async def run() -> Outcome:
        await connection.wait_until_ready()
        if not await existing_topics(connection, environment):
            await create_environment(connection, environment, clock="played")
            click.echo(f"made environment {prefix!r}; now start its workers: `mqa worker{environment.option}`", err=True)
        return await play_file(
            connection,
            environment,
            file,
            compression=compression,
            quiet_days=quiet_days,
            latest=today,
            stage_of=lambda player: RealStage(player, connection=connection, environment=environment, key=key, today=today),
        )

    tell(asyncio.run(run()), environment)
