"""Compiled decimals against Decimal."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.errors import ConfigError
from seakeep.core.units import quantise_down, quantise_up
from seakeep.execution.lots import (
    Wide,
    amount,
    as_step,
    as_wide,
    count_down,
    count_up,
    exact,
    less,
    over,
    plus,
    product,
    read,
    times,
)

STEPS = [Decimal(s) for s in ("0.00000001", "0.00001", "0.001", "0.01", "0.025", "0.5", "1", "3", "10")]
FLOATS = st.floats(1e-6, 1e9)


def fraction(wide: Wide) -> Fraction:
    return Fraction(wide.high) + Fraction(wide.low)


@given(st.sampled_from(STEPS), st.floats(1e-6, 1e6))
def test_counts_are_those_of_the_decimal_quantiser(step: Decimal, x: float) -> None:
    assert count_down(x, as_step(step)) * step == quantise_down(x, step)
    assert count_up(x, as_step(step)) * step == quantise_up(x, step)


@given(st.sampled_from(STEPS), st.integers(1, 10**10))
def test_a_whole_number_of_steps_is_counted_whole(step: Decimal, count: int) -> None:
    x = float(count * step)
    assert amount(count, as_step(step)) == x
    assert count_down(x, as_step(step)) == count_up(x, as_step(step)) == count


@given(st.integers(1, 10**13), st.integers(0, 8))
def test_the_decimal_of_a_float_is_the_one_it_is_written_as(digits: int, places: int) -> None:
    written = Decimal(digits).scaleb(-places)
    found = exact(float(written))
    assert Fraction(found.num) / Fraction(found.den) == Fraction(written)


def test_a_float_of_more_digits_stands_for_itself() -> None:
    assert exact(0.1 + 0.2) == (0.30000000000000004, 1.0)


@given(FLOATS, FLOATS)
def test_a_product_loses_nothing(a: float, b: float) -> None:
    assert fraction(product(a, b)) == Fraction(a) * Fraction(b)
    assert product.py_func(a, b) == product(a, b)


@given(st.lists(st.tuples(st.integers(-(10**12), 10**12), st.integers(1, 10**9)), max_size=30))
def test_sums_of_money_are_those_of_whole_numbers(trades: list[tuple[int, int]]) -> None:
    total, expected = Wide(0.0, 0.0), 0
    for lots, ticks in trades:
        total, expected = plus(total, product(float(lots), float(ticks))), expected + lots * ticks
    assert fraction(total) == expected
    assert read(total, 1e12) == float(Decimal(expected) / Decimal(10) ** 12)


@given(FLOATS, FLOATS, FLOATS)
def test_products_and_quotients_keep_thirty_digits(a: float, b: float, c: float) -> None:
    found = fraction(over(times(product(a, b), c), b))
    assert abs(found / (Fraction(a) * Fraction(c)) - 1) < Fraction(1, 10**30)


def test_less_sees_what_no_float_shows() -> None:
    a = product(1e15, 1e15)
    assert less(a, plus(a, Wide(1e5, 0.0)))
    assert not less(a, a)
    assert not less(plus(a, Wide(1e5, 0.0)), a)


def test_a_decimal_becomes_the_nearest_pair() -> None:
    wide = as_wide(Decimal("1234567.890123456789"))
    context = Context(prec=32, rounding=ROUND_HALF_EVEN)
    assert context.plus(Decimal(wide.high) + Decimal(wide.low)) == Decimal("1234567.890123456789")


def test_steps_that_no_float_holds_are_refused() -> None:
    with pytest.raises(ConfigError, match="too many digits"):
        as_step(Decimal("1E-23"))
    with pytest.raises(ConfigError, match="not a finite"):
        as_step(Decimal("NaN"))
