import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.days import iso_instant
from streams.history.access_log import NoView, Request, parse_line

AGENT = b"Mozilla/5.0 (X11; Linux x86_64)"


def line(
    *,
    address: bytes = b"203.0.113.9",
    user: bytes = b"-",
    time: bytes = b"17/May/2015:10:05:03 +0000",
    request: bytes = b"GET /pricing HTTP/1.1",
    status: int = 200,
    size: bytes = b"5316",
    referrer: bytes = b"-",
    agent: bytes = AGENT,
    more: bytes = b"",
) -> bytes:
    return b'%s - %s [%s] "%s" %d %s "%s" "%s"%s' % (address, user, time, request, status, size, referrer, agent, more)


def parse(text: bytes) -> Request:
    request = parse_line(text)
    assert request is not None
    return request


def test_a_plain_line_is_read_whole() -> None:
    assert parse(line(referrer=b"https://www.google.com/")) == Request(
        address="203.0.113.9",
        at=1_431_857_103_000,
        method="GET",
        target="/pricing",
        status=200,
        referrer="https://www.google.com/",
        user_agent=AGENT.decode(),
    )


def test_the_time_counts_its_zone() -> None:
    assert iso_instant(parse(line(time=b"01/Jan/2025:00:30:00 +0530")).at) == "2024-12-31T19:00:00.000Z"
    assert iso_instant(parse(line(time=b"31/Dec/2024:23:30:00 -0330")).at) == "2025-01-01T03:00:00.000Z"


@pytest.mark.parametrize(
    "time",
    [
        b"31/Feb/2015:10:05:03 +0000",
        b"17/Mai/2015:10:05:03 +0000",
        b"17/May/2015:24:05:03 +0000",
        b"17/May/2015:10:05:03 +9900",
        b"31/Dec/1999:23:59:59 +0000",
        b"01/Jan/2200:00:00:00 +0000",
        b"31/Dec/9999:23:59:59 -1200",
        b"01/Jan/0001:00:00:00 +1200",
        b"17/May/2015 10:05:03 +0000",
        b"-",
    ],
)
def test_a_time_at_which_nothing_is_received_makes_the_line_unreadable(time: bytes) -> None:
    assert parse_line(line(time=time)) is None


def test_a_dash_and_nothing_are_absence() -> None:
    assert parse(line(referrer=b"-", agent=b"-"))[-2:] == (None, None)
    assert parse(line(referrer=b"", agent=b""))[-2:] == (None, None)
    assert parse(line(size=b"-", status=304)).no_view is None


def test_escaped_quotes_and_backslashes_are_read_as_written_by_the_visitor() -> None:
    request = parse(line(request=rb"GET /search?q=\"mqa\" HTTP/1.1", agent=rb"a \"quoted\" \\ agent\\"))
    assert request.target == '/search?q="mqa"'
    assert request.user_agent == 'a "quoted" \\ agent\\'


def test_escaped_bytes_are_utf_8_where_they_can_be() -> None:
    assert parse(line(request=rb"GET /caf\xC3\xA9 HTTP/1.1")).target == "/café"
    assert parse(line(request=rb"GET /caf\xe9 HTTP/1.1")).target == "/café"
    assert parse(line(request=rb"GET /tab\there HTTP/1.1")).target == "/tab\there"


def test_bytes_that_are_no_utf_8_are_latin_1() -> None:
    assert parse(line(agent=b"caf\xe9")).user_agent == "café"
    assert parse(line(agent="café".encode())).user_agent == "café"


def test_addresses_of_every_kind_are_kept() -> None:
    for address in (b"2001:db8::1", b"::ffff:192.0.2.1", b"crawler.host.example"):
        assert parse(line(address=address)).address == address.decode()


def test_a_user_name_may_hold_spaces_and_brackets() -> None:
    assert parse(line(user=b"grace [admin] lim")).target == "/pricing"


def test_fields_behind_the_user_agent_are_ignored() -> None:
    assert parse(line(more=b' "203.0.113.77" 0.004')).user_agent == AGENT.decode()


def test_a_proxy_asks_for_a_whole_url() -> None:
    assert parse(line(request=b"GET http://elsewhere.example/x HTTP/1.1")).target == "http://elsewhere.example/x"


def test_a_path_may_hold_spaces() -> None:
    assert parse(line(request=b"GET /a b HTTP/1.1")).target == "/a b"


def test_http_0_9_says_no_version() -> None:
    assert parse(line(request=b"GET /old")).target == "/old"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\x00\xff\xfe",
        b'203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5316',  # common, not combined
        b'203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5316 "-" "cut o',
        b'203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /"quoted" HTTP/1.1" 200 5316 "-" "-"',
        b"x" * 300 + line(),
    ],
)
def test_what_is_not_combined_is_unreadable(text: bytes) -> None:
    assert parse_line(text) is None


@pytest.mark.parametrize("status", [200, 201, 304])
@pytest.mark.parametrize("request_line", [b"GET / HTTP/1.1", b"POST /contact HTTP/2.0"])
def test_a_get_or_post_that_was_answered_is_a_page_view(request_line: bytes, status: int) -> None:
    assert parse(line(request=request_line, status=status)).no_view is None


@pytest.mark.parametrize(
    ("request_line", "status", "reason"),
    [
        (b"HEAD / HTTP/1.1", 200, NoView.METHOD),
        (b"OPTIONS * HTTP/1.1", 200, NoView.METHOD),
        (b"HEAD /gone HTTP/1.1", 404, NoView.CLIENT_ERROR),
        (b"GET /gone HTTP/1.1", 404, NoView.CLIENT_ERROR),
        (b"GET / HTTP/1.1", 499, NoView.CLIENT_ERROR),
        (b"GET / HTTP/1.1", 500, NoView.SERVER_ERROR),
        (b"GET /old HTTP/1.1", 301, NoView.REDIRECT),
        (b"GET /film.mp4 HTTP/1.1", 206, NoView.PARTIAL),
        (b"POST /beacon HTTP/1.1", 204, NoView.NO_CONTENT),
        (b"GET /socket HTTP/1.1", 101, NoView.NO_CONTENT),
        (b"-", 408, NoView.CLIENT_ERROR),
        (b"-", 200, NoView.NO_REQUEST),
        (rb"\x16\x03\x01\x02", 200, NoView.NO_REQUEST),
        (b"", 400, NoView.CLIENT_ERROR),
    ],
)
def test_what_shows_nobody_a_page_has_its_reason(request_line: bytes, status: int, reason: NoView) -> None:
    assert parse(line(request=request_line, status=status)).no_view is reason


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(text: bytes) -> None:
    request = parse_line(line(request=re.sub(rb'["\\\n]', b"", text), agent=re.sub(rb'["\\\n]', b"", text)))
    assert request is not None
    for words in (request.target, request.user_agent or ""):
        words.encode()  # no lone surrogates
    parse_line(text)


def test_a_line_made_to_be_slow_is_refused_at_once() -> None:
    assert parse_line(b"a b c [" + b"[17/May/2015:10:05:03 +0000] " * 4000) is None
    assert parse_line(line(request=b"GET " + rb"\\" * 50_000)[:-1]) is None
