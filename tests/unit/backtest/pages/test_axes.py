"""Ticks, thinning and the frame."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.notation import compact, duration, money, percent, price
from seakeep.backtest.pages.axes import Frame, nice_ticks, span, thin, time_ticks
from seakeep.core.units import DAY_MS, parse_time


@given(st.floats(-1e3, 1e3), st.floats(1e-2, 1e9), st.integers(2, 9))
def test_ticks_are_round_inside_and_not_too_many(low: float, width: float, count: int) -> None:
    ticks = nice_ticks(low, low + width, count)
    assert 1 <= len(ticks) <= count + 1
    assert ((ticks >= low - 1e-6 * width) & (ticks <= low + width * 1.000001)).all()
    if len(ticks) > 1:
        lead = (ticks[1] - ticks[0]) / 10 ** math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9)
        assert min(abs(lead - m) for m in (1, 2, 2.5, 5, 10)) < 1e-3


@pytest.mark.parametrize("days", [0.01, 0.3, 1, 4, 20, 90, 400, 1500, 9000])
def test_time_ticks_lie_inside_and_are_at_most_nine(days: float) -> None:
    start = parse_time("20240117")
    ticks = time_ticks(start, start + round(days * DAY_MS))
    assert 2 <= len(ticks) <= 9
    assert all(start <= ts <= start + days * DAY_MS for ts, _ in ticks)
    assert len({b - a for (a, _), (b, _) in pairwise(ticks)}) == 1 or days > 60


def test_month_ticks_start_on_the_first_and_name_the_year_in_january() -> None:
    ticks = time_ticks(parse_time("20230915"), parse_time("20240420"))
    assert [label for _, label in ticks] == ["Oct", "Nov", "Dec", "2024", "Feb", "Mar", "Apr"]
    assert ticks[3][0] == parse_time("20240101")


def test_thinning_keeps_the_ends_the_order_and_a_lone_spike() -> None:
    values = np.sin(np.arange(50_000) / 900)
    values[31_234] = 9.0
    kept = thin(values, 300)
    assert (len(kept), kept[0], kept[-1]) == (300, 0, 49_999)
    assert (np.diff(kept) > 0).all()
    assert 31_234 in kept


@pytest.mark.parametrize("n", [1, 2, 1200, 1201, 1202, 1203, 2400])
def test_thinning_gives_at_most_its_limit_and_leaves_short_series_alone(n: int) -> None:
    kept = thin(np.random.default_rng(n).normal(size=n))
    assert len(kept) == min(n, 1200)
    assert (np.diff(kept) > 0).all()


def test_a_frame_maps_the_corners_of_the_data_to_the_corners_of_the_page() -> None:
    frame = Frame(10, 200, 0.0, 4.0, -1.0, 1.0)
    assert (frame.across(1.0), frame.down(1.0), frame.down(-1.0)) == (25.0, 10.0, 210.0)
    assert frame.points(np.array([0.0, 4.0]), np.array([1.0, -1.0])).tolist() == [[0, 0], [4000, 2000]]


@given(st.lists(st.floats(-1e12, 1e12) | st.just(math.nan), max_size=20))
def test_a_span_is_never_empty_and_holds_every_finite_value(values: list[float]) -> None:
    low, high = span(np.array(values, np.float64))
    assert low < high
    assert all(low <= v <= high for v in values if math.isfinite(v))


def test_numbers_read_well() -> None:
    assert [money(-0.001), money(-1234.5), money(2.5e6), money(3, signed=True)] == [
        "0.00",
        "−1,234.50",
        "2,500,000",
        "+3.00",
    ]
    assert [percent(-0.00001), percent(math.inf), percent(math.nan)] == ["0.00%", "∞", "n/a"]
    assert [compact(v) for v in (9_999, 125_000, -3e6, 0.25, 4.2e12)] == ["9,999", "125k", "−3M", "0.25", "4.2T"]
    assert [price(v) for v in (43_000.126, 0.5, 0.0000001234)] == ["43,000.13", "0.50000", "0.00000012340"]
    assert [duration(v) for v in (59_000, 3_600_000, 90_061_000, math.nan)] == ["59s", "1h", "1d 1h", "n/a"]
