import numpy as np
import pytest
from scipy import stats

from seakeep.stats.coverage import dynamic_quantile, kupiec, weibull_duration
from seakeep.stats.resampled import duration_null, quantile_null, resampled

N, SHARE = 1000, 0.01


def volatile(rng):
    return np.exp(np.cumsum(0.05 * rng.standard_normal(N)))


def test_where_failures_are_rare_the_simulated_size_is_right_and_that_of_chi_squared_is_not():
    rng, rounds = np.random.default_rng(1), 600
    var = volatile(rng)
    null, plain, simulated = quantile_null(var, 1 - SHARE, samples=999, seed=2), 0, 0
    for _ in range(rounds):
        test = dynamic_quantile(np.where(rng.random(N) < SHARE, -2, 0) * var, var, 1 - SHARE)
        plain += test.p_value < 0.01
        simulated += resampled(test, null).p_value < 0.01
    assert simulated <= stats.binom.ppf(0.999, rounds, 0.015)
    assert plain > 3 * 0.01 * rounds


def test_durations_of_right_forecasts_have_uniform_p_values():
    rng = np.random.default_rng(3)
    null = duration_null(N, 0.95, seed=4)
    p = [resampled(weibull_duration(rng.random(N) < 0.05)[0], null).p_value for _ in range(300)]
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_the_same_seed_gives_the_same_law():
    var = volatile(np.random.default_rng(1))
    one, same, other = (quantile_null(var, 0.95, samples=99, seed=s) for s in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_a_p_value_is_the_rank_in_the_law_and_never_zero():
    null = np.arange(99.0)
    assert resampled(kupiec(50, 100, 0.95), null).p_value == pytest.approx(0.01)
    assert resampled(kupiec(5, 100, 0.95), null).p_value == pytest.approx(1.0)
    assert np.isnan(resampled(weibull_duration(np.zeros(50, bool))[0], null).p_value)
    with pytest.raises(ValueError, match="at least 99 samples"):
        duration_null(100, 0.95, samples=10)
