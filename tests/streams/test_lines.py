from pathlib import Path

import pytest

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
