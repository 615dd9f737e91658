"""What the page says when it cannot show the truth, and how it comes back; tokens."""

from collections.abc import Iterator
from time import sleep

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from streams.serve.serving import MOMENT_SECONDS
from tests.streams.page.conftest import Site
from tests.streams.served import READER

PAUSE = 15_000  # ms between two readings


@pytest.fixture
def page(page: Page, site: Site) -> Iterator[Page]:
    """With a clock that a test moves, and a store that is there again afterwards."""
    page.clock.install()
    yield page
    site.store.is_away = False


def take_away(site: Site) -> None:
    site.store.is_away = True
    sleep(MOMENT_SECONDS)  # until then whoever asks the same gets the same


def test_while_the_store_is_away_what_was_known_stays_and_says_since_when(page: Page, site: Site):
    page.goto("/")
    expect(page.locator(".changes li")).to_have_count(12)
    take_away(site)
    page.clock.run_for(PAUSE)
    expect(page.get_by_role("alert")).to_contain_text("The store of profiles does not answer")
    expect(page.get_by_role("alert")).to_contain_text("What you see is what was known at")
    expect(page.locator(".changes li")).to_have_count(12)
    site.store.is_away = False
    page.clock.run_for(PAUSE)
    expect(page.get_by_role("alert")).to_be_empty()


def test_a_page_that_is_opened_while_the_store_is_away_shows_itself_once_it_is_back(page: Page, site: Site):
    take_away(site)
    page.goto("/#/accounts")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing to show yet")
    expect(page.get_by_role("alert")).to_contain_text("The store of profiles does not answer")
    site.store.is_away = False
    page.clock.run_for(PAUSE)
    expect(page.get_by_role("heading", level=1)).to_have_text("Accounts")


def test_a_server_that_is_gone_is_said_so(page: Page):
    page.goto("/")
    expect(page.locator(".changes li")).to_have_count(12)
    page.route("**/api/**", lambda route: route.abort())
    page.clock.run_for(PAUSE)
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")


def test_while_profiles_are_rebuilt_the_page_says_that_numbers_are_not_complete(page: Page, site: Site):
    def half(route: Route) -> None:
        route.fulfill(json=site.ask("overview") | {"is_complete": False, "accounts": 7})

    page.goto("/")
    expect(page.get_by_role("status")).to_contain_text("profiles are complete")
    page.route("**/api/v1/overview", half)
    page.clock.run_for(PAUSE)
    expect(page.get_by_role("status")).to_contain_text("being rebuilt, numbers are not complete yet")
    expect(page.get_by_role("heading", level=1)).to_have_text("7 accounts")


def test_the_page_says_as_of_which_day_it_is(page: Page, site: Site):
    page.goto("/#/dead-letters")
    expect(page.get_by_role("status")).to_contain_text(f"As of {site.ask('overview')['day']}")


def test_reading_anew_leaves_the_reader_where_they_were(page: Page, site: Site):
    page.goto("/#/accounts/harbourpay.example")
    slider = page.get_by_label("Day to explain")
    slider.fill("40")
    slider.focus()
    page.get_by_text("The same as a table").click()
    slider.focus()
    changed = site.ask("accounts/harbourpay.example") | {"sentence": "Something new."}
    page.route("**/api/v1/accounts/harbourpay.example", lambda route: route.fulfill(json=changed))
    page.clock.run_for(PAUSE)
    expect(page.locator(".gist")).to_have_text("Something new.")
    expect(slider).to_have_value("40")
    expect(slider).to_be_focused()
    expect(page.get_by_role("table", name="Score by day")).to_be_visible()


def test_nothing_is_read_while_nobody_looks(page: Page):
    page.goto("/")
    expect(page.locator(".changes li")).to_have_count(12)
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(4 * PAUSE)
    assert asked == []
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    with page.expect_request("**/api/v1/overview"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_a_guarded_page_asks_for_a_token_and_goes_on_where_one_wanted_to(page: Page, site: Site):
    page.goto(f"{site.guarded}/#/accounts?tier=tier_2")
    expect(page.locator("main")).to_contain_text("for people who have a token")
    page.get_by_label("Token", exact=True).fill("not-one-of-the-tokens")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("The token of this tab does not do")
    page.get_by_label("Token", exact=True).fill(READER)
    page.keyboard.press("Enter")
    expect(page.locator("#accounts")).to_be_visible()
    expect(page.get_by_role("navigation")).to_contain_text("reader")


def test_a_token_stays_in_its_tab_and_can_be_forgotten(page: Page, site: Site):
    page.goto(site.guarded)
    page.get_by_label("Token", exact=True).fill(READER)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="reader").click()
    expect(page.locator("main")).to_contain_text("which may: read")
    other = page.context.new_page()
    other.goto(site.guarded)
    expect(other.get_by_label("Token", exact=True)).to_be_visible()
    assert page.evaluate("localStorage.length + document.cookie.length") == 0
    page.get_by_role("button", name="Forget it").click()
    expect(page.get_by_label("Token", exact=True)).to_be_visible()


def test_every_part_of_the_page_is_sent_with_its_policy(site: Site):
    for path in ("/", "/static/main.js", "/static/page.css", "/static/views/account.js", "/static/icon.svg"):
        answer = httpx.get(f"{site.address}{path}")
        assert answer.status_code == 200, path
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")


def test_a_part_of_the_page_that_a_browser_has_is_asked_for_again_and_not_sent_twice(site: Site):
    for path in ("/", "/static/main.js", "/static/account/score.js"):
        first = httpx.get(f"{site.address}{path}")
        assert first.headers["cache-control"] in {"no-cache", "private, no-cache"}
        again = httpx.get(f"{site.address}{path}", headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == 304


@pytest.mark.parametrize("place", ["nowhere", "__proto__", "constructor", "toString/x?y=z"])
def test_an_address_of_no_view_is_said_so_whatever_it_is_called(page: Page, place: str):
    page.goto(f"/#/{place}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not found")
    expect(page.locator("main")).to_contain_text("There is no such view here.")
