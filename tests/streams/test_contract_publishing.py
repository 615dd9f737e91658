"""``mqa schema publish`` and ``compatible``: nothing that others rely on is overwritten by accident."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from engagement.errors import Refused
from streams.contracts.command import schema
from streams.contracts.documents import DOCUMENTS


def run(*arguments: object) -> Result:
    return CliRunner().invoke(schema, [*map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert run("publish", tmp_path).exit_code == 0
    return tmp_path


def rewrite(path: Path, **properties: Any) -> Path:
    """Have the document say something else of some properties; None takes one out."""
    said = json.loads(path.read_text(encoding="utf-8"))
    said["properties"] = {name: each for name, each in (said["properties"] | properties).items() if each is not None}
    said["required"] = [name for name in said.get("required", ()) if name in said["properties"]]
    path.write_text(json.dumps(said), encoding="utf-8")
    return path


def test_every_document_is_written_and_then_is_as_it_was(folder: Path) -> None:
    assert {path.stem: path.read_text(encoding="utf-8") for path in folder.iterdir()} == {
        name: document.text() for name, document in DOCUMENTS.items()
    }
    assert [line.rpartition(": ")[2] for line in run("publish", folder).stdout.splitlines()] == ["as it was"] * len(DOCUMENTS)


def test_what_adds_to_it_is_published(folder: Path) -> None:
    path = rewrite(folder / "tier-changes.json", region=None)  # as if nobody had been told of the region so far
    assert f"{path}: changed" in run("publish", folder).stdout.splitlines()
    assert path.read_text(encoding="utf-8") == DOCUMENTS["tier-changes"].text()


def test_what_breaks_is_refused_and_nothing_is_written(folder: Path) -> None:
    path = rewrite(folder / "tier-changes.json", mood={"type": "string"})  # as if subscribers had been told of a mood
    added = rewrite(folder / "contacts.json", role=None)
    before = path.read_bytes(), added.read_bytes()
    refusal = run("publish", folder).exception
    assert isinstance(refusal, Refused)
    assert "tier-changes.json: mood: is gone" in str(refusal)
    assert (path.read_bytes(), added.read_bytes()) == before


def test_what_breaks_is_written_where_that_is_said(folder: Path) -> None:
    path = rewrite(folder / "tier-changes.json", mood={"type": "string"})
    assert f"{path}: changed" in run("publish", folder, "--breaking").stdout.splitlines()


def test_two_states_are_compared_for_who_relies_on_the_old_one(folder: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.json"
    for name, breaks in (("tier-changes", ["people: is gone"]), ("web-visits", [])):
        old = folder / f"{name}.json"
        new.write_text(old.read_text(encoding="utf-8"), encoding="utf-8")
        rewrite(new, people=None, mood={"type": "string"})  # no web visit has people
        result = run("compatible", old, new)
        assert result.stdout.splitlines() == (breaks or ["compatible"])
        assert result.exit_code == (1 if breaks else 0)


def test_which_document_it_is_can_be_said(folder: Path, tmp_path: Path) -> None:
    old = (folder / "asyncapi.json").rename(tmp_path / "release-7.json")
    assert "is named after no document; add --as" in str(run("compatible", old, old).exception)
    assert run("compatible", old, old, "--as", "asyncapi").stdout == "compatible\n"


@pytest.mark.parametrize("text", ["", "[", "[]", "{}", '{"operations": {"a": {"action": "send", "channel": {"$ref": "#/x"}}}}', "7"])
def test_what_is_no_document_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "asyncapi.json"
    path.write_text(text, encoding="utf-8")
    refusal = run("compatible", path, path).exception
    assert isinstance(refusal, Refused)
    assert str(path) in str(refusal)
    assert "\n" not in str(refusal)
