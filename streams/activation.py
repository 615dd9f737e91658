"""Another rulebook for a running environment: a record in every partition of the log, and the rulebook itself for intake to find.

Both are written in one transaction, so wherever the log names a rulebook, ``rulebooks`` has it. Each partition switches at its own record.
"""

import time
from collections.abc import Callable
from time import monotonic

import click
from aiokafka.structs import TopicPartition

from engagement.activation import check_restates
from engagement.errors import Refused
from engagement.records import ACTIVATION_KEY, SEMANTICS, Activation, Genesis, encode
from engagement.rulebook import Rulebook
from streams.configuration import newest_rulebook, rulebooks_partition
from streams.connection import Connection
from streams.delivery import delivery_of
from streams.genesis import read_genesis
from streams.topics import LOG, Environment
from streams.transaction import Ambiguous, Fenced, Row
from streams.waiting import PATIENCE, partitions_line, wait_until_folded


async def run(rulebook: Rulebook, place: str, *, prefix: str, bootstrap: str | None, wait: bool) -> None:
    """``mqa rulebook activate``: say what became of it; ``place`` names the rulebook in messages."""
    environment, connection = Environment(prefix), Connection.find(bootstrap)
    await connection.wait_until_ready()
    genesis = await read_genesis(connection, environment)
    began = monotonic()
    if await activate_rulebook(connection, environment, genesis, rulebook, place=place):
        click.echo(f"rulebook {rulebook.version} is active in environment {prefix!r}; every account is being judged anew")
    else:
        click.echo(f"rulebook {rulebook.version} is active in environment {prefix!r} already; nothing was written")
    if wait:
        with partitions_line("judging every account anew", genesis.partitions) as advance:
            await wait_until_judged(connection, environment, genesis, advance)
        click.echo(f"every account has been judged by it, after {monotonic() - began:.1f} s")


async def activate_rulebook(connection: Connection, environment: Environment, genesis: Genesis, rulebook: Rulebook, *, place: str) -> bool:
    """Have every account judged by ``rulebook`` from here on; False, and nothing is written, where it certainly is the active one already.

    ``place`` names it in messages. Raises `Refused` where it cannot restate what was counted, and where another activation came between.
    """
    delivery = delivery_of(genesis)
    producer = delivery.make_producer(connection, environment.transactional_id("activate", 0))
    await producer.start()  # fences an activation under way: what is read now stays the newest, or ours fails
    try:
        active = await newest_rulebook(connection, environment)
        # Without transactions an activation that was killed may have reached some partitions, whatever ``rulebooks`` says
        if active.version == rulebook.version and delivery.promise == "exactly_once":
            return False
        check_restates(active, rulebook, place)
        await delivery.commit(producer, _rows(environment, genesis, rulebook), {}, environment.group)
    except Fenced:
        msg = f"{place}: not activated, another `mqa rulebook activate{environment.option}` came between; see that it is the right one"
        raise Refused(msg) from None
    except Ambiguous:
        msg = f"{place}: the broker did not say whether it was activated; run the same command again, which finds out"
        raise Refused(msg) from None
    finally:
        await producer.stop()
    return True


def _rows(environment: Environment, genesis: Genesis, rulebook: Rulebook) -> dict[TopicPartition, list[Row]]:
    text = rulebook.canonical()
    entry = Activation(rulebook=text, version=rulebook.version, semantics=SEMANTICS, received_at=time.time_ns() // 1_000_000)
    record: Row = (ACTIVATION_KEY, encode(entry), (), None)
    rows = {TopicPartition(environment.topic(LOG), number): [record] for number in range(genesis.partitions)}
    rows[rulebooks_partition(environment)] = [(rulebook.version.encode(), text.encode(), (), None)]
    return rows


async def wait_until_judged(
    connection: Connection, environment: Environment, genesis: Genesis, advance: Callable[[int], None], *, patience: float = PATIENCE
) -> None:
    """Return when the workers have folded the log as far as it goes now. As `wait_until_folded`, which see."""
    done = "the rulebook is active"
    await wait_until_folded(connection, environment, genesis, "qualify", done=done, advance=advance, patience=patience)
