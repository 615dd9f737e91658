"""``mqa import segment|snowplow|cloudevents``: every event of the files has one place, and the history can be played."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from engagement.adapters.mapping import Format, load_mapping
from engagement.errors import Refused
from engagement.events import Family
from streams.history.event_import import LONGEST_EVENTS, EventImport
from streams.history.importing import import_
from streams.history.lines import HistoryLine, read_history
from streams.history.sorting import in_order

MAPPING = load_mapping("segment: {events: {Demo Requested: demo_request}}", "mapping.yaml")


def call(second: int = 0, *, day: str = "2025-01-31", **said: Any) -> bytes:
    plain = {"type": "page", "messageId": f"m{second}", "anonymousId": "a1", "timestamp": f"{day}T08:00:00Z"}
    return json.dumps(plain | {"receivedAt": f"{day}T08:01:{second:02d}Z"} | said).encode() + b"\n"


def demo(second: int = 0) -> bytes:
    return call(second, type="track", event="Demo Requested", userId="u1", properties={"email": "jane@acme.com"})


def imported(*lines: bytes, event_import: EventImport | None = None) -> list[HistoryLine]:
    events = event_import or EventImport(Format.SEGMENT, MAPPING)
    return list(read_history(in_order(events.history("calls.jsonl", lines)), "history"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(import_, arguments)


def test_a_call_is_received_when_its_collector_received_it() -> None:
    (line,) = imported(call(7))
    assert (line.topic, line.key, line.received_ms % 60_000) == (Family.WEB_VISITS, "a1", 7_000)
    assert line.payload is not None
    assert json.loads(line.payload)["occurred_at"] == "2025-01-31T08:00:00Z"


def test_an_event_that_becomes_several_is_several_lines_of_their_topics() -> None:
    assert [(line.topic, line.key) for line in imported(demo())] == [(Family.INTENT_SIGNALS, "jane@acme.com"), (Family.WEB_VISITS, "a1")]


def test_lines_of_all_topics_are_put_in_the_order_of_their_times() -> None:
    lines = imported(demo(30), call(20), demo(10))
    assert [line.received_ms % 60_000 // 1000 for line in lines] == [10, 10, 20, 30, 30]


def test_what_cannot_be_used_is_kept_and_received_with_the_event_before() -> None:
    events = EventImport(Format.SEGMENT, MAPPING)
    lines = imported(b"torn\n", call(5), call(9, timestamp="now"), call(20), event_import=events)
    assert [line.received_ms % 60_000 // 1000 for line in lines] == [5, 5, 5, 20]
    assert [line.payload for line in lines if line.raw is not None] == [b"torn", json_of(call(9, timestamp="now"))]
    assert (events.taken, events.raw) == (2, 2)


def json_of(line: bytes) -> bytes:
    return json.dumps(json.loads(line), sort_keys=True, separators=(",", ":")).encode()


def test_names_that_the_mapping_does_not_have_are_counted() -> None:
    events = EventImport(Format.SEGMENT, MAPPING)
    assert (
        imported(
            *[call(n, type="track", event="Talk Watched") for n in range(3)], b"\n", b"y" * LONGEST_EVENTS + b"\n", event_import=events
        )
        == []
    )
    assert events.left_out == {"unknown_event": 3, "blank": 1, "too_long": 1}
    assert events.unknown == {"Talk Watched": 3}


@given(
    st.lists(
        st.sampled_from(
            [
                *(
                    call(1),
                    demo(2),
                    call(3, type="track", event="Other"),
                    call(4, type="alias", previousId="a", userId="b"),
                    b"torn\n",
                    b" \n",
                ),
                json.dumps({"batch": [json.loads(call(5)), {}]}).encode() + b"\n",
                b'{"batch":[]}\n',
                b"x" * (LONGEST_EVENTS + 9),
            ]
        )
    )
)
def test_every_event_ends_in_one_place(lines: list[bytes]) -> None:
    events = EventImport(Format.SEGMENT, MAPPING)
    try:
        written = len(list(events.history("calls.jsonl", lines)))
    except Refused:
        assert not any(b'"page"' in line or b"Demo" in line for line in lines)
        return
    assert events.lines == len(lines)
    assert events.events == len(lines) + sum(b'"batch": [' in line for line in lines)
    assert written == events.made.total() + events.raw


def test_a_file_of_another_kind_is_refused_with_what_is_wrong_with_its_first_line() -> None:
    with pytest.raises(Refused) as refused:
        imported(*[b'{"level":1}\n'] * 500)
    assert str(refused.value) == (
        "calls.jsonl: nothing in it becomes an event, and line 1 is no segment event: type absent: Field required; see docs/adapters.md"
    )


def test_files_that_lie_years_apart_are_refused_with_their_lines(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_bytes(call(1))
    second.write_bytes(call(1, day="2015-01-31"))
    result = run("segment", str(first), str(second), "-o", str(tmp_path / "out.jsonl"))
    assert isinstance(result.exception, Refused)
    assert f"2 files: nothing lies between 2015-01-31 ({second} line 1) and 2025-01-31 ({first} line 1)" in str(result.exception)
    assert not (tmp_path / "out.jsonl").exists()


def test_the_command_reads_several_files_and_accounts_for_every_event(tmp_path: Path) -> None:
    plain, zipped, mapping, output = (tmp_path / name for name in ("a.jsonl", "b.jsonl.gz", "mapping.yaml", "history.jsonl.gz"))
    plain.write_bytes(call(2) + b"torn\n" + call(4, type="track", event="Talk Watched"))
    zipped.write_bytes(gzip.compress(demo(1)))
    mapping.write_text("segment: {events: {Demo Requested: demo_request}}")
    result = run("segment", str(plain), str(zipped), "--mapping", str(mapping), "-o", str(output))
    assert result.output.splitlines() == [
        "2 files: 4 lines, 4 events = 2 taken + 1 unreadable (kept for the dead letters) + 1 left out (1 unknown_event)",
        "taken became 1 intent-signals, 2 web-visits",
        "left out by name: 1 Talk Watched; --mapping can say what they are",
    ]
    assert len(list(read_history(gzip.decompress(output.read_bytes()).splitlines(), "h"))) == 4


def test_snowplow_lines_keep_their_empty_last_columns(tmp_path: Path) -> None:
    cells = {3: "2025-01-31 08:00:01", 5: "page_view", 6: "e1", 15: "d1", 29: "https://www.acme.com/"}
    events = tmp_path / "enriched.tsv"
    events.write_text("\t".join(cells.get(number, "") for number in range(131)) + "\n")
    result = run("snowplow", str(events))
    (line,) = read_history(result.stdout_bytes.splitlines(), "h")
    assert line.key == "d1"
    assert "1 lines, 1 events = 1 taken + 0 unreadable" in result.stderr


def test_cloudevents_are_imported_too(tmp_path: Path) -> None:
    said = {"specversion": "1.0", "type": "mqa.intent-signal.v1", "source": "/crm", "id": "7", "time": "2025-01-31T08:00:00Z"}
    events = tmp_path / "events.jsonl"
    events.write_text(json.dumps([said | {"data": {"kind": "demo_request", "account": "acme.com"}}]))
    (line,) = read_history(run("cloudevents", str(events)).stdout_bytes.splitlines(), "h")
    assert (line.topic, line.key) == (Family.INTENT_SIGNALS, "acme.com")


@pytest.mark.parametrize("written", [None, "segment: {event: {}}"])
def test_a_mapping_that_cannot_be_read_is_refused(tmp_path: Path, written: str | None) -> None:
    events, mapping = tmp_path / "a.jsonl", tmp_path / "mapping.yaml"
    events.write_bytes(call())
    if written is not None:
        mapping.write_text(written)
    result = run("segment", str(events), "--mapping", str(mapping))
    assert isinstance(result.exception, Refused)
    assert str(result.exception).startswith(f"{mapping}: ")
