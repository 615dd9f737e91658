"""Who asks, as the server sees it."""

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from streams.serve.answers import KEEP_NOTHING, answer
from streams.serve.serving import Asking, Served
from streams.serve.tokens import SCOPES, Scope

routes = APIRouter(tags=["me"])


class Me(msgspec.Struct, kw_only=True, frozen=True):
    """Who asks, and what they may."""

    name: str | None  # the token's; null without one
    scopes: tuple[Scope, ...]
    writes: bool  # may write, and there is a Kafka to write to


@routes.get("/me")
async def me(request: Request, serving: Served, caller: Asking) -> Response:
    """Say who asks, and what they may."""
    scopes = tuple(scope for scope in SCOPES if scope in caller.scopes)
    writes = "write" in scopes and serving.updates is not None
    return answer(request, Me(name=caller.name or None, scopes=scopes, writes=writes), cache=KEEP_NOTHING)
