"""``python -m tests.engagement.measure_visitors [VISITORS]``: what remembering visitors costs, as docs/identity.md has it (on Linux).

Each makes one page view, and so waits; then the state is restored from its rows. CPU time and memory of one partition, in this process.
"""

import gc
import json
import sys
from pathlib import Path
from time import process_time

from engagement.events import Family
from engagement.intake import Intake
from engagement.machine import PlainRecord
from engagement.rulebook import default_rulebook_text, load_rulebook
from engagement.visitors import is_visitor_key
from streams.identity import make_identity

BATCH = 10_000
NOON = 1_735_732_800_000
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
RULEBOOK = load_rulebook(default_rulebook_text().replace("count: 250_000", "count: 2_000_000"), "measured")
IDENTITY = make_identity(partitions=1, secret=b"measured", key_id="k1")


def new_intake() -> Intake:
    return Intake(families={family.value: family for family in Family}, partition=0, rulebook=RULEBOOK, identity=IDENTITY)


def visit(number: int) -> PlainRecord:
    said = {
        "id": f"{number:016x}",
        "occurred_at": "2025-01-01T11:59:00.000Z",
        "visitor_id": f"visitor-{number:08d}",
        "url": f"https://www.example.com/blog/{number % 50}",
        "user_agent": USER_AGENT,
        "ip": "203.0.113.7",
    }
    return PlainRecord("web-visits", 0, number, NOON + number, f"visitor-{number:08d}".encode(), json.dumps(said).encode())


def megabytes() -> float:
    gc.collect()
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def measure(visitors: int) -> None:
    intake, rows = new_intake(), dict[bytes, bytes]()
    seconds, before = 0.0, megabytes()
    for start in range(0, visitors, BATCH):
        records = [visit(number) for number in range(start, min(start + BATCH, visitors))]
        began = process_time()
        step = intake.step(records, BATCH)
        intake.accept(step)
        seconds += process_time() - began
        for key, row in step.changelog.items():
            rows.pop(key, None)  # rows come in the order in which they were written last
            if row is not None:
                rows[key] = row
    changelog = sum(len(key) + len(row) for key, row in rows.items() if is_visitor_key(key)) / visitors
    held = megabytes() - before
    print(f"{visitors:,} visitors: {seconds / visitors * 1e6:.1f} us each, {changelog:.0f} bytes a row, {held:.0f} MB")  # noqa: T201 - its output
    del intake
    began, restored = process_time(), new_intake()
    for key, row in rows.items():
        restored.load(key, row)
    restored.loaded()
    print(f"restored in {process_time() - began:.1f} s")  # noqa: T201 - as above


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
