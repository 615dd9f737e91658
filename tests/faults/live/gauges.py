"""What a soak measures of a worker and of the broker's files."""

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path
from statistics import linear_regression
from typing import NamedTuple
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

ANSWER_SECONDS = 5.0
MEGABYTE = 1 << 20
PER_HOUR = 3600.0
_ADDRESS = re.compile(r"metrics and health on (\S+)")


class Sample(NamedTuple):
    """One worker at one moment."""

    at: float  # s
    resident: float  # MB
    open_files: float
    lag: float  # records
    transactions: float  # committed so far
    transaction_seconds: float  # that they took


async def sample(pid: int, said: str, at: float) -> Sample | None:
    """``said``: the worker's log, which names the address of its metrics. None where it does not answer: it is starting or ending."""
    address = _ADDRESS.search(said)
    if address is None:
        return None
    try:
        text = await asyncio.to_thread(_fetch, f"{address[1]}/metrics")
        resident, files = _resident(pid), _open_files(pid)
    except OSError:
        return None
    sums = dict.fromkeys(("mqa_lag_records", "mqa_transaction_seconds_count", "mqa_transaction_seconds_sum"), 0.0)
    for family in text_string_to_metric_families(text):
        for each in family.samples:
            if each.name in sums:
                sums[each.name] += each.value
    lag, transactions, seconds = sums.values()
    return Sample(at, resident, files, lag, transactions, seconds)


def slope(points: Iterable[tuple[float, float]]) -> float:
    """Growth in an hour, by least squares; ``points`` are (s, value), two at least."""
    times, values = zip(*points, strict=True)
    return linear_regression(times, values).slope * PER_HOUR


def folder_megabytes(folders: Iterable[Path]) -> float:
    """What the records in them take; indexes are allocated in advance."""
    return sum(file.stat().st_size for folder in folders for file in folder.glob("*.log")) / MEGABYTE


def _fetch(url: str) -> str:
    with urlopen(url, timeout=ANSWER_SECONDS) as answer:
        return str(answer.read().decode())


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / MEGABYTE


def _open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
