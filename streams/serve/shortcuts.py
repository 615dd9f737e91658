"""Reads that are asked for often are called directly: to find a route and its parameters takes FastAPI longer than most of them take.

FastAPI has these routes as well. It makes the document of them, and gets every request that it would refuse by itself: for a parameter, or
for the caller's scope. What a route raises is worded by the same `problems.worded` on both ways.
"""

from collections.abc import Awaitable, Callable, Mapping
from inspect import iscoroutinefunction, signature
from operator import attrgetter
from typing import Any, NamedTuple, get_args

from fastapi import Request, params
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from streams.serve.paths import Path
from streams.serve.problems import EXPECTED, worded
from streams.serve.serving import Asking, Served, Serving
from streams.serve.tokens import Caller


class _Asked(NamedTuple):
    """What an argument is made of."""

    request: Request
    serving: Serving
    caller: Caller
    query: Mapping[str, str]


class Shortcut:
    """A route that reads, whose parameters are parts of `_Asked`, parts of the path, or a model of all of the query."""

    def __init__(self, route: APIRoute) -> None:
        """TypeError for a route that asks for more: the framework alone would see to it.

        What the routers around it ask for is not seen here: `Shortcuts` asks for the scope that they do, and a test compares both ways.
        """
        is_plain = iscoroutinefunction(route.endpoint) and signature(route.endpoint).return_annotation is Response
        if route.dependencies or route.methods != {"GET"} or not is_plain:
            raise TypeError(
                f"{route.path}: is no async function that reads, gives a Response and depends on nothing; leave it to FastAPI (app.py)"
            )
        self._endpoint: Callable[..., Awaitable[Response]] = route.endpoint
        declared = signature(route.endpoint).parameters.items()
        self._arguments = {name: _argument(name, each.annotation, route.path) for name, each in declared}

    def call(self, asked: _Asked) -> Awaitable[Response] | None:
        """Its answer; None where an argument is not as declared."""
        try:
            arguments = {name: of(asked) for name, of in self._arguments.items()}
        except ValidationError:
            return None
        return self._endpoint(**arguments)


class Shortcuts:
    """Wraps the framework's app. The guard has passed what comes here, and said who asks, for which path and with which query."""

    def __init__(self, app: ASGIApp, serving: Serving, shortcuts: Mapping[str, Shortcut]) -> None:
        """``shortcuts``: by the path's template. Who may read may ask for all of them."""
        self.app = app
        self._serving, self._shortcuts = serving, shortcuts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        answering = self._call(scope, receive) if scope["type"] == "http" else None
        if answering is None:
            await self.app(scope, receive, send)
            return
        try:
            response = await answering
        except Exception as error:
            await worded(error)(scope, receive, send)
            if not isinstance(error, EXPECTED):
                raise  # for the log
            return
        await response(scope, receive, send)

    def _call(self, scope: Scope, receive: Receive) -> Awaitable[Response] | None:
        path: Path | None = scope["state"]["path"]
        caller: Caller = scope["state"]["caller"]
        shortcut = None if path is None else self._shortcuts.get(path.template)
        if shortcut is None or scope["method"] != "GET" or "read" not in caller.scopes:
            return None
        return shortcut.call(_Asked(Request(scope, receive), self._serving, caller, scope["state"]["query"]))


def _argument(name: str, declared: Any, path: str) -> Callable[[_Asked], Any]:
    known: dict[Any, Callable[[_Asked], Any]] = {
        Request: attrgetter("request"),
        Served: attrgetter("serving"),
        Asking: attrgetter("caller"),
    }
    if declared in known:
        return known[declared]
    validate = TypeAdapter(declared).validate_python
    kind, *said = get_args(declared)
    parts = path.split("/")
    if any(isinstance(each, params.Path) for each in said) and f"{{{name}}}" in parts:
        place = parts.index(f"{{{name}}}") - len(parts)  # from the end: before the route's path stands a prefix
        return lambda asked: validate(asked.request.scope["path"].split("/")[place])
    if any(isinstance(each, params.Query) for each in said) and issubclass(kind, BaseModel):
        return lambda asked: validate(asked.query)
    raise TypeError(f"{path}: {name} is none of what a shortcut can give it; leave the route to the framework, see app.py")
