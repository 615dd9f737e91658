"""Subscriptions and what is parked, in words, and for programs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from engagement.days import iso_instant
from engagement.explain.wording import several
from engagement.quantities import MS
from engagement.subscriptions import Subscription
from engagement.written import printable
from streams.webhooks.parked import Parked

_LONGEST_ANSWER = 80  # characters on a terminal; JSON has the whole


def told(subscription: Subscription) -> Iterator[str]:
    """What a subscription gets, where to and how, line by line."""
    when = subscription.when
    changes = {None: "every tier change", "promotion": "every promotion", "demotion": "every demotion"}[when.direction]
    parts = [
        f"on {when.ladder}" if when.ladder else "",
        f"from {_either(when.from_)}" if when.from_ else "",
        f"to {_either(when.to)}" if when.to else "",
        "" if when.qualified is None else "that qualifies" if when.qualified else "that does not qualify",
        f"of accounts in {_either(when.segment)}" if when.segment else "",
        f"owned by {_either(when.owner)}" if when.owner else "",
    ]
    left_out = {"restatements": "restatements", "baseline": "played histories"}
    without = [words for name, words in left_out.items() if name not in subscription.include]
    yield " ".join(filter(None, [changes, *parts])) + (f"; no {', no '.join(without)}" if without else "")
    yield f"to {shown_url(subscription.url)}, within {MS.spell(subscription.timeout)}"
    retry = subscription.retry
    pauses = f"pauses of up to {MS.spell(retry.first)} that grow to {MS.spell(retry.longest)}"
    yield f"tried again after {pauses}, and parked after {MS.spell(retry.give_up_after)}"
    yield f"begins at {'the ' if subscription.start_at is None else ''}{subscription.start} where it has no position"
    if subscription.allow_http or subscription.allow_private:
        allowed = {"plain http": subscription.allow_http, "private addresses": subscription.allow_private}
        yield f"may use {' and '.join(words for words, is_allowed in allowed.items() if is_allowed)}"


def shown_url(url: str) -> str:
    """An address without its query, which may hold a secret."""
    parts = urlsplit(url)
    return printable(f"{parts.scheme}://{parts.netloc}{parts.path}{'?...' if parts.query else ''}", 200)


def listed(parked: Sequence[Parked]) -> Iterator[str]:
    """One line for each: when it was parked, whose, where it lies, of which account, after how many attempts, and the last answer."""
    rows = [
        (
            iso_instant(each.at),
            printable(each.subscription, 64),
            str(each.place),
            printable(each.message.account, 64),
            several(each.attempts, "attempt", "attempts"),
        )
        for each in parked
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(5)]
    for row, each in zip(rows, parked, strict=True):
        cells = [part.ljust(width) for part, width in zip(row, widths, strict=True)]
        yield "  ".join([*cells, printable(each.answer, _LONGEST_ANSWER)]).rstrip()


def count_line(parked: Sequence[Parked]) -> str:
    """How many there are, by subscription."""
    counts = Counter(each.subscription for each in parked)
    by = f": {', '.join(f'{printable(name, 64)} {count:,}' for name, count in counts.most_common())}" if counts else ""
    return f"{several(len(parked), 'delivery', 'deliveries')} parked{by}"


def fields(parked: Parked) -> dict[str, Any]:
    """All of one, in JSON's types."""
    return {
        "place": str(parked.place),
        "at": iso_instant(parked.at),
        "subscription": parked.subscription,
        "webhook_id": parked.message.id,
        "account": parked.message.account,
        "source": parked.source,
        "attempts": parked.attempts,
        "answer": parked.answer,
        "body": parked.message.body.decode(errors="replace"),
    }


def _either(names: Sequence[str]) -> str:
    return " or ".join(printable(name, 60) for name in names)
