"""What every process that runs for long does first."""

import subprocess
import sys

ASKED = """
import asyncio, gc
from streams.long_running import prepare
prepare()
cycle = []
cycle.append(cycle)
async def loop():
    return type(asyncio.get_running_loop()).__module__
print(asyncio.run(loop()), gc.isenabled(), gc.get_freeze_count() > 10_000, gc.get_threshold()[2] * gc.get_threshold()[1] >= 1_000)
del cycle
print(gc.collect() > 0)
"""


def test_full_collections_are_rare_and_garbage_is_still_found():
    told = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.split() == ["uvloop", "True", "True", "True", "True"]
