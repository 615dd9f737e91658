"""A command takes ``--networks``, several times, or by a variable."""

from os import pathsep
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from streams.networks.files import networks_option, read_networks
from tests.streams.owners import company

ADDRESSES = ("192.0.2.1", "198.51.100.1", "203.0.113.1")


@click.command()
@networks_option(envvar="MQA_NETWORKS")
def owners(networks: tuple[Path, ...]) -> None:
    """Say whose an address of each file is, and one of a provider."""
    found = read_networks(networks)
    click.echo(" ".join(str(company(found, address)) for address in ADDRESSES))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    files = [tmp_path / "first.csv", tmp_path / "second.csv"]
    files[0].write_text("192.0.2.0/24,first.example\n203.0.113.0/24,,isp\n")
    files[1].write_text("198.51.100.0/24,second.example\n")
    return files


def told(*options: str, variable: str | None = None) -> str:
    return CliRunner(env={"MQA_NETWORKS": variable}).invoke(owners, options, catch_exceptions=False).output


def test_a_command_asks_every_file(files: list[Path]) -> None:
    options = [option for file in files for option in ("--networks", str(file))]
    assert told(*options) == "first.example second.example None\n"


def test_the_variable_names_files_as_a_path_does(files: list[Path]) -> None:
    assert told(variable=pathsep.join(map(str, files))) == "first.example second.example None\n"
