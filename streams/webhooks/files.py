"""The webhooks file, and picking a subscription of it."""

from collections.abc import Collection, Sequence
from pathlib import Path

from engagement.errors import Refused
from engagement.subscriptions import Subscription, load_subscriptions
from engagement.written import printable, unknown
from streams.rulebooks import read_written


def read_subscriptions(path: Path) -> tuple[Subscription, ...]:
    """Read a webhooks file. Raises `Refused` where there is none or it cannot be used."""
    place = printable(str(path), 4096)
    return load_subscriptions(read_written(path, place, "name a webhooks file, see docs/webhooks.md"), place)


def pick(subscriptions: Sequence[Subscription], names: Collection[str]) -> list[Subscription]:
    """Those of these names, or all where none is named. Raises `Refused` for a name that none has."""
    known = [each.name for each in subscriptions]
    for name in names:
        if name not in known:
            raise Refused(unknown(printable(name, 60), name, known, "subscription"))
    return [each for each in subscriptions if not names or each.name in names]
