"""``mqa rulebook``: look at a rulebook before it decides anything."""

import asyncio
import json
import sys
from pathlib import Path

import click
import yaml

from engagement.activation import obstacles
from engagement.errors import Refused
from engagement.rulebook import Rulebook, default_rulebook_text, load_rulebook
from engagement.rulebook_changes import changes
from engagement.rulebook_warnings import warnings
from engagement.written import MAX_BYTES, check_size, printable

DIFFERS = 1
"""Exit status where two rulebooks are not the same."""


def read_rulebook(path: Path) -> Rulebook:
    """Read a rulebook from a file. Raises `Refused` where there is none or it cannot be used."""
    place = printable(str(path), 4096)
    return load_rulebook(read_written(path, place, "name a rulebook file, or write one: `mqa rulebook show > rulebook.yaml`"), place)


@click.group()
def rulebook() -> None:
    """Check and show rulebooks."""


@rulebook.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Say whether FILE can be used, and as which version; warns of what is hardly meant, such as a rung that nobody can earn."""
    checked = read_rulebook(file)
    rungs = "; ".join(f"{ladder.name}: {' < '.join(ladder.names)}" for ladder in checked.ladders)
    click.echo(f"{printable(str(file), 4096)}: version {checked.version}, {len(checked.signals)} kinds of signal; {rungs}")
    for warning in warnings(checked):
        click.echo(f"warning: {printable(warning, len(warning) * 2)}")


@rulebook.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
def show(file: Path | None) -> None:
    """Print FILE as it is understood, every default written out; without FILE the rulebook that comes with mqa, to start from."""
    if file is None:
        click.echo(default_rulebook_text(), nl=False)
    else:
        click.echo(yaml.safe_dump(json.loads(read_rulebook(file).canonical()), sort_keys=False, allow_unicode=True), nl=False)


@rulebook.command()
@click.argument("files", metavar="[OLD] NEW", type=click.Path(path_type=Path), nargs=-1)
@click.option("--prefix", metavar="PREFIX", help="In place of OLD: the rulebook that is active in this environment.")
@click.option("--bootstrap", metavar="HOST:PORT", help="With --prefix: Kafka; else KAFKA_BOOTSTRAP, else the local broker.")
def diff(files: tuple[Path, ...], prefix: str | None, bootstrap: str | None) -> None:
    """Say what differs between two rulebooks, path by path, defaults included.

    Also says what of it an activation would refuse. Exit status 0: nothing differs; 1: something does.
    """
    if len(files) != (2 if prefix is None else 1):
        msg = "name two files, OLD and NEW, or NEW alone and --prefix for the environment to compare with ('' has none)"
        raise click.UsageError(msg)
    old = read_rulebook(files[0]) if prefix is None else asyncio.run(_active(prefix, bootstrap))
    new = read_rulebook(files[-1])
    for change in changes(old, new):
        click.echo(change)
    for obstacle in obstacles(old, new):
        click.echo(f"an activation would refuse: {obstacle}")
    if old.version != new.version:
        sys.exit(DIFFERS)


@rulebook.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--prefix", default="", metavar="PREFIX", help="The environment.", envvar="MQA_PREFIX")
@click.option("--bootstrap", metavar="HOST:PORT", help="Kafka; else KAFKA_BOOTSTRAP, else the local broker.")
@click.option("--wait", is_flag=True, help="Return when every account has been judged by it.")
def activate(file: Path, *, prefix: str, bootstrap: str | None, wait: bool) -> None:
    """Have every account of an environment judged by FILE from now on, its workers running or not.

    What changes by that says `restatement`. Refused is a rulebook that needs longer history or other page rules than the log holds:
    play the raw history into a new environment for that.
    """
    from streams import activation  # noqa: PLC0415 - imports Kafka's client, which looking at a file needs none of

    asked = read_rulebook(file)
    asyncio.run(activation.run(asked, printable(str(file), 4096), prefix=prefix, bootstrap=bootstrap, wait=wait))


async def _active(prefix: str, bootstrap: str | None) -> Rulebook:
    from streams.configuration import newest_rulebook  # noqa: PLC0415 - imports Kafka's client, which looking at files needs none of
    from streams.connection import Connection  # noqa: PLC0415 - as above
    from streams.genesis import read_genesis  # noqa: PLC0415 - as above
    from streams.topics import Environment  # noqa: PLC0415 - as above

    environment, connection = Environment(prefix), Connection.find(bootstrap)
    await connection.wait_until_ready()
    await read_genesis(connection, environment)
    return await newest_rulebook(connection, environment)


def read_written(path: Path, place: str, remedy: str) -> str:
    """Read what a person wrote. Raises `Refused` where it cannot be read (with ``remedy``), is too long or not UTF-8."""
    try:
        with path.open("rb") as file:
            written = file.read(MAX_BYTES + 1)  # a device may have no end
            check_size(max(len(written), path.stat().st_size), place)
        return written.decode()
    except OSError as error:
        raise Refused(f"{place}: {error.strerror}; {remedy}") from None
    except UnicodeDecodeError as error:
        raise Refused(f"{place}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
