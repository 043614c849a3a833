"""Drawdowns against R, laws against the literature."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.stats.recovery import (
    _crossing,
    _kaplan_meier,
    average_drawdown,
    conditional_drawdown,
    depth_percentiles,
    drawdown_probability,
    expected_max_drawdown,
    max_drawdown_quantile,
    pain_index,
    recovery_percentiles,
    ulcer_index,
    worst_drawdowns,
)


def wealth(returns):
    return np.append(1.0, np.cumprod(1 + returns))


@pytest.mark.parametrize(
    ("key", "measure"),
    [
        ("ulcer_index", ulcer_index),
        ("pain_index", pain_index),
        ("average_drawdown", average_drawdown),
        ("cdar_95_of_discrete_drawdowns", conditional_drawdown),
    ],
)
def test_indices_are_those_of_performance_analytics(reference, series, key, measure):
    case = reference("drawdown", "edhec_max_drawdown_ulcer_pain")
    columns = series(case["inputs"]["series_file"])
    for name, expected in case["expected"][key].items():
        assert measure(wealth(columns[name])) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["emerging_markets", "convertible_arbitrage"])
def test_the_worst_five_have_the_lengths_of_performance_analytics(reference, series, name):
    case = reference("drawdown", "edhec_drawdown_table")
    expected = case["expected"][name]
    equity = wealth(series(case["inputs"]["series_file"])[name])
    found = worst_drawdowns(equity, 5)
    assert -found.depth == pytest.approx(expected["depth"], abs=1e-6)
    assert (found.recovered - found.peak).tolist() == expected["length"]
    assert (found.trough - found.peak).tolist() == expected["to_trough"]
    back = [int(r - t) if r < len(equity) else None for r, t in zip(found.recovered, found.trough, strict=True)]
    assert back == expected["recovery"]


def test_the_drawdown_law_without_drift_is_that_of_reflected_brownian_motion(reference):
    case = reference("drawdown", "mdd_distribution_zero_drift")
    expected = case["expected"]
    found = [1 - drawdown_probability(h, 0.0, 1.0, 1.0) for h in case["inputs"]["h"]]
    assert found == pytest.approx(expected["cdf"], abs=1e-6)
    quantiles = [max_drawdown_quantile(share, 0.0, 1.0, 1.0) for share in (0.5, 0.95, 0.99)]
    assert quantiles == pytest.approx([expected["median"], expected["q95"], expected["q99"]], abs=1e-6)


def test_the_expected_largest_drawdown_is_that_of_magdon_ismail(reference):
    case = reference("drawdown", "mdd_expected_zero_drift")
    found = [expected_max_drawdown(0.0, 1.0, t) for t in case["inputs"]["T"]]
    assert found == pytest.approx(case["expected"]["expected_mdd"], rel=1e-9)
    case = reference("drawdown", "mdd_expected_positive_drift")
    inputs = case["inputs"]
    found = [expected_max_drawdown(inputs["mu"], inputs["sigma"], t) for t in inputs["T"]]
    assert found == pytest.approx(case["expected"]["expected_mdd"], rel=0.005)


def eigenfunction_series(depth, mean, std, horizon, terms=60):
    """P(no fall of `depth`) by separation of variables: roots of tan(x) = x / (a h), a = mean / variance, a h < 1."""
    a, alive = mean / std**2, 0.0
    for j in range(terms):
        bottom, top = (
            (j * np.pi + 1e-9, j * np.pi + np.pi / 2 - 1e-9)
            if a > 0
            else (j * np.pi + np.pi / 2 + 1e-9, (j + 1) * np.pi - 1e-9)
        )
        bottom = 1e-6 if a > 0 and j == 0 else bottom
        k = brentq(lambda x: a * depth * np.sin(x) - x * np.cos(x), bottom, top) / depth
        rate = std**2 / 2 * (a * a + k * k)
        slope = -k * k * np.sin(k * depth) - a * k * np.cos(k * depth)
        y = np.linspace(0, depth, 4001)
        norm = np.trapezoid((k * np.cos(k * y) - a * np.sin(k * y)) ** 2, y)
        whole = -(std**2) / (2 * rate) * math.exp(-a * depth) * slope
        alive += k * whole / norm * math.exp(-rate * horizon)
    return alive


@pytest.mark.parametrize("mean", [0.0007, 0.0002, -0.0004, -0.003])
@pytest.mark.parametrize("horizon", [30, 365, 2000])
def test_the_law_with_drift_is_that_of_separated_variables(mean, horizon):
    expected = eigenfunction_series(0.4, mean, 0.02, horizon)
    assert 1 - drawdown_probability(0.4, mean, 0.02, horizon) == pytest.approx(expected, abs=1e-5)


def test_a_steep_fall_is_certain_when_its_time_has_come():
    times = [340, 345, 350, 400, 1000]
    found = [drawdown_probability(0.69, -0.002, 0.0001, t) for t in times]
    assert found == pytest.approx([0, 0.5, 1, 1, 1], abs=0.05)
    assert [drawdown_probability(0.69, -0.02, 0.002, t) for t in (60, 69, 100)] == pytest.approx([1, 1, 1], abs=1e-8)
    assert expected_max_drawdown(-5.0, 0.01, 10.0) == pytest.approx(50, rel=1e-3)


def test_remission_times_of_freireich_give_the_published_survival():
    """21 patients on 6-MP (Freireich et al., Blood 21, 1963), the textbook example of Kaplan and Meier's estimate."""
    ended = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    rows = np.array(ended + censored, np.float64)
    times, curve, below, above = _kaplan_meier(rows, np.arange(len(rows)) < len(ended))
    assert times.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve == pytest.approx([0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=6e-4)
    assert (below[0], above[0]) == pytest.approx((0.620, 0.952), abs=1e-3)
    assert _crossing(times, curve, np.array([0.5, 0.1])).tolist() == [23, np.inf]


def test_percentiles_of_a_history_hold_the_plain_ones_and_say_what_is_weak():
    equity = wealth(np.random.default_rng(3).standard_normal(2000) * 0.01 + 0.002)
    depths, back = depth_percentiles(equity), recovery_percentiles(equity)
    assert (depths.low <= depths.value).all()
    assert (depths.value <= depths.high).all()
    assert (np.diff(depths.value) >= 0).all()
    assert (back.low <= back.value).all()
    assert (back.value <= back.high).all()
    assert np.isnan(back.error).all()
    few = depth_percentiles(equity[:200])
    assert "percentile 99" in few.warnings[0]


def test_a_drawdown_still_open_lengthens_the_recovery():
    closed = np.append(1.0, np.tile([0.9, 0.95, 1.0], 12))
    opened = np.append(closed, np.full(40, 0.5))
    assert recovery_percentiles(closed, (90.0, 99.0)).value.tolist() == [2, 2]
    found = recovery_percentiles(opened, (90.0, 99.0))
    assert found.value.tolist() == [2, np.inf]
    assert found.warnings[-1] == "the last drawdown is still open"


def test_order_statistics_cover_the_true_median_as_often_as_they_say():
    rng, held = np.random.default_rng(9), 0
    for _ in range(300):
        falls = rng.uniform(0, 0.5, 25)
        equity = np.append(1.0, np.column_stack([1 - falls, np.ones(25)]).ravel())
        found = depth_percentiles(equity, (50.0,))
        held += found.low[0] <= 0.25 <= found.high[0]
    assert 0.93 <= held / 300 <= 1.0


NAN = float("nan")


@pytest.mark.parametrize("equity", [[1.0, NAN, 2.0], [0.0, 1.0], [1.0, -1.0], [1.0, math.inf]])
def test_equity_that_is_not_money_is_refused(equity):
    with pytest.raises(DataError, match="equity at row"):
        ulcer_index(np.array(equity))


def test_too_little_is_said_to_be_too_little():
    with pytest.raises(NotEnoughHistory, match="at least 2 rows"):
        pain_index(np.ones(1))
    with pytest.raises(NotEnoughHistory, match="at least 10 drawdowns"):
        recovery_percentiles(np.linspace(1, 2, 100))
    with pytest.raises(ValueError, match="between 0 and 100"):
        depth_percentiles(wealth(np.tile([-0.1, 0.2], 20)), (100.0,))
    for wrong in ((0.0, 0.0, 1.0, 1.0), (1.0, 0.0, 0.0, 1.0), (1.0, 0.0, 1.0, 0.0), (1.0, NAN, 1.0, 1.0)):
        with pytest.raises(ValueError, match="must be > 0"):
            drawdown_probability(*wrong)
    for level in (0.0, 1.0, NAN):
        with pytest.raises(ValueError, match=r"\(0, 1\)"):
            conditional_drawdown(np.array([1.0, 0.9, 1.0]), level)
