"""``mqa broker``: a Kafka for a first look, started and stopped by hand."""

import os
import sys

import click

from engagement.errors import Refused
from streams.broker.kinds import chosen_kind
from streams.broker.local import start_background, stop_background
from streams.broker.state import read_state


@click.group()
def broker() -> None:
    """Run a broker on this machine, without Docker.

    A real Kafka where Java 17 and Maven are there, else the embedded broker, which delivers at least once. One broker a user: every
    checkout finds the same one.
    """


@broker.command()
@click.option("--kafka", "name", flag_value="kafka", help="A real Kafka; needs Java 17 and Maven.")
@click.option("--embedded", "name", flag_value="embedded", help="The embedded broker: in memory, without transactions.")
def start(name: str | None) -> None:
    """Start a broker that runs until `mqa broker stop`. The first start of Kafka fetches it (54 MB)."""
    kind = chosen_kind(name)
    state, fresh = start_background(kind)
    if name is not None and state.title != kind.title:
        msg = f"{state.title} runs already, at {state.bootstrap}; `mqa broker stop` ends it and deletes what it stores"
        raise Refused(msg)
    click.echo(
        f"{state.title} {'runs now' if fresh else 'was running already'} at {state.bootstrap} (process {state.pid}); "
        "`mqa broker stop` ends it and deletes what it stores"
    )
    chosen = os.environ.get("KAFKA_BOOTSTRAP")
    if chosen:
        click.echo(f"note: KAFKA_BOOTSTRAP={chosen} is set, and comes first: unset it to use this broker", err=True)


@broker.command()
def stop() -> None:
    """End the broker and remove everything it stored."""
    state = stop_background()
    click.echo("no broker was running" if state is None else f"stopped the broker at {state.bootstrap} and removed what it stored")


@broker.command()
def status() -> None:
    """Say where the broker is; exit status 1 where none runs."""
    state = read_state()
    if state is None:
        click.echo("no broker is running; `mqa broker start` starts one")
        sys.exit(1)
    click.echo(f"{state.title} runs at {state.bootstrap} (process {state.pid})")
