"""``mqa topics``: make, check and delete environments."""

import asyncio
from pathlib import Path

import click

from engagement.errors import Refused
from engagement.records import Genesis
from streams.acls_command import acls
from streams.clocks import clock_of
from streams.configuration import Configuration, load_newest, read_configuration
from streams.connection import Connection
from streams.delivery import MEANINGS, delivery_of
from streams.genesis import PARTITIONS, create_environment, delete_environment, existing_topics, read_genesis
from streams.people import keys_line
from streams.rulebooks import read_rulebook
from streams.topics import CLOCKS, TOPICS, Clock, Environment


@click.group()
def topics() -> None:
    """Create, check and delete the topics of an environment."""


topics.add_command(acls)

_prefix = click.option(
    "--prefix", default="", envvar="MQA_PREFIX", metavar="PREFIX", help="Names the environment, like demo-; empty by default."
)
_bootstrap = click.option("--bootstrap", metavar="HOST:PORT", help="Kafka; else KAFKA_BOOTSTRAP, else the local broker.")


@topics.command()
@_prefix
@click.option(
    "--partitions",
    type=click.IntRange(1, 1000),
    help=f"Partitions of every topic; {PARTITIONS} by default, and never another number later.",
)
@click.option("--clock", type=click.Choice(CLOCKS), help="wall (default), or played: time comes with a history.")
@click.option("--rulebook", type=click.Path(path_type=Path), help="The first rulebook; by default the one that comes with mqa.")
@click.option("--replication", type=click.IntRange(1, 100), help="Replicas; by default one a broker, up to 3.")
@_bootstrap
def create(
    *, prefix: str, partitions: int | None, clock: Clock | None, rulebook: Path | None, replication: int | None, bootstrap: str | None
) -> None:
    """Create an environment, or complete one. Safe to repeat."""
    environment = Environment(prefix)
    first = None if rulebook is None else read_rulebook(rulebook)
    connection = Connection.find(bootstrap)

    async def run() -> tuple[list[str], Genesis, Clock, Configuration]:
        await connection.wait_until_ready()
        before = await existing_topics(connection, environment)
        made = await create_environment(
            connection, environment, partitions=partitions, clock=clock, rulebook=first, replication=replication
        )
        new = [each.short for each in TOPICS if each.short not in before]
        return new, made, await clock_of(connection, environment, made), await read_configuration(connection, environment)

    created, genesis, runs_by, configuration = asyncio.run(run())
    click.echo(f"created {', '.join(map(environment.topic, created))}" if created else "every topic was there already")
    _show(environment, genesis, runs_by, configuration)


@topics.command("list")
@_prefix
@_bootstrap
def list_(prefix: str, bootstrap: str | None) -> None:
    """List the topics of an environment, those that are missing too."""
    environment = Environment(prefix)
    connection = Connection.find(bootstrap)

    async def run() -> dict[str, int]:
        await connection.wait_until_ready()
        return await existing_topics(connection, environment)

    counts = asyncio.run(run())
    for each in TOPICS:
        found = f"{counts[each.short]:>3} partitions" if each.short in counts else "      missing "
        click.echo(f"{environment.topic(each.short):<{len(prefix) + 18}} {found}  {each.content}")


@topics.command()
@_prefix
@_bootstrap
def check(prefix: str, bootstrap: str | None) -> None:
    """Check that an environment is whole; change nothing."""
    environment = Environment(prefix)
    connection = Connection.find(bootstrap)

    async def run() -> tuple[Genesis, Clock, Configuration]:
        await connection.wait_until_ready()
        genesis = await read_genesis(connection, environment)
        return genesis, await clock_of(connection, environment, genesis), await read_configuration(connection, environment)

    _show(environment, *asyncio.run(run()))


@topics.command()
@_prefix
@click.option("--yes", is_flag=True, help="Really: everything this environment knows is gone then.")
@_bootstrap
def delete(prefix: str, *, yes: bool, bootstrap: str | None) -> None:
    """Delete the topics of one environment, its log included."""
    environment = Environment(prefix)
    connection = Connection.find(bootstrap)
    if not yes:
        msg = f"environment {prefix!r} at {connection.bootstrap} would lose everything it knows; add --yes if that is meant"
        raise Refused(msg)

    async def run() -> list[str]:
        await connection.wait_until_ready()
        return await delete_environment(connection, environment)

    deleted = asyncio.run(run())
    click.echo(f"deleted {', '.join(deleted)}" if deleted else f"environment {prefix!r} has no topics")


def _show(environment: Environment, genesis: Genesis, clock: Clock, configuration: Configuration) -> None:
    active = load_newest(configuration, environment)
    was = "" if clock == genesis.clock else f" (its history was {genesis.clock})"
    click.echo(
        f"environment {environment.prefix!r} is whole: {len(TOPICS)} topics, {genesis.partitions} partitions, "
        f"{clock} clock{was}, rulebook {active.version}"
    )
    click.echo(f"it delivers {MEANINGS[delivery_of(genesis).promise]}")
    click.echo(keys_line(configuration))
