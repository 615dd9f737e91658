"""Filters, order and paging of the list of accounts; all of it in the address."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page, expect

from tests.streams.page.conftest import Site


def names(answer: Any) -> list[str]:
    return [each["profile"]["name"] or each["profile"]["account"] for each in answer["accounts"]]


def listed(page: Page) -> Any:
    return page.locator("#accounts tbody th a")


def pages(site: Site) -> Iterator[list[str]]:
    answer = site.ask("accounts", limit=50)
    yield names(answer)
    while answer["next"] is not None:
        answer = site.ask("accounts", limit=50, after=answer["next"])
        yield names(answer)


def test_each_choice_narrows_the_list_and_stands_in_the_address(page: Page, site: Site):
    for label, choice, query in (
        ("Stage", "engaged", {"stage": "engaged"}),
        ("Tier", "tier 3", {"tier": "tier_3"}),
        ("Owner", "dana.reyes", {"owner": "dana.reyes"}),
        ("Order", "newest tier change", {"sort": "changed"}),
    ):
        page.goto("/#/accounts")
        expect(listed(page)).to_have_text(names(site.ask("accounts", limit=50)))
        page.get_by_label(label).select_option(choice)
        expect(listed(page)).to_have_text(names(site.ask("accounts", limit=50, **query)))
        assert page.url.endswith(f"?{urlencode(query)}")


def test_an_address_with_several_choices_shows_the_same_to_whoever_opens_it(page: Page, site: Site):
    page.goto("/#/accounts?stage=engaged&tier=tier_3&sort=changed")
    expect(listed(page)).to_have_text(names(site.ask("accounts", stage="engaged", tier="tier_3", sort="changed")))
    expect(page.get_by_label("Stage")).to_have_value("engaged")
    expect(page.get_by_label("Order")).to_have_value("changed")


def test_text_and_points_narrow_the_list_together(page: Page, site: Site):
    page.goto("/#/accounts")
    page.get_by_label("Name, domain or CRM id").fill("RIDGE")
    page.get_by_label("Points at least").fill("1.5")
    page.keyboard.press("Enter")
    wanted = names(site.ask("accounts", text="ridge", min_score=1500))
    assert 0 < len(wanted) < len(names(site.ask("accounts", text="ridge")))
    expect(listed(page)).to_have_text(wanted)


def test_accounts_without_an_owner_can_be_asked_for(page: Page, site: Site):
    page.goto("/#/accounts")
    page.get_by_label("Owner").select_option("nobody")
    expect(listed(page)).to_have_text(names(site.ask("accounts", owner="")))


def test_where_nothing_matches_the_page_says_so(page: Page):
    page.goto("/#/accounts?text=zzzzzz")
    expect(page.locator("main")).to_contain_text("No account matches all of these.")
    page.get_by_role("link", name="Clear").click()
    expect(listed(page).first).to_be_visible()


def test_a_rung_that_is_none_is_said_in_the_words_of_the_api(page: Page):
    page.goto("/#/accounts?stage=nowhere")
    expect(page.locator("main")).to_contain_text("is no rung of rulebook")
    expect(page.get_by_role("heading", level=1)).to_have_text("This cannot be shown")


def test_points_that_are_no_number_are_said_as_they_stand_in_the_address(page: Page):
    page.goto("/#/accounts?min_score=abc")
    expect(page.get_by_role("heading", level=1)).to_have_text("This cannot be shown")
    expect(page.locator("main")).to_contain_text("min_score = abc: must be a number of points, such as 12.5")
    expect(page.locator("main")).not_to_contain_text("NaN")


def test_the_next_page_goes_on_and_back_leads_to_the_same_height(page: Page, site: Site):
    first, second, *_ = pages(site)
    page.goto("/#/accounts")
    expect(listed(page)).to_have_text(first)
    page.get_by_role("link", name="Next 50").click()
    expect(listed(page)).to_have_text(second)
    page.go_back()
    expect(listed(page)).to_have_text(first)
    page.wait_for_function("scrollY > 500")


def test_back_from_an_account_leads_to_the_list_as_it_was(page: Page, site: Site):
    page.goto("/#/accounts?tier=tier_3")
    wanted = names(site.ask("accounts", tier="tier_3", limit=50))
    listed(page).nth(5).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(wanted[5])
    page.go_back()
    expect(listed(page)).to_have_text(wanted)
    expect(page.get_by_label("Tier")).to_have_value("tier_3")
