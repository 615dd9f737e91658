"""Whether the server is well, part by part, and its metrics."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from engagement.days import iso_day
from streams.profiles.store import Mark, StoreUnavailable, partitions
from streams.serve.answers import JSON, KEEP_NOTHING
from streams.serve.serving import Served, Serving

routes = APIRouter(tags=["health"])

ANSWER_SECONDS = 2.0
READY = {"$ref": "#/components/schemas/Health"}


class Part(msgspec.Struct, kw_only=True, frozen=True):
    """One thing that the server needs."""

    well: bool
    says: str


class Health(msgspec.Struct, kw_only=True, frozen=True):
    """Whether the server can answer."""

    ready: bool  # reads can be answered
    store: Part
    profiles: Part  # not well: some are missing or of an earlier day; reads are answered with what there is
    kafka: Part  # not well: nothing can be written


@routes.get("/health/live", response_class=Response, responses={200: {"description": "It does.", "content": {JSON: {}}}})
async def live() -> Response:
    """Say that the server turns its loop."""
    return Response(b'{"live":true}', media_type=JSON, headers={"cache-control": KEEP_NOTHING})


@routes.get("/health/ready", responses={503: {"description": "Reads cannot be answered.", "content": {JSON: {"schema": READY}}}})
async def ready(serving: Served) -> Response:
    """Say which parts are well; 503 where reads cannot be answered."""
    health = await _health(serving)
    status = HTTPStatus.OK if health.ready else HTTPStatus.SERVICE_UNAVAILABLE
    return Response(msgspec.json.encode(health), status, {"cache-control": KEEP_NOTHING}, JSON)


@routes.get("/metrics", response_class=Response, responses={200: {"description": "Metrics.", "content": {CONTENT_TYPE_LATEST: {}}}})
async def metrics(serving: Served) -> Response:
    """Give what Prometheus scrapes."""
    if serving.observe is not None:
        await serving.observe()
    return Response(generate_latest(serving.metrics.registry), headers={"cache-control": KEEP_NOTHING, "content-type": CONTENT_TYPE_LATEST})


async def _health(serving: Serving) -> Health:
    kafka = await _kafka(serving)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            marks = await serving.marks()
    except StoreUnavailable as error:
        says = str(error)
    except TimeoutError:
        says = f"no answer within {ANSWER_SECONDS:g} s"
    else:
        profiles = _profiles(marks)
        return Health(ready=bool(marks), store=Part(well=True, says="answers"), profiles=profiles, kafka=kafka)
    return Health(ready=False, store=Part(well=False, says=says), profiles=Part(well=False, says="not known: no store"), kafka=kafka)


def _profiles(marks: Mapping[int, Mark]) -> Part:
    if not marks:
        return Part(well=False, says="the store knows nothing yet: is a projector running?")
    days = sorted({mark.rule_day for mark in marks.values() if mark.rule_day is not None})
    if not days:
        return Part(well=False, says="no day has begun, nothing is judged yet")
    expected = partitions(marks)
    behind = sum(not mark.is_complete for mark in marks.values())
    as_of = f"as of {iso_day(days[0])}" + (f" to {iso_day(days[-1])}" if len(days) > 1 else "")
    if len(marks) < expected:
        return Part(well=False, says=f"{len(marks)} of {expected} partitions are there, {as_of}: does a projector run for the others?")
    if behind:
        return Part(well=False, says=f"{behind} of {expected} partitions are being rebuilt, {as_of}")
    stale = sum(mark.refreshed is not None and mark.refreshed != (mark.rule_day, mark.rulebook) for mark in marks.values())
    if stale:
        return Part(well=True, says=f"complete, {as_of}; {stale} of {expected} partitions are being brought to this day")
    return Part(well=True, says=f"complete, {as_of}")


async def _kafka(serving: Serving) -> Part:
    if serving.updates is None:
        return Part(well=False, says="this server has none: it only reads")
    complaint = await serving.updates.complaint()
    if complaint is None:
        return Part(well=True, says="takes updates")
    return Part(well=False, says=f"{complaint}: nothing can be written now")
