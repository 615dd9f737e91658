"""Input events: what producers send. One pydantic model a family; JSON Schemas and the fast decoders derive from these.

Unknown optional fields are kept by Kafka and ignored here; an unknown major ``schema_version`` is a dead letter. What stands below a field
is its description in the JSON Schema.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

LONGEST_NAME = 256  # characters
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Text = Annotated[str, Field(max_length=4096)]
Whole = Annotated[int, Field(ge=0, le=2**53)]  # what every JSON reader holds exactly
Attribute = bool | Annotated[int, Field(ge=-(2**53), le=2**53)] | Annotated[float, Field(allow_inf_nan=False)] | Text | list[Text] | None


class Family(StrEnum):
    """The three input families; the value is the topic's short name."""

    WEB_VISITS = "web-visits"
    INTENT_SIGNALS = "intent-signals"
    ACCOUNT_UPDATES = "account-updates"


class _Said(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, use_attribute_docstrings=True)


class Event(_Said):
    """What every event carries."""

    schema_version: Literal[1] = 1
    """Another number is another meaning: such an event is a dead letter."""
    id: Name
    """Unique within the event's family. The same id counts once within 24 hours."""
    occurred_at: AwareDatetime
    """When it happened, in ISO 8601 with an offset (or Z)."""


class WebVisit(Event):
    """First party. Kafka key: ``visitor_id``.

    A ``page_view``, which may be an act on the page with a ``kind`` of its own (a form begun, a video, a download); an ``identify``, which
    says by ``email`` or ``account`` who the visitor is; an ``unlink``, which takes that back; or a ``forget``, by which all that is
    remembered of the visitor goes, and what counted by it no longer does.
    """

    type: Literal["page_view", "identify", "unlink", "forget"] = "page_view"
    """What it is; see above."""
    visitor_id: Name
    """Your own name of the browser or device, the same in all of its visits."""
    url: Text | None = None
    """Of the page; a path alone will do."""
    kind: Name | None = None
    """Of an act that no URL tells; else the rulebook has it by the URL."""
    referrer: Text | None = None
    """URL of the page before."""
    user_agent: Text | None = None
    """Of the browser: by it robots are known."""
    ip: Name | None = None
    """The visitor's address: by it networks of companies are known."""
    account: Name | None = None
    """Domain of the account, where the producer knows it."""
    email: Name | None = None
    """Of the visitor, where the producer knows it."""
    role: Name | None = None
    """What the person is at the account, as the rulebook's roles have it."""
    seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None
    """How long the act took."""
    dnt: bool | None = None
    """Do Not Track was asked for."""
    gpc: bool | None = None
    """Global Privacy Control was asked for."""


class IntentSignal(Event):
    """Third-party intent, forms, ads, e-mail, events, sales touches. Kafka key: account domain or e-mail."""

    kind: Name
    """One of the rulebook's signals."""
    sent_at: AwareDatetime | None = None
    """Of a click or an opening: when that mail was sent."""
    account: Name | None = None
    """Domain of the account, where the producer knows it."""
    email: Name | None = None
    """Of the person."""
    visitor_id: Name | None = None
    """Of the browser, as web visits have it."""
    role: Name | None = None
    """What the person is at the account, as the rulebook's roles have it."""
    topic: Name | None = None
    """What the intent is about, where the kind has topics."""
    score: Annotated[int, Field(ge=0, le=100)] | None = None
    """The provider's own, 0-100."""
    seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None
    """How long the act took."""
    provider: Name | None = None
    """Whose observation it is."""


class Contact(_Said):
    """A member of the buying committee."""

    email: Name
    """Names the person."""
    role: Name | None = None
    """What the person is at the account, as the rulebook's roles have it."""
    name: Name | None = None
    """In clear; kept in the topic `contacts` alone."""


class Disposition(_Said):
    """What sales said about the account."""

    status: Literal["accepted", "rejected", "recycled"]
    """Taken on, turned down, or given back to be nurtured."""
    author: Name | None = None
    """Who decided."""
    reason: Text | None = None
    """Why, in words."""


class Opportunity(_Said):
    """A deal as the CRM has it. An account may have several; each is known by ``id``."""

    id: Name
    """The CRM's."""
    stage: Literal["open", "won", "lost"]
    """How it stands."""
    amount: Whole | None = None
    """Whole units of the company's currency."""


class Pin(_Said):
    """A person's decision: the account stands on this rung through the day ``until``, whatever the numbers say."""

    ladder: Name
    """`stage` or `tier`, or another of the rulebook's."""
    rung: Name | None = None
    """Null takes the pin off."""
    reason: Text | None = None
    """Why, in words."""
    author: Name | None = None
    """Who decided."""
    until: date | None = None
    """The last day on which it holds; without one it holds until it is taken off."""


class RetractedEvent(_Said):
    """An event as it was counted: what is to be taken out of the account again."""

    id: Name
    """The event's."""
    occurred_at: AwareDatetime
    """The event's."""
    kind: Name | None = None
    """Under which it was counted."""
    url: Text | None = None
    """Of a page view, instead of its kind."""
    email: Name | None = None
    """The person's, or the keyed hash as the log has it."""
    topic: Name | None = None
    """The event's."""
    seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None
    """The event's."""


class Retraction(_Said):
    """What should never have counted: everything a person did so far, or single events."""

    person: Name | None = None
    """All that this one did so far: an e-mail address, or the person's keyed hash as the log has it."""
    events: list[RetractedEvent] = []
    """Single ones."""
    reason: Text | None = None
    """Why, in words."""
    author: Name | None = None
    """Who decided."""


class AccountUpdate(Event):
    """What is known about an account, and what people decided. A field that is absent stays; ``null`` clears it.

    Kafka key: the account's domain.
    """

    account: Name
    """Its domain."""
    crm_id: Name | None = None
    """The CRM's; tier changes say it."""
    name: Name | None = None
    """The company's."""
    domains: list[Name] | None = None
    """Further ones, for the record: whose signals are whose, the rulebook's `aliases` say."""
    owner: Name | None = None
    """Who looks after it; tier changes say it."""
    region: Name | None = None
    """Tier changes say it."""
    strategic: bool | None = None
    """A logo that one wants whatever it brings."""
    listed_tier: Annotated[int, Field(ge=1, le=3)] | None = None
    """On which list of target accounts it stands: 1 is one-to-one."""
    expected_ltv: Whole | None = None
    """Lifetime value in whole units of the company's currency."""
    attributes: dict[Name, Attribute] | None = None
    """What fit looks at. Merged key by key; a null attribute is forgotten."""
    relationship: Name | None = None
    """prospect, customer, competitor, partner, own_staff, ..."""
    disposition: Disposition | None = None
    """What sales decided."""
    opportunity: Opportunity | None = None
    """One deal; the others stay as they are."""
    contacts: list[Contact] | None = None
    """Added to those known."""
    pin: Pin | None = None
    """Null takes all pins off."""
    retract: Retraction | None = None
    """What should never have counted."""


MODELS: dict[Family, type[Event]] = {
    Family.WEB_VISITS: WebVisit,
    Family.INTENT_SIGNALS: IntentSignal,
    Family.ACCOUNT_UPDATES: AccountUpdate,
}

KEY_FIELDS = {
    Family.WEB_VISITS: ("visitor_id",),
    Family.INTENT_SIGNALS: ("account", "email", "visitor_id"),
    Family.ACCOUNT_UPDATES: ("account",),
}
"""The fields of an event that its Kafka key is taken from, the best first."""


def key_of(family: Family, event: Any) -> str | None:
    """Give the key that an event belongs under; None where it has none of `KEY_FIELDS`. ``event``: of any decoder."""
    said = (getattr(event, field) for field in KEY_FIELDS[family])
    return next((text for text in said if text is not None), None)
