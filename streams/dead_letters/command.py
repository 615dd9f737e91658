"""``mqa dead-letters list|show|retry``."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
from aiokafka.structs import TopicPartition

from engagement.days import to_ms
from engagement.dead_letters import DEAD_LETTERS
from engagement.errors import Refused
from streams.connection import Connection
from streams.dead_letters.choice import Choice, choose, no_letter
from streams.dead_letters.letters import Letters, Wanted, find_letters, read_place
from streams.dead_letters.retry import send_again
from streams.dead_letters.text import choice_lines, count_line, fields, listed, shown
from streams.delivery import delivery_of
from streams.genesis import read_genesis
from streams.reading import read_one
from streams.topics import INPUTS, LOG, Environment

_INSTANTS = ("%Y-%m-%d", "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ")


def _ms(_context: click.Context, _parameter: click.Parameter, moment: datetime | None) -> int | None:
    return None if moment is None else to_ms(moment.replace(tzinfo=UTC))


def _instant(name: str, help_text: str) -> Callable[[Any], Any]:
    return click.option(name, type=click.DateTime(_INSTANTS), metavar="INSTANT", callback=_ms, help=help_text)


_reason = click.option("--reason", metavar="REASON", help="Those only.")
_topic = click.option("--topic", type=click.Choice((*INPUTS, LOG)), help="Those only that came in there.")
_since = _instant("--since", "Received then or later: 2025-01-31, or 2025-01-31T09:00:00Z.")
_until = _instant("--until", "Received before.")
_prefix = click.option("--prefix", default="", metavar="PREFIX", help="The environment.", envvar="MQA_PREFIX")
_bootstrap = click.option("--bootstrap", metavar="HOST:PORT", help="Kafka; else KAFKA_BOOTSTRAP, else the local broker.")


@click.group("dead-letters")
def dead_letters() -> None:
    """List and show what could not be used, and send it again."""


@dead_letters.command("list")
@_reason
@_topic
@_since
@_until
@click.option("--last", type=click.IntRange(0), default=20, show_default=True, help="How many to list, the newest last.")
@_prefix
@_bootstrap
@click.option("--json", "is_json", is_flag=True, help="For programs: one JSON object a line; the counts go to standard error.")
def list_(*, last: int, prefix: str, bootstrap: str | None, is_json: bool, **asked: Any) -> None:
    """List dead letters: when the original was received, why it is dead, where the letter lies, and what is wrong.

    Below, how many there are of those asked for, by reason and by the topic that they came in on. "(retried)" is said of what was sent
    again: if that was dead once more, it is a letter of its own.
    """
    environment = Environment(prefix)
    letters = asyncio.run(_look(Connection.find(bootstrap), environment, Wanted(**asked), last))
    if is_json:
        for each in letters.newest:
            click.echo(msgspec.json.encode(fields(each, letters.retried.get(each.place), environment)))
    else:
        for line in listed(letters, environment):
            click.echo(line)
    click.echo(count_line(letters.sorts, letters.retried_sorts.total(), letters.foreign), err=is_json)


@dead_letters.command()
@click.argument("place")
@_prefix
@_bootstrap
@click.option("--json", "is_json", is_flag=True, help="For programs: one JSON object.")
def show(place: str, *, prefix: str, bootstrap: str | None, is_json: bool) -> None:
    """Show everything of one dead letter: what was sent, in clear, and why it could not be used.

    PLACE is where the letter lies, as `list` says it (or the last two numbers of that): of one original there may be several letters.
    """
    connection, environment = Connection.find(bootstrap), Environment(prefix)
    wanted = read_place(place, environment)

    async def run() -> None:
        letters = await _look(connection, environment, Wanted(places=frozenset({wanted})), 1)
        if not letters.newest:
            raise no_letter(wanted, environment)
        (found,) = letters.newest
        record = await read_one(connection, TopicPartition(environment.topic(DEAD_LETTERS), wanted.partition), wanted.offset)
        original = None if record is None else record.value
        retried_at = letters.retried.get(wanted)
        if is_json:
            text = None if original is None else original.decode(errors="replace")
            click.echo(msgspec.json.encode(fields(found, retried_at, environment) | {"original": text}))
        else:
            click.echo("\n".join(shown(found, original, retried_at, environment)))

    asyncio.run(run())


@dead_letters.command()
@click.argument("places", nargs=-1, metavar="[PLACE]...")
@_reason
@_topic
@_since
@_until
@click.option("--last", type=click.IntRange(1), help="The newest ones only, as `list` has them; by default all.")
@_prefix
@_bootstrap
@click.option("--yes", is_flag=True, help="Really: the workers judge them as events that come in now.")
def retry(places: tuple[str, ...], *, last: int | None, prefix: str, bootstrap: str | None, yes: bool, **asked: Any) -> None:
    """Send dead letters again, once what killed them is mended: those at each PLACE, or those that the options choose.

    The same bytes under the same key go to the topic that they came in on, so each event keeps its id. They come in now, and all of them
    is judged anew. Whatever was sent again before is left out. Without --yes it only tells what it would send.
    """
    connection, environment = Connection.find(bootstrap), Environment(prefix)
    if places and (last is not None or any(value is not None for value in asked.values())):
        msg = "name PLACEs, or choose by options (one of the two)"
        raise click.UsageError(msg)
    named = frozenset(read_place(each, environment) for each in places)
    wanted = Wanted(places=named) if named else Wanted(**asked)
    bound = len(named) if named else last
    asyncio.run(_retry(connection, environment, wanted, bound, is_meant=yes))


async def _look(connection: Connection, environment: Environment, wanted: Wanted, last: int) -> Letters:
    await connection.wait_until_ready()
    genesis = await read_genesis(connection, environment)
    return await find_letters(connection, environment, genesis.partitions, wanted, last)


async def _retry(connection: Connection, environment: Environment, wanted: Wanted, last: int | None, *, is_meant: bool) -> None:
    await connection.wait_until_ready()
    genesis = await read_genesis(connection, environment)

    async def plan() -> tuple[Letters, Choice]:
        letters = await find_letters(connection, environment, genesis.partitions, wanted, 0 if last is None else last)
        choice = choose(letters, wanted, environment, is_bounded=last is not None)
        click.echo("\n".join(choice_lines(choice)))
        return letters, choice

    if not is_meant:
        _, choice = await plan()
        if choice.sent:
            name = f"environment {environment.prefix!r}"
            raise Refused(f"{name} would judge these as events that come in now; add --yes if that is meant, with --last 1 to try one")
        return
    # Before it is looked: whoever sends letters at the same time is fenced, so that what is found stays so.
    async with delivery_of(genesis).make_producer(connection, environment.transactional_id("retry", 0)) as producer:
        letters, choice = await plan()
        sent = await send_again(connection, environment, genesis, producer, wanted=choice.wanted, letters=letters) if choice.sent else 0
    if sent:
        click.echo(f"{sent:,} sent again; what is dead once more is a new letter: see `mqa dead-letters list{environment.option}`")
