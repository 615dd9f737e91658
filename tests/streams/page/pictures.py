"""Make the pictures of the page that the documentation shows, of a simulated history.

python -m tests.streams.page.pictures
"""

import asyncio
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from streams.serve.serving import Serving
from tests.streams.page.conftest import CHROMIUM, FLAGS, found_first, open_view
from tests.streams.served import LETTERS, Told, filled_store, served

FOLDER = Path(__file__).parents[3] / "docs" / "images"
ACCOUNT = "harbourpay.example"
QUALIFIED = "2025-01-29"


def main() -> None:
    store = asyncio.run(filled_store(accounts=300, days=92))
    chromium = found_first(CHROMIUM)
    assert chromium is not None, "install chromium"
    serving = Serving(store=store, letters=LETTERS, updates=Told())
    with served(serving) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(base_url=address, viewport={"width": 1100, "height": 728})
        open_view(page, "#/")
        page.screenshot(path=FOLDER / "overview.png")
        open_view(page, f"#/accounts/{ACCOUNT}")
        point_at(page, QUALIFIED)
        page.set_viewport_size({"width": 1100, "height": 830})
        page.screenshot(path=FOLDER / "account.png")
        browser.close()


def point_at(page: Page, day: str) -> None:
    """Have the chart explain one day."""
    days = page.locator("#trend-table tbody th").all_text_contents()
    slider = page.get_by_label("Day to explain")
    slider.fill(str(len(days) - 1 - days.index(day)))
    slider.blur()


if __name__ == "__main__":
    main()
