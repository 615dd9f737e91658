"""Events that could not be used, for people to look at."""

from collections import Counter
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from engagement.events import Name
from streams.serve.answers import KEEP_NOTHING, answer
from streams.serve.letters import Letter
from streams.serve.problems import unavailable
from streams.serve.serving import Asking, Served

routes = APIRouter(tags=["dead letters"])

MOST_LETTERS = 500


class DeadLetters(msgspec.Struct, kw_only=True, frozen=True):
    """Some of the newest dead letters."""

    letters: tuple[Letter, ...]  # newest first
    reasons: dict[str, int]  # of all that were looked at, the most frequent first
    looked_at: int  # of so many that were looked at, the newest there are; `mqa dead-letters list` reads them all


class LettersWanted(BaseModel):
    """Which dead letters, all conditions together."""

    model_config = ConfigDict(extra="forbid")

    reason: Name | None = None
    source: Annotated[Name, Field(description="Topic that the original came in on, without the environment's prefix.")] | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_LETTERS)] = 100


@routes.get("/dead-letters")
async def dead_letters(request: Request, serving: Served, caller: Asking, wanted: Annotated[LettersWanted, Query()]) -> Response:
    """List the newest dead letters with their reasons. What may name people needs the scope `people`."""
    if serving.letters is None:
        raise unavailable("dead letters: this server has no Kafka to read them from; start `mqa serve` with one")
    newest = await serving.letters.newest()
    found = [each for each in newest if wanted.reason in {None, each.reason} and wanted.source in {None, each.source.topic}]
    letters, reasons = tuple(found[: wanted.limit]), dict(Counter(each.reason for each in newest).most_common())
    if "people" not in caller.scopes:
        letters = tuple(msgspec.structs.replace(each, detail=None, key=None, original=None) for each in letters)
    return answer(request, DeadLetters(letters=letters, reasons=reasons, looked_at=len(newest)), cache=KEEP_NOTHING)
