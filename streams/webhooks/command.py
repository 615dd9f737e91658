"""``mqa webhooks run|check|test|parked``."""

import asyncio
import logging
import os
from collections import Counter
from pathlib import Path

import click

from engagement.machine import Record
from engagement.subscriptions import Subscription, read_change
from streams.connection import Connection
from streams.genesis import partitions_of
from streams.health import listen
from streams.logs import log_level_option, say_seldom, start_log
from streams.long_running import prepare
from streams.scanning import scan
from streams.topics import TIER_CHANGES, WEBHOOKS_PARKED, Environment
from streams.webhooks.attempt import open_target
from streams.webhooks.example import example_message
from streams.webhooks.files import pick, read_subscriptions
from streams.webhooks.message import mode_of
from streams.webhooks.parked_command import parked
from streams.webhooks.sender import run_sender
from streams.webhooks.signature import read_signer
from streams.webhooks.text import shown_url, told

NOT_TAKEN = 1
"""Exit status where a receiver did not take the example."""

_file = click.option(
    "--file", type=click.Path(path_type=Path), required=True, envvar="MQA_WEBHOOKS", help="The subscriptions; see docs/webhooks.md."
)
_prefix = click.option("--prefix", default="", metavar="PREFIX", help="The environment.", envvar="MQA_PREFIX")
_bootstrap = click.option("--bootstrap", metavar="HOST:PORT", help="Kafka; else KAFKA_BOOTSTRAP, else the local broker.")


@click.group()
def webhooks() -> None:
    """Deliver tier changes to HTTP endpoints."""


webhooks.add_command(parked)


@webhooks.command()
@_file
@click.option("--only", multiple=True, metavar="NAME", help="Only this subscription; may be said more than once.")
@_prefix
@_bootstrap
@click.option(
    "--port",
    default=9466,
    show_default=True,
    type=click.IntRange(-1, 65535),
    help="Port of /metrics, /health/live and /health/ready; 0 takes a free one, -1 none.",
    envvar="MQA_PORT",
)
@click.option(
    "--session-timeout", default=10, show_default=True, type=click.IntRange(6, 40), help="Seconds until a silent sender is replaced."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.", envvar="MQA_HOST")
@log_level_option
def run(
    *,
    file: Path,
    only: tuple[str, ...],
    prefix: str,
    bootstrap: str | None,
    port: int,
    host: str,
    session_timeout: int,
    log_level: str,
) -> None:
    """Deliver, until it is told to stop. Exit status 2: a person must decide; 70: start it again."""
    start_log(log_level)
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    say_seldom("aiokafka")
    signed = [(each, read_signer(each.secret)) for each in pick(read_subscriptions(file), only)]
    connection, environment = Connection.find(bootstrap), Environment(prefix)
    listening = None if port < 0 else listen(host, port)

    async def deliver() -> None:
        await connection.wait_until_ready(15)
        for short in (TIER_CHANGES, WEBHOOKS_PARKED):
            await partitions_of(connection, environment, short)
        await run_sender(connection, environment, signed, listening, session_seconds=session_timeout)

    prepare()
    asyncio.run(deliver())


@webhooks.command()
@_file
@click.option("--seen", is_flag=True, help="Count how many of the tier changes that there are each would get; reads all of them.")
@_prefix
@_bootstrap
def check(*, file: Path, seen: bool, prefix: str, bootstrap: str | None) -> None:
    """Say whether the file can be used, and what each subscription would get. Only --seen asks Kafka."""
    subscriptions = read_subscriptions(file)
    counts = asyncio.run(_count(Connection.find(bootstrap), Environment(prefix), subscriptions)) if seen else None
    for each in subscriptions:
        click.echo(each.name)
        for line in told(each):
            click.echo(f"  {line}")
        click.echo(f"  {_secret_line(each)}")
        if counts is not None:
            click.echo(f"  {counts[each]:,} of {counts[None]:,} tier changes that there are")


async def _count(connection: Connection, environment: Environment, subscriptions: tuple[Subscription, ...]) -> Counter[Subscription | None]:
    """How many changes each wants; under None, how many there are."""
    counts: Counter[Subscription | None] = Counter()

    def take(batch: list[Record]) -> None:
        for record in batch:
            change = read_change(record.value)
            if change is not None:
                counts[None] += 1
                counts.update(each for each in subscriptions if each.wants(change, mode_of(record)))

    await connection.wait_until_ready()
    await scan(connection, environment, TIER_CHANGES, await partitions_of(connection, environment, TIER_CHANGES), take)
    return counts


def _secret_line(subscription: Subscription) -> str:
    missing = [name for name in subscription.secret if not (os.environ.get(name) or os.environ.get(f"{name}_FILE"))]
    signed = f"signed with {' and '.join(subscription.secret)}"
    return f"{signed} (not set here: {', '.join(missing)})" if missing else signed


@webhooks.command()
@click.argument("name")
@_file
def test(*, name: str, file: Path) -> None:
    """Send a signed example to the subscription NAME: a tier change of mode "test". Exit status 1: it was not taken."""
    (subscription,) = pick(read_subscriptions(file), [name])
    message = example_message()

    async def send() -> bool:
        async with open_target(subscription, read_signer(subscription.secret)) as target:
            answer = await target.attempt(message)
        where = shown_url(subscription.url)
        click.echo(f"{message.id} {'taken' if answer.is_taken else 'not taken'} by {where}: {answer.detail}")
        return answer.is_taken

    if not asyncio.run(send()):
        click.get_current_context().exit(NOT_TAKEN)
