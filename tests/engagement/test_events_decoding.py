"""The fast decoders accept nothing that the pydantic models would not, and read it to equal values."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.days import to_ms
from engagement.decoding import Dead, decode, decode_by_model, ms_of
from engagement.events import MODELS, Family

FAST = [Family.WEB_VISITS, Family.INTENT_SIGNALS]
VISIT = b'{"id": "e1", "occurred_at": "2025-01-01T08:00:00.123Z", "visitor_id": "v1", "url": "/", "seconds": 3}'

NUMBERS = [
    "0",
    "-0",
    "1",
    "1.0",
    "1e0",
    "-1",
    "100",
    "101",
    "86400",
    "86401",
    "1E400",
    "9" * 30,
    "9" * 5000,
    "01",
    "NaN",
    "-Infinity",
    "true",
]
TEXTS = [b'""', b'"x"', b'"\\u0000"', b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\xff"', b'"\xed\xa0\x80"', b'"a\nb"', "\u00e4".encode(), b'"x']
LONG = [b'"' + letter * count + b'"' for letter in (b"a", "\U0001f600".encode()) for count in (256, 257, 4096, 4097)]
WORDS = [b'"page_view"', b'"identify"', b'"webinar"', b"null", b"[]", b"{}", b'["a"]', b"[" * 300 + b"]" * 300]
INSTANTS = [
    *("2025-01-01T08:00:00Z", "2025-01-01t08:00:00z", "2025-01-01 08:00:00Z", "2025-01-01T08:00Z", "2025-01-01T08:00:00", "2025-01-01"),
    *("2025-01-01T23:59:60Z", "2025-01-01T24:00:00Z", "2025-02-29T00:00:00Z", "2024-02-29T00:00:00+00:00", "0000-01-01T00:00:00Z"),
    *("2025-01-01T08:00:00.9999999Z", "2025-01-01T08:00:00.123456789Z", "2025-01-01T08:00:00.5Z", "2025-01-01T08:00:00.Z"),
    *("2025-01-01T08:00:00+0100", "2025-01-01T08:00:00+01:00", "2025-01-01T08:00:00-23:59", "2025-01-01T08:00:00+24:00"),
    *("2025-01-01T08:00:00-00:00", "2025-01-01T08:00:00+01:60", "2025-01-01T08:00:00,5Z", "1735718400", "1735718400123", "now"),
    *("0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59.999999-10:00", "\u0662025-01-01T08:00:00Z", "2025-01-01T08:00:00Z\\n"),
]
EVERY = [*(number.encode() for number in NUMBERS), *(f'"{instant}"'.encode() for instant in INSTANTS), *TEXTS, *LONG, *WORDS]
NUMBER = st.sampled_from([number.encode() for number in NUMBERS])
INSTANT = st.sampled_from([f'"{instant}"'.encode() for instant in INSTANTS])
WORD = st.sampled_from(WORDS)
TEXT = st.sampled_from(TEXTS + LONG) | st.text('a\u00e4\u2028\U0001f600\ud800"\\\t', max_size=5).map(
    lambda text: json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")
)
FITTING = {b"occurred_at": INSTANT, b"sent_at": INSTANT, b"seconds": NUMBER, b"score": NUMBER, b"schema_version": NUMBER, b"type": WORD}
WHITE = st.sampled_from([b""] * 12 + [b" ", b"\n", b"\xef\xbb\xbf", b"\x00", b"x"])


def value_of(name: bytes) -> st.SearchStrategy[bytes]:
    """Mostly of the field's type: what is near the border of being accepted finds the differences."""
    fitting = FITTING.get(name, TEXT)
    return st.one_of(fitting, fitting, fitting, NUMBER | INSTANT | WORD | TEXT)


@st.composite
def documents(draw: st.DrawFn) -> tuple[Family, bytes]:
    """An event, good to begin with, some of whose fields were replaced, doubled, left out or joined by unknown ones."""
    family = draw(st.sampled_from(FAST))
    fields: list[tuple[bytes, bytes]] = [(b"id", b'"e1"'), (b"occurred_at", b'"2025-01-01T08:00:00Z"')]
    fields += [(b"visitor_id", b'"v1"'), (b"kind", b'"webinar"')] if family is Family.INTENT_SIGNALS else [(b"visitor_id", b'"v1"')]
    names = st.sampled_from([*(name.encode() for name in MODELS[family].model_fields), b"unknown", b"\xff"])
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(fields)))
        if draw(st.booleans()):
            fields.insert(place, (name := draw(names), draw(value_of(name))))
        elif place < len(fields):
            name, _ = fields.pop(place)
            if draw(st.booleans()):
                fields.append((name, draw(value_of(name))))
    return family, draw(WHITE) + b"{" + b", ".join(b'"%s": %s' % field for field in fields) + b"}" + draw(WHITE)


def outcome(reader: Any, family: Family, value: bytes) -> Any:
    try:
        event, occurred_at = reader(family, value)
    except Dead as dead:
        return dead.reason, dead.detail
    read = {name: getattr(event, name) for name in MODELS[family].model_fields if name != "occurred_at"}
    if read.get("sent_at") is not None:
        read["sent_at"] = ms_of(read["sent_at"])
    return occurred_at, {name: (type(said), said) for name, said in read.items()}


@given(documents())
@settings(max_examples=2000, deadline=None)
def test_fast_and_slow_agree(document: tuple[Family, bytes]) -> None:
    family, value = document
    assert outcome(decode, family, value) == outcome(decode_by_model, family, value)


@pytest.mark.parametrize(("family", "field"), [(family, field) for family in FAST for field in MODELS[family].model_fields])
def test_fast_and_slow_agree_on_each_value_in_each_field(family: Family, field: str) -> None:
    good = {"id": b'"e1"', "visitor_id": b'"v1"', "occurred_at": b'"2025-01-01T08:00:00Z"'}
    if family is Family.INTENT_SIGNALS:
        good["kind"] = b'"webinar"'
    for value in EVERY:
        text = b"{" + b", ".join(b'"%s": %s' % (name.encode(), said) for name, said in {**good, field: value}.items()) + b"}"
        assert outcome(decode, family, text) == outcome(decode_by_model, family, text), value


@settings(deadline=None)
@given(
    st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31)),  # noqa: DTZ001 - gets its offset below
    st.integers(-1439, 1439),
)
def test_instants_are_read_to_the_millisecond_below(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    value = VISIT.replace(b"2025-01-01T08:00:00.123Z", aware.isoformat().encode())
    assert decode(Family.WEB_VISITS, value).occurred_at == to_ms(aware)
    assert to_ms(aware) == (aware.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def test_an_ordinary_visit_takes_the_fast_way() -> None:
    event, occurred_at = decode(Family.WEB_VISITS, VISIT)
    assert not isinstance(event, MODELS[Family.WEB_VISITS])
    assert type(occurred_at) is int


def test_an_unknown_field_is_ignored() -> None:
    known = outcome(decode, Family.WEB_VISITS, VISIT)
    assert outcome(decode, Family.WEB_VISITS, VISIT.replace(b"}", b', "campaign": {"id": 7}}')) == known


def test_another_version_is_named_before_anything_else_that_is_wrong() -> None:
    with pytest.raises(Dead) as caught:
        decode(Family.WEB_VISITS, b'{"schema_version": 2}')
    assert caught.value.reason == "unknown_version"
    assert caught.value.detail == "schema_version = 2: Input should be 1"


def test_a_long_value_is_worded_in_short() -> None:
    with pytest.raises(Dead) as caught:
        decode(Family.WEB_VISITS, VISIT.replace(b'"v1"', b'"' + b"v" * 100_000 + b'"'))
    assert caught.value.detail.startswith("visitor_id = 'vvv")
    assert len(caught.value.detail) < 200


def test_a_long_path_is_worded_in_short() -> None:
    long = {"id": "e1", "occurred_at": "2025-01-01T08:00:00Z", "account": "acme.com", "attributes": {"x" * 100_000: 1}}
    with pytest.raises(Dead) as caught:
        decode(Family.ACCOUNT_UPDATES, json.dumps(long).encode())
    assert caught.value.detail.startswith("attributes.xxx")
    assert len(caught.value.detail) < 400
