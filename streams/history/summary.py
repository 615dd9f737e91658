"""What a person reads after a replay or a play: where every event ended, which steps were taken, who stands where."""

from collections import Counter
from collections.abc import Iterable, Mapping

from engagement.account import AccountState
from engagement.fates import COUNTED, TO_VISITOR, WAITING
from engagement.rulebook import BOTTOMS, Rulebook

Funnel = Mapping[str, Mapping[str, int]]
"""Ladder -> rung, from the bottom up -> accounts that stand there."""


_APART = {
    "rerouted": "came in a wrong partition and were sent on to the right one",
    "adapted": "came in another format and were sent on as events",
    "adapted:events": "events were made of those",
    "identify": "said who a visitor is",
    "unlink": "took that back",
    "forget": "had a visitor forgotten",
    TO_VISITOR: "intent signals could only be told by their visitor, whose visits stand for them",
    "derived": "intent signals told who a visitor is, and are among those that said it",
    "visitors:expired": "visitors were not seen for too long and forgotten",
    "visitors:beyond_bound": "visitors were too many and forgotten",
}
"""What is counted beside the events' ends."""


def where_events_ended(intake: Mapping[str, int], qualify: Mapping[str, int]) -> Counter[str]:
    """Fates of every input event: intake's, and of those that it counted the ones that qualify could not take (``account_full``)."""
    ended = Counter(intake)
    if refused := qualify.get("dead:account_full", 0):
        ended["counted"] -= refused
        ended["dead:account_full"] += refused
    return ended


def fates_lines(fates: Mapping[str, int]) -> list[str]:
    """Where every input event ended; ``fates`` are those of `where_events_ended`."""
    filtered, dead = _reasons(fates, "filtered:"), _reasons(fates, "dead:")
    waiting = {"waiting": fates[WAITING]} if fates.get(WAITING) else {}
    ends = {"counted": fates.get(COUNTED, 0), **waiting, "filtered": filtered.total(), "dead": dead.total()}
    lines = [f"{fates.get('in', 0):,} events in = " + " + ".join(f"{count:,} {end}" for end, count in ends.items())]
    for end, reasons in (("filtered", filtered), ("dead", dead)):
        if reasons:
            lines.append(f"  {end}: {_listed(reasons)}")
    lines += [f"  apart from these, {fates[fate]:,} {meaning}" for fate, meaning in _APART.items() if fates.get(fate)]
    return lines


def records_line(fates: Mapping[str, int]) -> str:
    """What a log held; ``fates`` are qualify's over all partitions."""
    kinds = {fate: count for fate, count in fates.items() if fate != "in" and not fate.startswith("changes:")}
    return f"{fates.get('in', 0):,} log records: {_listed(Counter(kinds))}"


def changes_lines(fates: Mapping[str, int], rulebook: Rulebook) -> list[str]:
    """Tier changes by ladder and step, in the order of the ladder; ``fates`` are qualify's.

    Rungs of an earlier rulebook that ``rulebook`` lacks come after its own, as in a funnel.
    """
    steps = _reasons(fates, "changes:")
    lines = [f"{steps.total():,} tier changes"]
    for ladder, names in _names_of(rulebook).items():
        own = [tuple(step.split(":")[1:]) for step in steps if step.startswith(f"{ladder}:")]
        order = {name: number for number, name in enumerate(dict.fromkeys([*names, *sorted(name for step in own for name in step)]))}
        for origin, target in sorted(own, key=lambda step: (order[step[1]], order[step[0]])):
            lines.append(f"  {ladder}: {origin} → {target} {steps[f'{ladder}:{origin}:{target}']:,}")
    return lines


def funnel_of(states: Iterable[AccountState], rulebook: Rulebook) -> Funnel:
    """Count the accounts on every rung of ``rulebook``, empty ones included, and on those where an earlier one has left some."""
    funnel = {ladder: Counter(dict.fromkeys(names, 0)) for ladder, names in _names_of(rulebook).items()}
    for state in states:
        for ladder, rungs in funnel.items():
            standing = state.standings.get(ladder)
            rungs[BOTTOMS[ladder] if standing is None else standing.rung] += 1
    return {ladder: rungs for ladder, rungs in funnel.items() if len(rungs) > 1}


def funnel_lines(funnel: Funnel) -> list[str]:
    """One line a ladder."""
    return [f"{ladder}: " + "  ".join(f"{rung} {count:,}" for rung, count in rungs.items()) for ladder, rungs in funnel.items()]


def _names_of(rulebook: Rulebook) -> dict[str, tuple[str, ...]]:
    """Rungs of every ladder from the bottom up; only the bottom where the rulebook has no such ladder."""
    return {ladder: (bottom,) for ladder, bottom in BOTTOMS.items()} | {ladder.name: ladder.names for ladder in rulebook.ladders}


def _reasons(fates: Mapping[str, int], prefix: str) -> Counter[str]:
    return Counter({fate.removeprefix(prefix): count for fate, count in fates.items() if fate.startswith(prefix)})


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
