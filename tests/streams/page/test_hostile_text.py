"""Whatever comes from outside shows as text, and does nothing."""

import asyncio
from collections.abc import Iterator
from urllib.parse import quote

import msgspec
import pytest
from playwright.sync_api import Page, expect

from engagement.account import Pin, decode, encode
from engagement.changes import TierChange
from engagement.contacts import ContactRow
from engagement.days import parse_day
from engagement.profile import profile
from streams.profiles.memory import MemoryStore
from streams.profiles.store import Account, Batch, Change
from streams.serve.letters import Letter, Source
from streams.serve.serving import Serving
from streams.serve.tokens import Tokens
from tests.streams.histories import JUDGE
from tests.streams.page.conftest import PHONE, Site, StoreThatMayBeAway, open_view
from tests.streams.served import PEOPLE, TOKENS, SomeLetters, Told, filled_store, served

IMAGE = "<img src=x onerror=\"alert('image')\">"
SCRIPT = "</textarea></script><script>alert('script')</script>"
ADDRESS = "javascript:alert('address')"
QUOTES = "\"'><svg onload=alert('quotes')>"
LONG = "w" * 250
TURNED = "\u202eexe.txt\u0000\u2066"
NAMES = (IMAGE, SCRIPT, ADDRESS, QUOTES, LONG, TURNED)
ACCOUNTS = tuple(text.replace("/", "|") for text in NAMES)  # an address of the API has its own meaning for a slash
LETTERS = SomeLetters(
    [
        Letter(
            place=f"0/{number}",
            reason=text,
            source=Source(topic=text, partition=0, offset=number),
            received_at="2025-01-01T00:00:00.000Z",
            retried=False,
            no_retry=text,
            detail=text,
            key=text,
            original=text,
        )
        for number, text in enumerate(NAMES)
    ]
)


async def hostile_store() -> MemoryStore:
    """Accounts of which everything that people or producers word is hostile, their names too."""
    store = await filled_store()
    kept = await store.account("harbourpay.example")
    told = await store.timeline("harbourpay.example")
    assert kept is not None
    place = (await store.places())[source := f"accounts-changelog/{kept.partition}"]
    changes_place = (await store.places())[changes_source := f"tier-changes/{kept.partition}"]
    accounts, changes, contacts = [], list[tuple[str, Change]](), dict[str, bytes | None]()
    for number, (text, account) in enumerate(zip(NAMES, ACCOUNTS, strict=True)):
        row = decode(kept.row)
        state = row.state
        state.name = state.owner = state.crm_id = state.region = text
        state.attributes |= {"industry": text, "uses": [text, text]}
        person = sorted(state.roles)[number % len(state.roles)]
        state.roles[person] = text
        state.topics[text] = {day: cells for topic in state.topics.values() for day, cells in topic.items()}
        state.pins["stage"] = Pin("mqa", text, text, None)
        contacts[person] = msgspec.json.encode(ContactRow(email=text, account=text, name=text, role=text))
        told_of = profile(account, state, parse_day(kept.profile.day), JUDGE)
        accounts.append(Account(profile=told_of, row=encode(row), applied=kept.applied, partition=kept.partition))
        moved = msgspec.structs.replace(msgspec.json.decode(told[-1].body, type=TierChange), account=account, owner=text)
        changes.append((account, Change(offset=changes_place + len(changes), mode="live", body=msgspec.json.encode(moved))))
    await store.take(
        [
            Batch(source=source, start=place, stop=place + len(accounts), accounts=accounts),
            Batch(source=changes_source, start=changes_place, stop=changes_place + len(changes), changes=changes),
            Batch(source="contacts/0", start=0, stop=1, contacts=contacts),
        ]
    )
    return store


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    store, updates = StoreThatMayBeAway(asyncio.run(hostile_store())), Told()
    with served(Serving(store=store, tokens=Tokens(TOKENS), letters=LETTERS, updates=updates, rate=10_000)) as address:
        yield Site(address, address, store, updates)


@pytest.fixture
def page(page: Page) -> Page:
    """With a token that may see all."""
    page.add_init_script(f"if (origin !== 'null') sessionStorage.setItem('mqa-token', '{PEOPLE}')")
    return page


def only_text(page: Page) -> None:
    """No element came in with a text, and nothing leads elsewhere."""
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.locator("main :is(img, script, svg:not(.trend), textarea, [onload], [onerror])").count() == 0
    assert page.evaluate("[...document.links].every((link) => link.origin === location.origin)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_account_shows_every_text_as_it_was_written(page: Page):
    for account, text in zip(ACCOUNTS, NAMES, strict=True):
        page.goto(f"/#/accounts/{quote(account, safe='')}")
        expect(page.get_by_role("heading", level=1)).to_have_text(text)
        expect(page.locator(".facts").first).to_contain_text(text)
        expect(page.locator("main")).to_contain_text(f"by {text}")
        expect(page.get_by_role("table", name="Signals by topic")).to_contain_text(text)
        expect(page.get_by_role("table", name="Fit by criterion")).to_contain_text(text)
        expect(page.get_by_role("table", name="Who was seen")).to_contain_text(text)
        only_text(page)


def test_lists_show_every_text_as_it_was_written(page: Page):
    page.goto("/")
    expect(page.locator(".changes")).to_be_visible()
    assert set(ACCOUNTS) <= set(page.locator(".changes a").all_text_contents())
    only_text(page)
    for text in NAMES:
        page.goto(f"/#/accounts?owner={quote(text, safe='')}")
        expect(page.locator("#accounts tbody th a")).to_have_text(text)
        expect(page.get_by_label("Owner")).to_have_value(text)
        only_text(page)


def test_dead_letters_show_every_text_as_it_was_written(page: Page):
    page.goto("/#/dead-letters")
    expect(page.locator("#letters tbody tr")).to_have_count(len(NAMES))
    for number, text in enumerate(NAMES):
        row = page.locator("#letters tbody tr").nth(number)
        row.get_by_text("original").click()
        expect(row.locator("pre")).to_have_text(text)
    only_text(page)


def test_an_address_that_somebody_was_lured_to_does_nothing(page: Page):
    for place in ("accounts?text={}", "accounts?stage={}", "reports?name={}", "dead-letters?reason={}", "{}", "accounts/%"):
        open_view(page, f"#/{place.format(quote(IMAGE, safe=''))}")
        only_text(page)


def test_a_phone_shows_the_longest_name_without_growing_wider(page: Page):
    page.set_viewport_size(PHONE)
    for place in ("#/", f"#/accounts?owner={LONG}", f"#/accounts/{LONG}", "#/dead-letters"):
        open_view(page, place)
        expect(page.locator("main")).to_contain_text(LONG)
        only_text(page)
