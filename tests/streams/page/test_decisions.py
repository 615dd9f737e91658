"""What people decide by hand: asked for in a dialog, sent once, and its id shown."""

from datetime import date

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.streams.page.conftest import Site
from tests.streams.served import READER, WRITER

ACCOUNT = "harbourpay.example"


@pytest.fixture
def page(page: Page, site: Site) -> Page:
    """An account, looked at by somebody who may write."""
    return opened(page, site, WRITER)


def opened(page: Page, site: Site, token: str) -> Page:
    site.updates.updates.clear()
    page.add_init_script(f"if (origin !== 'null') sessionStorage.setItem('mqa-token', '{token}')")
    page.goto(f"{site.guarded}/#/accounts/{ACCOUNT}")
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    return page


def ask(page: Page, name: str) -> Locator:
    page.get_by_role("button", name=f"{name} …", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(ACCOUNT)
    return dialog


def test_a_pin_is_sent_and_its_id_is_shown(page: Page, site: Site):
    dialog = ask(page, "Pin")
    dialog.get_by_label("Rung").select_option("tier: tier 1")
    dialog.get_by_label("Until").fill("2030-01-31")
    dialog.get_by_label("Reason").fill("board meeting")
    dialog.get_by_role("button", name="Pin").click()
    expect(dialog.get_by_role("status")).to_contain_text("Sent as ")
    (update,) = site.updates.updates
    assert update.account == ACCOUNT
    assert update.pin is not None
    said = update.pin
    assert (said.ladder, said.rung, said.until, said.reason) == ("tier", "tier_1", date(2030, 1, 31), "board meeting")
    assert said.author == "writer"
    expect(dialog.get_by_role("status")).to_contain_text(update.id)


def test_a_suppression_a_disposition_and_a_retraction_are_sent(page: Page, site: Site):
    for name, label, choice in (
        ("Suppress", "Because its relationship is", "own staff"),
        ("Tell what sales says", "Sales has", "rejected it"),
    ):
        dialog = ask(page, name)
        dialog.get_by_label(label).select_option(choice)
        dialog.get_by_role("button", name=name).click()
        expect(dialog.get_by_role("status")).to_contain_text("Sent as ")
        dialog.get_by_role("button", name="Close").click()
    dialog = ask(page, "Take a person's signals out")
    person = site.ask(f"accounts/{ACCOUNT}")["people"]["known"][0]["person"]
    dialog.get_by_label("Person").select_option(person)
    dialog.get_by_role("button", name="Take a person's signals out").click()
    expect(dialog.get_by_role("status")).to_contain_text("Sent as ")
    suppression, disposition, retraction = site.updates.updates
    assert suppression.relationship == "own_staff"
    assert disposition.disposition is not None
    assert disposition.disposition.status == "rejected"
    assert retraction.retract is not None
    assert retraction.retract.person == person


def test_a_pin_can_be_taken_off(page: Page, site: Site):
    pinned = site.ask(f"accounts/{ACCOUNT}")
    pin = {"rung": "tier_1", "computed": "tier_2", "active": True, "reason": "board", "author": "mei", "until": None}
    pinned["standings"] = [each | {"pin": pin} if each["ladder"] == "tier" else each for each in pinned["standings"]]
    page.route(f"**/api/v1/accounts/{ACCOUNT}", lambda route: route.fulfill(json=pinned))
    page.reload()
    expect(page.locator("main")).to_contain_text("Pinned to tier 1 by mei: board. By its numbers it would be tier 2.")
    dialog = ask(page, "Take the pin off tier")
    dialog.get_by_role("button", name="Take the pin off tier").click()
    expect(dialog.get_by_role("status")).to_contain_text("Sent as ")
    (update,) = site.updates.updates
    assert update.pin is not None
    assert (update.pin.ladder, update.pin.rung) == ("tier", None)


def test_what_was_not_taken_is_said_and_sent_again_under_the_same_key(page: Page, site: Site):
    keys: list[str | None] = []
    page.on("request", lambda request: keys.append(request.headers.get("idempotency-key")) if request.method == "POST" else None)
    problem = {"title": "Service Unavailable", "status": 503, "detail": "Kafka does not answer; send it again"}
    page.route("**/disposition", lambda route: route.fulfill(status=503, json=problem), times=1)
    dialog = ask(page, "Tell what sales says")
    dialog.get_by_label("Sales has").select_option("accepted it")
    send = dialog.get_by_role("button", name="Tell what sales says")
    send.click()
    expect(dialog.get_by_role("status")).to_have_text("Not sent: Kafka does not answer; send it again")
    send.click()
    expect(dialog.get_by_role("status")).to_contain_text("Sent as ")
    expect(send).to_be_disabled()
    assert len(site.updates.updates) == 1
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_escape_leaves_the_dialog_and_sends_nothing(page: Page, site: Site):
    page.get_by_role("button", name="Pin …").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Pin …")).to_be_focused()
    assert site.updates.updates == []


def test_who_may_only_read_is_offered_nothing_to_decide(browser, site: Site):
    page = opened(browser.new_context().new_page(), site, READER)
    expect(page.get_by_role("heading", name="Decide by hand")).to_have_count(0)
    page.context.close()
