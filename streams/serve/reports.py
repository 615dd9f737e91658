"""Reports, as the folder that ``--reports`` names holds them: what-if comparisons and the like, made elsewhere."""

from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from engagement.days import iso_instant, to_ms
from engagement.written import printable
from streams.serve.answers import KEEP_NOTHING, Body, answer, tagged
from streams.serve.problems import Refusal
from streams.serve.serving import Asking, Served, may

routes = APIRouter(tags=["reports"])
opened = APIRouter(tags=["reports"])  # with a token, or with the ticket that the list has for each

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".csv": "text/plain; charset=utf-8",  # text/csv a browser would download, which no frame may
    ".md": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
"""What is taken for a report, by how its name ends."""

SENT_AS: dict[str, Any] = {media_type: {} for media_type in MEDIA_TYPES.values()}
MOST_BYTES = 8 << 20

SANDBOXED = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
"""A report may look as it likes, and do nothing."""

ReportName = Annotated[str, InPath(max_length=255, examples=["what-if-2025-03.html"])]


class Report(msgspec.Struct, kw_only=True, frozen=True):
    """One report."""

    name: str
    href: str  # opens it, for some minutes without a token too: a browser's frame cannot send one
    bytes: int
    changed_at: str


class ReportWanted(BaseModel):
    """How it is opened."""

    model_config = ConfigDict(extra="forbid")

    ticket: Annotated[str, Field(max_length=200, description="As in `href` of the list, in place of a token.")] | None = None


class Reports(msgspec.Struct, kw_only=True, frozen=True):
    """All that there are."""

    reports: tuple[Report, ...]  # newest first


@routes.get("/reports")
async def reports(request: Request, serving: Served) -> Response:
    """List reports, the newest first."""
    found = []
    for file in _files(serving.reports).values():
        stat = file.stat()
        changed_at = to_ms(datetime.fromtimestamp(stat.st_mtime, UTC))
        href = f"{request.url.path}/{quote(file.name)}?ticket={serving.tickets.issue(file.name)}"
        found.append((changed_at, Report(name=file.name, href=href, bytes=stat.st_size, changed_at=iso_instant(changed_at))))
    found.sort(key=lambda each: (-each[0], each[1].name))
    return answer(request, Reports(reports=tuple(report for _, report in found)), cache=KEEP_NOTHING)


@opened.get("/reports/{name}", response_class=Response, responses={200: {"description": "The report.", "content": SENT_AS}})
async def report(request: Request, serving: Served, caller: Asking, name: ReportName, wanted: Annotated[ReportWanted, Query()]) -> Response:
    """Send one report as it is; a browser shows it without scripts, and lets it reach nothing."""
    if wanted.ticket is None or not serving.tickets.opens(name, wanted.ticket):
        await may("read")(caller)
    file = _files(serving.reports).get(name)
    if file is None:
        raise Refusal(HTTPStatus.NOT_FOUND, f"name = {printable(name, 80)!r}: is no report; /api/v1/reports lists those there are")
    return tagged(request, Body.of(file.read_bytes()), MEDIA_TYPES[file.suffix], headers={"content-security-policy": SANDBOXED})


def _files(folder: Path | None) -> dict[str, Path]:
    """Name -> file, of plain files in the folder itself; links may lead out of it and are left out, as are names that no URL can have."""
    if folder is None or not folder.is_dir():
        return {}
    return {file.name: file for file in folder.iterdir() if file.suffix in MEDIA_TYPES and _is_utf8(file.name) and _is_plain(file)}


def _is_plain(file: Path) -> bool:
    return not file.is_symlink() and file.is_file() and file.stat().st_size <= MOST_BYTES


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # Python keeps other bytes of a file's name as lone surrogates
        return False
    return True
