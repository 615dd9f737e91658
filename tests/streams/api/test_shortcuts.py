"""Routes that are called without the framework answer as they do with it."""

from dataclasses import replace
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, Header
from fastapi.responses import Response
from fastapi.routing import APIRoute

from streams.serve.app import create_app
from streams.serve.serving import Serving, may
from streams.serve.shortcuts import Shortcut, Shortcuts
from tests.streams.served import PEOPLE, READER

API = "/api/v1"
ACCOUNT = f"{API}/accounts/meridianflow.example"


def client_of(serving: Serving, token: str | None, *, has_shortcuts: bool) -> httpx.AsyncClient:
    app = create_app(serving)
    assert isinstance(app.app, Shortcuts)
    if not has_shortcuts:
        app.app = app.app.app
    sent = {} if token is None else {"authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost", headers=sent)


@pytest.mark.parametrize("token", [READER, PEOPLE, None])
@pytest.mark.parametrize(
    "path",
    [
        f"{API}/accounts",
        f"{API}/accounts?limit=3&sort=changed",
        f"{API}/accounts?limit=0",
        f"{API}/accounts?limit=many",
        f"{API}/accounts?limit=2&limit=4",
        f"{API}/accounts?stage=&owner=",
        f"{API}/accounts?stage=nowhere",
        f"{API}/accounts?changed_since=1735689600",
        f"{API}/accounts?after=nothing",
        f"{API}/accounts?unknown=1",
        ACCOUNT,
        f"{API}/accounts/%20Meridianflow.EXAMPLE.",
        f"{API}/accounts/nobody.example",
        f"{API}/accounts/{'a' * 400}",
        f"{ACCOUNT}/timeline?limit=2",
        f"{ACCOUNT}/timeline?limit=0",
        f"{ACCOUNT}/trend?days=3",
        f"{API}/overview",
        f"{API}/tier-changes?last=5&qualified=true",
        f"{API}/tier-changes?last=5&after=gA",
        f"{API}/tier-changes?qualified=perhaps",
    ],
)
async def test_a_shortcut_answers_as_the_framework_does(serving: Serving, token: str | None, path: str) -> None:
    another = replace(serving)  # it shares no answer with the first
    async with client_of(serving, token, has_shortcuts=True) as short, client_of(another, token, has_shortcuts=False) as whole:
        for method in ("GET", "HEAD", "PUT"):
            one, other = await short.request(method, path), await whole.request(method, path)
            assert (one.status_code, one.headers.multi_items(), one.content) == (
                other.status_code,
                other.headers.multi_items(),
                other.content,
            )


async def test_what_is_plainly_asked_does_not_come_to_the_framework(serving: Serving) -> None:
    app = create_app(serving)
    assert isinstance(app.app, Shortcuts)
    app.app.app = None  # type: ignore[assignment]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as api:
        for path in (
            f"{API}/accounts?limit=2",
            ACCOUNT,
            f"{ACCOUNT}/timeline",
            f"{ACCOUNT}/trend",
            f"{API}/overview",
            f"{API}/tier-changes",
        ):
            answer = await api.get(path, headers={"authorization": f"Bearer {READER}"})
            assert answer.status_code == 200, path


async def takes_a_header(said: Annotated[str, Header()]) -> Response:
    return Response(said)


async def takes_nothing() -> Response:
    return Response()


def waits_for_nothing() -> Response:
    return Response()


async def gives_a_dict() -> dict[str, str]:
    return {}


@pytest.mark.parametrize(
    ("endpoint", "methods", "dependencies"),
    [
        (takes_a_header, ["GET"], []),
        (takes_nothing, ["POST"], []),
        (takes_nothing, ["GET"], [Depends(may("people"))]),
        (waits_for_nothing, ["GET"], []),
        (gives_a_dict, ["GET"], []),
    ],
)
def test_a_route_that_asks_for_what_only_the_framework_gives_has_no_shortcut(endpoint: Any, methods: list[str], dependencies: Any) -> None:
    routes, guarded = APIRouter(), APIRouter(dependencies=dependencies)
    routes.add_api_route("/some", endpoint, methods=methods, dependencies=dependencies, response_model=None)
    guarded.add_api_route("/some", endpoint, methods=methods, response_model=None)
    for route in (*routes.routes, *guarded.routes):
        assert isinstance(route, APIRoute)
        with pytest.raises(TypeError, match="/some: "):
            Shortcut(route)


def test_a_plain_route_has_one() -> None:
    routes = APIRouter()
    routes.add_api_route("/some", takes_nothing)
    (route,) = routes.routes
    assert isinstance(route, APIRoute)
    Shortcut(route)
