"""The server's one composition root."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel

from engagement.explain.trend import Trend
from streams.serve import accounts, changes, dead_letters, health, me, openapi, overview, reports, writes
from streams.serve.answers import Body, answer, tagged
from streams.serve.guard import Guard
from streams.serve.paths import Paths
from streams.serve.problems import answer_problems
from streams.serve.serving import Serving, may
from streams.serve.shortcuts import Shortcut, Shortcuts

API = "/api/v1"
PAGE = Path(__file__).parent / "page"
PAGE_PATHS = ("/", "/static/{file}", "/static/{folder}/{file}")

TOLD: Mapping[tuple[str, str], tuple[str, Any]] = {
    ("GET", f"{API}/accounts"): ("200", accounts.Accounts),
    ("GET", f"{API}/accounts/{{account}}"): ("200", accounts.ExplainedAccount),
    ("GET", f"{API}/accounts/{{account}}/timeline"): ("200", accounts.Timeline),
    ("GET", f"{API}/accounts/{{account}}/trend"): ("200", Trend),
    ("GET", f"{API}/overview"): ("200", overview.Overview),
    ("GET", f"{API}/tier-changes"): ("200", changes.Changes),
    ("GET", f"{API}/dead-letters"): ("200", dead_letters.DeadLetters),
    ("GET", f"{API}/reports"): ("200", reports.Reports),
    ("POST", f"{API}/accounts/{{account}}/pin"): ("202", writes.Accepted),
    ("DELETE", f"{API}/accounts/{{account}}/pin/{{ladder}}"): ("202", writes.Accepted),
    ("POST", f"{API}/accounts/{{account}}/suppression"): ("202", writes.Accepted),
    ("DELETE", f"{API}/accounts/{{account}}/suppression"): ("202", writes.Accepted),
    ("POST", f"{API}/accounts/{{account}}/disposition"): ("202", writes.Accepted),
    ("POST", f"{API}/accounts/{{account}}/retraction"): ("202", writes.Accepted),
    ("GET", f"{API}/me"): ("200", me.Me),
    ("GET", "/health/ready"): ("200", health.Health),
}
"""What each route sends where all is well."""

TAKEN: Mapping[tuple[str, str], type[BaseModel]] = {
    ("POST", f"{API}/accounts/{{account}}/pin"): writes.PinRequest,
    ("POST", f"{API}/accounts/{{account}}/suppression"): writes.SuppressionRequest,
    ("POST", f"{API}/accounts/{{account}}/disposition"): writes.DispositionRequest,
    ("POST", f"{API}/accounts/{{account}}/retraction"): writes.RetractionRequest,
}
"""What each route takes as its body."""


def create_app(serving: Serving) -> Guard:
    """Compose the server: every route, behind the guard."""
    app = _routes()
    app.state.serving = serving
    asked_often = (route for part in (accounts, overview, changes) for route in part.routes.routes if isinstance(route, APIRoute))
    shortcuts = {f"{API}{route.path}": Shortcut(route) for route in asked_often}
    paths = Paths(api_document()["paths"], also=[*PAGE_PATHS, f"{API}/openapi.json"])
    return Guard(Shortcuts(app, serving, shortcuts), serving, paths)


@lru_cache(1)
def api_document() -> dict[str, Any]:
    """Give the OpenAPI document."""
    return openapi.document(_routes(), told=TOLD, taken=TAKEN)


def _routes() -> FastAPI:
    app = FastAPI(
        title=openapi.TITLE,
        docs_url=None,  # it loads from elsewhere
        redoc_url=None,
        openapi_url=None,  # ours is sent in its place
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    answer_problems(app)
    reads = APIRouter(prefix=API, dependencies=[Depends(may("read"))])
    for part in (me, accounts, overview, changes, dead_letters, reports):
        reads.include_router(part.routes)
    app.include_router(reads)
    app.include_router(writes.routes, prefix=API, dependencies=[Depends(may("write"))])
    app.include_router(reports.opened, prefix=API)
    app.include_router(health.routes)

    @app.get(f"{API}/openapi.json", include_in_schema=False)
    async def document(request: Request) -> Response:
        return answer(request, api_document())

    app.mount("/static", StaticFiles(directory=PAGE))
    index = Body.of((PAGE / "index.html").read_bytes())

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        return tagged(request, index, "text/html; charset=utf-8")

    return app
