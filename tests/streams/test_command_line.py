"""A command line that cannot be meant is refused in one line, with the command that explains it."""

import subprocess
import sys

import click
import pytest

from streams.cli import mqa as command_line
from streams.connection import Connection


def mqa(*arguments: str) -> tuple[int, str]:
    outcome = subprocess.run([sys.executable, "-m", "streams", *arguments], capture_output=True, text=True, timeout=60, check=False)
    return outcome.returncode, outcome.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--partitions", "0"), "'--partitions': 0 is not in the range"),
        (("--partitions", "-1"), "'--partitions': -1 is not in the range"),
        (("--partitions", "100000"), "'--partitions': 100000 is not in the range"),
        (("--partitions", "many"), "'--partitions': 'many' is not a valid integer"),
        (("--replication", "0"), "'--replication': 0 is not in the range"),
        (("--clock", "sundial"), "'--clock': 'sundial' is not one of"),
        (("--prefix", "x" * 300), "try 'demo-'"),
        (("--prefix", "dé-"), "--prefix: 'dé-' must be letters"),
        (("--prefix", "٣-"), "--prefix: '٣-' must be letters"),
        (("--prefix", "demo-\n"), r"--prefix: 'demo-\n' must be letters"),
        (("--bootstrap", "127.0.0.1:99999"), "--bootstrap: '127.0.0.1:99999'"),
    ],
)
def test_topics_that_cannot_be_made_are_refused_in_one_line(options: tuple[str, ...], told: str) -> None:
    status, said = mqa("topics", "create", *options)
    (line,) = said.splitlines()
    assert line.startswith("mqa: ")
    assert told in line
    assert status == 2


def test_more_replicas_than_brokers_are_refused_in_one_line(kafka: Connection, prefix: str) -> None:
    status, said = mqa("topics", "create", "--bootstrap", kafka.bootstrap, "--prefix", prefix, "--replication", "100")
    (line,) = said.splitlines()
    assert "the broker will not create it" in line
    assert status == 2


def test_a_mistyped_command_line_names_the_command_that_explains_it() -> None:
    status, said = mqa("topics", "create", "--partition")
    (line,) = said.splitlines()
    assert "--partitions" in line
    assert line.endswith("(see `mqa topics create --help`)")
    assert status == 2


def test_a_command_without_its_subcommand_shows_what_there_is() -> None:
    status, said = mqa("topics")
    assert status == 2
    assert said.startswith("Usage: mqa topics")


def test_what_runs_for_long_on_one_machine_has_a_port_of_its_own() -> None:
    ports = [default_port(*command) for command in (("worker",), ("projector",), ("webhooks", "run"), ("serve",))]
    assert ports == [9464, 9465, 9466, 8080]


def default_port(*path: str) -> object:
    command: click.Command | None = command_line
    for name in path:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), name)
    assert command is not None
    return next(parameter.default for parameter in command.params if parameter.name == "port")
