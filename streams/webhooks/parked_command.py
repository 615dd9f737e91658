"""``mqa webhooks parked list|retry``."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import click
import msgspec

from engagement.errors import Refused
from engagement.explain.wording import several
from engagement.subscriptions import Subscription
from engagement.written import printable
from streams.connection import Connection
from streams.genesis import partitions_of
from streams.scanning import scan
from streams.topics import WEBHOOKS_PARKED, Environment
from streams.transaction import PRODUCER
from streams.webhooks.attempt import open_target
from streams.webhooks.files import pick, read_subscriptions
from streams.webhooks.parked import Parked, ParkedTopic, note_delivered, read_place
from streams.webhooks.signature import Signer, read_signer
from streams.webhooks.text import count_line, fields, listed

MOST_FAILURES = 5
"""In a row of one subscription: then its receiver is not mended."""

NOT_ALL = 1
"""Exit status where some were not delivered."""

_prefix = click.option("--prefix", default="", metavar="PREFIX", help="The environment.", envvar="MQA_PREFIX")
_bootstrap = click.option("--bootstrap", metavar="HOST:PORT", help="Kafka; else KAFKA_BOOTSTRAP, else the local broker.")
_subscription = click.option("--subscription", metavar="NAME", help="Those of this subscription only.")


@click.group()
def parked() -> None:
    """List what could not be delivered for too long, and send it after all."""


@parked.command("list")
@_subscription
@click.option("--last", type=click.IntRange(0), default=20, show_default=True, help="How many to list, the newest last.")
@_prefix
@_bootstrap
@click.option(
    "--json", "is_json", is_flag=True, help="For programs: one JSON object a line, bodies included; the counts go to standard error."
)
def list_(*, subscription: str | None, last: int, prefix: str, bootstrap: str | None, is_json: bool) -> None:
    """List parked deliveries: when, of which subscription, where it lies, of which account, how often it was tried, the last answer."""
    topic = asyncio.run(_look(Connection.find(bootstrap), Environment(prefix), _of(subscription)))
    newest = sorted(topic.found, key=lambda each: (each.at, each.place))[-last:] if last else []
    for line in (msgspec.json.encode(fields(each)).decode() for each in newest) if is_json else listed(newest):
        click.echo(line)
    click.echo(count_line(topic.found), err=is_json)
    if topic.foreign:
        click.echo(f"left out: {several(topic.foreign, 'record', 'records')} that nobody parked", err=is_json)


@parked.command()
@click.argument("places", nargs=-1, metavar="[PLACE]...")
@_subscription
@click.option(
    "--file", type=click.Path(path_type=Path), required=True, envvar="MQA_WEBHOOKS", help="The subscriptions: where to, and how signed."
)
@_prefix
@_bootstrap
@click.option("--yes", is_flag=True, help="Really: accounts may have moved on since.")
def retry(places: tuple[str, ...], *, subscription: str | None, file: Path, prefix: str, bootstrap: str | None, yes: bool) -> None:
    """Send parked deliveries once more, now: those at each PLACE, or all.

    The same body goes out under the same id. An account's go in order, and where one is not taken the later ones are left out. What is
    taken is parked no longer. Without --yes it only tells what it would send. Exit status 1: not all were taken.
    """
    connection, environment = Connection.find(bootstrap), Environment(prefix)
    subscriptions = read_subscriptions(file)
    named = {read_place(each) for each in places}
    is_of = _of(subscription)
    left = asyncio.run(
        _retry(connection, environment, subscriptions, lambda each: is_of(each) and (not named or each.place in named), is_meant=yes)
    )
    if left:
        click.get_current_context().exit(NOT_ALL)


def _of(subscription: str | None) -> Callable[[Parked], bool]:
    return lambda each: subscription in {None, each.subscription}


async def _look(connection: Connection, environment: Environment, wanted: Callable[[Parked], bool]) -> ParkedTopic:
    await connection.wait_until_ready()
    topic = ParkedTopic(wanted)
    await scan(connection, environment, WEBHOOKS_PARKED, await partitions_of(connection, environment, WEBHOOKS_PARKED), topic.take)
    return topic


async def _retry(
    connection: Connection,
    environment: Environment,
    subscriptions: Sequence[Subscription],
    wanted: Callable[[Parked], bool],
    *,
    is_meant: bool,
) -> int:
    """Returns how many are left."""
    found = (await _look(connection, environment, wanted)).found
    click.echo(count_line(found))
    if not found:
        return 0
    targets = [(each, read_signer(each.secret)) for each in pick(subscriptions, {each.subscription for each in found})]
    if not is_meant:
        raise Refused(f"environment {environment.prefix!r}: these are old news to their receivers; add --yes if that is meant")
    left = 0
    for subscription, signer in targets:
        its = [each for each in found if each.subscription == subscription.name]
        left += len(its) - await _send(connection, environment, subscription, signer, its)
    return left


async def _send(
    connection: Connection, environment: Environment, subscription: Subscription, signer: Signer, found: Sequence[Parked]
) -> int:
    """Send those of one subscription; returns how many were taken."""
    sent, in_a_row = 0, 0
    held: set[str] = set()  # accounts of which one was not taken
    async with AsyncExitStack() as stack:
        target = await stack.enter_async_context(open_target(subscription, signer))
        producer = await stack.enter_async_context(connection.producer(acks="all", **PRODUCER))
        for each in found:
            if each.message.account in held:
                continue
            answer = await target.attempt(each.message)
            if answer.is_taken:
                await note_delivered(producer, environment, each)
                sent, in_a_row = sent + 1, 0
                continue
            click.echo(f"{each.place} {printable(each.message.account, 64)}: not taken ({answer.detail})")
            held.add(each.message.account)
            in_a_row += 1
            if in_a_row == MOST_FAILURES or answer.sort == "gone":
                click.echo(f"{subscription.name}: its receiver is not mended; the rest stays parked")
                break
    click.echo(f"{subscription.name}: {sent:,} of {len(found):,} delivered")
    return sent
