"""Input events: what producers send. One pydantic model a family; JSON Schemas and the fast decoders derive from these.

Unknown optional fields are kept by Kafka and ignored here; an unknown major ``schema_version`` is a dead letter.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=256)]
Text = Annotated[str, Field(max_length=4096)]
Whole = Annotated[int, Field(ge=0, le=2**53)]  # what every JSON reader holds exactly
Attribute = bool | Annotated[int, Field(ge=-(2**53), le=2**53)] | Annotated[float, Field(allow_inf_nan=False)] | Text | list[Text] | None


class Family(StrEnum):
    """The three input families; the value is the topic's short name."""

    WEB_VISITS = "web-visits"
    INTENT_SIGNALS = "intent-signals"
    ACCOUNT_UPDATES = "account-updates"


class Event(BaseModel):
    """What every event carries. ``id`` is unique within its family; ``occurred_at`` is event time with an offset."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    schema_version: Literal[1] = 1
    id: Name
    occurred_at: AwareDatetime


class WebVisit(Event):
    """First party. Kafka key: ``visitor_id``.

    A ``page_view``; an ``identify``, which says by ``email`` or ``account`` who the visitor is; or an ``unlink``, which takes that back.
    """

    type: Literal["page_view", "identify", "unlink"] = "page_view"
    visitor_id: Name
    url: Text | None = None
    referrer: Text | None = None
    user_agent: Text | None = None
    ip: Name | None = None
    account: Name | None = None  # a domain, where the producer knows it
    email: Name | None = None
    role: Name | None = None
    seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None
    dnt: bool | None = None  # Do Not Track was asked for
    gpc: bool | None = None  # likewise Global Privacy Control


class IntentSignal(Event):
    """Third-party intent, forms, ads, e-mail, events, sales touches. Kafka key: account domain or e-mail."""

    kind: Name
    sent_at: AwareDatetime | None = None  # of a click or an opening: when that mail was sent
    account: Name | None = None
    email: Name | None = None
    visitor_id: Name | None = None
    role: Name | None = None
    topic: Name | None = None
    score: Annotated[int, Field(ge=0, le=100)] | None = None
    seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None
    provider: Name | None = None


class Contact(BaseModel):
    """A member of the buying committee."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    email: Name
    role: Name | None = None
    name: Name | None = None


class Disposition(BaseModel):
    """What sales said about the account."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    status: Literal["accepted", "rejected", "recycled"]
    author: Name | None = None
    reason: Text | None = None


class Opportunity(BaseModel):
    """A deal as the CRM has it. An account may have several; each is known by ``id``."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    id: Name
    stage: Literal["open", "won", "lost"]
    amount: Whole | None = None


class Pin(BaseModel):
    """A person's decision: the account stands on this rung through the day ``until``, whatever the numbers say."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    ladder: Name
    rung: Name | None = None  # None takes the pin off
    reason: Text | None = None
    author: Name | None = None
    until: date | None = None


class RetractedEvent(BaseModel):
    """An event as it was counted: what is to be taken out of the account again."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    id: Name
    occurred_at: AwareDatetime
    kind: Name | None = None
    url: Text | None = None  # of a page view, instead of its kind
    email: Name | None = None  # or the person's keyed hash as the log has it
    topic: Name | None = None
    seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None


class Retraction(BaseModel):
    """What should never have counted: everything a person did so far, or single events."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    person: Name | None = None  # an e-mail address, or the person's keyed hash as the log has it
    events: list[RetractedEvent] = []
    reason: Text | None = None
    author: Name | None = None


class AccountUpdate(Event):
    """What is known about an account, and what people decided. A field that is absent stays; ``null`` clears it.

    Kafka key: the account's domain.
    """

    account: Name
    crm_id: Name | None = None
    name: Name | None = None
    domains: list[Name] | None = None
    owner: Name | None = None
    region: Name | None = None
    strategic: bool | None = None
    listed_tier: Annotated[int, Field(ge=1, le=3)] | None = None
    expected_ltv: Whole | None = None  # whole units of the company's currency
    attributes: dict[Name, Attribute] | None = None  # merged key by key; a null attribute is forgotten
    relationship: Name | None = None  # prospect, customer, competitor, partner, own_staff, ...
    disposition: Disposition | None = None
    opportunity: Opportunity | None = None
    contacts: list[Contact] | None = None  # added to those known
    pin: Pin | None = None  # null takes all pins off
    retract: Retraction | None = None


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
