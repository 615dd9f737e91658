"""Which worker folds which unit.

A unit is a partition number of one role: of all of intake's topics, or of the log. Its parts must stay together, because they
share one queue, one transactional id and one state. Kafka's round robin and sticky assignors deal out partitions one by
one and would split a unit over two workers, which would then fence each other for ever.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

UnitId = tuple[str, int]
"""(role, partition number)."""


def share_out(numbers: Iterable[int], held: Mapping[str, Iterable[int]]) -> dict[str, list[int]]:
    """Partition numbers for each member of ``held``: within one of each other, and moved only where balance needs it.

    ``held`` says what each member had before; where two claim one number the first by name keeps it (a claim is a
    wish: ownership is proven by fencing). Deterministic, so that any leader decides alike.
    """
    members = sorted(held)
    free = sorted(numbers)
    shares: dict[str, list[int]] = {}
    for member in members:
        claims = set(held[member])
        shares[member] = [number for number in free if number in claims]
        free = [number for number in free if number not in claims]
    for number in free:
        min(shares.values(), key=len).append(number)
    while True:
        fullest, emptiest = max(shares.values(), key=len), min(shares.values(), key=len)
        if len(fullest) - len(emptiest) <= 1:
            return shares
        emptiest.append(fullest.pop())


class UnitAssignor(AbstractPartitionAssignor):
    """Assigns whole units and remembers its worker's last ones, so that a rebalance moves as little as it can.

    aiokafka calls these on whatever it is given; an instance, not a class, because the memory is one worker's.
    """

    name = "mqa-units"
    version = 1

    def __init__(self, roles: Mapping[str, Sequence[str]]) -> None:
        """``roles``: role -> full names of its topics, all of the same partition count."""
        self.roles = dict(roles)
        self.held: list[UnitId] = []

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What this worker tells the group's leader: its topics and the units it held last."""
        return ConsumerProtocolMemberMetadata(self.version, sorted(topics), msgspec.json.encode(self.held))

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """On the group's leader: each role's units shared out over the members that subscribe to its topics."""
        topics_of: dict[str, list[tuple[str, list[int]]]] = {member: [] for member in members}
        for role, topics in self.roles.items():
            held = {
                member: [number for owner, number in _claims(metadata) if owner == role]
                for member, metadata in members.items()
                if set(topics) <= set(metadata.subscription)
            }
            if not held:
                continue
            for member, numbers in share_out(cluster.partitions_for_topic(topics[0]) or (), held).items():
                topics_of[member] += [(topic, sorted(numbers)) for topic in topics]
        return {member: ConsumerProtocolMemberAssignment(self.version, topics, b"") for member, topics in topics_of.items()}

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Remember what this worker was given."""
        given = dict(assignment.assignment)
        self.held = [(role, number) for role, topics in self.roles.items() for number in given.get(topics[0], ())]


def _claims(metadata: ConsumerProtocolMemberMetadata) -> list[UnitId]:
    return msgspec.json.decode(metadata.user_data, type=list[UnitId]) if metadata.user_data else []
