"""Which of our events a company's own names mean: the section ``adapters`` of a rulebook, or a file for imports.

Everything has a default but the names of events: what a ``Demo Requested`` is, only who named it can say.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from engagement.errors import Refused
from engagement.events import Family
from engagement.parts import Name, Part, Seconds, Text
from engagement.written import explained, read_yaml, shown


class Format(StrEnum):
    """What a record may be written in beside our own events."""

    SEGMENT = "segment"
    SNOWPLOW = "snowplow"
    CLOUDEVENTS = "cloudevents"


class Person(Part):
    """Where an event says who somebody is. None: nowhere."""

    email: Text | None = None
    role: Text | None = None
    account: Text | None = None


class Details(Person):
    """Where an event says more of an intent signal."""

    topic: Text | None = None
    score: Text | None = None
    seconds: Text | None = None
    provider: Text | None = None


class Traits(Person):
    """Traits of a person in Segment's calls, in ``traits`` or ``context.traits``."""

    email: Text | None = "email"
    role: Text | None = "title"


class Properties(Details):
    """Properties of Segment's ``track`` calls."""

    email: Text | None = "email"


class Company(Part):
    """Traits in Segment's ``group`` calls: our field of an account update, and theirs."""

    account: Text = "website"
    name: Text | None = "name"
    crm_id: Text | None = None
    owner: Text | None = None
    region: Text | None = None
    relationship: Text | None = None
    attributes: dict[Text, Text] = Field(default_factory=lambda: {"industry": "industry", "employees": "employees"})


class Privacy(Part):
    """Where Segment's ``context`` says what the visitor's browser asks for. Segment itself has no place for it."""

    dnt: Text | None = None  # Do Not Track
    gpc: Text | None = None  # Global Privacy Control


class SegmentMapping(Part):
    """Names in Segment's calls."""

    events: dict[Text, Name] = Field(default_factory=dict)  # a track call's event -> kind of signal
    traits: Traits = Traits()
    properties: Properties = Properties()
    company: Company = Company()
    context: Privacy = Privacy()


class FormElements(Person):
    """Names of the elements of Snowplow's forms. An element of the type ``email`` is an e-mail address by itself."""

    email: Text | None = "email"


class SnowplowMapping(Part):
    """Names in Snowplow's enriched events. Fields are paths in the JSON of the analytics SDKs."""

    events: dict[Text, Name] = Field(default_factory=dict)  # vendor/name, or the name of a self-describing event -> kind
    struct: dict[Text, Name] = Field(default_factory=dict)  # category/action -> kind
    forms: dict[Text, Name] = Field(default_factory=dict)  # formId -> kind
    identify: tuple[Text, ...] = ()  # self-describing events that only say who a visitor is
    fields: Details = Details()
    elements: FormElements = FormElements()
    page_ping: Name | None = None  # kind; None leaves pings out
    heartbeat: Seconds = 10  # that a ping stands for


def _held(written_in: Family | Format) -> Family | Format:
    if written_in is Format.CLOUDEVENTS:
        raise ValueError("must be another: a CloudEvent that holds a CloudEvent is not read")
    return written_in


class CloudEventsMapping(Part):
    """What types of CloudEvents hold: events of a family of ours, or a format's."""

    types: dict[Text, Annotated[Family | Format, AfterValidator(_held)]] = Field(default_factory=dict)


class Mapping(Part):
    """What the names in other formats mean: which of their events are which of ours, and where they say what."""

    topics: dict[Family, Format] = Field(default_factory=dict)  # what a topic's records are written in; not here: our own events
    segment: SegmentMapping = SegmentMapping()
    snowplow: SnowplowMapping = SnowplowMapping()
    cloudevents: CloudEventsMapping = CloudEventsMapping()

    def kinds(self) -> dict[str, str]:
        """Every kind that is named, by the path that names it."""
        named = {
            "segment.events": self.segment.events,
            "snowplow.events": self.snowplow.events,
            "snowplow.struct": self.snowplow.struct,
            "snowplow.forms": self.snowplow.forms,
        }
        found = {f"{path}.{name}": kind for path, kinds in named.items() for name, kind in kinds.items()}
        return found if self.snowplow.page_ping is None else found | {"snowplow.page_ping": self.snowplow.page_ping}


def load_mapping(written: str, place: str) -> Mapping:
    """Read a mapping from YAML; ``place`` names the text in messages. Raises `Refused` in one line: place, path, value and remedy."""
    raw = read_yaml(written, place)
    if not isinstance(raw, dict):
        raise Refused(f"{place}: {shown(raw)} must be a mapping; write it as {{segment: {{events: {{Demo Requested: demo_request}}}}}}")
    try:
        return Mapping.model_validate(raw)
    except ValidationError as invalid:
        raise Refused(f"{place}: {explained(invalid.errors()[0])}") from None
