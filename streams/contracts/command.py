"""``mqa schema``: print what is published in ``docs/schemas``, publish it, and say whether another state of it is compatible."""

from pathlib import Path
from typing import Any

import click

from engagement.errors import Refused
from streams.contracts.containment import Break
from streams.contracts.documents import DOCUMENTS, place, read

_BROKEN = 1
"""Exit status where something breaks."""


@click.group()
def schema() -> None:
    """Print JSON Schemas (2020-12), the AsyncAPI and the OpenAPI document, and compare them."""


def _printing(name: str) -> click.Command:
    return click.Command(
        name, callback=lambda: click.echo(DOCUMENTS[name].text(), nl=False), help=f"Print {_HELP.get(name, _HELP_OF_TOPIC)}"
    )


_HELP_OF_TOPIC = "the JSON Schema of the records of that topic."
_HELP = {
    "rulebook": "the JSON Schema of a rulebook file, for your editor.",
    "dead-letters": "the JSON Schema of the headers of a dead letter.",
    "asyncapi": "the AsyncAPI 3.0 document: topics, keys, headers, schemas, examples.",
    "openapi": "the OpenAPI 3.1 document of the HTTP API.",
}

for _name in DOCUMENTS:
    schema.add_command(_printing(_name))


@schema.command()
@click.argument("old", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("new", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--as", "name", type=click.Choice(list(DOCUMENTS)), help="Which document it is; by default OLD's name says it.")
def compatible(old: Path, new: Path, name: str | None) -> None:
    """Say what breaks between two states of a document, for whoever relies on the OLD one.

    Of what producers write, all that was accepted must be; of what mqa writes, all that subscribers were told must hold. Where anything
    breaks the exit status is 1. What cannot be decided is said to break.
    """
    if name is None and old.stem not in DOCUMENTS:
        raise Refused(f"{old}: is named after no document; add --as with one of {', '.join(DOCUMENTS)}")
    found = _breaks(name or old.stem, read(old), read(new), old)
    for each in found:
        click.echo(str(each))
    if found:
        click.get_current_context().exit(_BROKEN)
    click.echo("compatible")


@schema.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--breaking", is_flag=True, help="Publish what breaks as well: before anybody relies on it, or under a new version.")
def publish(folder: Path, *, breaking: bool) -> None:
    """Write every document into FOLDER, docs/schemas in the project, where those lie that others rely on.

    Where something would break, nothing is written, and what it is stands in the refusal.
    """
    texts = {name: document.text() for name, document in DOCUMENTS.items()}
    broken = [] if breaking else [f"{name}.json: {each}" for name in texts for each in _breaks_of_publishing(folder, name)]
    if broken:
        raise Refused(
            f"{folder}: not written, this breaks what others rely on: {'; '.join(broken)}; keep the old shape beside the new one, "
            "or give it a new version and say --breaking"
        )
    for name, text in texts.items():
        path = place(folder, name)
        before = read(path)
        path.write_text(text, encoding="utf-8")
        click.echo(f"{path}: {'new' if before is None else 'changed' if before != DOCUMENTS[name].make() else 'as it was'}")


def _breaks_of_publishing(folder: Path, name: str) -> list[Break]:
    path = place(folder, name)
    before = read(path)
    return [] if before is None else _breaks(name, before, DOCUMENTS[name].make(), path)


def _breaks(name: str, old: Any, new: Any, place_of_old: Path) -> list[Break]:
    try:
        return DOCUMENTS[name].breaks(old, new)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Refused(f"{place_of_old}: cannot be compared as {name}.json ({error!r}); name two states of that document") from None
