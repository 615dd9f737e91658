"""What is left of a point as days pass, as integers: tables of factors scaled by `SCALE`, floored.

Made with 50 decimal digits, so the tables are the same on every machine and exact at whole half lives.
"""

from decimal import ROUND_FLOOR, Context, Decimal

SCALE = 10**9


def decay_table(*, window: int, half_life: int | None = None, lifespan: int | None = None) -> tuple[int, ...]:
    """Factor by age in whole days, ``table[0] == SCALE``; from the table's end on nothing is left.

    ``half_life``: 2 ** (-age / half_life). ``lifespan``: 1 - age / lifespan. Neither: all of it until the window ends.
    """
    if half_life is not None:
        return tuple(_halved(age, half_life) for age in range(window))
    if lifespan is not None:
        return tuple(SCALE * (lifespan - age) // lifespan for age in range(min(window, lifespan)))
    return (SCALE,) * window


def _halved(age: int, half_life: int) -> int:
    halves, rest = divmod(age, half_life)
    context = Context(prec=50)
    factor = context.power(2, context.divide(Decimal(-rest), Decimal(half_life)))
    return int(context.divide(context.multiply(factor, SCALE), 2**halves).to_integral_value(ROUND_FLOOR))
