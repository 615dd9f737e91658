"""Each view shows what the API says."""

from playwright.sync_api import Page, expect

from tests.streams.page.conftest import DESKTOP, Site
from tests.streams.served import PEOPLE

ACCOUNT = "harbourpay.example"


def exact(thousandths: int) -> str:
    return f"{thousandths // 1000:,}.{thousandths % 1000:03d}"


def rounded(thousandths: int) -> str:
    return exact(thousandths)[:-2]


def use_token(page: Page, site: Site, token: str) -> None:
    page.goto(site.guarded)
    page.get_by_label("Token", exact=True).fill(token)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="accounts")).to_be_visible()


def test_the_overview_counts_accounts_on_every_rung_the_highest_on_top(page: Page, site: Site):
    page.goto("/")
    board = page.get_by_role("table", name="Accounts by stage")
    rungs = next(each for each in site.ask("overview")["ladders"] if each["ladder"] == "stage")["rungs"]
    expect(board.locator("tbody tr")).to_have_count(len(rungs))
    for row, rung in zip(board.locator("tbody tr").all(), reversed(rungs), strict=True):
        assert row.locator("th").inner_text().lower() == rung["rung"]
        assert row.locator("td").first.inner_text() == str(rung["accounts"])


def test_the_overview_tells_who_rose_to_a_rung_and_who_fell_from_it(page: Page, site: Site):
    page.goto("/")
    moves = [each for each in site.ask("overview")["moves"]["30"] if each["ladder"] == "stage"]
    rose = sum(each["changes"] for each in moves if each["to"] == "engaged" and each["direction"] == "promotion")
    fell = sum(each["changes"] for each in moves if each["from"] == "engaged" and each["direction"] == "demotion")
    assert rose
    assert fell
    thirty_days = page.get_by_role("table", name="Accounts by stage").get_by_role("row", name="engaged").locator("td").last
    expect(thirty_days).to_have_text(f"▲rose to it: {rose} ▼fell from it: {fell}")


def test_the_overview_says_in_which_days_they_moved(page: Page):
    page.goto("/")
    caption = page.get_by_role("table", name="Accounts by stage").locator("caption")
    expect(caption).to_contain_text("▲ rose to it, ▼ fell from it, in the last 7 and 30 days")


def test_the_latest_tier_changes_come_newest_first_with_their_reason(page: Page, site: Site):
    page.goto("/")
    expect(page.locator(".changes li")).to_have_count(12)
    newest = site.ask("tier-changes", last=12)["changes"][::-1]
    assert page.locator(".changes a").all_inner_texts() == [each["account"] for each in newest]
    assert all(page.locator(".changes p").all_inner_texts())


def test_a_rung_of_the_overview_leads_to_its_accounts(page: Page, site: Site):
    page.goto("/")
    page.get_by_role("link", name="tier 2").click()
    wanted = [each["profile"]["name"] for each in site.ask("accounts", tier="tier_2")["accounts"]]
    expect(page.locator("#accounts tbody th a")).to_have_text(wanted)
    expect(page.get_by_label("Tier")).to_have_value("tier_2")


def test_an_account_begins_with_its_sentence_and_its_points_add_up(page: Page, site: Site):
    told = site.ask(f"accounts/{ACCOUNT}")
    page.goto(f"/#/accounts/{ACCOUNT}")
    expect(page.locator(".gist")).to_have_text(told["sentence"])
    points = page.get_by_role("table", name="Points by kind")
    assert points.locator("tbody td:nth-child(2)").all_inner_texts() == [exact(each["points"]) for each in told["shares"]]
    assert points.locator("tfoot td").first.inner_text() == exact(told["score"])


def test_every_way_to_the_next_rung_says_what_is_there_and_what_is_missing(page: Page, site: Site):
    told = site.ask(f"accounts/{ACCOUNT}")
    page.goto(f"/#/accounts/{ACCOUNT}")
    (tier,) = [each for each in told["standings"] if each["ladder"] == "tier"]
    section = page.locator("section", has=page.get_by_role("heading", name="What is missing to tier 1"))
    for way in tier["next"]["ways"][:3]:
        for each in way["requirements"]:
            expect(section.get_by_text(each["asks"]).first).to_be_visible()
    expect(section).to_contain_text(f"falls to tier 3 on {tier['expires']}")


def test_the_slider_under_the_chart_tells_each_day_and_its_tier_change(page: Page, site: Site):
    days = site.ask(f"accounts/{ACCOUNT}/trend")["days"]
    change = next(each for each in site.ask(f"accounts/{ACCOUNT}/timeline")["changes"] if each["to"] == "mqa")
    on = next(number for number, day in enumerate(days) if day["day"] == change["effective_at"][:10])
    page.goto(f"/#/accounts/{ACCOUNT}")
    slider = page.get_by_label("Day to explain")
    slider.fill(str(on))
    told = page.locator(".told")
    expect(told).to_contain_text(f"{days[on]['day']}: {rounded(days[on]['score'])} points")
    expect(told).to_contain_text("▲ MQA")
    expect(told).to_contain_text("Came in: ")
    slider.press("ArrowRight")
    expect(told).to_contain_text(days[on + 1]["day"])


def test_pointing_at_the_chart_tells_the_day_under_the_pointer(page: Page, site: Site):
    days = site.ask(f"accounts/{ACCOUNT}/trend")["days"]
    page.goto(f"/#/accounts/{ACCOUNT}")
    chart = page.locator("svg.trend")
    box = chart.bounding_box()
    assert box is not None
    chart.hover(position={"x": 40, "y": box["height"] / 2})
    expect(page.locator(".told")).to_contain_text(days[0]["day"])


def test_the_chart_is_also_a_table_of_days(page: Page, site: Site):
    days = site.ask(f"accounts/{ACCOUNT}/trend")["days"]
    page.goto(f"/#/accounts/{ACCOUNT}")
    page.get_by_text("The same as a table").click()
    rows = page.get_by_role("table", name="Score by day").locator("tbody tr")
    assert rows.locator("th").all_inner_texts() == [each["day"] for each in reversed(days)]
    assert rows.locator("td:nth-child(2)").all_inner_texts() == [rounded(each["score"]) for each in reversed(days)]


def test_people_have_names_for_those_who_may_see_them_and_hashes_for_others(page: Page, site: Site):
    ((person, contact),) = site.ask(f"accounts/{ACCOUNT}")["contacts"].items()
    page.goto(f"/#/accounts/{ACCOUNT}")
    people = page.get_by_role("table", name="Who was seen")
    expect(people).to_contain_text(person.partition(".")[2][:6])
    expect(people).not_to_contain_text(contact["name"])
    use_token(page, site, PEOPLE)
    page.goto(f"{site.guarded}/#/accounts/{ACCOUNT}")
    expect(people).to_contain_text(contact["name"])
    expect(people).to_contain_text(contact["email"])


def test_the_timeline_has_every_tier_change_with_its_reason(page: Page, site: Site):
    changes = site.ask(f"accounts/{ACCOUNT}/timeline")["changes"]
    page.goto(f"/#/accounts/{ACCOUNT}")
    expect(page.locator(".changes time")).to_have_text([each["effective_at"][:10] for each in changes])


def test_an_account_that_is_not_known_is_said_with_names_that_are_near(page: Page):
    page.goto("/#/accounts/harbourpai.example")
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    expect(page.locator("main")).to_contain_text(ACCOUNT)


def test_dead_letters_are_listed_with_their_reasons_and_can_be_chosen(page: Page, site: Site):
    page.goto("/#/dead-letters")
    letters = site.ask("dead-letters")["letters"]
    expect(page.locator("#letters tbody tr")).to_have_count(len(letters))
    page.locator("#letters").get_by_role("link", name="late").first.click()
    expect(page.locator("#letters tbody tr")).to_have_count(sum(each["reason"] == "late" for each in letters))
    page.get_by_role("link", name="Show all").click()
    expect(page.locator("#letters tbody tr")).to_have_count(len(letters))


def test_what_a_dead_letter_says_is_shown_to_those_who_may_see_people(page: Page, site: Site):
    page.goto("/#/dead-letters")
    expect(page.locator("#letters tbody tr").first).to_be_visible()
    expect(page.get_by_text("told to tokens with the scope people")).to_have_count(1)
    expect(page.get_by_role("columnheader", name="What is wrong")).to_have_count(0)
    use_token(page, site, PEOPLE)
    page.get_by_role("link", name="Dead letters").click()
    expect(page.get_by_role("columnheader", name="What is wrong")).to_be_visible()
    expect(page.get_by_text("told to tokens with the scope people")).to_have_count(0)
    letter = site.ask("dead-letters")["letters"][0]
    expect(page.locator("#letters tbody tr").first).to_contain_text(letter["detail"])
    page.get_by_text("original").first.click()
    expect(page.locator("#letters pre").first).to_have_text(letter["original"])


def test_dead_letters_stand_in_the_order_of_the_time_that_is_shown(page: Page, site: Site):
    answer = site.ask("dead-letters")
    answer["letters"] = answer["letters"][5:] + answer["letters"][:5]  # as they may have died
    page.route("**/api/v1/dead-letters?*", lambda route: route.fulfill(json=answer))
    page.goto("/#/dead-letters")
    times = page.locator("#letters tbody time")
    expect(times).to_have_count(len(answer["letters"]))
    assert times.all_inner_texts() == sorted(times.all_inner_texts(), reverse=True)


def test_no_head_of_a_table_is_broken_within_a_word(page: Page, site: Site):
    use_token(page, site, PEOPLE)
    answer = site.ask("dead-letters")
    answer["letters"] = [letter | {"detail": f"account = '{'a' * 200}': is no domain"} for letter in answer["letters"]]
    page.route("**/api/v1/dead-letters?*", lambda route: route.fulfill(json=answer))
    page.get_by_role("link", name="Dead letters").click()
    expect(page.locator("#letters")).to_be_visible()
    lines = "(head) => { const text = document.createRange(); text.selectNodeContents(head); return text.getClientRects().length; }"
    assert page.get_by_role("columnheader", name="Letter").evaluate(lines) == 1
    assert page.evaluate("document.documentElement.scrollWidth") == DESKTOP["width"]


def test_a_report_is_opened_in_a_frame_that_runs_nothing(page: Page):
    page.goto("/#/reports")
    page.get_by_role("link", name="stricter.html").click()
    report = page.frame_locator("iframe")
    expect(report.get_by_role("heading", name="Stricter")).to_have_css("color", "rgb(170, 0, 0)")
    expect(page).to_have_title("stricter.html · mqa")


def test_a_table_of_numbers_is_a_report_that_can_be_read(page: Page):
    page.goto("/#/reports?name=moves.csv")
    expect(page.frame_locator("iframe").get_by_text("acme.com,aware,engaged")).to_be_visible()


def test_a_report_opens_for_a_token_too(page: Page, site: Site):
    use_token(page, site, PEOPLE)
    page.get_by_role("link", name="Reports").click()
    page.get_by_role("link", name="stricter.html").click()
    expect(page.frame_locator("iframe").get_by_role("heading", name="Stricter")).to_be_visible()
