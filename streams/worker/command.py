"""``mqa worker``."""

import asyncio
import logging
import os
import re
import signal
import socket
from collections.abc import Callable, Collection
from time import time_ns
from typing import Any

import click

from engagement.errors import Refused
from engagement.written import shown
from streams.clocks import clock_of
from streams.configuration import newest_rulebook
from streams.connection import Connection
from streams.contacts import ContactLists
from streams.delivery import delivery_of
from streams.genesis import read_genesis
from streams.health import listen
from streams.logs import log_level_option, say_seldom, start_log
from streams.long_running import prepare
from streams.networks.files import networks_option, read_networks
from streams.networks.lookup import NO_NETWORKS
from streams.people import agree_on_people, forgotten_after, still_needed
from streams.person_key import person_key
from streams.topics import CHANGELOGS, INPUTS, LOG, Environment
from streams.worker.unit import Limits

log = logging.getLogger("mqa.worker")

INTERRUPTED = 130
LONGEST_NAME = 100

EXPECTED = {
    # Kafka 4 answers a retriable error to the first produces of a following transaction; aiokafka warns of each
    "aiokafka.producer.sender": "NotEnoughReplicas",
    # a new broker makes its first coordinator while the first worker joins
    "aiokafka.consumer.group_coordinator": "GroupCoordinatorNotAvailable",
}


@click.command()
@click.option("--prefix", default="", metavar="PREFIX", help="Names the environment, like demo-; empty by default.", envvar="MQA_PREFIX")
@click.option("--bootstrap", metavar="HOST:PORT", help="Kafka; else KAFKA_BOOTSTRAP, else the local broker.")
@click.option(
    "--name",
    default=lambda: _cleaned(socket.gethostname()),
    show_default="host name",
    help="Unique among the workers, stable over restarts.",
    envvar="MQA_NAME",
)
@click.option("--only", type=click.Choice(list(CHANGELOGS)), help="Fold only this role; default both.")
@click.option(
    "--port",
    default=9464,
    show_default=True,
    type=click.IntRange(-1, 65535),
    help="Port of /metrics, /health/live and /health/ready; 0 takes a free one, -1 none.",
    envvar="MQA_PORT",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.", envvar="MQA_HOST")
@click.option("--batch", default=10_000, show_default=True, type=click.IntRange(1), help="Records of a transaction at most.")
@click.option(
    "--dead-letter-limit", default=1_000, show_default=True, type=click.IntRange(0), help="Dead letters in a row before it stops; 0: never."
)
@networks_option(envvar="MQA_NETWORKS")
@click.option("--people-anew", is_flag=True, help="The former key of people's hashes is lost: everybody is a new person under the new one.")
@click.option("--accept-loss", multiple=True, metavar="TOPIC/PARTITION", help="Go on although records were lost unread there.")
@click.option(
    "--session-timeout", default=10, show_default=True, type=click.IntRange(6, 40), help="Seconds until a silent worker is replaced."
)
@log_level_option
def worker(**options: Any) -> None:
    """Fold visits and signals into accounts, and emit tier changes.

    Any number of workers share the work, each under a name of its own. An environment that runs by the wall clock needs
    MQA_PERSON_SECRET, the key of people's hashes. Exit status 2: a person must decide; 70: start it again.
    """
    # Until Faust takes over the signals nothing is under way; a KeyboardInterrupt could be swallowed by whatever it comes into
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    start_log(options["log_level"])
    # Faust's services log under the name of the module that subclasses them
    for noisy in ("aiokafka", "faust", "mode", "streams.worker.application", "streams.worker.transport"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for logger, text in EXPECTED.items():
        logging.getLogger(logger).addFilter(_without(text))
    say_seldom("aiokafka")
    _refuse_odd(options["name"])
    listening = None if options["port"] < 0 else listen(options["host"], options["port"])  # before it waits for anything
    networks = NO_NETWORKS if options["only"] == "qualify" else read_networks(options["networks"])  # as with contact lists
    settings = asyncio.run(_settings(options)) | {"health": listening, "networks": networks}

    # Faust reads sys.argv on import, so only here
    from streams.worker.application import EngagementWorker, WorkerSettings, create_app  # noqa: PLC0415 - imports Faust
    from streams.worker.private_names import check_private_names  # noqa: PLC0415 - as above

    check_private_names()
    prepare()
    app = create_app(WorkerSettings(**settings))
    process = EngagementWorker(app, override_logging=False, redirect_stdouts=False, quiet=True)
    process.spinner = None
    process.execute_from_commandline()


async def _settings(options: dict[str, Any]) -> dict[str, Any]:
    connection = Connection.find(options["bootstrap"])
    environment = Environment(options["prefix"])
    await connection.wait_until_ready(15)
    genesis = await read_genesis(connection, environment)
    clock = await clock_of(connection, environment, genesis)
    _refuse_unread(options["accept_loss"], environment, genesis.partitions)
    rulebook = await newest_rulebook(connection, environment)
    key = person_key(clock)
    configuration = await agree_on_people(
        connection, environment, genesis.partitions, key, delivery_of(genesis), anew=options["people_anew"]
    )
    log.info("people are hashed under %s%s", key.key_id, "" if key.before is None else f", and known under {key.before.key_id}")
    # By a played clock nobody knows how long ago that was.
    if clock == "wall" and (warning := still_needed(configuration, key, forgotten_after(rulebook), time_ns() // 1_000_000)):
        log.warning("%s; without it they count twice", warning)
    contact_lists = ContactLists(connection, environment, genesis.partitions)
    if options["only"] != "qualify":  # only intake asks whose an address is
        await contact_lists.read()
    return {
        "connection": connection,
        "environment": environment,
        "genesis": genesis,
        "clock": clock,
        "rulebook": rulebook,
        "roles": (options["only"],) if options["only"] else tuple(CHANGELOGS),
        "name": options["name"],
        "limits": Limits(batch=options["batch"], dead_letters=options["dead_letter_limit"], accept_loss=frozenset(options["accept_loss"])),
        "session_timeout": options["session_timeout"],
        "person_key": key,
        "contact_lists": contact_lists,
    }


def _cleaned(host: str) -> str:
    """Make a name of a host's."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", host)[:LONGEST_NAME] or "worker"


def _refuse_odd(name: str) -> None:
    """Raise `Refused` for a name that Kafka, or a person who reads its log, would choke on."""
    if not re.fullmatch(rf"[A-Za-z0-9._-]{{1,{LONGEST_NAME}}}", name):
        msg = f"--name: {shown(name)!r} must be 1 to {LONGEST_NAME} letters, digits, '.', '_' and '-'; try worker-1"
        raise Refused(msg)


def _refuse_unread(places: Collection[str], environment: Environment, partitions: int) -> None:
    """Raise `Refused` for a loss that no worker could meet."""
    read = [environment.topic(short) for short in (*INPUTS, LOG)]
    for place in places:
        if place not in {f"{topic}/{number}" for topic in read for number in range(partitions)}:
            msg = f"--accept-loss {place}: no partition that a worker reads; name one of {', '.join(read)}, and /0 to /{partitions - 1}"
            raise Refused(msg)


def _without(text: str) -> Callable[[logging.LogRecord], bool]:
    return lambda record: text not in record.getMessage()
