"""The OpenAPI document: requests as FastAPI makes it of the pydantic models, answers as msgspec makes it of the structs that are sent."""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from streams.serve.answers import JSON
from streams.serve.problems import PROBLEM_JSON, Problem

TITLE = "mqa"
VERSION = "1"
DESCRIPTION = (
    "Accounts, why they stand where they stand, and what changes. Points are integer thousandths; instants and days are ISO 8601 in UTC. "
    "Every error is a Problem (RFC 9457)."
)
_REF = "#/components/schemas/{name}"

_EVERYWHERE = {
    "400": "What is asked for makes no sense here: detail says what, and what would.",
    "421": "The Host is none of this server's names.",
    "422": "A parameter or the body has not the right shape.",
    "429": "More requests than are allowed; see Retry-After.",
    "503": "Something that is needed is away; see Retry-After.",
}
_WITH_TOKEN = {"401": "A token is needed, or is not known.", "403": "The token has not the scope."}


def document(app: FastAPI, told: Mapping[tuple[str, str], tuple[str, Any]]) -> dict[str, Any]:
    """Make the document. ``told``: (method, path) -> status of success, and the type that is sent."""
    made = get_openapi(title=TITLE, version=VERSION, openapi_version="3.1.0", description=DESCRIPTION, routes=app.routes)
    types = list({id(kind): kind for _, kind in told.values() if kind is not None}.values())
    _, schemas = msgspec.json.schema_components([*types, Problem], ref_template=_REF)
    components = made.setdefault("components", {})
    components["schemas"] = dict(sorted({**components.get("schemas", {}), **schemas}.items()))
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "description": "Of MQA_API_TOKENS, with its scopes."}}
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            _complete(operation, path, told.get((method.upper(), path)))
    return made


def _complete(operation: dict[str, Any], path: str, sent: tuple[str, Any] | None) -> None:
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])
    responses = operation.setdefault("responses", {})
    if sent is not None:
        status, kind = sent
        responses.pop("200", None)
        name = {"$ref": _REF.format(name=kind.__name__)}
        responses[status] = {"description": (kind.__doc__ or "").strip().splitlines()[0], "content": {JSON: {"schema": name}}}
    problems = dict(_EVERYWHERE)
    if path.startswith("/api/"):
        problems |= _WITH_TOKEN
        operation["security"] = [{"token": []}]
    if "{" in path:
        problems["404"] = "There is no such thing; detail may say what is near."
    for status, description in problems.items():
        responses.setdefault(
            status, {"description": description, "content": {PROBLEM_JSON: {"schema": {"$ref": _REF.format(name="Problem")}}}}
        )
    operation["responses"] = dict(sorted(responses.items()))


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that says nothing is left out: no query can say null."""
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    return {key: said for key, said in schema.items() if key != "anyOf"} | choices[0] if len(choices) == 1 else schema
