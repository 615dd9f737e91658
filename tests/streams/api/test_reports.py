"""Reports that a folder holds."""

import os
from pathlib import Path

import pytest

from streams.serve.tickets import LASTS_SECONDS, Tickets
from tests.streams.api.conftest import Client
from tests.streams.served import READER

REPORT = "<script>alert(1)</script><style>p {color: red}</style><p>what if"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "what if é.html").write_text(REPORT)
    (folder / "counts.json").write_text("{}")
    (folder / "secret.key").write_text("no report")
    (tmp_path / "outside.html").write_text("outside")
    (folder / "link.html").symlink_to(tmp_path / "outside.html")
    (folder / "folder.html").mkdir()
    return folder


async def test_only_plain_files_of_known_sorts_are_reports(client: Client, folder: Path) -> None:
    async with client(READER, reports=folder) as api:
        reports = (await api.get("/api/v1/reports")).json()["reports"]
        answers = {
            name: await api.get(f"/api/v1/reports/{name}") for name in ("secret.key", "link.html", "folder.html", "..%2Foutside.html")
        }
    assert {report["name"]: report["bytes"] for report in reports} == {"what if é.html": len(REPORT), "counts.json": 2}
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 404)


async def test_a_file_whose_name_is_no_text_is_left_out(client: Client, folder: Path) -> None:
    (folder / os.fsdecode(b"caf\xe9.html")).write_text(REPORT)  # as Latin-1 writes it
    async with client(READER, reports=folder) as api:
        listed, asked = await api.get("/api/v1/reports"), await api.get("/api/v1/reports/caf%E9.html")
    assert {report["name"] for report in listed.json()["reports"]} == {"what if é.html", "counts.json"}
    assert asked.status_code == 404


@pytest.mark.parametrize("name", ["moves.csv", "moves.txt", "moves.md"])
async def test_text_of_any_sort_is_sent_as_what_a_frame_shows(client: Client, folder: Path, name: str) -> None:
    (folder / name).write_text("account,from,to")
    async with client(READER, reports=folder) as api:
        answer = await api.get(f"/api/v1/reports/{name}")
    assert (answer.text, answer.headers["content-type"]) == ("account,from,to", "text/plain; charset=utf-8")


async def test_a_report_can_run_nothing_and_reach_nothing_in_a_browser(client: Client, folder: Path) -> None:
    async with client(READER, reports=folder) as api:
        answer = await api.get("/api/v1/reports/what if é.html")
    assert (answer.text, answer.headers["content-type"]) == (REPORT, "text/html; charset=utf-8")
    policy = answer.headers["content-security-policy"]
    assert policy == "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


async def test_what_the_list_links_to_opens_without_a_token_and_opens_nothing_else(client: Client, folder: Path) -> None:
    async with client(READER, reports=folder) as api:
        (href,) = [report["href"] for report in (await api.get("/api/v1/reports")).json()["reports"] if "html" in report["name"]]
        del api.headers["authorization"]
        opened = await api.get(href)
        another = await api.get("/api/v1/reports/counts.json?" + href.partition("?")[2])
        without, forged = await api.get("/api/v1/reports/counts.json"), await api.get("/api/v1/reports/counts.json?ticket=99999999999.00")
    assert opened.text == REPORT
    assert [answer.status_code for answer in (another, without, forged)] == [401, 401, 401]


def test_a_ticket_is_over_after_some_minutes() -> None:
    now = 1_000.0
    tickets = Tickets(now=lambda: now)
    ticket = tickets.issue("a.html")
    now += LASTS_SECONDS - 1
    assert tickets.opens("a.html", ticket)
    now += 1
    assert not tickets.opens("a.html", ticket)
    assert not any(tickets.opens("a.html", odd) for odd in ("", ".", "x.y", "9" * 400 + ".x", "²." + ticket.partition(".")[2]))


async def test_without_a_folder_there_are_no_reports(client: Client) -> None:
    async with client(READER) as api:
        assert (await api.get("/api/v1/reports")).json() == {"reports": []}
