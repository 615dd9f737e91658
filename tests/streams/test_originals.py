"""What somebody sent is shown as lines that a terminal only prints, whatever it is."""

from sys import maxsize

import pytest

from streams.scanning import original_lines


def test_json_is_indented() -> None:
    assert list(original_lines(b'{"a":[1,{}]}', 80)) == ["    {", '      "a": [', "        1,", "        {}", "      ]", "    }"]


@pytest.mark.parametrize("original", [b"[" * 5_000 + b"]" * 5_000, b"[" * 5_000, b'{"id": "torn'])
def test_what_cannot_be_indented_is_shown_as_it_is(original: bytes) -> None:
    assert list(original_lines(original, maxsize)) == [f"    {original.decode()}"]


def test_what_is_long_is_not_indented_as_nesting_could_make_it_a_thousand_times_as_long() -> None:
    original = b"[" * 500 + b",".join([b"0"] * 100_000) + b"]" * 500
    assert list(original_lines(original, maxsize)) == [f"    {original.decode()}"]


def test_no_line_is_longer_than_asked_for() -> None:
    assert list(original_lines(b"x" * 100, 10)) == ["    xxxxxxx..."]


def test_nothing_moves_the_cursor_or_turns_text_round() -> None:
    shown = list(original_lines('{"a": "\u202e", "b": "\\u001b[2J"}'.encode(), 80))
    assert shown == ["    {", '      "a": "\\u202e",', '      "b": "\\u001b[2J"', "    }"]
    assert list(original_lines(b"\xff\x1b[2J\x9b\r\nnext", 80)) == ["    \ufffd\\x1b[2J\ufffd", "    next"]
