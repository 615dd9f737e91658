"""``mqa schema``: JSON Schemas of what people and producers write, for editors and for checks before anything is sent."""

import json
from typing import Any

import click

from engagement.events import MODELS, Family
from engagement.schema import DIALECT, rulebook_schema


def schema_text(schema: dict[str, Any]) -> str:
    """As it is printed, and published in ``docs/schemas``."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


@click.group()
def schema() -> None:
    """Print JSON Schemas (2020-12)."""


@schema.command()
def rulebook() -> None:
    """Of a rulebook file, for your editor."""
    click.echo(schema_text(rulebook_schema()), nl=False)


@schema.command()
@click.argument("family", type=click.Choice([family.value for family in Family]))
def event(family: str) -> None:
    """Of the input events of a FAMILY, which is also the name of their topic."""
    click.echo(schema_text({"$schema": DIALECT, **MODELS[Family(family)].model_json_schema()}), nl=False)


@schema.command()
def openapi() -> None:
    """Of the HTTP API: its OpenAPI document."""
    from streams.serve.app import api_document  # noqa: PLC0415 - no other schema needs a web framework

    click.echo(schema_text(api_document()), nl=False)
