"""Commands take ``--networks``, several times, or by ``MQA_NETWORKS``."""

import gzip
from os import pathsep
from pathlib import Path

import pytest
from click.testing import CliRunner

from engagement.events import WebVisit
from streams.history.importing import import_
from streams.history.lines import read_history


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    files = [tmp_path / "first.csv", tmp_path / "second.csv"]
    files[0].write_text("192.0.2.0/24,first.example\n203.0.113.0/24,,isp\n")
    files[1].write_text("198.51.100.0/24,second.example\n")
    return files


def accounts(folder: Path, *options: str, variable: str | None = None) -> list[str | None]:
    """Whose visits an import writes for an address of each file, and for one of a provider."""
    log, output = folder / "access.log", folder / "history.jsonl.gz"
    line = '{} - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 99 "-" "Firefox"\n'
    log.write_text("".join(map(line.format, ("192.0.2.1", "198.51.100.1", "203.0.113.1"))))
    runner = CliRunner(env={"MQA_NETWORKS": variable})
    result = runner.invoke(import_, ["access-log", str(log), "-o", str(output), *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    written = read_history(gzip.decompress(output.read_bytes()).splitlines(), "h")
    return [WebVisit.model_validate_json(line.payload or b"").account for line in written]


def test_an_import_asks_every_file(tmp_path: Path, files: list[Path]) -> None:
    options = [option for file in files for option in ("--networks", str(file))]
    assert accounts(tmp_path, *options) == ["first.example", "second.example", None]


def test_the_variable_names_files_as_a_path_does(tmp_path: Path, files: list[Path]) -> None:
    assert accounts(tmp_path, variable=pathsep.join(map(str, files))) == ["first.example", "second.example", None]
