"""``mqa rulebook``: look at a rulebook before it decides anything."""

import json
from pathlib import Path

import click
import yaml

from engagement.errors import Refused
from engagement.rulebook import Rulebook, default_rulebook_text, load_rulebook
from engagement.written import MAX_BYTES, check_size, printable


def read_rulebook(path: Path) -> Rulebook:
    """Read a rulebook from a file. Raises `Refused` where there is none or it cannot be used."""
    place = printable(str(path), 4096)
    return load_rulebook(_read(path, place), place)


@click.group()
def rulebook() -> None:
    """Check and show rulebooks."""


@rulebook.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Say whether FILE can be used, and as which version."""
    checked = read_rulebook(file)
    rungs = "; ".join(f"{ladder.name}: {' < '.join(ladder.names)}" for ladder in checked.ladders)
    click.echo(f"{printable(str(file), 4096)}: version {checked.version}, {len(checked.signals)} kinds of signal; {rungs}")


@rulebook.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
def show(file: Path | None) -> None:
    """Print FILE as it is understood, every default written out; without FILE the rulebook that comes with mqa, to start from."""
    if file is None:
        click.echo(default_rulebook_text(), nl=False)
    else:
        click.echo(yaml.safe_dump(json.loads(read_rulebook(file).canonical()), sort_keys=False, allow_unicode=True), nl=False)


def _read(path: Path, place: str) -> str:
    try:
        with path.open("rb") as file:
            written = file.read(MAX_BYTES + 1)  # a device may have no end
            check_size(max(len(written), path.stat().st_size), place)
        return written.decode()
    except OSError as error:
        raise Refused(f"{place}: {error.strerror}; name a rulebook file, or write one: `mqa rulebook show > rulebook.yaml`") from None
    except UnicodeDecodeError as error:
        raise Refused(f"{place}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
