import math

import numpy as np
import pytest
from scipy import integrate, stats
from statsmodels.api import OLS

from seakeep.core.errors import NotEnoughHistory
from seakeep.core.units import HOUR_MS
from seakeep.models.comparison import by_instant, crps, diebold_mariano, measure


def losses(n: int, gain: float, horizon: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two series whose difference is a moving average of `horizon` shocks around `gain`."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_normal(n + horizon - 1)
    base = rng.random(n)
    return base + gain + np.convolve(shocks, np.ones(horizon) / horizon, "valid"), base


def test_the_score_of_a_normal_forecast_is_its_integral() -> None:
    for mean, std, y in ((0.0, 1.0, 0.0), (0.3, 2.0, -1.7), (-1.0, 0.2, 4.0)):
        law = stats.norm(mean, std)
        below = integrate.quad(lambda x, law=law: law.cdf(x) ** 2, -20, y)[0]
        above = integrate.quad(lambda x, law=law: law.sf(x) ** 2, y, 20)[0]
        assert crps(np.array([[mean, std]]), np.array([y]))[0] == pytest.approx(below + above, abs=1e-7)


def test_a_forecast_without_deviation_scores_its_absolute_error() -> None:
    forecast = np.array([[1.0, 0.0], [np.nan, 1.0], [0.0, -1.0]])
    assert crps(forecast, np.array([3.5, 0.0, 0.0])).tolist()[0] == 2.5
    assert np.isnan(crps(forecast, np.zeros(3))[1:]).all()


def test_over_one_row_it_is_the_paired_t_test() -> None:
    old, new = losses(60, 0.2, 1, 1)
    found, expected = diebold_mariano(old, new, 1), stats.ttest_rel(old, new, alternative="greater")
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-10)


def test_over_several_rows_it_is_the_robust_t_of_a_constant_with_the_correction_of_harvey() -> None:
    old, new = losses(200, 0.1, 4, 2)
    kernel = {"maxlags": 3, "weights_func": lambda lags: np.ones(lags + 1)}
    robust = OLS(old - new, np.ones(200)).fit(cov_type="HAC", cov_kwds=kernel).tvalues[0]
    n, h = 200, 4
    corrected = robust * math.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    assert diebold_mariano(old, new, 4).statistic == pytest.approx(corrected, rel=1e-10)


def test_equals_are_told_apart_as_often_as_the_level_says() -> None:
    rejected = sum(diebold_mariano(*losses(400, 0.0, 6, seed), 6).p_value < 0.05 for seed in range(600))
    assert stats.binomtest(rejected, 600, 0.06).pvalue > 0.001


def test_the_same_losses_are_no_gain() -> None:
    same = np.arange(10.0)
    found = diebold_mariano(same, same, 2)
    assert (found.gain, found.statistic, found.p_value) == (0.0, 0.0, 0.5)


def test_a_comparison_needs_two_horizons_and_whole_series() -> None:
    with pytest.raises(NotEnoughHistory, match="two horizons"):
        diebold_mariano(np.ones(9), np.zeros(9), 5)
    with pytest.raises(ValueError, match="finite losses"):
        diebold_mariano(np.array([1.0, np.nan, 2.0]), np.ones(3), 1)


def test_symbols_that_move_together_are_one_observation() -> None:
    ts = np.array([2, 3, 1, 2, 3])
    assert by_instant(ts, np.array([1.0, 2.0, 5.0, 3.0, np.nan])).tolist() == [5.0, 2.0, 2.0]


def test_trades_follow_one_another_and_their_profits_are_counted() -> None:
    ts = np.arange(1, 9) * HOUR_MS
    forecast = np.column_stack([[1.0, -1, 1, 1, -1, 1, 1, 0], np.ones(8)])
    y = np.array([0.3, 0.1, -0.2, 0.1, -0.4, np.nan, 0.1, 0.2])
    found = measure(ts, forecast, y, np.ones(8), 2 * HOUR_MS)
    assert (found.rows, found.calls, found.trades) == (7, 6, 4)
    assert found.accuracy == pytest.approx(4 / 6)
    assert found.profit_factor == pytest.approx((0.3 + 0.4 + 0.1) / 0.2)


def test_figures_of_nothing_are_unknown() -> None:
    found = measure(np.empty(0, np.int64), np.empty((0, 2)), np.empty(0), np.empty(0), HOUR_MS)
    assert (found.rows, found.trades) == (0, 0)
    assert all(math.isnan(value) for value in (found.loss, found.ic, found.accuracy, found.relative_loss))
