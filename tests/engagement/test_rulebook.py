"""A rulebook that cannot be used is refused in one line that names place, path, value and remedy."""

import pytest

from engagement.errors import Refused
from engagement.rulebook import default_rulebook_text, load_rulebook

DEFAULT = default_rulebook_text()


def refusal(old: str, new: str) -> str:
    assert old in DEFAULT
    with pytest.raises(Refused) as refused:
        load_rulebook(DEFAULT.replace(old, new, 1), "default.yaml")
    return str(refused.value)


def test_the_default_is_read_exactly():
    rulebook = load_rulebook(DEFAULT, "default.yaml")
    assert rulebook.signals["pricing"].points == 15_000
    assert rulebook.roles["vp"] == 1500
    assert rulebook.fit["revenue"].between == (10_000_000, 50_000_000)
    assert rulebook.grades is not None
    assert (rulebook.grades.known, rulebook.grades.borders) == (600, {"A": 81, "B": 65, "C": 50})
    assert (rulebook.intake.skew, rulebook.intake.dedupe_window, rulebook.intake.dedupe_count) == (600_000, 86_400_000, 200_000)
    assert [ladder.names[0] for ladder in rulebook.ladders] == ["watch", "untiered"]
    assert [kind for kind, rule in rulebook.signals.items() if rule.third_party] == ["review_site", "surge"]


def test_the_canonical_form_gives_the_same_version():
    rulebook = load_rulebook(DEFAULT, "default.yaml")
    again = load_rulebook(rulebook.canonical(), "canonical")
    assert (again.version, again.canonical()) == (rulebook.version, rulebook.canonical())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("points: 15, ", "points: 15.000,   "),
        ("high: 1M", "high: 1000000"),
        ("half_life: 14d", "half_life: 2w"),
        ("known: 60%", 'known: "60.0%"'),
        ("# The default", "# Another"),
        ("disposition: accepted", "disposition: [accepted]"),
        ("repeats_per_day: 3 ", "repeats_per_day: 3.0 "),
    ],
)
def test_comments_white_space_and_the_spelling_of_numbers_do_not_change_the_version(old: str, new: str):
    assert old in DEFAULT
    assert load_rulebook(DEFAULT.replace(old, new), "x").version == load_rulebook(DEFAULT, "x").version


def test_another_meaning_is_another_version():
    assert load_rulebook(DEFAULT.replace("points: 15, ", "points: 16, "), "x").version != load_rulebook(DEFAULT, "x").version


def test_region_no_is_a_region_not_a_falsehood():
    rulebook = load_rulebook(DEFAULT.replace("[APAC]", "[NO, on, 1e3]"), "x")
    assert rulebook.fit["region"].in_ == ("NO", "on", "1e3")


def test_a_single_ladder_is_a_rulebook():
    rulebook = load_rulebook("signals: {page: {points: 1}}\nstage: {mqa: {enter: {score: 5}}, tier_2: {enter: {score: 9}}}", "x")
    assert [ladder.names for ladder in rulebook.ladders] == [("watch", "mqa", "tier_2")]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "keep: {score: 60}",
            "keep: {score: 140}",
            "stage.mqa.keep.score = 140 must not exceed stage.mqa.enter.any[0].score = 100; lower it",
        ),
        ("engaged: {enter: {score: 30}", "engaged: {enter: {score: 130}", "stage.mqa.enter.any[0].score = 100 must exceed"),
        ("person: 60", "person: -3", "caps.person = -3 must be a number from 0 to 1_000_000 with"),
        ("points: 1, ", "points: -1, ", "signals.page.points = -1 must be a number from 0 to"),
        ("points: 1, ", "points: 0.0001, ", "signals.page.points = 0.0001 must be a number"),
        ("points: 15, ", "pionts: 15, ", "signals.pricing.pionts is no key known here; did you mean points?"),
        ("signals:", "sygnals:", "sygnals is no key known here; did you mean signals?"),
        ("half_life: 14d", "half_life: 14", "signals.page.half_life = 14 must be whole days from 1d to 3660d; write it as 14d"),
        ("half_life: 14d", "half_life: 36h", "signals.page.half_life = 36h must be whole days"),
        ("half_life: 14d", "half_life: 14d, lifespan: 9d", "signals.page.lifespan = 9d must not stand beside half_life = 14d; remove one"),
        ("skew: 10m", "skew: soon", "intake.skew = soon must be a duration from 1s to 1d; write it as 10m or 24h"),
        ("account: {page", "account: {pge", "caps.account.pge is no kind known here; did you mean page?"),
        ("account: {page", "account: {demo_request", "caps.account.demo_request = 20 must go: no cap holds a kind that is act_now"),
        (
            "stage: mqa, score: 150",
            "stage: mpa, score: 150",
            "tier.tier_2.enter.any[1].stage = mpa is no name known here; did you mean mqa?",
        ),
        (
            "disposition: accepted",
            "tier: tier_3",
            "stage.accepted.enter.tier asks for a ladder that is judged with it or after it; only tier may ask",
        ),
        (
            "disposition: accepted",
            "disposition: acepted",
            "stage.accepted.enter.disposition = acepted is no name known here; did you mean accepted?",
        ),
        ("[A, B, C, unknown]", "[A, Q]", "stage.mqa.enter.any[0].fit[1] = Q is no name known here; known: A, B, C, none, unknown"),
        ("people: 2", "people: two", "stage.mqa.enter.any[0].people = two must be a whole number from 0 to"),
        ("people: 2", "poeple: 2", "stage.mqa.enter.any[0].poeple is no condition known here; did you mean people?"),
        ("act_now: 30d", "act_now: 100d", "stage.mqa.enter.any[1].act_now = 100d must not exceed window = 90d; lower it"),
        ("keep: {score: 60}", "keep:", "stage.mqa.keep = nothing must be a mapping of conditions"),
        ("engaged:", "watch:", "stage.watch must have another name"),
        ("window: 90d", "window: 900d", "window = 900d must not exceed history_days = 120; lower it"),
        ("history_days: 120", "history_days: 90", "history_days = 90 must be at least 105; raise it"),
        ("B: 65", "B: 85", "grades.B = 85 must be below grades.A = 81"),
        ("ignore_urls: [", "surge: {events: 0}\nignore_urls: [", "surge.events = 0 must be at least 1"),
        ("ignore_urls: [", "needs: {x: {topics: [y], share: 0%}}\nignore_urls: [", "needs.x.share = 0% must be above 0%"),
        ("B: 65", "none: 65", "grades.none = 65 must have another name"),
        ("known: 60%", "known: 60", "grades.known = 60 must be a share from 0% to 100%"),
        ("between: [100, 500]", "between: [500, 100]", "fit.employees.between = ['500', '100'] must be [low, high]; swap them"),
        ("in: [fintech]", "in: [fintech], any: [x]", "fit.industry has 2 tests, must have one"),
        ("act_now: true", "act_now: yes", "signals.demo_request.act_now = yes must be true or false"),
        ("from: expected_ltv", "from: revenue", "value.from = revenue must be 'expected_ltv'"),
        ("suppress: [competitor, partner, own_staff]", "suppress: competitor", "suppress = competitor must be a list"),
    ],
)
def test_a_complaint_names_path_value_and_remedy(old: str, new: str, words: str):
    message = refusal(old, new)
    assert message.startswith(f"default.yaml: {words}")
    assert "\n" not in message


def test_bad_yaml_is_named_by_line_and_column():
    assert refusal("window: 90d", "window: [90d").startswith("default.yaml:4:1: ")


def test_a_key_that_stands_twice_is_refused():
    assert refusal("history_days: 120", "window: 80d") == "default.yaml:4:1: the key window stands here a second time; mend the YAML there"


def test_an_alias_is_refused():
    assert "an alias (*x) is not read here" in refusal("caps:  ", "caps: *x #")


def test_more_account_caps_than_the_score_can_weigh_are_refused():
    kinds = [f"k{number}" for number in range(9)]
    signals = ", ".join(f"{kind}: {{points: 1}}" for kind in kinds)
    caps = ", ".join(f"{kind}: 1" for kind in kinds)
    text = f"signals: {{{signals}}}\ncaps: {{account: {{{caps}}}}}"
    with pytest.raises(Refused, match=r"caps\.account = 9 kinds must not be more than 8"):
        load_rulebook(text, "x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "x: is empty; start from what `mqa rulebook show` prints"),
        ("# nothing\n", "x: is empty; start from what `mqa rulebook show` prints"),
        ("just words", "x: just words must be a mapping; start from what `mqa rulebook show` prints"),
        ("{}", "x: signals is missing; add it"),
        ("signals: {page: {points: 1}}", "x: there is no ladder; add stage or tier"),
        ("signals: {}\nstage: {a: {enter: {score: 1}}}", "x: signals = {} must have a kind; write it as {page: {points: 1}}"),
    ],
)
def test_a_text_that_is_no_rulebook_is_refused(text: str, words: str):
    with pytest.raises(Refused) as refused:
        load_rulebook(text, "x")
    assert str(refused.value) == words


def test_a_need_is_the_same_in_any_case():
    text = "signals: {page: {points: 1}}\nneeds: {Fraud: {topics: [aml]}}\nstage: {engaged: {enter: {surge: [FRAUD, Sepa]}}}"
    rulebook = load_rulebook(text, "x")
    assert rulebook.ladders[0].rungs[0].enter.canonical == {"surge": ["Fraud", "sepa"]}
    assert load_rulebook(rulebook.canonical(), "y").version == rulebook.version
    with pytest.raises(Refused, match=r"needs\.fraud differs from needs\.Fraud in case only; rename one"):
        load_rulebook(text.replace("{topics: [aml]}}", "{topics: [aml]}, fraud: {topics: [aml]}}"), "x")
