"""What the tests of networks share."""

from engagement.identity import NetworkKind
from streams.networks.lookup import Networks


def company(networks: Networks, address: str) -> str | None:
    """Domain of the company whose address it is; None for one of anybody else."""
    network = networks.find(address)
    return network.domain if network is not None and network.kind is NetworkKind.COMPANY else None
