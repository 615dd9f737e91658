"""What a run did and found, for people and as JSON."""

from collections import defaultdict
from collections.abc import Mapping
from statistics import median
from typing import Any

import msgspec


class Resumes:
    """Times to resume by kind of fault, in seconds."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.injected: defaultdict[str, int] = defaultdict(int)

    def add(self, kind: str, seconds: float, count: int = 1) -> None:
        """``count`` faults of a kind at once, after which work went on within ``seconds``."""
        self.injected[kind] += count
        self._seconds[kind].append(seconds)

    def median(self, kind: str) -> float:
        return median(self._seconds[kind])

    def maximum(self, kind: str) -> float:
        return max(self._seconds[kind])

    def lines(self) -> list[str]:
        """A table."""
        lines = [f"{'fault':<28}{'injected':>9}{'median s':>10}{'maximum s':>11}"]
        lines += [
            f"{kind:<28}{self.injected[kind]:>9}{self.median(kind):>10.1f}{self.maximum(kind):>11.1f}" for kind in sorted(self._seconds)
        ]
        every = [seconds for some in self._seconds.values() for seconds in some]
        if every:
            lines.append(f"{'all':<28}{sum(self.injected.values()):>9}{median(every):>10.1f}{max(every):>11.1f}")
        return lines

    def report(self) -> dict[str, dict[str, float]]:
        return {
            kind: {"injected": self.injected[kind], "median": round(self.median(kind), 2), "maximum": round(self.maximum(kind), 2)}
            for kind in sorted(self._seconds)
        }


def write_report(path: str, sections: Mapping[str, Any]) -> None:
    """As JSON, one section a part of the run."""
    with open(path, "wb") as file:  # noqa: PTH123 - a path as the command line has it
        file.write(msgspec.json.format(msgspec.json.encode(sections), indent=2) + b"\n")
