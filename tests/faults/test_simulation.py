"""The simulation: hundreds of seeds in which every promise holds, and a broken product that it finds out."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.mutants import MUTANTS

ROOT = Path(__file__).parents[2]
PATIENCE = 600


def simulated(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.faults.simulation", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_three_hundred_seeds_lose_nothing_and_double_nothing():
    played = simulated("--seeds", "0-299")
    assert played.returncode == 0, played.stdout + played.stderr
    told = played.stdout.splitlines()[-1]
    assert told.startswith("300 seeds, 0 failed")
    for fault in ("kill", "freeze", "outage", "join", "leave"):
        found = re.search(rf"{fault} ([0-9,]+)", told)
        assert found is not None, told
        assert int(found[1].replace(",", "")) > 100


def test_a_seed_does_the_same_every_time():
    first, second = (simulated("--seeds", "20-25", "--jobs", "1").stdout for _ in range(2))
    trace = re.search(r"trace ([0-9a-f]+)", first)
    assert trace is not None, first
    assert f"trace {trace[1]}," in second


@pytest.mark.parametrize("mutant", sorted(MUTANTS))
def test_a_broken_product_is_found_out(mutant: str):
    played = simulated("--seeds", "0-199", "--jobs", "1", "--mutant", mutant, "--until-one-fails")
    assert played.returncode == 1, f"{mutant} was not caught: {played.stdout}{played.stderr}"
    assert f"--mutant {mutant}" in played.stdout
