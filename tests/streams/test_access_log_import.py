import gzip
from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.errors import Refused
from engagement.events import WebVisit
from engagement.identity import NetworkKind
from streams.history.arrivals import arrivals_by_day
from streams.history.engine import HistoryReplay
from streams.history.importing import LogImport, import_
from streams.history.lines import HistoryLine, read_history
from streams.history.sorting import LONGEST_LINE, in_order, log_lines
from streams.identity import make_identity
from streams.networks.addresses import parse_network
from streams.networks.lookup import Networks
from streams.networks.table import Row, Table
from tests.streams.histories import PARTITIONS, RULEBOOK


def entry(
    second: int = 0,
    *,
    year: int = 2015,
    address: str = "203.0.113.9",
    request: str = "GET /pricing HTTP/1.1",
    status: int = 200,
    agent: str = "Firefox",
) -> bytes:
    return f'{address} - - [17/May/{year}:10:05:{second:02d} +0000] "{request}" {status} 99 "-" "{agent}"\n'.encode()


def imported(*lines: bytes, log_import: LogImport | None = None) -> list[HistoryLine]:
    history = (log_import or LogImport("access.log", secret=b"secret")).history(lines)
    return list(read_history(in_order(history), "history"))


def visit(line: HistoryLine) -> WebVisit:
    assert line.payload is not None
    return WebVisit.model_validate_json(line.payload)


def test_a_line_becomes_a_visit_that_the_event_model_accepts() -> None:
    (line,) = imported(entry(7))
    seen = visit(line)
    assert (seen.url, seen.ip, seen.user_agent, seen.referrer, seen.account) == ("/pricing", "203.0.113.9", "Firefox", None, None)
    assert line.key == seen.visitor_id
    assert line.received_at == seen.occurred_at


def test_a_site_stands_before_paths_and_not_before_whole_urls() -> None:
    log_import = LogImport("access.log", secret=b"secret", site="https://www.acme.com/")
    lines = imported(entry(request="GET /a?b=1 HTTP/1.1"), entry(request="GET http://other.example/x HTTP/1.1"), log_import=log_import)
    assert [visit(line).url for line in lines] == ["https://www.acme.com/a?b=1", "http://other.example/x"]


def test_a_path_never_reads_as_a_host() -> None:
    (line,) = imported(entry(request="GET //evil.example/x HTTP/1.1"))
    assert visit(line).url == "/evil.example/x"


def test_a_visitor_is_an_address_and_a_browser() -> None:
    lines = imported(entry(1), entry(2), entry(3, agent="Safari"), entry(4, address="203.0.113.10"))
    visitors = [line.key for line in lines]
    assert visitors[0] == visitors[1]
    assert len(set(visitors)) == 3


def test_equal_lines_are_different_events_and_a_second_import_gives_the_same_ids() -> None:
    first, second = ([visit(line).id for line in imported(entry(), entry())] for _ in range(2))
    assert first == second
    assert len(set(first)) == 2


def test_an_unreadable_line_is_kept_and_received_with_the_line_before() -> None:
    lines = imported(entry(5), b"198.51.100.7 torn\n", entry(9))
    assert [line.received_ms % 60_000 for line in lines] == [5000, 5000, 9000]
    assert lines[1].payload == b"198.51.100.7 torn"
    assert lines[1].key == "198.51.100.7"


def test_unreadable_lines_at_the_start_are_received_with_the_first_readable_one() -> None:
    lines = imported(b"one\n", b"\xe9\n", entry(5))
    assert [line.payload for line in lines][:2] == [b"one", "é".encode()]
    assert {line.received_ms % 60_000 for line in lines} == {5000}


def test_a_line_of_an_impossible_year_is_received_with_the_line_before() -> None:
    lines = imported(entry(5), entry(7, year=1970), entry(8, year=2315), entry(9))
    assert [line.received_ms % 60_000 for line in lines] == [5000, 5000, 5000, 9000]
    assert [line.raw is not None for line in lines] == [False, True, True, False]


def test_a_log_that_pauses_for_years_is_refused_with_the_lines_before_anything_is_written() -> None:
    history = in_order(LogImport("access.log", secret=b"secret").history([entry(5), entry(9, year=2150), b"torn\n", entry(7, year=2016)]))
    with pytest.raises(Refused) as refused:
        next(history)
    assert str(refused.value) == (
        "access.log: nothing lies between 2016-05-17 (line 4) and 2150-05-17 (line 2), 48942 days, "
        "but a history may pause for 366 at most; "
        "mend or remove lines of a wrong year, or import the parts of the log by themselves"
    )


def test_what_is_left_out_of_the_history_may_be_of_any_year() -> None:
    assert len(imported(entry(5), entry(9, year=2150, status=404), entry(7))) == 2


def test_lines_out_of_order_are_put_in_order() -> None:
    lines = imported(entry(47), entry(3), entry(12))
    assert [line.received_ms % 60_000 for line in lines] == [3000, 12000, 47000]


@given(st.lists(st.integers(0, 59), max_size=40), st.integers(1, 7))
def test_sorting_in_runs_is_sorting(seconds: list[int], run: int) -> None:
    history = list(LogImport("access.log", secret=b"secret").history([entry(second) for second in seconds]))
    assert list(in_order(history, run)) == list(in_order(history))
    assert [line.received_ms % 60_000 // 1000 for line in read_history(in_order(history, run), "h")] == sorted(seconds)


@given(
    st.lists(
        st.sampled_from(
            [entry(), entry(status=404), entry(request="HEAD / HTTP/1.1"), b"torn\n", b"\n", b" \r\n", b"x" * (LONGEST_LINE + 9)]
        )
    )
)
def test_every_line_ends_in_one_place(lines: list[bytes]) -> None:
    log_import = LogImport("access.log", secret=b"secret")
    try:
        written = len(list(log_import.history(log_lines(BytesIO(b"".join(line.rstrip(b"\n") + b"\n" for line in lines))))))
    except Refused:
        assert entry() not in lines
        return
    assert log_import.lines == len(lines)
    assert written == log_import.visits + log_import.raw


NETWORKS = Networks(
    [
        Table(
            Row(parse_network(f"{address}/32"), domain, kind, line)
            for line, (address, domain, kind) in enumerate(
                [
                    ("198.51.100.1", "acme.com", NetworkKind.COMPANY),
                    ("198.51.100.2", None, NetworkKind.ISP),
                    ("198.51.100.3", None, NetworkKind.DATA_CENTRE),
                    ("198.51.100.4", None, NetworkKind.OWN),
                ],
                1,
            )
        )
    ]
)
IDENTITY = make_identity(partitions=PARTITIONS, secret=b"secret", key_id="k1", networks=NETWORKS)
GOOGLEBOT = "Googlebot/2.1 (+http://www.google.com/bot.html)"
ENDS = [
    ("counted", entry(address="198.51.100.1")),
    ("waiting", entry()),
    ("waiting", entry(address="198.51.100.2")),
    ("waiting", entry(address="client.provider.example")),
    ("filtered:robot", entry(agent=GOOGLEBOT)),
    ("filtered:robot", entry(address="198.51.100.1", request="GET /style.css HTTP/1.1", agent=GOOGLEBOT)),
    ("filtered:asset", entry(address="198.51.100.1", request="GET /style.css HTTP/1.1")),
    ("filtered:ignored_url", entry(request="GET /careers/42 HTTP/1.1")),
    ("filtered:data_centre", entry(address="198.51.100.3")),
    ("filtered:own_network", entry(address="198.51.100.4")),
    ("dead:malformed_json", b"torn\n"),
    ("client_error", entry(status=404)),
    ("server_error", entry(status=503)),
    ("redirect", entry(status=301)),
    ("partial", entry(status=206)),
    ("no_content", entry(status=204)),
    ("method", entry(request="HEAD / HTTP/1.1")),
    ("no_request", entry(request="\\x16\\x03\\x01")),
    ("blank", b"\n"),
    ("too_long", b"y" * LONGEST_LINE + b"\n"),
]
"""What becomes of a line in the end, and the line."""


@settings(deadline=None)
@given(st.lists(st.sampled_from(ENDS), max_size=40))
def test_counted_waiting_filtered_and_left_out_lines_add_up_to_the_log(lines: list[tuple[str, bytes]]) -> None:
    lines = [*ENDS, *lines]
    log_import = LogImport("access.log", secret=b"secret")
    replay = HistoryReplay(partitions=PARTITIONS, rulebook=RULEBOOK, identity=IDENTITY)
    history = imported(*(line for _, line in lines), log_import=log_import)
    for day, arrivals in arrivals_by_day(history, PARTITIONS):
        replay.begin(day)
        replay.receive(arrivals)
    ends = {fate: count for fate, count in replay.fates.items() if fate not in {"in", "rerouted"}}
    assert Counter(ends) + log_import.left_out == Counter(end for end, _ in lines)


def test_what_is_left_out_is_counted_by_reason() -> None:
    log_import = LogImport("access.log", secret=b"secret")
    assert imported(entry(status=404), entry(status=302), b"\n", b"y" * LONGEST_LINE + b"\n", log_import=log_import) == []
    assert log_import.left_out == {"client_error": 1, "redirect": 1, "blank": 1, "too_long": 1}


def test_a_line_without_end_is_read_in_bounded_memory() -> None:
    pieces = list(log_lines(BytesIO(b"a\n" + b"z" * 5 * LONGEST_LINE + b"\nb")))
    assert [len(piece) for piece in pieces] == [2, LONGEST_LINE + 1, 1]


def test_a_file_of_another_kind_is_refused_with_its_beginning() -> None:
    with pytest.raises(Refused, match=r"access.log: it begins '\{\"level\":1\}', which is not the combined format"):
        imported(*[b'{"level":1}\n'] * 500)


def test_an_empty_log_is_an_empty_history() -> None:
    assert imported() == []


def test_the_command_reads_gzip_writes_a_file_and_accounts_for_every_line(tmp_path: Path) -> None:
    log, output = tmp_path / "access.log.gz", tmp_path / "history.jsonl.gz"
    log.write_bytes(gzip.compress(entry(2) + b"torn\n" + entry(1, status=404)))
    result = CliRunner().invoke(import_, ["access-log", str(log), "-o", str(output)])
    (counts,) = result.output.splitlines()
    assert counts == f"{log}: 3 lines = 1 visits + 1 unreadable (kept for the dead letters) + 1 left out (1 client_error)"
    assert len(list(read_history(gzip.decompress(output.read_bytes()).splitlines(), "h"))) == 2


@pytest.mark.parametrize("output", [[], ["-o", "-"]])
def test_without_an_output_file_the_history_goes_to_standard_output(tmp_path: Path, output: list[str]) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(entry())
    result = CliRunner().invoke(import_, ["access-log", str(log), *output])
    assert visit(next(read_history([result.stdout_bytes], "h"))).url == "/pricing"
    assert "1 lines = 1 visits" in result.stderr


@pytest.mark.parametrize("site", ["www.acme.com", "https://", "https://[acme.com", "https://\udcff.com", "https://acme.com/\n"])
def test_a_site_that_is_none_is_refused(tmp_path: Path, site: str) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(entry())
    result = CliRunner().invoke(import_, ["access-log", str(log), "--site", site])
    assert isinstance(result.exception, Refused)
    assert "is no address of a site; write it with its scheme, like https://www.acme.com" in str(result.exception)
