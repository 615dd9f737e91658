"""Is what a run told its subscribers what a replay of its log tells? To the byte, per account, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from streams.delivery import Promise

Told = Mapping[bytes, Sequence[bytes]]
"""Account -> the bodies of its tier changes, in order."""


class _Identity(msgspec.Struct):
    """The part of a tier change that says which one it is."""

    id: str
    sequence: int


_identify = msgspec.json.Decoder(_Identity).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Live against replay. ``+`` adds those of other partitions."""

    live: int = 0  # tier changes
    replayed: int = 0
    lost: int = 0  # in the replay only
    double: int = 0  # live more than once
    different: int = 0  # live, but in another place or with other bytes, a repeat's too
    gaps: int = 0  # accounts whose live sequence is not 1..n
    states: int = 0  # accounts that either side knows
    other_states: int = 0  # of these, those whose state bytes are not equal
    unfolded: int = 0  # log records that the workers have not folded yet: outside the comparison
    first: str | None = None  # difference, both sides

    def __add__(self, other: "Comparison") -> "Comparison":
        sums = {name: getattr(self, name) + getattr(other, name) for name in self.__slots__ if name != "first"}
        return Comparison(**sums, first=other.first if self.first is None else self.first)

    @property
    def holds(self) -> bool:
        """Nothing differs."""
        return self.keeps("exactly_once")

    def keeps(self, promise: Promise) -> bool:
        """Nothing differs, or nothing but that tier changes came twice, the same to the byte, where no more is promised."""
        is_too_often = self.double and promise == "exactly_once"
        return not (self.lost or is_too_often or self.different or self.gaps or self.other_states)

    def lines(self, promise: Promise = "exactly_once") -> list[str]:
        """What a person reads."""
        sign = "=" if self.live == self.replayed else "≠"
        verdict = f"{self.lost} lost, {self.double} double, {self.different} different"
        lines = [
            f"live {self.live} {sign} replay {self.replayed} tier changes; {verdict}",
            f"{self.states} account states, {self.other_states} different",
        ]
        if self.gaps:
            lines.append(f"{self.gaps} accounts whose sequence is not 1..n")
        if self.unfolded:
            lines.append(f"{self.unfolded} log records are not folded by the workers yet: compared is what comes before them")
        if self.double and self.keeps(promise):
            lines.append(f"{self.double} came twice, each with the id of the first and the same to the byte, as {promise} allows")
        elif self.first is not None:
            lines.append(self.first)
        return lines


def compare_changes(live: Told, replayed: Told) -> Comparison:
    """Compare what subscribers read with what the replay says."""
    total = Comparison(live=sum(map(len, live.values())), replayed=sum(map(len, replayed.values())))
    for account in sorted(live.keys() | replayed.keys()):
        total += _compare_account(account, live.get(account, ()), replayed.get(account, ()))
    return total


def compare_states(live: Mapping[bytes, bytes], replayed: Mapping[bytes, bytes]) -> Comparison:
    """Compare the accounts' rows in the changelog with the replay's."""
    accounts = live.keys() | replayed.keys()
    others = sorted(account for account in accounts if live.get(account) != replayed.get(account))
    first = None
    if others:
        account = others[0]
        first = _difference(f"state of {account.decode(errors='replace')}", live.get(account), replayed.get(account))
    return Comparison(states=len(accounts), other_states=len(others), first=first)


def _compare_account(account: bytes, live: Sequence[bytes], replayed: Sequence[bytes]) -> Comparison:
    once: dict[str, bytes] = {}
    sequences: list[int] = []
    unlike_first = 0
    for body in live:
        change = _identify(body)
        if change.id not in once:
            once[change.id] = body
            sequences.append(change.sequence)
        elif body != once[change.id]:
            unlike_first += 1
    expected = {_identify(body).id: body for body in replayed}
    lost = len(expected.keys() - once.keys())
    unknown = len(once.keys() - expected.keys())
    common = [body for identity, body in once.items() if identity in expected]
    displaced = sum(one != other for one, other in zip(common, (expected[i] for i in expected if i in once), strict=True))
    if list(live) == list(replayed):
        first = None
    else:
        place = next((at for at, pair in enumerate(zip(live, replayed, strict=False)) if pair[0] != pair[1]), min(len(live), len(replayed)))
        first = _difference(
            f"tier change {place + 1} of {account.decode(errors='replace')}",
            live[place] if place < len(live) else None,
            replayed[place] if place < len(replayed) else None,
        )
    return Comparison(
        lost=lost,
        double=len(live) - len(once),
        different=unknown + displaced + unlike_first,
        gaps=int(sequences != list(range(1, len(sequences) + 1))),
        first=first,
    )


def _difference(what: str, live: bytes | None, replayed: bytes | None) -> str:
    def shown(value: bytes | None) -> str:
        return "nothing" if value is None else value.decode(errors="backslashreplace")

    return f"first difference, {what}:\n  live   {shown(live)}\n  replay {shown(replayed)}"
