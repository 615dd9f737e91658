"""The public topics, and what a record of each is: the rows of the contract."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from engagement.contacts import CONTACTS
from engagement.events import Family
from streams.contracts import payloads
from streams.contracts.payloads import Schema
from streams.topics import DEAD_LETTERS, FILTERED_EVENTS, TIER_CHANGES, TOPICS, TopicSettings

Written = Literal["producers", "mqa"]
"""Who writes it. Where producers do, all that was accepted stays so; where mqa does, what subscribers read stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What lies in one public topic."""

    topic: str  # short name
    written_by: Written
    title: str
    summary: str
    key: str | None  # what it is; None: records have none
    headers: Callable[[], Schema] = payloads.no_headers
    payload: Callable[[], Schema] | None  # None: any bytes
    content_type: str = "application/json"

    @property
    def settings(self) -> TopicSettings:
        """Of its topic."""
        (found,) = [each for each in TOPICS if each.short == self.topic]
        return found


def _input(family: Family, title: str, summary: str, key: str) -> Message:
    return Message(
        topic=family.value,
        written_by="producers",
        title=title,
        summary=summary,
        key=key,
        headers=payloads.input_headers,
        payload=partial(payloads.event, family),
    )


MESSAGES: tuple[Message, ...] = (
    _input(Family.WEB_VISITS, "Web visit", "A page view, an act on a page, or who a visitor is.", "The visitor's id."),
    _input(
        Family.INTENT_SIGNALS,
        "Intent signal",
        "Third-party intent, forms, ads, e-mail, events, sales touches.",
        "The account's domain, else the e-mail address, else the visitor's id.",
    ),
    _input(
        Family.ACCOUNT_UPDATES,
        "Account update",
        "What is known about an account, and what people decided.",
        "The account's domain.",
    ),
    Message(
        topic=TIER_CHANGES,
        written_by="mqa",
        title="Tier change",
        summary="An account went from one rung to another, and why. Read with isolation.level=read_committed.",
        key="The account's domain: its changes come in order.",
        headers=payloads.tier_change_headers,
        payload=payloads.tier_change,
    ),
    Message(
        topic=CONTACTS,
        written_by="mqa",
        title="Contact",
        summary="Who a person is, in clear. The newest record of a key counts; one without a value: the person was forgotten.",
        key="The person's keyed hash, as the log has it.",
        payload=payloads.contact,
    ),
    Message(
        topic=DEAD_LETTERS,
        written_by="mqa",
        title="Dead letter",
        summary="What could not be used, as it came, and why.",
        key="The original's, which may have none.",
        headers=payloads.dead_letter_headers,
        payload=None,
        content_type="application/octet-stream",
    ),
    Message(
        topic=FILTERED_EVENTS,
        written_by="mqa",
        title="Filtered event",
        summary="Which event moves no account, why, and where it lies.",
        key=None,
        payload=payloads.filtered_event,
    ),
)

INTERNAL_TOPICS = tuple(each.short for each in TOPICS if each.short not in {message.topic for message in MESSAGES})
"""Short names of the topics of which nothing is promised."""
