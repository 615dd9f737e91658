"""The named journeys go under the default rulebook as their headlines say: the demo tells nothing that is not tested."""

from functools import cache
from typing import Any

import msgspec
import pytest

from engagement.days import parse_day
from engagement.rulebook import default_rulebook_text, load_rulebook
from streams.history.arrivals import arrivals_by_day
from streams.history.engine import HistoryReplay
from streams.history.journeys import JOURNEYS
from streams.history.lines import read_history
from streams.history.simulate import simulate_history
from streams.history.simulate_moves import PAGES
from streams.identity import make_identity

START = parse_day("2025-01-01")
Change = dict[str, Any]


@cache
def tier_changes() -> tuple[Change, ...]:
    """Every tier change of a market that holds nothing but the journeys."""
    replay = HistoryReplay(
        partitions=1,
        rulebook=load_rulebook(default_rulebook_text(), "default.yaml"),
        identity=make_identity(partitions=1, secret=b"secret", key_id="k1"),
    )
    lines = read_history(simulate_history(accounts=0, days=92, start_day=START, seed=1), "history")
    changes: list[Change] = []
    for day, arrivals in arrivals_by_day(lines, 1):
        for output in (*replay.begin(day), *replay.receive(arrivals)):
            assert output.value is not None
            changes.append(msgspec.json.decode(output.value))
    return tuple(changes)


def story(name: str) -> list[Change]:
    return [change for change in tier_changes() if change["account"] == JOURNEYS[name].domain]


def path(name: str, ladder: str) -> list[str]:
    return [change["to"] for change in story(name) if change["ladder"] == ladder]


def test_a_fitting_committee_becomes_an_mqa_then_tier_2_and_in_the_end_a_customer() -> None:
    assert path("committee", "stage") == ["engaged", "mqa", "accepted", "opportunity", "customer"]
    assert path("committee", "tier") == ["tier_3", "tier_2"]
    qualified = [change for change in story("committee") if change["qualified"]]
    assert [change["to"] for change in qualified] == ["mqa"]
    assert sum(factor["points"] for factor in qualified[0]["factors"]) == qualified[0]["score"]


def test_a_competitor_who_asks_for_a_demo_stays_out() -> None:
    assert story("competitor") == []


def test_a_lone_enthusiast_stays_engaged_to_the_end() -> None:
    assert path("enthusiast", "stage") == ["engaged"]


def test_a_fading_account_falls_on_the_day_announced_when_it_qualified() -> None:
    (qualified,) = [change for change in story("fading") if change["qualified"]]
    (fall,) = [change for change in story("fading") if change["direction"] == "demotion"]
    assert (fall["from"], fall["to"], fall["reason"]) == ("mqa", "engaged", "silence")
    assert fall["effective_at"] == qualified["expires_at"]


def test_a_strategic_logo_is_tier_1_on_the_day_sales_says_so() -> None:
    assert path("strategic", "tier") == ["tier_3", "tier_1"]
    assert story("strategic")[-1]["to"] == "mqa"


def test_intent_alone_never_qualifies() -> None:
    assert path("hearsay", "stage") == ["engaged"]


def test_anonymous_visits_count_once_a_form_says_whose_they_were() -> None:
    (change,) = [change for change in story("latecomer") if change["to"] == "engaged"]
    assert change["effective_at"].startswith("2025-02-02")
    assert {factor["kind"]: factor["count"] for factor in change["factors"]} == {"download": 1, "pricing": 2, "page": 2}
    earned = {factor["kind"]: factor["points"] for factor in change["factors"]}
    assert earned["download"] < 30_000 > earned["pricing"] + earned["page"]
    assert not [move for move in JOURNEYS["latecomer"].moves(START) if move.known and move.word in PAGES]
    assert not JOURNEYS["latecomer"].company.recognised


@pytest.mark.parametrize("seed", [2, 3])
def test_a_journey_is_the_same_in_every_market(seed: int) -> None:
    def of_journeys(**market: int) -> list[bytes]:
        lines = simulate_history(days=30, start_day=START, **market)
        return [line for line in lines if any(journey.domain.encode() in line for journey in JOURNEYS.values())]

    assert of_journeys(accounts=20, seed=seed) == of_journeys(accounts=0, seed=1)


def test_every_script_speaks_of_people_who_exist() -> None:
    for journey in JOURNEYS.values():
        assert sum(move.word != "identify" for move in journey.moves(START)) == 1 + sum(
            len(words.split()) for _, _, words in journey.script
        )
