"""What `mqa resolve` says of an event, and of a file of them, as a person reads it on a terminal."""

from collections import Counter
from collections.abc import Iterator, Mapping

from click import style

from engagement.explain.resolved import SAYS_ITSELF, Answer, Resolved
from engagement.explain.wording import listed, plain, several
from engagement.fates import ADAPTED, COUNTED, TO_VISITOR, WAITING
from engagement.resolution import FREE_MAIL, OWN_DOMAIN, UNRESOLVED
from engagement.rulebook import Rulebook
from engagement.visitor import RATE
from engagement.written import printable
from streams.history.summary import fates_lines

_LONGEST = 60  # characters of what somebody else wrote

_NOBODYS = {
    UNRESOLVED: "no method knows its account",
    FREE_MAIL: "an address at a free-mail provider is no account's",
    OWN_DOMAIN: "it is of our own staff",
    "opted_out": "its visitor asked not to be tracked",
    "data_centre": "it came from a data centre",
    RATE: "in that minute its visitor opened more pages than a person does",
}
"""Why an event is nobody's. The other reasons are of events that are not looked at so closely: robots, duplicates."""

_LACKS = {
    "account": "the event names none",
    "contact": "the event has no e-mail address",
    "email": "the event has no e-mail address",
    "visitor": "a signal is not found by its visitor",
    "network": "the event has no IP address",
}
"""Why a method knows nothing that has nothing to look up."""

_UNKNOWN = {
    "contact": "{by} is on no contact list",
    "visitor": "{by} has not said so far who it is",
    "network": "no network is known that holds {by}",
}
"""Likewise where it has something, and does not find it."""

_LOST = {
    UNRESOLVED: "no domain that a company can have: {by}",
    FREE_MAIL: "{by} is at a free-mail provider",
    OWN_DOMAIN: "{by} is our own",
    "opted_out": "not looked at: the visitor asked not to be tracked",
    "data_centre": "not looked at: a program in a data centre, mostly",
    SAYS_ITSELF: "not looked up: the event itself says who {by} is",
    "isp": "{by} is a provider's, and its addresses anyone's",
    "own": "{by} is our own network",
}


_MOVES_NOTHING = {
    OWN_DOMAIN: "own staff move no account",
    "opted_out": "its visitor asked not to be tracked",
    "data_centre": "visits from data centres move no account",
}
"""Why an event is nobody's although a method knows an account. (None of the other reasons comes with one.)"""

_OTHERS = {
    COUNTED: "{account}, whose update it is",
    WAITING: "nobody's so far, it waits until its visitor says who they are",
    "identify": "visitor {visitor} is of {account}",
    "unlink": "visitor {visitor} is nobody's again",
    "forget": "visitor {visitor} is forgotten",
    ADAPTED: "written in another format, its events follow",
    TO_VISITOR: "only visitor {visitor} can tell whose, so a visit of that one stands for it and follows",
}
"""Fate -> what is said of an event that no method found an account for."""


def event_lines(told: Resolved) -> Iterator[str]:
    """Whose an event is, and below it what each method said, the one that found it marked."""
    number = "" if told.line is None else f"{told.line}  "
    name = f"a record of {told.topic}" if told.id is None else printable(told.id, _LONGEST)
    moved = f"; {several(told.moved, 'earlier visit moves', 'earlier visits move')} with it" if told.moved else ""
    yield style(f"{number}{name}: {_headline(told)}{moved}", bold=True)
    found = next((answer for answer in told.answers if answer.lost is None), None)
    for answer in told.answers:
        yield f"  {'>' if answer is found else ' '} {answer.method:<7}  {_said(answer, found)}"


def summary_lines(fates: Mapping[str, int], counted: Counter[str], rulebook: Rulebook, bad: int) -> Iterator[str]:
    """Where all events ended, and how many are counted by which method. ``bad``: lines that held no event."""
    heading, *others = fates_lines(fates)
    yield heading
    methods = [f"by {method} {counted[method]:,}" for method in rulebook.resolve.order if counted[method]]
    updates = [f"account updates {counted['update']:,}"] if counted["update"] else []
    if methods or updates:
        yield f"  counted: {', '.join([*methods, *updates])}"
    yield from others
    if bad:
        yield f"{several(bad, 'line', 'lines')} more without an event, left out"


def _headline(told: Resolved) -> str:
    end, _, reason = told.fate.partition(":")
    if told.method is not None:
        above = f", and for {listed(told.above, 'and')} above it" if told.above else ""
        return f"{told.account} by {told.method}, confidence {told.confidence}{above}"
    if end == "filtered":
        return f"nobody's, {_NOBODYS[reason]}" if reason in _NOBODYS else f"filtered as {plain(reason)}"
    if end == "dead":
        return f"a dead letter ({plain(reason)}): {printable(told.detail or '', 200)}"
    visitor = printable(told.visitor_id or "", _LONGEST)
    return _OTHERS[end].format(visitor=visitor, account=told.account or "our own staff")


def _said(answer: Answer, found: Answer | None) -> str:
    by = None if answer.by is None else printable(answer.by, _LONGEST)
    match answer:
        case Answer(lost=None):
            return f"{answer.account}" if by in (None, answer.account) else f"{answer.account}, by {by}"
        case Answer(lost="later") if found is not None:
            return f"{answer.account}, but {found.method} comes first"
        case Answer(account=str(account), lost=reason):
            return f"{account}, but {_MOVES_NOTHING.get(str(reason), 'the event moves no account')}"
        case Answer(lost="absent"):
            return _LACKS[answer.method] if by is None else _UNKNOWN[answer.method].format(by=by)
        case _:
            return _LOST[str(answer.lost)].format(by=by)
