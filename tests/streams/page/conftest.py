"""The page in a real Chromium, over an API that serves a simulated history."""

import asyncio
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from engagement.account import decode
from engagement.contacts import ContactRow
from streams.profiles.memory import MemoryStore
from streams.profiles.store import Batch, StoreUnavailable
from streams.serve.serving import Serving
from streams.serve.tokens import Tokens
from tests.streams.served import LETTERS, PEOPLE, TOKENS, Told, filled_store, served

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",  # tests run as root in a container
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
REPORT = "<style>h1{color:#a00}</style><h1>Stricter</h1><script>parent.document.title = 'reached'</script>"
NOTICE = "addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`))"


class StoreThatMayBeAway:
    """A store that stops answering when a test says so."""

    def __init__(self, store: MemoryStore) -> None:
        self.store, self.is_away = store, False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)

        async def asked(*arguments: Any) -> Any:
            if self.is_away:
                raise StoreUnavailable("redis://127.0.0.1:6379: connection refused")
            return await found(*arguments)

        return asked


@dataclass
class Site:
    """What the page is served from."""

    address: str
    guarded: str  # the same store, for those with a token alone
    store: StoreThatMayBeAway
    updates: Told

    def ask(self, path: str, **query: Any) -> Any:
        """What the API says to somebody who may see all."""
        answer = httpx.get(f"{self.guarded}/api/v1/{path}", params=query, headers={"Authorization": f"Bearer {PEOPLE}"})
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    reports = tmp_path_factory.mktemp("reports")
    (reports / "stricter.html").write_text(
        "<style>h1{color:#a00}</style><h1>Stricter</h1><script>parent.document.title = 'reached'</script>"
    )
    (reports / "moves.csv").write_text("account,from,to\nacme.com,aware,engaged\n")
    store, updates = StoreThatMayBeAway(asyncio.run(_store())), Told()
    with (
        served(_serving(store, updates, reports, Tokens())) as address,
        served(_serving(store, updates, reports, Tokens(TOKENS))) as guarded,
    ):
        yield Site(address, guarded, store, updates)


async def _store() -> MemoryStore:
    """A simulated history, and a contact list that knows one of its people."""
    store = await filled_store(accounts=120)  # three pages of a list; one account has no owner
    account = await store.account("harbourpay.example")
    assert account is not None
    person = min(decode(account.row).state.roles)
    row = ContactRow(email="mei@harbourpay.example", account="harbourpay.example", name="Mei Tan", role="vp")
    await store.take([Batch(source="contacts/0", start=0, stop=1, contacts={person: msgspec.json.encode(row)})])
    return store


def _serving(store: Any, updates: Told, reports: Path, tokens: Tokens) -> Serving:
    return Serving(store=store, tokens=tokens, letters=LETTERS, updates=updates, reports=reports, rate=10_000)


def found_first(names: Sequence[str]) -> str | None:
    """The first of these programs that is on the path."""
    return next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="module")
def browser(site: Site) -> Iterator[Browser]:  # noqa: ARG001 - after it: playwright keeps this thread's event loop for itself
    found = found_first(CHROMIUM)
    if found is None:
        message = "`chromium` is not on the path; install it with `sudo apt-get install chromium`"
        if os.environ.get("CI"):
            pytest.fail(f"no test may go without a browser here: {message}")
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def context(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    """What the tabs of one file share: a desktop's size, and what was loaded once."""
    context = browser.new_context(viewport=DESKTOP, base_url=site.address)
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab of its own; the test fails where the page had an error, opened a dialog, or broke its policy."""
    page = context.new_page()
    page.add_init_script(NOTICE)
    wrong = watch(page)
    yield page
    page.close()
    assert wrong == []


def open_view(page: Page, place: str) -> None:
    """Open a view as if by a link from elsewhere, and wait until it stands."""
    page.goto("about:blank")
    page.goto(f"/{place}")
    expect(page.locator("main h1")).to_be_visible()


def watch(page: Page) -> list[str]:
    """Gather what must not happen."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda message: wrong.append(message.text) if _is_ours(message.type, message.text) else None)

    def dismissed(dialog: Any) -> None:
        wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", dismissed)
    return wrong


def _is_ours(kind: str, text: str) -> bool:
    """Chromium also notes answers that are errors, which some tests want, and a report's script that it did not run."""
    return kind == "error" and not text.startswith(("Failed to load resource", "Blocked script execution"))
