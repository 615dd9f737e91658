"""Every error that the API answers: Problem Details (RFC 9457), with the value, the place and the remedy in ``detail``."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from engagement.errors import Refused
from engagement.written import printable
from streams.profiles.store import StoreUnavailable

PROBLEM_JSON = "application/problem+json"
RETRY_SECONDS = 5
_LONGEST_VALUE = 100


class Problem(msgspec.Struct, kw_only=True, frozen=True):
    """What went wrong, as RFC 9457 has it."""

    type: str = "about:blank"
    title: str  # of the status
    status: int
    detail: str  # one line: value, place, remedy


class Refusal(Exception):  # noqa: N818 - it reads as what the request gets
    """Ends a request with a problem."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


def unavailable(detail: str) -> Refusal:
    """Say that something we need is away, and when to ask again."""
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"retry-after": str(RETRY_SECONDS)})


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Word a problem."""
    body = msgspec.json.encode(Problem(title=HTTPStatus(status).phrase, status=status, detail=detail))
    return Response(body, status, {"cache-control": "no-store"} | dict(headers or {}), PROBLEM_JSON)


def nothing_there(path: str) -> Response:
    """Answer a path that is none of ours."""
    detail = f"{printable(path, _LONGEST_VALUE)}: there is nothing; /api/v1/openapi.json lists what there is"
    return problem(HTTPStatus.NOT_FOUND, detail)


def worded(error: Exception) -> Response:
    """Answer what a route raises; whatever is none of `EXPECTED` is a defect."""
    match error:
        case Refusal():
            return problem(error.status, error.detail, error.headers)
        case Refused():
            return problem(HTTPStatus.BAD_REQUEST, str(error))
        case StoreUnavailable():
            return worded(unavailable(f"the store of profiles does not answer ({error}); ask again, or see /health/ready"))
        case _:
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a defect of the server, which its log tells")


EXPECTED = (Refusal, Refused, StoreUnavailable)


def answer_problems(app: FastAPI) -> None:
    """Have every error that a route raises, and those of the framework, answered as a problem."""

    async def raised(_: Request, error: Exception) -> Response:
        return worded(error)

    for kind in (*EXPECTED, Exception):
        app.add_exception_handler(kind, raised)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(map(complaint, error.errors())))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        match error.status_code:
            case HTTPStatus.NOT_FOUND:
                return nothing_there(request.url.path)
            case HTTPStatus.METHOD_NOT_ALLOWED:
                detail = f"{request.method}: not here; the header Allow lists the methods that are"
            case _:
                detail = error.detail
        return problem(error.status_code, detail, error.headers)


def complaint(error: Mapping[str, object]) -> str:
    """One of pydantic's: ``limit = 0: Input should be greater than or equal to 1``."""
    where = error.get("loc")
    path = ".".join(map(str, where[1:] if isinstance(where, tuple) else ())) or "body"
    if error.get("type") == "missing":
        return f"{path}: {error['msg']}"
    return f"{printable(path, _LONGEST_VALUE)} = {printable(repr(error.get('input')), _LONGEST_VALUE)}: {error['msg']}"
