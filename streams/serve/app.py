"""The server's one composition root."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles

from streams.serve import accounts, changes, dead_letters, health, me, openapi, overview, reports
from streams.serve.answers import answer
from streams.serve.guard import Guard
from streams.serve.paths import Paths
from streams.serve.problems import answer_problems
from streams.serve.serving import Serving, may

API = "/api/v1"
PAGE = Path(__file__).parent / "page"

TOLD: Mapping[tuple[str, str], tuple[str, Any]] = {
    ("GET", f"{API}/accounts"): ("200", accounts.Accounts),
    ("GET", f"{API}/accounts/{{account}}"): ("200", accounts.Account360),
    ("GET", f"{API}/accounts/{{account}}/timeline"): ("200", accounts.Timeline),
    ("GET", f"{API}/accounts/{{account}}/trend"): ("200", accounts.Trend),
    ("GET", f"{API}/overview"): ("200", overview.Overview),
    ("GET", f"{API}/tier-changes"): ("200", changes.Changes),
    ("GET", f"{API}/dead-letters"): ("200", dead_letters.DeadLetters),
    ("GET", f"{API}/reports"): ("200", reports.Reports),
    ("GET", f"{API}/me"): ("200", me.Me),
    ("GET", "/health/ready"): ("200", health.Health),
}
"""What each route sends where all is well."""


def create_app(serving: Serving) -> Guard:
    """Compose the server: every route, behind the guard."""
    app = FastAPI(title=openapi.TITLE, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.serving = serving
    answer_problems(app)
    reads = APIRouter(prefix=API, dependencies=[Depends(may("read"))])
    for part in (me, accounts, overview, changes, dead_letters, reports):
        reads.include_router(part.routes)
    app.include_router(reads)
    app.include_router(reports.opened, prefix=API)
    app.include_router(health.routes)

    @app.get(f"{API}/openapi.json", include_in_schema=False)
    async def document(request: Request) -> Response:
        return answer(request, api_document(app))

    if PAGE.is_dir():
        app.mount("/static", StaticFiles(directory=PAGE))
        index = (PAGE / "index.html").read_bytes()

        @app.get("/", include_in_schema=False)
        async def page() -> Response:
            return Response(index, media_type="text/html", headers={"cache-control": "no-cache"})

    return Guard(app, serving, Paths(api_document(app)["paths"], also=["/", "/static/{file}", f"{API}/openapi.json"]))


def api_document(app: FastAPI) -> dict[str, Any]:
    """Give the OpenAPI document of this app, made once."""
    if not hasattr(app.state, "document"):
        app.state.document = openapi.document(app, TOLD)
    made: dict[str, Any] = app.state.document
    return made
