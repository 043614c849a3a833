"""The test of two Sharpe ratios, against closed forms, another library, and noise."""

import math

import numpy as np
import pytest
from arch.covariance.kernel import Parzen

from seakeep.backtest.sharpetest import long_run_variance, sharpe_difference
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64


def pair(n: int, means: tuple[float, float], correlation: float, seed: int) -> Float64:
    return np.random.default_rng(seed).multivariate_normal(means, [[1, correlation], [correlation, 1]], n)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_the_error_on_normal_returns_is_that_of_jobson_korkie_and_memmel(correlation: float) -> None:
    """Memmel, "Performance hypothesis testing with the Sharpe ratio", Finance Letters 1 (2003)."""
    n, s1, s2 = 40_000, 0.10, 0.05
    found = sharpe_difference(*pair(n, (s1, s2), correlation, 3).T, samples=20)
    variance = 2 - 2 * correlation + (s1**2 + s2**2 - 2 * s1 * s2 * correlation**2) / 2
    assert found.error == pytest.approx(math.sqrt(variance / n), rel=0.05)


@pytest.mark.parametrize("bandwidth", [1.0, 3.0, 7.0, 20.0])
def test_the_long_run_variance_is_that_of_arch(bandwidth: float) -> None:
    noise = np.random.default_rng(1).normal(size=400)
    series = np.convolve(noise, [1.0, 0.5, 0.2])[:400]
    theirs = Parzen(series, bandwidth=bandwidth, center=True, force_int=True).cov.long_run
    assert long_run_variance(series, bandwidth + 1) == pytest.approx(float(theirs.squeeze()), rel=1e-9)


def test_the_ratios_are_those_of_the_returns() -> None:
    first, second = pair(500, (0.1, 0.0), 0.3, 5).T
    found = sharpe_difference(first, second, samples=20)
    assert found.first == pytest.approx(first.mean() / first.std(ddof=1), rel=1e-9)
    assert found.second == pytest.approx(second.mean() / second.std(ddof=1), rel=1e-9)
    assert found.low < found.difference < found.high


def test_a_run_does_not_differ_from_itself() -> None:
    returns = pair(100, (0.1, 0.1), 0.0, 2)[:, 0]
    found = sharpe_difference(returns, returns)
    assert (found.difference, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)
    doubled = sharpe_difference(returns, 2 * returns)
    assert doubled.p_value == 1.0
    assert doubled.difference == pytest.approx(0, abs=1e-12)


def test_a_planted_difference_is_found_and_turning_the_pair_turns_the_sign() -> None:
    first, second = pair(1000, (0.25, 0.0), 0.5, 7).T
    there, back = sharpe_difference(first, second), sharpe_difference(second, first)
    assert there.p_value < 0.01
    assert there.low > 0
    assert back.difference == pytest.approx(-there.difference)
    assert back.p_value == there.p_value


def test_noise_with_fat_tails_is_called_a_difference_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(11)
    p_values = [sharpe_difference(*rng.standard_t(4, (2, 150)), samples=99, seed=i).p_value for i in range(150)]
    assert 1 <= np.count_nonzero(np.array(p_values) <= 0.05) <= 17


def test_hourly_returns_are_resampled_by_day() -> None:
    first, second = pair(24 * 90, (0.02, 0.0), 0.5, 9).T
    found = sharpe_difference(first, second, np.arange(24 * 90) // 24)
    assert (found.n, found.days) == (24 * 90, 90)
    assert found.error == pytest.approx(sharpe_difference(first, second, samples=20).error, rel=0.35)


def test_what_does_not_vary_is_not_known() -> None:
    returns = pair(100, (0.1, 0.1), 0.0, 2)[:, 0]
    assert math.isnan(sharpe_difference(returns, np.zeros(100)).p_value)


def test_bad_input_is_refused() -> None:
    with pytest.raises(NotEnoughHistory, match="30 days"):
        sharpe_difference(np.ones(29), np.zeros(29))
    with pytest.raises(ValueError, match="one shape"):
        sharpe_difference(np.ones(40), np.ones(41))
    with pytest.raises(ValueError, match="finite"):
        sharpe_difference(np.full(40, np.nan), np.ones(40))
