"""Units are shared out whole, evenly, and moved only where balance needs it."""

from aiokafka.cluster import ClusterMetadata
from aiokafka.structs import PartitionMetadata
from hypothesis import given
from hypothesis import strategies as st

from streams.worker.assignor import UnitAssignor, share_out

ROLES = {"intake": ["web-visits", "intent-signals", "account-updates"], "qualify": ["account-log"]}


def cluster_of(partitions: int) -> ClusterMetadata:
    cluster = ClusterMetadata()
    for topics in ROLES.values():
        for topic in topics:
            cluster._partitions[topic] = {
                number: PartitionMetadata(topic=topic, partition=number, leader=0, replicas=[0], isr=[0], error=0)
                for number in range(partitions)
            }
    return cluster


members = st.dictionaries(st.sampled_from("abcdef"), st.lists(st.integers(0, 40), unique=True), min_size=1)


@given(numbers=st.sets(st.integers(0, 30)), held=members)
def test_every_number_has_one_member_and_shares_differ_by_one_at_most(numbers, held):
    shares = share_out(numbers, held)
    assert sorted(number for share in shares.values() for number in share) == sorted(numbers)
    sizes = [len(share) for share in shares.values()]
    assert max(sizes) - min(sizes) <= 1


@given(numbers=st.sets(st.integers(0, 30)), held=members)
def test_sharing_out_again_moves_nothing(numbers, held):
    shares = share_out(numbers, held)
    assert {member: sorted(share) for member, share in share_out(numbers, shares).items()} == {m: sorted(s) for m, s in shares.items()}


def test_a_newcomer_takes_only_its_share():
    shares = share_out(range(6), {"a": [0, 1, 2], "b": [3, 4, 5], "c": []})
    assert len(shares["c"]) == 2
    assert set(shares["a"]) < {0, 1, 2}
    assert set(shares["b"]) < {3, 4, 5}


def test_a_units_topics_stay_together():
    workers = {name: UnitAssignor(ROLES) for name in ("a", "b", "c")}
    topics = [topic for some in ROLES.values() for topic in some]
    given_out = workers["a"].assign(cluster_of(4), {name: worker.metadata(topics) for name, worker in workers.items()})
    for assignment in given_out.values():
        by_topic = dict(assignment.assignment)
        assert by_topic["web-visits"] == by_topic["intent-signals"] == by_topic["account-updates"]


def test_a_worker_of_one_role_gets_only_that_roles_units():
    both, only = UnitAssignor(ROLES), UnitAssignor(ROLES)
    metadata = {"both": both.metadata([topic for some in ROLES.values() for topic in some]), "only": only.metadata(ROLES["qualify"])}
    given_out = both.assign(cluster_of(4), metadata)
    assert {topic for topic, _ in given_out["only"].assignment} == {"account-log"}
    assert dict(given_out["both"].assignment)["web-visits"] == [0, 1, 2, 3]
    assert len(dict(given_out["both"].assignment)["account-log"]) == 2


def test_a_worker_remembers_its_units_for_the_next_rebalance():
    first, second = UnitAssignor(ROLES), UnitAssignor(ROLES)
    topics = [topic for some in ROLES.values() for topic in some]
    for members in ({"a": first}, {"a": first, "b": second}, {"a": first, "b": second}):
        given_out = first.assign(cluster_of(3), {name: worker.metadata(topics) for name, worker in members.items()})
        held = {name: worker.held for name, worker in members.items()}
        for name, worker in members.items():
            worker.on_assignment(given_out[name])
    assert held == {"a": first.held, "b": second.held}
    assert len(first.held) + len(second.held) == 6
