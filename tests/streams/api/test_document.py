"""The OpenAPI document says what is: its schemas hold for answers, and Schemathesis finds nothing against it."""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from streams.serve.app import api_document
from streams.serve.serving import Serving
from tests.streams.api.conftest import Client
from tests.streams.served import ALL, Told, served

ROOT = Path(__file__).parents[3]
CONFIGURATION = Path(__file__).parent / "schemathesis.toml"
SECONDS = "8"


@pytest.mark.parametrize(
    "path",
    [
        "/accounts",
        "/accounts/{account}",
        "/accounts/{account}/timeline",
        "/accounts/{account}/trend",
        "/overview",
        "/tier-changes",
        "/dead-letters",
        "/reports",
        "/me",
    ],
)
async def test_answers_are_as_their_schemas_say_and_no_field_is_undocumented(client: Client, path: str) -> None:
    document = api_document()
    (schema,) = document["paths"][f"/api/v1{path}"]["get"]["responses"]["200"]["content"].values()
    async with client(ALL) as api:
        said = (await api.get(f"/api/v1{path.format(account='harbourpay.example')}")).json()
    closed = json.loads(json.dumps(document["components"]))
    for each in closed["schemas"].values():
        if each.get("type") == "object":
            each["additionalProperties"] = False
    Draft202012Validator({**schema["schema"], "components": closed}).validate(said)


def test_every_operation_has_a_summary_a_tag_and_what_it_may_answer() -> None:
    for path, methods in api_document()["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], (path, method)
            assert operation["tags"], (path, method)
            assert {"400", "422", "429", "503"} <= operation["responses"].keys()
            assert ("security" in operation) == path.startswith("/api/")


def test_schemathesis_finds_nothing(serving: Serving, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    (reports / "what-if.html").write_text("<p>what if")
    with served(replace(serving, updates=Told(), reports=reports)) as address:
        command = [str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(CONFIGURATION), "run"]
        options = [
            f"{address}/api/v1/openapi.json",
            "--header",
            f"Authorization: Bearer {ALL}",
            "--max-time",
            SECONDS,
            "--generation-deterministic",
            "--no-color",
        ]
        environment: dict[str, Any] = os.environ | {"HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path / "hypothesis")}
        outcome = subprocess.run(
            [*command, *options], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=90, check=False
        )
    assert outcome.returncode == 0, outcome.stdout[-6_000:] + outcome.stderr[-2_000:]


def _curl_lines() -> list[str]:
    lines = (ROOT / "docs" / "api.md").read_text().splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ curl ")]


@pytest.mark.parametrize("line", _curl_lines())
async def test_every_curl_line_of_the_documentation_works(client: Client, line: str) -> None:
    _, _, *words = shlex.split(line.replace("$TOKEN", ALL).replace("$MQA", ""))
    method, body, headers = "GET", None, {}
    while words[:-1]:
        option, said = words.pop(0), words.pop(0)
        match option:
            case "-X":
                method = said
            case "-H":
                name, _, value = said.partition(": ")
                headers[name] = value
            case "-d":
                body = said
    async with client() as api:
        answer = await api.request(method, words[-1], headers=headers, content=body)
    assert answer.status_code == (200 if method == "GET" else 202), answer.text
