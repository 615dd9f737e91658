"""What is left of a point, by hand."""

from math import isqrt

from engagement.decay import decay_table


def test_half_lives_are_exact_at_whole_halves():
    left, scale = decay_table(window=600, half_life=14)
    assert [left[age] * 2 ** (age // 14) for age in (0, 14, 28, 42, 560)] == [scale] * 5
    assert len(left) == 600


def test_a_half_life_in_between_is_floored():
    left, scale = decay_table(window=90, half_life=2)
    assert left[1] == isqrt(scale**2 // 2)  # 0.70710678118...
    left, scale = decay_table(window=90, half_life=30)
    assert left[10] ** 3 <= scale**3 // 2 < (left[10] + 1) ** 3  # 2 ** (-1/3) = 0.79370052598...


def test_a_lifespan_is_an_exact_line_to_nothing():
    left, scale = decay_table(window=90, lifespan=90)
    assert 9_000 * left[3] // scale == 8_700
    assert len(left) == 90
    left, scale = decay_table(window=120, lifespan=100)
    assert 9_000 * left[50] // scale == 4_500
    assert len(decay_table(window=90, lifespan=30).left) == 30


def test_without_decay_all_of_it_stays_until_the_window_ends():
    left, scale = decay_table(window=7)
    assert left == (scale,) * 7
