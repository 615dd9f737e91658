"""How an answer is sent: JSON by msgspec, with a tag by which a client that has it already is told so."""

from hashlib import blake2b
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import Request
from fastapi.responses import Response

JSON = "application/json"
ASK_AGAIN = "private, no-cache"
"""May be kept, and must be asked for again, which costs little where it has not changed."""
KEEP_NOTHING = "no-store"

encode = msgspec.json.Encoder().encode


def answer(request: Request, said: Any, *, cache: str = ASK_AGAIN) -> Response:
    """Send a Struct, or what JSON has."""
    return tagged(request, encode(said), JSON, cache=cache)


def tagged(request: Request, body: bytes, media_type: str, *, cache: str = ASK_AGAIN, headers: dict[str, str] | None = None) -> Response:
    """Send bytes, or 304 to a client that has them."""
    tag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    sent = {"cache-control": cache, "etag": tag, "vary": "authorization"} | (headers or {})
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or tag in [each.strip().removeprefix("W/") for each in known.split(",")]:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=sent)
    return Response(body, headers=sent, media_type=media_type)
