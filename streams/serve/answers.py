"""How an answer is sent: JSON by msgspec, with a tag by which a client that has it already is told so."""

from hashlib import blake2b
from http import HTTPStatus
from typing import Any, NamedTuple, Self

import msgspec
from fastapi import Request
from fastapi.responses import Response

JSON = "application/json"
ASK_AGAIN = "private, no-cache"
"""May be kept, and must be asked for again, which costs little where it has not changed."""
KEEP_NOTHING = "no-store"

_encode = msgspec.json.Encoder().encode


class Body(NamedTuple):
    """What is sent. The tag is part of it, so that a body which many share is looked through once."""

    sent: bytes
    tag: str

    @classmethod
    def of(cls, sent: bytes) -> Self:
        """Tag it."""
        return cls(sent, f'"{blake2b(sent, digest_size=12).hexdigest()}"')


def encode(said: Any) -> Body:
    """Write a Struct, or what JSON has."""
    return Body.of(_encode(said))


def answer(request: Request, said: Any, *, cache: str = ASK_AGAIN) -> Response:
    """Send a Struct, or what JSON has."""
    return tagged(request, encode(said), JSON, cache=cache)


def tagged(request: Request, body: Body, media_type: str, *, cache: str = ASK_AGAIN, headers: dict[str, str] | None = None) -> Response:
    """Send a body, or 304 to a client that has them."""
    sent = {"cache-control": cache, "etag": body.tag, "vary": "authorization"} | (headers or {})
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or body.tag in [each.strip().removeprefix("W/") for each in known.split(",")]:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=sent)
    return Response(body.sent, headers=sent, media_type=media_type)
