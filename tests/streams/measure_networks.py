"""``python -m tests.streams.measure_networks [DATABASE.mmdb ...]``: what 500,000 networks cost, as docs/networks.md has it (on Linux).

Two thirds of them are IPv4, a third IPv6; half lie within another one; every other domain stands only once. All times are of the processor.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import process_time

import click

from streams.identity import make_identity
from streams.networks.addresses import IPV4, IPV6, Block, parse_address, parse_network
from streams.networks.files import read_networks

NETWORKS = 500_000
LOOK_UPS = 100_000
ROUNDS = 5


def rows(rng: Random) -> Iterator[str]:
    """Lines of a table."""
    blocks: set[Block] = set()
    while len(blocks) < NETWORKS:
        bits = IPV4 if rng.random() < 2 / 3 else IPV6
        number, length = (rng.getrandbits(32), 22) if bits == IPV4 else (0x2A << 120 | rng.getrandbits(120), 48)
        for size in (bits - length, bits - length - rng.randint(1, 8)):
            blocks.add(Block(bits, number >> size << size, bits - size))
    for count, block in enumerate(blocks):
        yield f"{block},{f'company-{count}' if count % 2 else f'group-{count % 20_000}'}.example\n"


def addresses(rng: Random, table: Path) -> list[str]:
    """Half of them are in a network, the others anywhere."""
    lines = rng.choices(table.read_text(encoding="ascii").splitlines(), k=LOOK_UPS)
    found = []
    for block in (parse_network(line.partition(",")[0]) for line in lines):
        inside = block.number | rng.getrandbits(block.bits - block.length)
        found.append(Block(block.bits, inside if rng.random() < 1 / 2 else rng.getrandbits(block.bits), block.bits))
    return [str(block).partition("/")[0] for block in found]


def microseconds(look_up: Callable[[str], object], asked: Sequence[str]) -> float:
    """What one look-up takes in the best round."""
    rounds = []
    for _ in range(ROUNDS):
        began = process_time()
        for address in asked:
            look_up(address)
        rounds.append(process_time() - began)
    return min(rounds) / len(asked) * 1e6


def memory(line: str) -> float:
    """MB that this process has now (``VmRSS``), or had at most since this was asked last (``VmHWM``)."""
    status = dict(row.split(":", 1) for row in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return int(status[line].split()[0]) / 1e3


def main() -> None:
    rng = Random(6)  # the same networks every time
    with TemporaryDirectory() as folder:
        table = Path(folder) / "networks.csv"
        with table.open("w", encoding="ascii") as file:
            file.writelines(rows(rng))
        asked = addresses(rng, table)
        before, began = memory("VmRSS"), process_time()
        networks = read_networks([table])
        seconds, peak = process_time() - began, memory("VmHWM") - before
        kept = memory("VmRSS") - before
    click.echo(f"{NETWORKS:,} networks: read in {seconds:.1f} s; {kept:.0f} MB more than before, {peak:.0f} MB while they were read")
    known = sum(networks.find(address) is not None for address in asked) / LOOK_UPS
    click.echo(f"look-up: {microseconds(networks.find, asked):.2f} us ({known:.0%} found)")
    click.echo(f"of which reading the address: {microseconds(parse_address, asked):.2f} us")
    remembering = make_identity(partitions=1, secret=b"", key_id="k1", networks=networks).network
    click.echo(f"look-up of an address that was asked for before: {microseconds(remembering, asked[:10_000]):.2f} us")
    for path in map(Path, sys.argv[1:]):
        click.echo(f"look-up in {path.name}: {microseconds(read_networks([path]).find, asked):.2f} us")


if __name__ == "__main__":
    main()
