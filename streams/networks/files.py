"""Reading what ``--networks`` names."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from streams.networks.lookup import NetworkFile, Networks
from streams.networks.maxmind import MaxMindFile
from streams.networks.table_file import read_table

FC = TypeVar("FC", bound=Callable[..., Any] | click.Command)
log = logging.getLogger("mqa.networks")


def networks_option(*, envvar: str | None = None, only: str = "") -> Callable[[FC], FC]:
    """Give a command ``networks``, a tuple of paths; in the variable they are parted as in ``PATH``. ``only``: when it has a meaning."""
    return click.option(
        "--networks",
        multiple=True,
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        envvar=envvar,
        help=f"{only}Who owns which network: CSV lines of network,domain[,kind], or a MaxMind DB (.mmdb). May be given several times.",
    )


def read_networks(paths: Sequence[Path]) -> Networks:
    """Read or open all files. Raises `Refused` with file, and in a table line, for what cannot be used."""
    files: list[NetworkFile] = []
    for path in paths:
        files.append(MaxMindFile(path) if path.suffix.lower() == ".mmdb" else read_table(path))
        log.info("%s: %s", path, files[-1])
    return Networks(files)
