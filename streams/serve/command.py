"""``mqa serve``."""

import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import click

from streams.connection import Connection
from streams.health import listen
from streams.logs import log_level_option, start_log
from streams.long_running import prepare
from streams.redis_connection import find_redis
from streams.secrets import read_secret
from streams.serve.server import Asked, run
from streams.serve.tokens import PLACE, SCOPES, Tokens, new_token
from streams.topics import Environment


@click.group(invoke_without_command=True)
@click.option("--prefix", default="", metavar="PREFIX", help="Names the environment, like demo-; empty by default.", envvar="MQA_PREFIX")
@click.option("--bootstrap", metavar="HOST:PORT", help="Kafka; else KAFKA_BOOTSTRAP, else the local broker.")
@click.option(
    "--redis/--memory",
    "has_redis",
    default=None,
    help="Read profiles from Redis (REDIS_URL), or keep them here; by default as REDIS_URL is set.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.", envvar="MQA_HOST")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.", envvar="MQA_PORT")
@click.option("--allowed-host", multiple=True, metavar="NAME", help="A name under which browsers ask for this server; may come again.")
@click.option("--reports", type=click.Path(path_type=Path, file_okay=False), help="Folder of reports to show.")
@click.option("--rate", default=100, show_default=True, type=click.IntRange(1), help="Requests a second of one token, or address.")
@log_level_option
@click.pass_context
def serve(
    context: click.Context,
    *,
    prefix: str,
    bootstrap: str | None,
    has_redis: bool | None,
    host: str,
    port: int,
    allowed_host: Sequence[str],
    reports: Path | None,
    rate: int,
    log_level: str,
) -> None:
    """Serve the API, and the page made of it.

    Profiles come from Redis, where `mqa projector` keeps them, or without one are kept here. Who may ask stands in MQA_API_TOKENS, or in
    the file that MQA_API_TOKENS_FILE names; without any token, this machine may read, and nobody may write.
    """
    if context.invoked_subcommand is not None:
        return
    start_log(log_level)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what is away is told once, by ourselves
    is_redis = bool(os.environ.get("REDIS_URL")) if has_redis is None else has_redis
    asked = Asked(
        connection=Connection.find(bootstrap),
        environment=Environment(prefix),
        redis=find_redis() if is_redis else None,
        tokens=Tokens(read_secret(PLACE) or ""),
        listening=listen(host, port),
        hosts=(host, *allowed_host),
        reports=reports,
        rate=rate,
    )
    prepare()
    asyncio.run(run(asked))


@serve.command()
@click.argument("name")
@click.option("--scopes", default="read", show_default=True, help=f"Of {', '.join(SCOPES)}, with commas between.")
def token(name: str, scopes: str) -> None:
    """Make a token for NAME.

    The token itself is written once, to standard error; its line for MQA_API_TOKENS, which holds only a hash, to standard output.
    """
    made, line = new_token(name, scopes.split(","))
    click.echo(f"token of {name}, shown only now: {made}", err=True)
    click.echo(line)
