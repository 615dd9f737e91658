"""Quantities as people write them in a rulebook, as exact integers: ``14d``, ``10M``, ``1.5``, ``60%``.

Each `Quantity` reads a scalar's text and spells it back in one way, so two spellings of one value give one rulebook version.
Arithmetic is `decimal`, never float. Every quantity has a largest value, so whatever is computed from accepted ones fits: a day
into 31 bits and a date, a score into 63 bits. A text that is not the quantity raises ValueError whose message completes
``path = text ...``: what it must be, with an example.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

THOUSAND = 1000
MOST_DAYS = 3660
"""Of any span: ten years."""
_NUMBER = re.compile(r"(?=.{1,28}$)([+-]?[0-9][0-9_]*(?:\.[0-9]+)?)([kKMG]?)")  # `decimal` computes exactly with 28 digits
_DURATION = re.compile(r"([0-9]{1,15})\s*([smhdw])")
_SCHEMA_NUMBER = "^[0-9][0-9_]*([.][0-9]+)?[kKMG]?$"
_SUFFIX = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9}
_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


class Quantity(NamedTuple):
    """How one sort of scalar is read and spelled."""

    read: Callable[[object], int]
    spell: Callable[[int], str | int]
    schema: dict[str, Any]  # of what a person may write, as JSON Schema


def _number(scalar: object, scale: int, most: int, must: str) -> int:
    """Read a number as how often a ``scale``-th goes into it; ``most`` is in whole ones."""
    match = _NUMBER.fullmatch(str(scalar).strip())
    if match is None:
        raise ValueError(must)
    exact = Decimal(match[1]) * _SUFFIX[match[2]] * scale
    if exact != exact.to_integral_value() or not 0 <= exact <= most * scale:
        raise ValueError(must)
    return int(exact)


def _duration(scalar: object, unit: int, most: int, must: str) -> int:
    """Read a duration as a number of ``unit`` milliseconds, from 1 to ``most``."""
    match = _DURATION.fullmatch(str(scalar).strip())
    if match is None:
        raise ValueError(must)
    spans, rest = divmod(int(match[1]) * _MS[match[2]], unit)
    if rest or not 0 < spans <= most:
        raise ValueError(must)
    return spans


def spell_thousandths(amount: int) -> str | int:
    """``1500`` -> ``"1.5"``, ``2000`` -> ``2``."""
    ones, rest = divmod(amount, THOUSAND)
    return ones if rest == 0 else f"{ones}.{rest:03d}".rstrip("0")


def thousandths(most: int) -> Quantity:
    """Numbers with up to three decimals: ``1.5`` is 1500. ``most`` is in whole ones."""
    must = f"must be a number from 0 to {most:_} with at most three decimals; write it as 20 or 1.5"
    schema = {"anyOf": [{"type": "number", "minimum": 0, "maximum": most}, {"type": "string", "pattern": _SCHEMA_NUMBER}]}
    return Quantity(lambda scalar: _number(scalar, THOUSAND, most, must), spell_thousandths, schema)


def whole(most: int, example: str) -> Quantity:
    """Counts and amounts: ``10M`` is 10000000."""
    must = f"must be a whole number from 0 to {most:_}; write it as {example}"
    schema = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": most}, {"type": "string", "pattern": _SCHEMA_NUMBER}]}
    return Quantity(lambda scalar: _number(scalar, 1, most, must), int, schema)


def milliseconds(most_days: int) -> Quantity:
    """Durations of at least a second."""
    must = f"must be a duration from 1s to {most_days}d; write it as 10m or 24h"
    return Quantity(
        lambda scalar: _duration(scalar, 1, most_days * _MS["d"], must), _spell_ms, {"type": "string", "pattern": "^ *[0-9]+ *[smhdw] *$"}
    )


def _read_days(scalar: object) -> int:
    return _duration(scalar, _MS["d"], MOST_DAYS, f"must be whole days from 1d to {MOST_DAYS}d; write it as 14d")


def _read_share(scalar: object) -> int:
    must = "must be a share from 0% to 100% with at most one decimal; write it as 60%"
    text = str(scalar).strip()
    if not text.endswith("%"):
        raise ValueError(must)
    return _number(text[:-1], THOUSAND // 100, 100, must)


def _read_flag(scalar: object) -> int:
    text = str(scalar).strip()
    if text not in {"true", "false"}:
        raise ValueError("must be true or false")
    return text == "true"


def _spell_ms(span: int) -> str:
    unit = next(unit for unit in ("d", "h", "m", "s") if span % _MS[unit] == 0)
    return f"{span // _MS[unit]}{unit}"


POINTS = thousandths(1_000_000)
"""Points. A million signals of a kind with the most points by somebody with the largest multiplier are 10**17 thousandths."""
MULTIPLIER = thousandths(100)
"""What a role makes of points."""
WHOLE = whole(10**15, "3, 200 or 1.5M")
"""Counts and amounts that are only compared."""
DAYS = Quantity(_read_days, lambda days: f"{days}d", {"type": "string", "pattern": "^ *[0-9]+ *[dw] *$"})
"""Whole days: ``2w`` is 14."""
MS = milliseconds(MOST_DAYS)
"""Milliseconds: ``10m`` is 600000."""
SHARE = Quantity(_read_share, lambda share: f"{spell_thousandths(share * 100)}%", {"type": "string", "pattern": "^ *[0-9_.]+ *% *$"})
"""A share in thousandths: ``60%`` is 600."""
FLAG = Quantity(_read_flag, bool, {"type": "boolean"})
"""``true`` or ``false``."""
