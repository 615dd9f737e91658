"""Tier changes since a position, for who polls rather than reads Kafka.

A cursor says for each partition from which offset on to read. It means the same after the store was flushed and rebuilt.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heapreplace
from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from engagement.changes import Mode, TierChange
from engagement.events import LONGEST_NAME, Name
from streams.identity import registrable
from streams.profiles.store import Change
from streams.serve.accounts import Cursor
from streams.serve.answers import JSON, Body, encode, tagged
from streams.serve.problems import Refusal
from streams.serve.serving import Served, Serving
from streams.topics import TIER_CHANGES

routes = APIRouter(tags=["tier changes"])

MOST_CHANGES = 500
MOST_LOOKED_AT = 2_000
"""Tier changes that are looked at for one answer. Where few of them are wanted, the answer is short and its cursor goes on behind them."""

Position = dict[Annotated[int, msgspec.Meta(ge=0)], Annotated[int, msgspec.Meta(ge=0)]]
"""Partition -> next offset."""


class ToldChange(TierChange, kw_only=True, frozen=True):
    """One tier change, as it was sent, and in which mode."""

    mode: Mode = "live"


class Glimpse(msgspec.Struct, kw_only=True, frozen=True):
    """As much of a change as decides whether it is told, and when: decoding the rest takes five times as long."""

    account: str
    ladder: str
    to: str
    direction: str
    qualified: bool
    effective_at: str


class Changes(msgspec.Struct, kw_only=True, frozen=True):
    """Tier changes in order: each account's exactly, all together by when they became effective as far as they were read."""

    changes: tuple[ToldChange, ...]
    next: str  # give it as ``after`` to go on, now or later


class ChangesWanted(BaseModel):
    """Which tier changes, all conditions together."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[Cursor, Field(description="`next` of the answer before; without it, from the oldest that is kept.")] | None = None
    last: (
        Annotated[int, Field(ge=1, le=MOST_CHANGES, description="In place of `after`: begin at most this many before the newest.")] | None
    ) = None
    limit: Annotated[int, Field(ge=1, le=MOST_CHANGES)] = 100
    ladder: Name | None = None
    to: Annotated[Name, Field(description="The rung that was reached.")] | None = None
    direction: Literal["promotion", "demotion"] | None = None
    qualified: bool | None = None
    account: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)] | None = None

    @property
    def is_filtered(self) -> bool:
        """Whether some are left out."""
        return any(each is not None for each in (self.ladder, self.to, self.direction, self.qualified, self.account))

    def takes(self, change: "Glimpse") -> bool:
        """Whether it is one of them."""
        return (
            self.ladder in {None, change.ladder}
            and self.to in {None, change.to}
            and self.direction in {None, change.direction}
            and self.qualified in {None, change.qualified}
            and (self.account is None or change.account == (registrable(self.account) or self.account))
        )


@routes.get("/tier-changes")
async def tier_changes(request: Request, serving: Served, wanted: Annotated[ChangesWanted, Query()]) -> Response:
    """List tier changes since a position. There is always a `next`: keep it, and ask again from there."""
    question = ("tier-changes", request.scope["query_string"])
    return tagged(request, await serving.lists(question, lambda: _listed(serving, wanted)), JSON)


async def _listed(serving: Serving, wanted: ChangesWanted) -> Body:
    if wanted.after is not None and wanted.last is not None:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"last = {wanted.last}: says where to begin, as after does; give one of the two")
    places, first = await _places(serving), await serving.first_changes()
    await serving.is_complete()  # where the store knows nothing, that is no answer
    said: Position = {}
    if wanted.after is None:
        position = {number: first.get(number, place) for number, place in places.items()}
    else:
        said = read_cursor(wanted.after)  # after a flush, of partitions too that the store does not know yet; these stay as they are
        position = {number: said.get(number, first.get(number, place)) for number, place in places.items()}
    if wanted.last is not None:
        return encode(await _last(serving, wanted, wanted.last, position, places))
    found = await _since(serving, wanted, position, places)
    _check_kept(said, await serving.store.first_changes())  # as it is now: some may have gone meanwhile
    return encode(msgspec.structs.replace(found, next=write_cursor(said | read_cursor(found.next))))


async def _since(serving: Serving, wanted: ChangesWanted, position: Position, places: Mapping[int, int]) -> Changes:
    found: list[ToldChange] = []
    looked_at = 0
    chunk = max(1, min(wanted.limit, MOST_LOOKED_AT // max(1, len(position))))
    while looked_at < MOST_LOOKED_AT:
        fetched = await serving.store.changes(position, chunk)
        for partition, glimpse, change in _in_order(fetched, chunk):
            position[partition] = change.offset + 1
            looked_at += 1
            if wanted.takes(glimpse):
                found.append(_told(change))
                if len(found) == wanted.limit:
                    return Changes(changes=tuple(found), next=write_cursor(position))
        if all(len(changes) < chunk for changes in fetched.values()):
            # Read to the end as it was before: what lies between the last change and there are no changes.
            position = {number: max(offset, places.get(number, 0)) for number, offset in position.items()}
            break
    return Changes(changes=tuple(found), next=write_cursor(position))


async def _last(serving: Serving, wanted: ChangesWanted, last: int, first: Position, places: Mapping[int, int]) -> Changes:
    """The newest ones, and where to go on from."""
    before = MOST_LOOKED_AT // max(1, len(first)) if wanted.is_filtered else 2 * last + 20  # a transaction's marker takes an offset too
    start = {number: max(offset, places.get(number, 0) - before) for number, offset in first.items()}
    fetched = await serving.store.changes(start, MOST_LOOKED_AT)
    if not wanted.is_filtered:
        fetched = {number: changes[-last:] for number, changes in fetched.items()}
    found: list[Change] = []
    position = {number: max(offset, places.get(number, 0)) for number, offset in start.items()}
    for partition, glimpse, change in _in_order(fetched, MOST_LOOKED_AT):
        position[partition] = max(position[partition], change.offset + 1)
        if wanted.takes(glimpse):
            found.append(change)
    return Changes(changes=tuple(map(_told, found[-last:])), next=write_cursor(position))


def _in_order(fetched: Mapping[int, Sequence[Change]], chunk: int) -> Iterator[tuple[int, Glimpse, Change]]:
    """Merge partitions by effective time, each in its own order; ends where one runs out of which there may be more."""
    left = {number: iter(changes) for number, changes in fetched.items()}
    heap = [entry for number, changes in left.items() if (entry := _next(number, changes)) is not None]
    heapify(heap)
    while heap:
        _, number, glimpse, change = heap[0]
        yield number, glimpse, change
        following = _next(number, left[number])
        if following is not None:
            heapreplace(heap, following)
        elif len(fetched[number]) < chunk:
            heappop(heap)
        else:
            return


def _next(number: int, changes: Iterator[Change]) -> tuple[str, int, Glimpse, Change] | None:
    """Entry of the heap: no partition is in it twice, so that it is in order by the first two."""
    change = next(changes, None)
    if change is None:
        return None
    glimpse = _glimpse(change.body)
    return glimpse.effective_at, number, glimpse, change


async def _places(serving: Serving) -> dict[int, int]:
    """Partition of ``tier-changes`` -> offset to which the store has it."""
    places = await serving.store.places()  # as they are now: a cursor that goes by those before a flush would skip what comes again
    return {int(number): place for source, place in places.items() for topic, _, number in [source.partition("/")] if topic == TIER_CHANGES}


def _check_kept(position: Position, first: Mapping[int, int]) -> None:
    """Raise `Refusal` (410) where changes after the position are no longer kept."""
    for number, offset in sorted(position.items()):
        if number in first and offset < first[number]:
            detail = (
                f"after: partition {number} is kept from offset {first[number]} on, and this stands at {offset}: changes between were "
                "dropped; begin anew without it, and read the topic tier-changes for what was missed"
            )
            raise Refusal(HTTPStatus.GONE, detail)


def write_cursor(position: Position) -> str:
    """Spell a position."""
    packed = msgspec.msgpack.encode(dict(sorted(position.items())))
    return urlsafe_b64encode(packed).decode().rstrip("=")


def read_cursor(text: str) -> Position:
    """Invert `write_cursor`. Raises `Refusal` (400) for anything else."""
    try:
        packed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return _decode_position(packed)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        detail = f"after = {text[:40]!r}: is no cursor; give `next` of an earlier answer as it was, or leave it out"
        raise Refusal(HTTPStatus.BAD_REQUEST, detail) from None


def _told(change: Change) -> ToldChange:
    told = _decode_change(change.body)
    return told if change.mode == "live" else msgspec.structs.replace(told, mode="baseline")


_decode_change = msgspec.json.Decoder(ToldChange).decode
_glimpse = msgspec.json.Decoder(Glimpse).decode
_decode_position = msgspec.msgpack.Decoder(Position).decode
