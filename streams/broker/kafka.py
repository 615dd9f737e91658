"""A real Apache Kafka: one KRaft node."""

import subprocess
from pathlib import Path
from string import Template
from typing import IO

from streams.broker.libraries import check_programs, java, libraries

_HERE = Path(__file__).parent
_CLUSTER = "bXFhLWxvY2FsLWJyb2tlcg"  # any UUID in base64; each broker is a cluster by itself
_BROKER_JVM = ("-Xmx1g", "-XX:-UsePerfData", f"-Dlog4j2.configurationFile={_HERE / 'log4j2.properties'}")
_FORMAT_JVM = ("-Xmx256m", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", _BROKER_JVM[-1])  # lives a second


class Kafka:
    """See `streams.broker.kinds.Kind`."""

    name = "kafka"
    title = "Kafka"
    needs = "Java 17 or later and 1 GB of memory"

    def check(self) -> None:
        """See `Kind`."""
        check_programs()

    def prepare(self, folder: Path, listener: int, other: int, log: IO[bytes]) -> list[str]:
        """See `Kind`. Fetches Kafka where it is not there yet, and formats the folder."""
        jars, program = f"{libraries()}/*", java()
        settings = folder / "server.properties"
        template = Template((_HERE / "server.properties").read_text())
        settings.write_text(template.substitute(listener=listener, controller=other, folder=folder))
        format_log = [program, *_FORMAT_JVM, "-cp", jars, "kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c", str(settings)]
        subprocess.run(format_log, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)  # noqa: S603 - paths of ours
        return [program, *_BROKER_JVM, "-cp", jars, "kafka.Kafka", str(settings)]
