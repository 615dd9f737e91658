import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.days import EARLIEST, LATEST, MS_PER_DAY
from engagement.errors import Refused
from engagement.events import Family
from streams.history.lines import HistoryLine, encode_line, open_history, read_history

NINE = 1_735_722_000_000  # 2025-01-01T09:00:00Z


def one(line: bytes) -> HistoryLine:
    (only,) = read_history([line], "h.jsonl")
    return only


def refusal(*lines: bytes) -> str:
    with pytest.raises(Refused) as refused:
        list(read_history(lines, "h.jsonl"))
    return str(refused.value)


def test_an_event_survives_the_way_through_a_line() -> None:
    line = one(encode_line(Family.WEB_VISITS, NINE, "v-17", value={"id": "ä", "n": 10**30, "f": 1.50}))
    assert (line.topic, line.received_ms, line.key_bytes) == (Family.WEB_VISITS, NINE, b"v-17")
    assert line.payload == '{"id":"ä","n":1000000000000000000000000000000,"f":1.5}'.encode()


def test_a_value_keeps_its_spelling() -> None:
    line = one(b'{"topic":"web-visits","received_at":"2025-01-01T09:00:00Z","key":"v","value":{"n": 1.50, "n": 2}}')
    assert line.payload == b'{"n": 1.50, "n": 2}'


def test_a_null_value_is_four_bytes_of_json() -> None:
    assert one(b'{"topic":"web-visits","received_at":"2025-01-01T09:00:00Z","value":null}').payload == b"null"


def test_broken_json_stands_in_raw() -> None:
    assert one(encode_line(Family.WEB_VISITS, NINE, None, raw='{"id": "torn')).payload == b'{"id": "torn'


def test_an_empty_value_and_no_value_are_two_things() -> None:
    assert one(encode_line(Family.WEB_VISITS, NINE, "v", raw="")).payload == b""
    assert one(encode_line(Family.WEB_VISITS, NINE, "v")).payload is None


def test_a_missing_key_and_an_empty_key_are_two_things() -> None:
    assert one(encode_line(Family.WEB_VISITS, NINE, None, raw="")).key_bytes is None
    assert one(encode_line(Family.WEB_VISITS, NINE, "", raw="")).key_bytes == b""


def test_a_wrong_partition_can_be_told() -> None:
    assert one(encode_line(Family.WEB_VISITS, NINE, "v", raw="", partition=3)).partition == 3
    assert one(encode_line(Family.WEB_VISITS, NINE, "v", raw="")).partition is None


def test_received_at_counts_its_offset() -> None:
    assert one(b'{"topic":"web-visits","received_at":"2025-01-01T10:00:00+01:00"}').received_ms == NINE


def test_blank_lines_are_no_lines() -> None:
    assert list(read_history([b"\n", b"  \n"], "h.jsonl")) == []


def test_what_is_no_history_line_is_refused_with_its_number() -> None:
    good = encode_line(Family.WEB_VISITS, NINE, "v", raw="")
    assert refusal(good, b"\n", b"not json\n").startswith("h.jsonl:3: ")
    assert "web-vists" in refusal(b'{"topic":"web-vists","received_at":"2025-01-01T09:00:00Z"}')
    assert "received_at" in refusal(b'{"topic":"web-visits"}')


@pytest.mark.parametrize(
    "line",
    [
        b'{"topic":"web-visits","received_at":"2025-01-01T09:00:00Z","key":"\xff"}',
        b'{"topic":"web-\xff","received_at":"2025-01-01T09:00:00Z"}',
        b'{"topic":"web-visits","received_at":"2025-01-01T09:00:00Z","value":' + b"[" * 100_000,
        b'{"topic":"a\\nb","received_at":"2025-01-01T09:00:00Z"}',
    ],
)
def test_what_cannot_be_read_at_all_is_refused_in_one_line(line: bytes) -> None:
    message = refusal(encode_line(Family.WEB_VISITS, NINE, "v", raw=""), line)
    assert message.startswith("h.jsonl:2: ")
    assert "\n" not in message


@given(st.binary(max_size=60), st.integers(0, 90), st.integers(0, 20))
def test_no_bytes_break_the_reader(torn: bytes, start: int, length: int) -> None:
    line = encode_line(Family.WEB_VISITS, NINE, "v-17", value={"id": "ä"})
    with suppress(Refused):
        for read in read_history([line[:start] + torn + line[start + length :]], "h.jsonl"):
            assert isinstance(read.key_bytes, bytes | None)
            assert isinstance(read.payload, bytes | None)


@pytest.mark.parametrize("year", ["0001", "1999", "2200", "9999"])
def test_a_year_in_which_nothing_is_received_is_refused(year: str) -> None:
    message = refusal(b'{"topic":"web-visits","received_at":"%s-12-31T12:00:00-05:00"}' % year.encode())
    assert message.startswith(f"h.jsonl:1: received_at {year}-12-31 12:00:00-05:00 is not from 2000-01-01 until before 2200-01-01; mend")


def test_the_first_and_the_last_instant_can_be_received() -> None:
    for at in (EARLIEST, LATEST - 1):
        assert one(encode_line(Family.WEB_VISITS, at, "v", raw="")).received_ms == at


def test_a_line_far_behind_the_one_above_is_refused_with_both_times() -> None:
    lines = [encode_line(Family.WEB_VISITS, at, "v", raw="") for at in (NINE, NINE + 366 * MS_PER_DAY, NINE + 800 * MS_PER_DAY)]
    assert len(list(read_history(lines[:2], "h.jsonl"))) == 2
    message = refusal(*lines)
    assert message.startswith(
        "h.jsonl:3: received_at 2027-03-12 09:00:00+00:00 is 434 days after the line above (2026-01-02T09:00:00.000Z)"
    )
    assert "mend the year of one of them, or split the file between them" in message


def test_a_time_without_an_offset_is_refused() -> None:
    assert "write it as 2025-01-01T08:00:00Z" in refusal(b'{"topic":"web-visits","received_at":"2025-01-01T09:00:00"}')


def test_going_back_in_time_is_refused_and_standing_still_is_not() -> None:
    now, before = (encode_line(Family.WEB_VISITS, at, "v", raw="") for at in (NINE, NINE - 1))
    assert "sort the file" in refusal(now, before)
    assert len(list(read_history([now, now], "h.jsonl"))) == 2


@pytest.mark.parametrize("name", ["h.jsonl", "h.jsonl.gz"])
def test_what_is_written_can_be_read(tmp_path: Path, name: str) -> None:
    with open_history(tmp_path / name, "wb") as file:
        file.write(b"a\nb\n")
    with open_history(tmp_path / name, "rb") as file:
        assert list(file) == [b"a\n", b"b\n"]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_equal_content_gives_equal_gzip_files_under_any_name(tmp_path: Path) -> None:
    for name in ("one.gz", "two.gz"):
        with open_history(tmp_path / name, "wb") as file:
            file.write(b"same")
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()


@pytest.mark.parametrize("name", ["h.jsonl", "h.jsonl.gz"])
def test_an_interrupted_writing_leaves_the_old_file_and_no_half_one(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"old")

    def write_half() -> None:
        with open_history(path, "wb") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_sigterm_leaves_no_half_file(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def write_half() -> None:
        with open_history(tmp_path / "h.jsonl", "wb") as file:
            file.write(b"half")
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as ended:
        write_half()
    assert ended.value.code == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_device_is_written_to_and_not_replaced() -> None:
    with open_history(Path("/dev/null"), "wb") as file:
        file.write(b"gone")
    assert Path("/dev/null").is_char_device()


def test_a_gzip_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl.gz"
    with open_history(path, "wb") as file:
        file.write(b"many bytes " * 1000)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(Refused, match="no whole gzip file"), open_history(path, "rb") as file:
        file.read()


def test_plain_text_under_a_gzip_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl.gz"
    path.write_bytes(b"plain text")
    with pytest.raises(Refused, match="rename it if it is not compressed"), open_history(path, "rb") as file:
        file.read()


def test_a_file_that_cannot_be_opened_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"nowhere\.jsonl: No such file"), open_history(tmp_path / "nowhere.jsonl", "rb"):
        pass
