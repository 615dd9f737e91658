"""Which rulebook may take another's place while an environment runs: one for which the log holds all that it would have counted."""

from collections.abc import Iterator

from engagement.errors import Refused
from engagement.rulebook import Rulebook

REMEDY = "undo that, or play the raw history into a new environment (`mqa topics create --prefix NEW- --clock played --rulebook FILE`)"


def check_restates(active: Rulebook, new: Rulebook, place: str) -> None:
    """Raise `Refused` where ``new`` cannot restate what happened under ``active``, with the first reason.

    Counts older than ``history_days`` are gone, and ``urls``, ``ignore_urls`` and ``min_score`` decided what was counted at all. The order
    and the case of patterns change nothing there, but the order of the kinds with ``urls`` does.
    """
    for complaint in obstacles(active, new):
        raise Refused(f"{place}: {complaint}; {REMEDY}")


def obstacles(active: Rulebook, new: Rulebook) -> Iterator[str]:
    """Say what keeps ``new`` from taking the place of ``active``, one line each; nothing where it may."""
    if new.history_days > active.history_days:
        yield f"history_days = {new.history_days} exceeds {active.history_days}, the days for which counts were kept"
    before, after = _page_rules(active), _page_rules(new)
    for kind in dict.fromkeys((*before, *after)):
        if before.get(kind) != after.get(kind):
            yield f"signals.{kind}.urls differs from the active rulebook's, and page views were counted by those"
    if before.keys() == after.keys() and list(before) != list(after):
        yield f"signals has its kinds with urls in the order {', '.join(after)}, was {', '.join(before)}, and the one named first wins"
    if _patterns(active.ignore_urls) != _patterns(new.ignore_urls):
        yield "ignore_urls differs from the active rulebook's, and page views were left out by those"
    for kind, rule in new.signals.items():
        known = active.signals.get(kind)
        if known is not None and known.min_score != rule.min_score:
            yield f"signals.{kind}.min_score = {rule.min_score}, was {known.min_score}, and signals were left out by that"


def _page_rules(rulebook: Rulebook) -> dict[str, frozenset[str]]:
    return {kind: _patterns(rule.urls) for kind, rule in rulebook.signals.items() if rule.urls}


def _patterns(globs: tuple[str, ...]) -> frozenset[str]:
    return frozenset(glob.lower() for glob in globs)
