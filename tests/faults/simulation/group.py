"""The broker's side of a consumer group with static members: who is in it, and since which generation who reads what.

As Kafka does it (KIP-345): a static member that comes back under its instance id takes its old place without a rebalance, and whoever had
it is fenced; one that is silent for a session is out; a join waits for the others, for a rebalance time-out at most.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.errors import RebalanceInProgressError, UnknownMemberIdError

SESSION = 10.0
REBALANCE = 15.0
LOOK = 0.5

Assign = Callable[[dict[str, ConsumerProtocolMemberMetadata]], dict[str, ConsumerProtocolMemberAssignment]]


class FencedInstance(Exception):  # noqa: N818 - as aiokafka's are named, which knows none of this kind
    """Another process has come back under this instance id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What a member is told when a rebalance is over."""

    member: str
    generation: int
    assignment: ConsumerProtocolMemberAssignment


@dataclass(eq=False, slots=True)
class _Member:
    instance: str
    metadata: ConsumerProtocolMemberMetadata
    heard_at: float
    assignment: ConsumerProtocolMemberAssignment | None = None
    waiting: asyncio.Future[Joined] | None = field(default=None, repr=False)


class Group:
    """One group. Every method is a request that a `Network` carries; none waits but for the future that `join` gives."""

    def __init__(self, assign: Assign, time: Callable[[], float]) -> None:
        """``assign`` is what the leader would do."""
        self.generation = 0
        self._assign, self._time = assign, time
        self._members: dict[str, _Member] = {}  # by member id
        self._numbers = 0
        self._rebalancing_since: float | None = None

    def join(self, member: str, instance: str, metadata: ConsumerProtocolMemberMetadata) -> asyncio.Future[Joined]:
        """Join or come back; the future is done when the rebalance is. Raises where the member id is not (or no longer) known."""
        answer: asyncio.Future[Joined] = asyncio.get_running_loop().create_future()
        if member and member not in self._members:
            raise self._stranger(instance)
        if not member:
            self._numbers += 1
            member = f"{instance}-{self._numbers}"
            before = next((each for each, known in self._members.items() if known.instance == instance), None)
            if before is not None:
                old = self._members.pop(before)
                if old.waiting is not None and not old.waiting.done():
                    old.waiting.set_exception(FencedInstance(instance))
                    old.waiting.exception()
                self._members[member] = _Member(instance, metadata, self._time(), old.assignment)
                if self._rebalancing_since is None and old.assignment is not None:
                    answer.set_result(Joined(member=member, generation=self.generation, assignment=old.assignment))
                    return answer
            else:
                self._members[member] = _Member(instance, metadata, self._time())
        known = self._members[member]
        known.metadata, known.heard_at, known.waiting = metadata, self._time(), answer
        self._rebalance()
        return answer

    def heartbeat(self, member: str, instance: str, generation: int) -> None:
        """Say that one is alive. Raises where it must join again."""
        known = self._members.get(member)
        if known is None:
            raise self._stranger(instance)
        known.heard_at = self._time()
        if self._rebalancing_since is not None or generation != self.generation:
            raise RebalanceInProgressError

    def leave(self, member: str) -> None:
        """Leave for good."""
        if self._members.pop(member, None) is not None:
            self._rebalance()

    def members(self) -> Sequence[str]:
        """Member ids."""
        return sorted(self._members)

    def look(self) -> None:
        """Expel the silent, and end a rebalance that has waited long enough. To be called every `LOOK` seconds."""
        now = self._time()
        silent = [each for each, known in self._members.items() if now - known.heard_at > SESSION and known.waiting is None]
        for each in silent:
            del self._members[each]
        if silent:
            self._rebalance()
        self._complete(is_due=self._rebalancing_since is not None and now - self._rebalancing_since > REBALANCE)

    def _stranger(self, instance: str) -> Exception:
        has_place = any(known.instance == instance for known in self._members.values())
        return FencedInstance(instance) if has_place else UnknownMemberIdError(instance)

    def _rebalance(self) -> None:
        if self._rebalancing_since is None:
            self._rebalancing_since = self._time()
        self._complete(is_due=False)

    def _complete(self, *, is_due: bool) -> None:
        if self._rebalancing_since is None:
            return
        if not self._members:
            self._rebalancing_since = None
            return
        if not is_due and any(known.waiting is None for known in self._members.values()):
            return
        self._rebalancing_since = None
        self.generation += 1
        assignments = self._assign({member: known.metadata for member, known in self._members.items()})
        for member, known in self._members.items():  # a static one that did not come keeps its place until its session is over
            known.assignment = assignments[member]
            if known.waiting is not None:
                if not known.waiting.done():
                    known.heard_at = self._time()
                    known.waiting.set_result(Joined(member=member, generation=self.generation, assignment=known.assignment))
                known.waiting = None
