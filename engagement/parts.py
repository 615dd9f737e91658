"""The words a rulebook's models are made of: quantities as annotated types, and mappings that know their keys."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from engagement.quantities import DAYS, FLAG, MS, MULTIPLIER, POINTS, SHARE, WHOLE, Quantity, milliseconds, whole


def _as(quantity: Quantity) -> tuple[BeforeValidator, PlainSerializer, WithJsonSchema]:
    return BeforeValidator(quantity.read), PlainSerializer(quantity.spell), WithJsonSchema(quantity.schema)


Points = Annotated[int, *_as(POINTS)]  # in thousandths
Multiplier = Annotated[int, *_as(MULTIPLIER)]  # in thousandths
Whole = Annotated[int, *_as(WHOLE)]
Weight = Annotated[int, *_as(whole(1_000_000, "30"))]
HistoryDays = Annotated[int, *_as(whole(3660, "120"))]
Remembered = Annotated[int, *_as(whole(10_000_000, "200k"))]
Percent = Annotated[int, *_as(whole(100, "60"))]
Visits = Annotated[int, *_as(whole(1_000, "100"))]  # a visitor's are one row of state, written anew with every visit
Weeks = Annotated[int, *_as(whole(15, "8"))]
Days = Annotated[int, *_as(DAYS)]
Milliseconds = Annotated[int, *_as(MS)]
Skew = Annotated[int, *_as(milliseconds(1))]  # signals of later days are kept beside those of ``history_days``
Timeout = Annotated[int, *_as(milliseconds(1))]
Turns = Annotated[int, *_as(whole(64, "8"))]
Waiting = Annotated[int, *_as(whole(100_000, "1000"))]
Seconds = Annotated[int, *_as(whole(86_400, "10"))]  # of an event, as `events` takes them
Share = Annotated[int, *_as(SHARE)]
Flag = Annotated[bool, *_as(FLAG)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]  # and as short as keys are, see `written.read_yaml`
Text = Annotated[str, StringConstraints(min_length=1, max_length=256)]


def _listed(raw: object) -> object:
    return [raw] if isinstance(raw, str) else raw


TEXT_SCHEMA: dict[str, Any] = {"type": ["string", "number", "boolean"], "minLength": 1, "maxLength": 256}
"""A `Text` as JSON Schema: every scalar is read as text, and ``2015`` is one."""

NAMES_SCHEMA: dict[str, Any] = {"anyOf": [TEXT_SCHEMA, {"type": "array", "items": TEXT_SCHEMA, "minItems": 1}]}

Names = Annotated[tuple[Text, ...], Field(min_length=1), BeforeValidator(_listed), WithJsonSchema(NAMES_SCHEMA)]
"""One name, or a list of them."""


class Part(BaseModel):
    """A mapping of the rulebook. Keys it does not know are refused with the nearest it does."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _only_known_keys(cls, raw: object) -> object:
        if isinstance(raw, dict) and cls.model_config.get("extra") != "allow":
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in raw:
                if key not in known:
                    raise PydanticCustomError("unknown_key", "", {"key": key, "known": known})
        return raw
