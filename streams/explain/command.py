"""``mqa explain``: why an account stands where it stands."""

import asyncio
from datetime import datetime
from pathlib import Path

import click
import msgspec

from engagement.days import parse_day
from engagement.errors import Refused
from engagement.rulebook import default_rulebook_text, load_rulebook
from engagement.written import printable
from streams.connection import Connection
from streams.explain.sources import explain_from_file, explain_from_log
from streams.explain.text import explanation_lines
from streams.identity import registrable
from streams.networks.files import networks_option, read_networks
from streams.rulebooks import read_rulebook
from streams.topics import Environment


@click.command()
@click.argument("account")
@click.option(
    "--file", type=click.Path(path_type=Path, allow_dash=True), help="Replay this history (- for standard input) in place of a log."
)
@click.option("--rulebook", type=click.Path(path_type=Path), help="With --file: by default the one that comes with mqa.")
@networks_option(only="With --file: ")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="As of the end of this day; by default the last one.")
@click.option("--prefix", default="", metavar="PREFIX", help="The environment.", envvar="MQA_PREFIX")
@click.option("--bootstrap", metavar="HOST:PORT", help="Kafka; else KAFKA_BOOTSTRAP, else the local broker.")
@click.option("--json", "is_json", is_flag=True, help="For programs: one JSON object; points and shares are integer thousandths.")
def explain(
    account: str,
    *,
    file: Path | None,
    rulebook: Path | None,
    networks: tuple[Path, ...],
    day: datetime | None,
    prefix: str,
    bootstrap: str | None,
    is_json: bool,
) -> None:
    """Explain why ACCOUNT stands where it stands.

    Where it is, what earned its points, what they were capped by, when they fade, and what it lacks for more. ACCOUNT is a domain in any
    spelling. Read is the part of an environment's account-log that concerns it, or with --file a history.
    """
    domain = registrable(account)
    if domain is None:
        msg = f"ACCOUNT = {printable(account, 80)!r} is no domain that a company can have; write it like acme.com"
        raise Refused(msg)
    until = None if day is None else parse_day(f"{day:%Y-%m-%d}")
    if file is not None:
        book = load_rulebook(default_rulebook_text(), "default rulebook") if rulebook is None else read_rulebook(rulebook)
        explanation = explain_from_file(domain, file, book, until, read_networks(networks))
    elif rulebook is not None:
        msg = "--rulebook needs --file: an environment's log is judged by the rulebooks that it holds"
        raise click.UsageError(msg)
    elif networks:
        msg = "--networks needs --file: whose an address was stands in an environment's log"
        raise click.UsageError(msg)
    else:
        explanation = asyncio.run(explain_from_log(Connection.find(bootstrap), Environment(prefix), domain, until))
    if is_json:
        click.echo(msgspec.json.format(msgspec.json.encode(explanation), indent=2).decode())
    else:
        click.echo("\n".join(explanation_lines(explanation)))
