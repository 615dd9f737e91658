"""The OpenAPI document: requests as FastAPI makes it of the pydantic models, answers as msgspec makes it of the structs that are sent."""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from streams.serve.answers import JSON
from streams.serve.problems import PROBLEM_JSON, Problem

TITLE = "mqa"
VERSION = "1"
DESCRIPTION = (
    "Accounts, why they stand where they stand, and what changes. Points are integer thousandths; instants and days are ISO 8601 in UTC. "
    "Every error is a Problem (RFC 9457)."
)
_REF = "#/components/schemas/{name}"

_PROBLEMS = {
    "400": "What is asked for makes no sense here: `detail` says what, and what would.",
    "401": "A token is needed, or is not known.",
    "403": "The token has not the scope.",
    "404": "There is no such thing; `detail` may say what is near.",
    "409": "Intake would not count it by today's rulebook.",
    "410": "The cursor lies before what is kept.",
    "413": "The body is too large.",
    "415": "The body is no JSON.",
    "421": "The Host is none of this server's names.",
    "422": "A parameter or the body has not the right shape.",
    "429": "More requests than are allowed; see Retry-After.",
    "503": "Something that is needed is away; see Retry-After.",
}
_EVERYWHERE = ("400", "421", "422", "429", "503")


def document(
    app: FastAPI, *, told: Mapping[tuple[str, str], tuple[str, Any]], taken: Mapping[tuple[str, str], type[BaseModel]]
) -> dict[str, Any]:
    """Make the document. (Method, path) -> ``told``: status of success, and the type that is sent; ``taken``: the body's model."""
    made = get_openapi(title=TITLE, version=VERSION, openapi_version="3.1.0", description=DESCRIPTION, routes=app.routes)
    types = list({id(kind): kind for _, kind in told.values() if kind is not None}.values())
    _, schemas = msgspec.json.schema_components([*types, Problem], ref_template=_REF)
    _, bodies = models_json_schema([(model, "validation") for model in taken.values()], ref_template=_REF.replace("{name}", "{model}"))
    clashes = bodies["$defs"].keys() & schemas.keys()
    assert not clashes, clashes
    components = made.setdefault("components", {})
    components["schemas"] = dict(sorted({**bodies["$defs"], **schemas}.items()))
    components["responses"] = {
        name: {"description": description, "content": {PROBLEM_JSON: {"schema": {"$ref": _REF.format(name="Problem")}}}}
        for name, description in sorted(_PROBLEMS.items())
    }
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "description": "Of MQA_API_TOKENS, with its scopes."}}
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            route = (method.upper(), path)
            _complete(operation, path, told.get(route), taken.get(route))
    return made


def _complete(operation: dict[str, Any], path: str, sent: tuple[str, Any] | None, body: type[BaseModel] | None) -> None:
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])
    responses = operation.setdefault("responses", {})
    responses.pop("422", None)  # the framework's own, which nobody gets
    if sent is not None:
        status, kind = sent
        responses.pop("200", None)
        sent_as = {"$ref": _REF.format(name=kind.__name__)}
        responses[status] = {"description": (kind.__doc__ or "").strip().splitlines()[0], "content": {JSON: {"schema": sent_as}}}
    problems = list(_EVERYWHERE)
    if path.startswith("/api/"):
        problems += ["401", "403"]
        operation["security"] = [{"token": []}]
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": {"$ref": _REF.format(name=body.__name__)}}}}
        problems += ["413", "415"]
    if sent is not None and sent[0] == "202":
        problems.append("409")
    if "{" in path:
        problems.append("404")
    if path.endswith("/tier-changes"):
        problems.append("410")
    for name in problems:
        responses.setdefault(name, {"$ref": f"#/components/responses/{name}"})
    operation["responses"] = dict(sorted(responses.items()))


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that says nothing is left out: no query can say null."""
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    return {key: said for key, said in schema.items() if key != "anyOf"} | choices[0] if len(choices) == 1 else schema
