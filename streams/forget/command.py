"""``mqa forget``."""

import asyncio
from collections.abc import Iterator, Sequence
from time import time_ns

import click

from engagement.days import EARLIEST, midnight
from engagement.errors import Refused
from engagement.explain.wording import several
from engagement.identity import is_person, normalize_email
from engagement.records import Genesis
from engagement.written import printable
from streams.clocks import clock_of
from streams.configuration import load_newest
from streams.connection import Connection
from streams.days import last_day_of
from streams.forget.requests import requests
from streams.forget.traces import Sought, Traces, find_traces
from streams.genesis import read_genesis
from streams.identity import host, make_identity
from streams.people import forgotten_after, keys_not_given, refuse_other_people, still_needed
from streams.person_key import PersonKey, person_key
from streams.reading import reader
from streams.topics import Clock, Environment
from streams.transaction import send
from streams.waiting import partitions_line, wait_until_folded

INTAKES = 3
"""How often intake may append to its own inputs what it then reads: a record in another format, its event, who a visitor is by that."""

ROUNDS = 3
"""Events of somebody who is forgotten may come in meanwhile: so often it is looked again."""

_LONGEST = 80
_MOST_NAMES = 20


@click.command()
@click.argument("who")
@click.option("--visitor", "is_visitor", is_flag=True, help="WHO is a visitor's id.")
@click.option("--prefix", default="", metavar="PREFIX", help="The environment.", envvar="MQA_PREFIX")
@click.option("--bootstrap", metavar="HOST:PORT", help="Kafka; else KAFKA_BOOTSTRAP, else the local broker.")
@click.option("--yes", is_flag=True, help="Really: there is no way back.")
def forget(who: str, *, is_visitor: bool, prefix: str, bootstrap: str | None, yes: bool) -> None:
    """Forget WHO: a person, by e-mail address or hash, or with --visitor a visitor.

    A person's contact is deleted; what they did is taken out of every account that knows them, those above included; and visitors who are
    them are forgotten. A visitor's remembered visits count no longer, and nothing is remembered of them. Without --yes it only tells
    what is there. Workers must run. MQA_PERSON_SECRET must be that of the workers.
    """
    environment, connection = Environment(prefix), Connection.find(bootstrap)
    asyncio.run(_run(connection, environment, who, is_visitor=is_visitor, is_meant=yes))


async def _run(connection: Connection, environment: Environment, who: str, *, is_visitor: bool, is_meant: bool) -> None:
    await connection.wait_until_ready()
    genesis = await read_genesis(connection, environment)
    clock = await clock_of(connection, environment, genesis)
    if is_visitor:
        sought, others = Sought(visitor_ids=frozenset((who,))), []
    else:
        key = person_key(clock)
        sought = _person(who, key)
        others = await _keys_not_given(connection, environment, genesis, clock, key, sought)
    name, shown = f"environment {environment.prefix!r}", printable(who, _LONGEST)
    if is_meant:  # what lies unread may be of them
        await _settle(connection, environment, genesis, "nothing was forgotten")
    traces = await _look(connection, environment, genesis, sought)
    if traces:
        click.echo("\n".join(_lines(traces)))
        if not is_meant:
            raise Refused(f"{name} would forget all this for good; add --yes if that is meant")
        traces = await _take_out(connection, environment, genesis, clock, sought, traces)
        if traces:
            why = "events come in faster than they are forgotten; stop them, then try again"
            raise Refused(f"{name} still keeps something of {shown}: {why}")
        click.echo(
            f"forgotten. What was sent of {'them' if is_visitor else 'that person'} in clear stays in the input topics and dead "
            "letters until their retention ends (30 days by default)"
        )
    else:
        click.echo(f"{name} keeps nothing of {shown}{' that can be found' if others else ''}")
    if traces.mentioned:
        where = _listed(traces.mentioned)
        click.echo(f"updates said that hash of {where} (in attributes, an owner or the like): who sends them must change it")


async def _keys_not_given(  # noqa: PLR0917 - it has one caller
    connection: Connection, environment: Environment, genesis: Genesis, clock: Clock, key: PersonKey, sought: Sought
) -> list[str]:
    """Name the keys under which an address cannot be looked for, and say so.

    Raises `Refused` where ``key`` is none of the workers', and where another may still be needed.
    """
    configuration = await refuse_other_people(connection, environment, genesis.partitions, key)
    if clock == "wall" and sought.email is not None:
        days = forgotten_after(load_newest(configuration, environment))
        if needed := still_needed(configuration, key, days, time_ns() // 1_000_000):
            raise Refused(f"environment {environment.prefix!r}: {needed}, or name the hash")
    others = keys_not_given(configuration, key)
    if others:
        keys = " and ".join(others)
        click.echo(
            f"people were hashed under {keys} too, and whose hash is whose only that key tells: what is kept under it alone is not found; "
            "set MQA_PERSON_SECRET_BEFORE and MQA_PERSON_KEY_ID_BEFORE to that key, or name the hash",
            err=True,
        )
    return others


async def _take_out(  # noqa: PLR0917 - as above
    connection: Connection, environment: Environment, genesis: Genesis, clock: Clock, sought: Sought, traces: Traces
) -> Traces:
    """Have the workers forget what was found, and look again; gives what is left in the end."""
    now = await _now(connection, environment, clock)
    for _ in range(ROUNDS):
        await _send(connection, environment, genesis, traces, now)
        await _settle(connection, environment, genesis, "it was asked for")
        traces = await _look(connection, environment, genesis, sought)
        if not traces:
            break
    return traces


def _person(who: str, key: PersonKey) -> Sought:
    """Whom to look for; under the key that is being replaced too. Raises `Refused` where ``who`` is neither an address nor a hash."""
    identity = make_identity(partitions=1, secret=key.secret, key_id=key.key_id, before=key.before)

    def hashes(email: str) -> Iterator[str]:
        yield identity.person(email)
        if (was := identity.was(email)) is not None:
            yield was

    if is_person(who):
        return Sought(people=frozenset((who,)), hashes=hashes)
    email = normalize_email(who, host)
    if email is None:
        shown = printable(who, _LONGEST)
        raise Refused(f"WHO: {shown!r} is no e-mail address and no person's hash; a visitor is named with --visitor")
    return Sought(people=frozenset(hashes(email)), email=email, visitor_ids=frozenset((who, email)), hashes=hashes)


async def _look(connection: Connection, environment: Environment, genesis: Genesis, sought: Sought) -> Traces:
    with partitions_line("looking", genesis.partitions) as advance:
        return await find_traces(connection, environment, genesis.partitions, sought, advance)


async def _settle(connection: Connection, environment: Environment, genesis: Genesis, done: str) -> None:
    """Return when the workers have folded all that is there now, and all that comes of it."""
    with partitions_line("waiting for the workers", genesis.partitions) as advance:
        for role in (*("intake",) * INTAKES, "qualify"):
            await wait_until_folded(connection, environment, genesis, role, done=done, advance=advance)


async def _now(connection: Connection, environment: Environment, clock: Clock) -> int:
    """Milliseconds, by the environment's clock; by a played one that has not begun, a time before any other."""
    if clock == "wall":
        return time_ns() // 1_000_000
    async with reader(connection) as consumer:
        last_day = await last_day_of(consumer, environment)
    return EARLIEST if last_day is None else midnight(last_day)


async def _send(connection: Connection, environment: Environment, genesis: Genesis, traces: Traces, now: int) -> None:
    async with connection.producer(acks="all", enable_idempotence=genesis.delivery == "exactly_once") as producer:
        await send(producer, requests(traces, environment, genesis.partitions, now))


def _lines(traces: Traces) -> list[str]:
    contacts = [row.key.decode(errors="replace") for row in traces.contacts]
    people = sorted({person for _, person in traces.accounts}.union(printable(each, _LONGEST) for each in contacts))
    accounts = sorted({account for account, _ in traces.accounts})
    lines = [f"person {person}" for person in people]
    if contacts:
        lines.append("  on a contact list")
    if accounts:
        lines.append(f"  known to {several(len(accounts), 'account', 'accounts')}: {_listed(accounts)}")
    if traces.visitors:
        names = _listed([printable(visitor_id, _LONGEST) for visitor_id, _ in traces.visitors])
        lines.append(f"{several(len(traces.visitors), 'visitor', 'visitors')}: {names}")
    return lines


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
