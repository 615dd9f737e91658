"""What is left of a point, by hand."""

from engagement.decay import SCALE, decay_table


def test_half_lives_are_exact_at_whole_halves():
    table = decay_table(window=90, half_life=14)
    assert [table[age] for age in (0, 14, 28, 42)] == [SCALE, SCALE // 2, SCALE // 4, SCALE // 8]
    assert len(table) == 90


def test_a_half_life_in_between_is_floored():
    assert decay_table(window=90, half_life=2)[1] == 707_106_781  # 0.70710678118...
    assert decay_table(window=90, half_life=30)[10] == 793_700_525  # 2 ** (-1/3) = 0.79370052598...


def test_a_lifespan_is_a_line_to_nothing():
    table = decay_table(window=90, lifespan=90)
    assert 9_000 * table[3] // SCALE == 8_700 - 1  # 1/30 is no decimal: 0.966666666, floored
    assert 9_000 * decay_table(window=120, lifespan=100)[50] // SCALE == 4_500
    assert len(decay_table(window=90, lifespan=30)) == 30


def test_without_decay_all_of_it_stays_until_the_window_ends():
    assert decay_table(window=7) == (SCALE,) * 7
