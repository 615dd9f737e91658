"""The page on a phone, by keyboard, in light and dark; small and steady."""

import re
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.streams.page.conftest import DESKTOP, PHONE, Site, open_view, watch

VIEWS = ("#/", "#/accounts", "#/accounts/harbourpay.example", "#/dead-letters", "#/reports?name=stricter.html", "#/token")
ENOUGH = 4.5  # contrast of text, WCAG 2 AA
FIRST_VIEW = 50_000  # bytes, what it asks the API for included

TOO_FAINT = """
(enough) => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = (colour) => {
    const shares = [...rgba(colour)].map((each) => each / 255);
    const [red, green, blue] = shares.map((share) => (share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element) => {
    while (element && rgba(getComputedStyle(element).backgroundColor)[3] === 0) element = element.parentElement;
    return light(element ? getComputedStyle(element).backgroundColor : "white");
  };
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  while (words.nextNode()) {
    const { parentElement: element, textContent: text } = words.currentNode;
    if (!text.trim() || !element.checkVisibility()) continue;
    const own = light(element instanceof SVGElement ? getComputedStyle(element).fill : getComputedStyle(element).color);
    const [low, high] = [own, behind(element)].sort((one, other) => one - other);
    if ((high + 0.05) / (low + 0.05) < enough) faint.push(text);
  }
  return faint;
}
"""


CUT_OFF = """
[...document.querySelectorAll("main :is(td, th, p, li)")]
  .filter((each) => each.checkVisibility() && each.getBoundingClientRect().right > innerWidth)
  .map((each) => each.textContent)
"""


@pytest.fixture(params=["light", "dark"])
def coloured(browser: Browser, site: Site, request: pytest.FixtureRequest) -> Iterator[Page]:
    scheme: Literal["light", "dark"] = request.param
    context = browser.new_context(viewport=DESKTOP, base_url=site.address, color_scheme=scheme)
    yield context.new_page()
    context.close()


def test_every_text_stands_out_enough_in_light_and_in_dark(coloured: Page):
    for view in VIEWS:
        open_view(coloured, view)
        assert coloured.evaluate(TOO_FAINT, ENOUGH) == [], view


def test_dark_is_dark(browser: Browser, site: Site):
    context = browser.new_context(base_url=site.address, color_scheme="dark")
    page = context.new_page()
    page.goto("/")
    expect(page.locator("body")).to_have_css("background-color", "rgb(17, 22, 29)")
    context.close()


def test_no_view_is_wider_than_a_phone(browser: Browser, site: Site):
    context = browser.new_context(viewport=PHONE, base_url=site.address, has_touch=True, is_mobile=True)
    page = context.new_page()
    wrong = watch(page)
    for view in VIEWS:
        open_view(page, view)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], view
        assert page.evaluate(CUT_OFF) == [], view
    context.close()
    assert wrong == []


def test_on_a_phone_an_account_of_the_list_is_a_card_with_its_labels(browser: Browser, site: Site):
    context = browser.new_context(viewport=PHONE, base_url=site.address)
    page = context.new_page()
    page.goto("/#/accounts")
    card = page.locator("#accounts tbody tr").first
    label = card.locator("td").first.evaluate("(cell) => getComputedStyle(cell, '::before').content")
    assert label.startswith('"Stage')
    expect(page.locator("#accounts thead")).to_be_hidden()
    context.close()


def test_everything_can_be_reached_by_keyboard(page: Page):
    open_view(page, "#/")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("customer")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_attribute("name", "text")
    for _ in range(7):
        page.keyboard.press("Tab")
    expect(page.locator("#accounts tbody th a").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Day to explain")).to_be_focused()
    expect(page.get_by_label("Day to explain")).to_have_attribute("aria-valuetext", re.compile("points"))


def test_what_has_the_focus_is_outlined(page: Page):
    open_view(page, "#/")
    for _ in range(4):
        page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_css("outline-style", "solid")
    expect(page.locator(":focus")).to_have_css("outline-width", "3px")


def test_choosing_by_keyboard_keeps_the_focus_where_it_was(page: Page):
    page.goto("/#/accounts")
    tier = page.get_by_label("Tier")
    tier.focus()
    tier.select_option("tier 3")
    page.wait_for_url("**/#/accounts?tier=tier_3")
    expect(page.locator("caption")).to_contain_text("account")
    expect(page.get_by_label("Tier")).to_be_focused()


def test_every_table_says_what_it_is_of_and_every_row_names_itself(page: Page):
    for view in VIEWS:
        open_view(page, view)
        tables = page.locator("main table")
        for table in tables.all():
            expect(table.locator("caption")).not_to_be_empty()
            assert table.locator("tbody tr").count() == table.locator("tbody tr > th[scope=row]").count()
        assert page.locator("main, nav, header").count() == 3


def test_the_first_view_is_small(page: Page):
    sizes: list[int] = []
    page.on("response", lambda answer: sizes.append(len(answer.body())))
    open_view(page, "#/")
    page.wait_for_load_state("networkidle")
    assert 0 < sum(sizes) < FIRST_VIEW


def test_nothing_jumps_while_a_view_comes(page: Page):
    page.add_init_script(
        "window.shifts = []; new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map((each) => each.value)))"
        ".observe({ type: 'layout-shift', buffered: true })"
    )
    for view in VIEWS:
        open_view(page, view)
        page.evaluate("new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)))")
        assert sum(page.evaluate("window.shifts")) < 0.02, view
