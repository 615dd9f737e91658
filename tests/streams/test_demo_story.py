"""The story of the demo tells what the events say, and complains of what they do not."""

from engagement.changes import TierChange
from engagement.scoring import Factor
from streams.demo.story import COMMITTEE, COMPETITOR, ENTHUSIAST, FADING, LATECOMER, STRATEGIC, Story, announced, points


def change(account: str, to: str, *, sequence: int = 1, at: str = "2025-01-20T08:00:00.000Z", **said: object) -> TierChange:
    fields: dict[str, object] = {
        "id": f"{account}-{sequence}",
        "account": account,
        "sequence": sequence,
        "ladder": "tier" if to.startswith("tier_") else "stage",
        "from_": "engaged",
        "to": to,
        "passed": (),
        "direction": "promotion",
        "qualified": to == "mqa",
        "reason": "signal",
        "cause": "web-visits:1",
        "effective_at": at,
        "expires_at": None,
        "score": 150_500,
        "rolled_up_score": None,
        "fit": 100,
        "fit_known": 1000,
        "grade": "A",
        "value": "low",
        "surges": (),
        "segments": (),
        "cluster": None,
        "pin": None,
        "people": 4,
        "factors": (_factor("pricing", 100_250), _factor("webinar", 50_250)),
        "crm_id": None,
        "owner": None,
        "region": None,
        "rulebook": "1",
    }
    return TierChange(**(fields | said))  # type: ignore[arg-type]  # the fields above, by name


def _factor(kind: str, thousandths: int, count: int = 1) -> Factor:
    return Factor(kind=kind, points=thousandths, clipped=0, count=count, people=1, events=())


FALL_DAY = "2025-02-19T00:00:00.000Z"
CREDITED = change(
    LATECOMER,
    "engaged",
    people=1,
    score=40_000,
    factors=(_factor("download", 20_000), _factor("pricing", 19_000, 2), _factor("page", 1_000, 2)),
)
STORY = [
    CREDITED,
    change(COMMITTEE, "mqa"),
    change(COMMITTEE, "tier_2", sequence=2),
    change(STRATEGIC, "tier_1"),
    change(ENTHUSIAST, "engaged"),
    change(FADING, "mqa", expires_at=FALL_DAY),
    change(FADING, "engaged", sequence=2, direction="demotion", at=FALL_DAY),
]


def complaints_of(*changes: TierChange) -> list[str]:
    story = Story()
    for each in changes:
        story.hear(each)
    return story.complaints()


def test_the_factors_stand_beside_the_score_they_add_up_to() -> None:
    line = Story().hear(change(COMMITTEE, "tier_2"))
    assert line == f"2025-01-20  {COMMITTEE} is Tier 2: 4 people, fit A, 150.500 points = pricing 100.250 + webinar 50.250"


def test_points_are_spelled_to_the_thousandth() -> None:
    assert [points(1), points(1_050), points(104_846)] == ["0.001", "1.050", "104.846"]


def test_the_announced_day_is_told_and_so_is_the_fall_on_it() -> None:
    story = Story()
    told = [story.hear(each) for each in STORY[-2:]]
    assert told[0] == f"2025-01-20  {FADING} is an MQA of 4 people; if nobody comes back it falls on 2025-02-19"
    assert told[1] == f"2025-02-19  {FADING} falls from engaged to engaged: nobody came back, and this is the announced day"


def test_anonymous_visits_that_a_form_names_are_told_with_what_they_earned() -> None:
    assert Story().hear(CREDITED) == (
        f"2025-01-20  {LATECOMER} is engaged: a form says who came 4 times before, and these visits count too: "
        "40.000 points = download 20.000 + pricing 19.000 + page 1.000"
    )


def test_the_last_announcement_before_a_fall_is_the_one_that_counts() -> None:
    fall = change(FADING, "watch", sequence=3, direction="demotion", at=FALL_DAY)
    early, later = change(FADING, "engaged", expires_at=FALL_DAY), change(FADING, "mqa", sequence=2, expires_at="2025-03-01T00:00:00.000Z")
    assert announced(fall, [early, fall])
    assert not announced(fall, [early, later, fall])
    assert not announced(fall, [fall])


def test_accounts_without_a_name_in_the_story_are_only_counted() -> None:
    story = Story()
    assert story.hear(change("other.example", "mqa")) is None
    assert story.heard == 1


def test_a_story_that_came_true_has_no_complaints() -> None:
    assert complaints_of(*STORY) == []


def test_each_thing_that_did_not_come_true_is_named() -> None:
    assert complaints_of(*STORY[:2], *STORY[3:]) == [f"this did not come true: {COMMITTEE} becomes an MQA, then Tier 2"]
    assert complaints_of(*STORY[1:]) == [
        f"this did not come true: {LATECOMER} is engaged by its form and by its anonymous visits before it"
    ]
    assert complaints_of(*STORY[:-1]) == [f"this did not come true: {FADING} falls on the day that was announced"]
    assert complaints_of(*STORY, change(COMPETITOR, "engaged")) == [f"this did not come true: {COMPETITOR} stays out"]
    assert complaints_of(*STORY, change(ENTHUSIAST, "mqa", sequence=2)) == [f"this did not come true: {ENTHUSIAST} is engaged and no more"]
    assert complaints_of(*STORY[:1], *STORY[2:], change(COMMITTEE, "mqa", score=150_501)) == [
        "this did not come true: the factors of every change add up to its score"
    ]
