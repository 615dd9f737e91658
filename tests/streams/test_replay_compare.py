"""Live against replay: every kind of difference is found and named."""

import json

import pytest

from streams.history.compare import Comparison, compare_changes, compare_states


def change(account: str, sequence: int, score: int = 0) -> bytes:
    return json.dumps({"id": f"{account}-{sequence}", "sequence": sequence, "score": score}).encode()


ONE, TWO, THREE = (change("acme.com", number) for number in (1, 2, 3))
REPLAYED = {b"acme.com": [ONE, TWO, THREE], b"birch.com": [change("birch.com", 1)]}


def compared(*live: bytes) -> Comparison:
    return compare_changes({b"acme.com": list(live), b"birch.com": [change("birch.com", 1)]}, REPLAYED)


def test_equal_histories_hold() -> None:
    comparison = compared(ONE, TWO, THREE)
    assert comparison.holds
    assert comparison.lines()[0] == "live 4 = replay 4 tier changes; 0 lost, 0 double, 0 different"


@pytest.mark.parametrize(
    ("live", "found"),
    [
        pytest.param([ONE, THREE], {"lost": 1, "gaps": 1}, id="one in the middle is lost"),
        pytest.param([ONE, TWO], {"lost": 1}, id="the last one is lost"),
        pytest.param([], {"lost": 3}, id="all are lost"),
        pytest.param([ONE, TWO, TWO, THREE], {"double": 1}, id="one comes twice"),
        pytest.param([ONE, change("acme.com", 2, score=1), THREE], {"different": 1}, id="one has other bytes"),
        pytest.param([ONE, TWO, THREE, change("acme.com", 4)], {"different": 1}, id="one was never to be"),
        pytest.param([ONE, THREE, TWO], {"different": 2, "gaps": 1}, id="two are in the wrong order"),
    ],
)
def test_a_difference_is_counted_and_the_first_is_shown(live: list[bytes], found: dict[str, int]) -> None:
    comparison = compared(*live)
    assert not comparison.holds
    counts = {name: getattr(comparison, name) for name in ("lost", "double", "different", "gaps")}
    assert {name: count for name, count in counts.items() if count} == found
    assert "of acme.com:\n  live   " in comparison.lines()[-1]


def test_an_account_that_only_live_knows_is_a_difference() -> None:
    comparison = compare_changes({**REPLAYED, b"ghost.com": [change("ghost.com", 1)]}, REPLAYED)
    assert comparison.different == 1
    assert "live 5 ≠ replay 4" in comparison.lines()[0]


def test_a_sequence_with_a_gap_is_found_though_both_sides_have_it() -> None:
    gapped = {b"acme.com": [ONE, THREE]}
    assert compare_changes(gapped, gapped).gaps == 1


def test_states_are_compared_to_the_byte() -> None:
    replayed = {b"acme.com": b"\x01", b"birch.com": b"\x02"}
    assert compare_states(replayed, replayed).holds
    assert compare_states({b"acme.com": b"\x01", b"birch.com": b"\x03"}, replayed).other_states == 1
    assert compare_states({b"acme.com": b"\x01"}, replayed).other_states == 1
    assert "live   nothing" in compare_states({b"acme.com": b"\x01"}, replayed).lines()[-1]


def test_partitions_add_up_and_the_first_difference_stays_the_first() -> None:
    total = compared(ONE, TWO) + compared(ONE) + compared(ONE, TWO, THREE)
    assert (total.live, total.replayed, total.lost) == (9, 12, 3)
    assert total.first == compared(ONE, TWO).first
