"""How an environment comes to be: its topics, and a genesis record that vouches for each that holds state.

The genesis says how the environment was made. It goes into every partition of the log and of both changelogs, and the
first rulebook into ``rulebooks``, in one transaction: an environment has it everywhere, or it was never finished. So an
empty topic and a deleted one can be told apart, and a creation that was killed can simply be done again. The genesis holds the
first rulebook too, and the log every later one: where ``rulebooks`` was lost, or holds no rulebook that can be read, the last of them is
written again.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from aiokafka.admin import NewTopic
from aiokafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code
from aiokafka.structs import TopicPartition

from engagement import records
from engagement.days import day_of
from engagement.errors import Refused
from engagement.records import ACTIVATION_KEY, GENESIS_KEY, LIVE_KEY, Activation, Genesis
from engagement.rulebook import Rulebook, default_rulebook_text, load_rulebook
from streams.configuration import load_newest, read_configuration, rulebooks_partition
from streams.connection import Connection
from streams.delivery import Promise, ask_broker
from streams.reading import read_to_end, reader
from streams.topics import LOG, RULEBOOKS, STATEFUL, TOPICS, Clock, Environment, TopicSettings
from streams.transaction import Fenced, Row

PARTITIONS = 4
REPLICATION = 3
ATTEMPTS = 3

SETTLE_SECONDS = 10.0
"""What a broker has answered for it shows a moment later: topics in its metadata, a committed transaction to its readers."""

Firsts = dict[TopicPartition, tuple[bytes, bytes] | None]
"""Key and value of a partition's first committed record; None where it has none."""

_LOST = "records were lost, or are something else's; restore the topic from a backup, or make a new environment with another --prefix"


async def create_environment(
    connection: Connection,
    environment: Environment,
    *,
    partitions: int | None = None,
    clock: Clock | None = None,
    rulebook: Rulebook | None = None,
    replication: int | None = None,
) -> Genesis:
    """Make what is missing of an environment and return its genesis; where nothing is missing, nothing changes.

    Whether it delivers exactly once or at least once, the broker decides, for good: by whether it has transactions.

    None means: as the environment has it, else 4 partitions, the wall clock, the rulebook of the package, and as many
    replicas as the cluster has brokers, up to 3. Raises `Refused` where the environment was made with other values, and
    where a topic is gone that held its state. Of a lost ``rulebooks`` the active rulebook and the clock are written again; which key
    people are hashed under, the next worker writes (`streams.people`).
    """
    for _ in range(ATTEMPTS):
        try:
            await _make_whole(connection, environment, partitions, clock, rulebook, replication)
        except Fenced:
            continue  # by another creation, or by the broker, which lost count while the new topics settled: look again what is there
        return await read_genesis(connection, environment)
    msg = f"another `{environment.create_command}` is at work on the same environment; let it finish, then run this again"
    raise Refused(msg)


async def _make_whole(  # noqa: PLR0917 - it has one caller
    connection: Connection,
    environment: Environment,
    partitions: int | None,
    clock: Clock | None,
    rulebook: Rulebook | None,
    replication: int | None,
) -> None:
    async with connection.admin() as admin:
        delivery = await ask_broker(connection, environment.transactional_id("create", 0))
        producer = delivery.make_producer(connection, environment.transactional_id("create", 0))
        await producer.start()  # fences a creation that is under way elsewhere: only one of two can write a genesis
        try:
            counts = await _partition_counts(admin, environment)
            firsts = await _first_records(connection, environment, counts)
            found = _find_genesis(environment, counts, firsts)
            genesis = _new_genesis(partitions, clock, rulebook, delivery.promise) if found is None else found
            _refuse_difference(environment, genesis, partitions, clock, rulebook)
            _refuse_less(environment, genesis, delivery.promise)
            _refuse_other_counts(environment, genesis, counts)
            known = await _known(connection, environment, genesis, counts) if found is not None else None
            missing = [each for each in TOPICS if each.short not in counts]
            clock_now = "wall" if known is not None and known.is_live else genesis.clock
            await _create_topics(admin, environment, genesis, missing, replication, clock=clock_now)
            if known is None:
                await delivery.commit(producer, _first_rows(environment, genesis), {}, environment.group)
            elif known.lost:
                await delivery.commit(producer, {rulebooks_partition(environment): known.lost}, {}, environment.group)
        finally:
            await producer.stop()


async def read_genesis(connection: Connection, environment: Environment) -> Genesis:
    """Check that the environment is whole and return how it was made.

    Every topic exists with the genesis' number of partitions; every partition of the log and of both changelogs starts
    with the same genesis; the last rulebook of ``rulebooks`` can be read. Raises `Refused` with the command that mends it, or says
    that none can.
    """
    counts = await existing_topics(connection, environment)
    if not counts:
        msg = f"{connection.bootstrap}: there is no environment {environment.prefix!r}; run `{environment.create_command}`"
        raise Refused(msg)
    firsts = await _first_records(connection, environment, counts)
    genesis = _find_genesis(environment, counts, firsts)
    missing = [environment.topic(each.short) for each in TOPICS if each.short not in counts]
    if missing:
        msg = f"{connection.bootstrap}: no topic {', '.join(missing)}; run `{environment.create_command}`"
        raise Refused(msg)
    if genesis is None:
        msg = f"{environment.topic(LOG)}: no genesis record: its creation was not finished; run `{environment.create_command}`"
        raise Refused(msg)
    _refuse_other_counts(environment, genesis, counts)
    load_newest(await read_configuration(connection, environment), environment)
    return genesis


async def existing_topics(connection: Connection, environment: Environment) -> dict[str, int]:
    """Count the partitions of the environment's topics that exist, by short name."""
    async with connection.admin() as admin:
        return await _partition_counts(admin, environment)


async def partitions_of(connection: Connection, environment: Environment, short: str) -> int:
    """Count the partitions of one topic, for whoever may read no other. Raises `Refused` where there is none."""
    counts = await existing_topics(connection, environment)
    if short not in counts:
        msg = f"{connection.bootstrap}: no topic {environment.topic(short)}; run `{environment.create_command}`"
        raise Refused(msg)
    return counts[short]


async def delete_environment(connection: Connection, environment: Environment) -> list[str]:
    """Delete the topics of this environment and of no other; returns their full names."""
    async with connection.admin() as admin:
        doomed = [environment.topic(short) for short in await _partition_counts(admin, environment)]
        if doomed:
            answer = await admin.delete_topics(doomed)
            for topic, code in answer.topic_error_codes:
                if code not in (0, UnknownTopicOrPartitionError.errno):
                    msg = f"{topic}: the broker will not delete it ({for_code(code).__name__}); look to its permissions"
                    raise Refused(msg)
            await _until_shown(admin, environment, there=False, shorts=[environment.short(topic) for topic in doomed])
    return doomed


async def _partition_counts(admin: Any, environment: Environment) -> dict[str, int]:
    """Short name -> partitions, of the topics that exist.

    Asks for all topics: asking for one by name could create it, where the cluster creates topics by itself.
    """
    shorts = {environment.topic(each.short): each.short for each in TOPICS}
    return {shorts[each["topic"]]: len(each["partitions"]) for each in await admin.describe_topics() if each["topic"] in shorts}


def _stateful(environment: Environment, counts: Mapping[str, int]) -> list[TopicPartition]:
    return [TopicPartition(environment.topic(short), number) for short in STATEFUL for number in range(counts.get(short, 0))]


class _Known(NamedTuple):
    """What a finished environment knows of how it is run."""

    is_live: bool
    lost: list[Row]  # what is to be written to ``rulebooks`` again


async def _known(connection: Connection, environment: Environment, genesis: Genesis, counts: Mapping[str, int]) -> _Known:
    """Ask ``rulebooks``, and the log where that holds no rulebook that can be read.

    Raises `Refused` where this version cannot use the active rulebook: written again, it would still be of no use.
    """
    if RULEBOOKS in counts:
        configuration = await read_configuration(connection, environment)
        try:
            load_newest(configuration, environment)
        except Refused:
            pass
        else:
            return _Known(configuration.is_live, [])
    active, live = await _last_in_log(connection, environment, genesis)
    try:
        load_rulebook(active.rulebook, f"rulebook {active.version}")
    except Refused as refusal:
        msg = (
            f"{environment.topic(LOG)}: this mqa cannot use the active rulebook; use the one that activated it, or a later one ({refusal})"
        )
        raise Refused(msg) from None
    lost = [_rulebook_row(active)]
    if live is not None:
        lost.append((LIVE_KEY, live, (), None))
    return _Known(live is not None, lost)


async def _last_in_log(connection: Connection, environment: Environment, genesis: Genesis) -> tuple[Genesis | Activation, bytes | None]:
    """Find the record that says which rulebook is active, and the value of the one that switched to the wall clock.

    Reads a whole partition of the log: all of them hold the same.
    """
    last: Genesis | Activation = genesis
    live: bytes | None = None
    async with reader(connection) as consumer:
        async for batch in read_to_end(consumer, TopicPartition(environment.topic(LOG), 0)):
            for record in batch:
                if record.key == ACTIVATION_KEY and record.value is not None:
                    last = msgspec.json.decode(record.value, type=Activation)
                elif record.key == LIVE_KEY:
                    live = record.value
    return last, live


def _rulebook_row(source: Genesis | Activation) -> Row:
    return (source.version.encode(), source.rulebook.encode(), (), None)


def _first_rows(environment: Environment, genesis: Genesis) -> dict[TopicPartition, Sequence[Row]]:
    """What the one transaction of a creation writes."""
    vouch: Row = (GENESIS_KEY, records.encode(genesis), (), None)
    partitions = _stateful(environment, dict.fromkeys(STATEFUL, genesis.partitions))
    return {rulebooks_partition(environment): [_rulebook_row(genesis)]} | {partition: [vouch] for partition in partitions}


def _find_genesis(environment: Environment, counts: Mapping[str, int], firsts: Firsts) -> Genesis | None:
    """Find the one genesis with which all stateful topics start; None where none of them has one.

    Raises `Refused` where only some have it (a topic was deleted, or cut off at its beginning), or where another record is first.
    """
    stateful = {partition: firsts[partition] for partition in _stateful(environment, counts)}
    for partition, first in stateful.items():
        if first is not None and first[0] != GENESIS_KEY:
            msg = f"{partition.topic}/{partition.partition}: starts with the key {first[0]!r}, not with a genesis: {_LOST}"
            raise Refused(msg)
    found = {first[1] for first in stateful.values() if first is not None}
    if not found:
        return None
    gone = [environment.topic(short) for short in STATEFUL if short not in counts]
    gone += [f"{partition.topic}/{partition.partition}" for partition, first in stateful.items() if first is None]
    if gone:
        msg = f"{', '.join(gone)}: missing or empty, though the environment was finished: {_LOST}"
        raise Refused(msg)
    if len(found) > 1:
        msg = f"{', '.join(map(environment.topic, STATEFUL))}: start with {len(found)} different genesis records: {_LOST}"
        raise Refused(msg)
    return _decode_genesis(found.pop(), environment.topic(LOG))


async def _first_records(connection: Connection, environment: Environment, counts: Mapping[str, int]) -> Firsts:
    """Read the first committed record of each stateful partition that exists."""
    firsts: Firsts = dict.fromkeys(_stateful(environment, counts))
    if not firsts:
        return firsts
    async with reader(connection) as consumer:
        consumer.assign(list(firsts))
        await consumer.seek_to_beginning(*firsts)
        waiting = set(firsts)
        deadline = time.monotonic() + SETTLE_SECONDS
        while waiting and time.monotonic() < deadline:
            for partition, batch in (await consumer.getmany(*waiting, timeout_ms=100)).items():
                if batch:
                    firsts[partition] = (batch[0].key or b"", batch[0].value or b"")
                    waiting.discard(partition)
            for partition in list(waiting):
                end = consumer.highwater(partition)  # open transactions included, so nobody's commit is taken for absence
                if end is not None and await consumer.position(partition) >= end:
                    waiting.discard(partition)
    if waiting:  # an unread partition must not be taken for an empty one
        slow = ", ".join(sorted(f"{partition.topic}/{partition.partition}" for partition in waiting))
        msg = f"{slow}: could not be read within {SETTLE_SECONDS:g} s; try again when the broker has less to do"
        raise Refused(msg)
    return firsts


def _decode_genesis(value: bytes, place: str) -> Genesis:
    try:
        genesis = msgspec.json.decode(value, type=Genesis)
    except msgspec.MsgspecError as error:
        msg = f"{place}: genesis {value[:80]!r} cannot be read ({error}); use the mqa that made it, or a later one"
        raise Refused(msg) from None
    if genesis.format not in (records.FORMAT, records.FORMAT - 1):
        msg = f"{place}: genesis.format = {genesis.format}, but this mqa reads {records.FORMAT}; use the one that made it, or a later one"
        raise Refused(msg)
    return genesis


def _new_genesis(partitions: int | None, clock: Clock | None, rulebook: Rulebook | None, promise: Promise) -> Genesis:
    first = load_rulebook(default_rulebook_text(), "default rulebook") if rulebook is None else rulebook
    chosen: Clock = "wall" if clock is None else clock
    return Genesis(
        partitions=PARTITIONS if partitions is None else partitions,
        clock=chosen,
        day=day_of(time.time_ns() // 1_000_000) if chosen == "wall" else None,
        rulebook=first.canonical(),
        version=first.version,
        delivery=promise,
    )


def _refuse_difference(
    environment: Environment, genesis: Genesis, partitions: int | None, clock: Clock | None, rulebook: Rulebook | None
) -> None:
    asked = {"partitions": partitions, "clock": clock, "rulebook version": None if rulebook is None else rulebook.version}
    made = {"partitions": genesis.partitions, "clock": genesis.clock, "rulebook version": genesis.version}
    for name, value in asked.items():
        if value is not None and value != made[name]:
            remedy = "that cannot change: leave the option out, or make another one with another --prefix"
            if name == "rulebook version":
                remedy = f"leave the option out, and activate it with `mqa rulebook activate FILE{environment.option}`"
            raise Refused(f"environment {environment.prefix!r}: {name} = {value}, but it was made with {made[name]}; {remedy}")


def _refuse_less(environment: Environment, genesis: Genesis, promise: Promise) -> None:
    if (genesis.delivery, promise) == ("exactly_once", "at_least_once"):
        msg = (
            f"environment {environment.prefix!r}: delivers exactly once, and this broker has no transactions: give it a broker that has, "
            "or make another one with another --prefix"
        )
        raise Refused(msg)


def _refuse_other_counts(environment: Environment, genesis: Genesis, counts: Mapping[str, int]) -> None:
    for each in TOPICS:
        found, expected = counts.get(each.short), each.partitions(genesis.partitions)
        if found is not None and found != expected:
            msg = (
                f"{environment.topic(each.short)}: has {found} partitions, expected {expected}: keys no longer meet their state; "
                f"make a new environment with another --prefix (or, where it was never used: `mqa topics delete{environment.option} --yes`)"
            )
            raise Refused(msg)


async def _create_topics(
    admin: Any, environment: Environment, genesis: Genesis, missing: Sequence[TopicSettings], replication: int | None, *, clock: str
) -> None:
    if not missing:
        return
    brokers = len((await admin.describe_cluster())["brokers"])
    copies = min(REPLICATION, brokers) if replication is None else replication
    answer = await admin.create_topics(
        [
            NewTopic(
                environment.topic(each.short),
                each.partitions(genesis.partitions),
                copies,
                topic_configs=each.configs(clock, copies),
            )
            for each in missing
        ]
    )
    for topic, code, reason in answer.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            why = reason or for_code(code).__name__
            msg = f"{topic}: the broker will not create it ({why}); change what it names, or look to its permissions"
            raise Refused(msg)
    await _until_shown(admin, environment, there=True, shorts=[each.short for each in missing])


async def _until_shown(admin: Any, environment: Environment, *, there: bool, shorts: Sequence[str]) -> None:
    """Wait until the broker's metadata has (or no longer has) these topics; whoever reads next says it where it never does."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        counts = await _partition_counts(admin, environment)
        if all((short in counts) is there for short in shorts):
            return
        await asyncio.sleep(0.02)
