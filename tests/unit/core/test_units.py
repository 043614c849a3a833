"""Time and quantity arithmetic."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.errors import ConfigError
from seakeep.core.units import interval_ms, iso, parse_time, parse_timerange, quantise, quantise_down, quantise_up


@pytest.mark.parametrize(
    ("text", "expected"), [("1m", 60_000), ("5m", 300_000), ("4h", 14_400_000), ("1w", 604_800_000)]
)
def test_intervals_are_milliseconds(text: str, expected: int) -> None:
    assert interval_ms(text) == expected


@pytest.mark.parametrize("text", ["", "m", "0m", "5", "-1h", "1y", "1.5h", "5m ", "99999999m"])
def test_what_is_not_an_interval_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not an interval"):
        interval_ms(text)


def test_times_are_read_in_every_usual_form() -> None:
    forms = ("20240101", "2024-01-01", "2024-01-01T00:00:00Z", "2024-01-01T01:00:00+01:00", "1704067200000")
    assert {parse_time(form) for form in forms} == {1704067200000}
    assert iso(1704067200123) == "2024-01-01T00:00:00.123Z"


@pytest.mark.parametrize("text", ["", "-", "20240601-20240101", "2024", "x-y", "20241301-", "20240101"])
def test_a_range_that_cannot_be_read_or_is_empty_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_timerange(text)


@given(
    st.decimals(0, 10**9, places=10),
    st.sampled_from([Decimal("0.01"), Decimal("0.00001"), Decimal("5"), Decimal("0.25")]),
)
def test_quantising_brackets_the_value_by_one_step(value: Decimal, step: Decimal) -> None:
    down, up = quantise_down(value, step), quantise_up(value, step)
    assert down <= value <= up
    assert up - down in (Decimal(0), step)
    assert abs(quantise(value, step) - value) <= step / 2


def exactly(value: float, step: Decimal, rounding: str) -> Decimal:
    return (Decimal(repr(value)) / step).to_integral_value(rounding) * step


STEPS = [Decimal("0.01"), Decimal("0.00001"), Decimal("1E-8"), Decimal(5), Decimal("0.25"), Decimal("0.3")]


@given(
    st.one_of(
        st.floats(-1e18, 1e18),
        st.floats(0, 1e6),
        st.integers(0, 10**13).map(lambda n: n / 10**5),
        st.integers(0, 10**9).map(lambda n: n * 0.25),
    ),
    st.sampled_from(STEPS),
)
def test_a_float_is_counted_in_steps_as_its_decimal_is_digit_for_digit(value: float, step: Decimal) -> None:
    down, up = quantise_down(value, step), quantise_up(value, step)
    assert down.as_tuple() == exactly(value, step, ROUND_FLOOR).as_tuple()
    assert up.as_tuple() == exactly(value, step, ROUND_CEILING).as_tuple()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN")])
def test_what_is_not_finite_cannot_become_an_obligation(value: float) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        quantise(value, Decimal("0.01"))
