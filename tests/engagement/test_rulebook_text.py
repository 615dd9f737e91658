"""Whatever text is given as a rulebook: it is refused in one printable line, or its canonical form is read again as the same version."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.errors import Refused
from engagement.rulebook import default_rulebook_text, load_rulebook
from engagement.written import MAX_BYTES

PAGE = "signals: {page: {points: 1}}\n"
LADDER = "stage: {engaged: {enter: {score: 1}}}\n"
DEFAULT = default_rulebook_text()


def refusal(text: str) -> str:
    with pytest.raises(Refused) as refused:
        load_rulebook(text, "x")
    return str(refused.value)


def nested(levels: int) -> str:
    """Conditions, each within the next; five levels of the rulebook lie around and in them."""
    return PAGE + "stage: {engaged: {enter: " + "{all: [" * levels + "{fit: unknown}" + "]}" * levels + "}}"


def test_what_is_nested_as_deep_as_allowed_is_read_from_the_canonical_form_too():
    rulebook = load_rulebook(nested(8), "x")
    assert load_rulebook(rulebook.canonical(), "canonical").version == rulebook.version


@pytest.mark.parametrize("text", [nested(9), nested(150), "a: " + "[" * 5000, "a: " + "{a: " * 2000, "- " * 5000])
def test_what_is_nested_deeper_is_refused_by_line_and_column(text: str):
    message = refusal(text)
    assert message.startswith("x:")
    assert message.endswith(": nested deeper than 20 levels; mend the YAML there")


@pytest.mark.parametrize("escape", [r"\ud800", r"\n", r"\0", r"\e", r"\x7f", r"\N", r"\L", r"\uffff"])
def test_a_key_or_value_that_cannot_be_printed_is_refused(escape: str):
    place_and_remedy = r"^x:\d+:\d+: a key or value holds U\+[0-9A-F]{4}, which cannot be printed; mend the YAML there$"
    for text in (f'"a{escape}b": 1\n', f'{PAGE}{LADDER}suppress: ["a{escape}b"]', f'{PAGE}stage: {{a: {{enter: {{fit: "{escape}"}}}}}}'):
        with pytest.raises(Refused, match=place_and_remedy):
            load_rulebook(text, "x")


@pytest.mark.parametrize("text", [r'"\Uffffffff": 1', r'"\U00110000": 1', "%YAML " + "1" * 5000 + ".1\n---\na: 1"])
def test_an_escape_or_a_version_that_is_none_is_refused(text: str):
    assert refusal(text).startswith("x:1:")


@pytest.mark.parametrize("key", ["''", "k" * 65, "? " + "k" * 5000 + "\n"])
def test_a_key_that_is_no_name_is_refused(key: str):
    assert refusal(f"{key}: 1\n").startswith("x:1:")


@pytest.mark.parametrize(
    "text",
    [
        f"{PAGE}stage: {{a: {{enter: {{fit: {'f' * 5000}}}}}}}",
        f"{PAGE}{LADDER}suppress: [{'s' * 5000}]",
        f"a: *{'a' * 5000}",
        f"a: !{'t' * 5000}!b c",
        "signals: {" + ", ".join(f"kind_{each}: {{points: 1}}" for each in range(100)) + f"}}\n{LADDER}caps: {{account: {{zzz: 1}}}}",
    ],
)
def test_a_message_is_short_however_long_the_text(text: str):
    assert len(refusal(text)) < 600


def test_a_text_that_is_too_large_is_refused_before_it_is_read():
    comment = "#" + "é" * (MAX_BYTES // 2)
    assert refusal(PAGE + comment) == f"x: has {len((PAGE + comment).encode())} bytes, must have at most 262144; shorten it"


def test_a_text_whose_canonical_form_is_too_large_is_refused():
    quotes = "'" + '"' * 250 + "', "  # JSON writes each with a backslash
    text = f"{PAGE}{LADDER}suppress: [{quotes * 600}]"
    assert len(text) < MAX_BYTES
    assert "bytes with every default written out, must have at most 262144; shorten it" in refusal(text)


def test_text_of_any_language_is_read():
    rulebook = load_rulebook(f"{PAGE}{LADDER}suppress: [Wettbewerb, 競争相手, '😀 \"x\" \\']", "x")
    assert rulebook.suppress == ("Wettbewerb", "競争相手", '😀 "x" \\')
    assert load_rulebook(rulebook.canonical(), "canonical").version == rulebook.version


@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(0, len(DEFAULT)),
    length=st.integers(0, 40),
    written=st.one_of(st.text(max_size=12), st.sampled_from([r'"\ud800"', r'"\n"', "1e9", "9999999d", "[[]]", "*x", "k: {}", "|\n", "''"])),
)
def test_any_slip_of_the_pen_is_refused_in_one_line_or_harmless(start: int, length: int, written: str):
    text = DEFAULT[:start] + written + DEFAULT[start + length :]
    try:
        rulebook = load_rulebook(text, "x")
    except Refused as refused:
        message = str(refused)
        assert message.startswith("x:")
        assert len(message.splitlines()) == 1
        message.encode()
    else:
        assert load_rulebook(rulebook.canonical(), "canonical").canonical() == rulebook.canonical()
