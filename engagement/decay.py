"""What is left of a point as days pass, as integers.

A table of numerators over one denominator: exact fractions for a lifespan; for a half life 40 binary digits, floored, made with
50 decimal digits, so that they are the same on every machine and exact at whole half lives.
"""

from decimal import ROUND_FLOOR, Context, Decimal
from typing import NamedTuple

_HALF_LIFE_SCALE = 2**40


class Decay(NamedTuple):
    """What is left by age in whole days: ``left[age] / scale``. From the table's end on nothing is."""

    left: tuple[int, ...]
    scale: int


def decay_table(*, window: int, half_life: int | None = None, lifespan: int | None = None) -> Decay:
    """``half_life``: 2 ** (-age / half_life). ``lifespan``: 1 - age / lifespan. Neither: all of it until the window ends."""
    if half_life is not None:
        return Decay(tuple(_halved(age, half_life) for age in range(window)), _HALF_LIFE_SCALE)
    if lifespan is not None:
        return Decay(tuple(lifespan - age for age in range(min(window, lifespan))), lifespan)
    return Decay((1,) * window, 1)


def _halved(age: int, half_life: int) -> int:
    halves, rest = divmod(age, half_life)
    context = Context(prec=50)
    factor = context.power(2, context.divide(Decimal(-rest), Decimal(half_life)))
    return int(context.divide(context.multiply(factor, _HALF_LIFE_SCALE), 2**halves).to_integral_value(ROUND_FLOOR))
