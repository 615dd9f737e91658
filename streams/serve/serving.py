"""What the routes answer from. One for a server, made by whoever starts it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from engagement.judging import Judge, judge_by
from streams.profiles.store import Mark, Overview, ProfileStore, is_complete
from streams.serve.answers import Body
from streams.serve.letters import LetterSource
from streams.serve.metrics import ServeMetrics
from streams.serve.problems import Refusal, unavailable
from streams.serve.remembered import Made, Remembered, Shared
from streams.serve.tickets import Tickets
from streams.serve.tokens import ANYBODY, NOBODY, Caller, Scope, Tokens
from streams.serve.updates import UpdateSink

MOMENT_SECONDS = 0.5
MOST_SHARED = 32
"""Lists that are kept for that moment; the longest are of half a megabyte."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, kw_only=True)
class Serving:
    """The parts of one server."""

    store: ProfileStore
    tokens: Tokens = field(default_factory=Tokens)
    is_local: bool = True  # nobody but this machine can reach it
    hosts: Sequence[str] = LOOPBACK  # names under which it may be asked for
    letters: LetterSource | None = None  # None: there is no Kafka
    updates: UpdateSink | None = None  # likewise
    reports: Path | None = None  # folder
    rate: int = 100  # requests a second of one caller, or of one address without a token
    tickets: Tickets = field(default_factory=Tickets)
    metrics: ServeMetrics = field(default_factory=ServeMetrics)
    observe: Callable[[], Awaitable[None]] | None = None  # sets gauges to what holds now, before they are read
    rulebooks: dict[str, str] = field(default_factory=dict, init=False)  # version -> text, as far as it was asked for
    marks: Remembered[Mapping[int, Mark]] = field(init=False)  # where each partition stood a moment ago
    overview: Remembered[Overview] = field(init=False)  # likewise, and the next
    first_changes: Remembered[Mapping[int, int]] = field(init=False)
    lists: Shared[Body] = field(default_factory=lambda: Shared(MOMENT_SECONDS, MOST_SHARED), init=False)  # by path and query
    numbers: Made[Body] = field(default_factory=Made, init=False)  # of all accounts

    def __post_init__(self) -> None:
        """Nothing is asked yet."""
        for what in ("marks", "overview", "first_changes"):
            object.__setattr__(self, what, Remembered(getattr(self.store, what), MOMENT_SECONDS))

    def caller(self, authorization: str | None) -> Caller | None:
        """Who asks, by the header; None for a token that nobody has."""
        if authorization is None:
            return ANYBODY if self.is_local and not len(self.tokens) else NOBODY
        scheme, _, token = authorization.partition(" ")
        return self.tokens.caller(token.strip()) if scheme.lower() == "bearer" else None

    async def judge(self, mark: Mark) -> Judge:
        """Return who judges the accounts of a partition."""
        version = mark.rulebook
        text = self.rulebooks.get(version)
        if text is None:
            text = await self.store.rulebook(version)
            if text is None:
                raise unavailable(f"rulebook {version}: the store of profiles does not have it yet; ask again")
            self.rulebooks[version] = text
        return judge_by(text, version)

    async def is_complete(self) -> bool:
        """Whether every account is in the store now. Raises `Refusal` (503) where it knows nothing: no accounts are not no answer."""
        marks = await self.store.marks()
        if not marks:
            raise unavailable("the store of profiles knows nothing yet: it is being filled, or no projector runs; ask again")
        return is_complete(marks)

    async def newest(self) -> tuple[Judge, int | None] | None:
        """Return who judges the accounts that are furthest, and their rule day; None while the store knows nothing."""
        marks = (await self.marks()).values()
        newest = max(marks, key=lambda mark: -1 if mark.rule_day is None else mark.rule_day, default=None)
        return None if newest is None else (await self.judge(newest), newest.rule_day)


# FastAPI runs a dependency that is no coroutine in a thread, which takes longer than all that these do.


async def serving_of(request: Request) -> Serving:
    """Return what this server answers from."""
    serving: Serving = request.app.state.serving
    return serving


async def caller_of(request: Request) -> Caller:
    """Return who asks, as the guard found out."""
    caller: Caller = request.state.caller
    return caller


def may(scope: Scope) -> Callable[[Caller], Awaitable[None]]:
    """Make the dependency that lets only those pass who may; 401 for nobody, 403 for somebody else."""

    async def check(caller: Annotated[Caller, Depends(caller_of)]) -> None:
        if scope in caller.scopes:
            return
        if caller in (NOBODY, ANYBODY):
            detail = f"needs a token with the scope {scope}: send `Authorization: Bearer ...`; `mqa serve token` makes one"
            raise Refusal(HTTPStatus.UNAUTHORIZED, detail, {"www-authenticate": "Bearer"})
        raise Refusal(HTTPStatus.FORBIDDEN, f"the token of {caller.name} has not the scope {scope}; ask who runs the server for one")

    return check


Served = Annotated[Serving, Depends(serving_of)]
Asking = Annotated[Caller, Depends(caller_of)]
