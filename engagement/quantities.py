"""Quantities as people write them in a rulebook, as exact integers: ``14d``, ``10M``, ``1.5``, ``60%``.

Each `Quantity` reads a scalar's text and spells it back in one way, so two spellings of one value give one rulebook version.
Arithmetic is `decimal`, never float. A text that is not the quantity raises ValueError whose message completes
``path = text ...``: what it must be, with an example.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

THOUSAND = 1000
_NUMBER = re.compile(r"([+-]?[0-9][0-9_]*(?:\.[0-9]+)?)([kKMG]?)")
_DURATION = re.compile(r"([0-9]+)\s*([smhdw])")
_SUFFIX = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9}
_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_LARGEST = 10**15


class Quantity(NamedTuple):
    """How one sort of scalar is read and spelled."""

    read: Callable[[object], int]
    spell: Callable[[int], str | int]


def _number(scalar: object, scale: int, must: str) -> int:
    match = _NUMBER.fullmatch(str(scalar).strip())
    if match is None:
        raise ValueError(must)
    exact = Decimal(match[1]) * _SUFFIX[match[2]] * scale
    if exact != exact.to_integral_value() or not 0 <= exact <= _LARGEST:
        raise ValueError(must)
    return int(exact)


def _duration(scalar: object, unit: int, must: str) -> int:
    match = _DURATION.fullmatch(str(scalar).strip())
    if match is None:
        raise ValueError(must)
    spans, rest = divmod(int(match[1]) * _MS[match[2]], unit)
    if rest or spans == 0 or spans > _LARGEST:
        raise ValueError(must)
    return spans


def _read_thousandths(scalar: object) -> int:
    return _number(scalar, THOUSAND, "must be a number from 0 up with at most three decimals; write it as 20 or 1.5")


def spell_thousandths(thousandths: int) -> str | int:
    """``1500`` -> ``"1.5"``, ``2000`` -> ``2``."""
    whole, rest = divmod(thousandths, THOUSAND)
    return whole if rest == 0 else f"{whole}.{rest:03d}".rstrip("0")


def _read_whole(scalar: object) -> int:
    return _number(scalar, 1, "must be a whole number from 0 up; write it as 3, 200 or 1.5M")


def _read_days(scalar: object) -> int:
    return _duration(scalar, _MS["d"], "must be whole days from 1 up; write it as 14d")


def _read_ms(scalar: object) -> int:
    return _duration(scalar, 1, "must be a duration above 0; write it as 10m or 24h")


def _read_share(scalar: object) -> int:
    must = "must be a share from 0% to 100% with at most one decimal; write it as 60%"
    text = str(scalar).strip()
    if not text.endswith("%"):
        raise ValueError(must)
    share = _number(text[:-1], THOUSAND // 100, must)
    if share > THOUSAND:
        raise ValueError(must)
    return share


def _read_flag(scalar: object) -> int:
    text = str(scalar).strip()
    if text not in {"true", "false"}:
        raise ValueError("must be true or false")
    return text == "true"


def _spell_ms(span: int) -> str:
    unit = next(unit for unit in ("d", "h", "m", "s") if span % _MS[unit] == 0)
    return f"{span // _MS[unit]}{unit}"


THOUSANDTHS = Quantity(_read_thousandths, spell_thousandths)
"""Points and multipliers: ``1.5`` is 1500."""
WHOLE = Quantity(_read_whole, int)
"""Counts and amounts: ``10M`` is 10000000."""
DAYS = Quantity(_read_days, lambda days: f"{days}d")
"""Whole days: ``2w`` is 14."""
MS = Quantity(_read_ms, _spell_ms)
"""Milliseconds: ``10m`` is 600000."""
SHARE = Quantity(_read_share, lambda share: f"{spell_thousandths(share * 100)}%")
"""A share in thousandths: ``60%`` is 600."""
FLAG = Quantity(_read_flag, bool)
"""``true`` or ``false``."""
