"""Planted causes are kept, noise is not, and the tests are those of statsmodels, scikit-learn and closed forms."""

import math

import numpy as np
import pytest

from seakeep.core.errors import NotEnoughHistory
from seakeep.models.causal import CausalParams, granger, lasso, mutual_information, select, shift_p_value


def _series(n=600, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6))
    for j in range(6):
        for t in range(1, n):
            x[t, j] += 0.6 * x[t - 1, j]
    y = 0.35 * x[:, 0] + 0.3 * x[:, 1] * np.abs(x[:, 1]) + rng.normal(size=n)
    return x, y


@pytest.mark.parametrize("lags", [1, 3])
def test_grangers_p_value_is_that_of_statsmodels(lags):
    tests = pytest.importorskip("statsmodels.tsa.stattools")
    x, y = _series()
    for j in range(3):
        table = np.column_stack([y, x[:, j]])
        theirs = tests.grangercausalitytests(table, [lags])[lags][0]["ssr_ftest"][1]
        assert granger(x[:, j], y, lags) == pytest.approx(theirs, rel=1e-6, abs=1e-300)


def test_planted_causes_are_kept_and_noise_is_not():
    kept = np.zeros(6)
    for seed in range(10):
        x, y = _series(seed=seed)
        kept += [vote.kept for vote in select(x, y, list("abcdef"), CausalParams(shifts=99), seed)]
    assert kept[:2].tolist() == [10, 10]
    assert kept[2:].sum() <= 3


def test_information_is_zero_of_a_constant_and_log_bins_of_the_same_series():
    x = np.random.default_rng(1).normal(size=4000)
    assert mutual_information(x, np.ones(4000), 5) == 0.0
    assert mutual_information(x, -x, 5) == pytest.approx(math.log(5), abs=1e-3)


def test_information_finds_a_dependence_without_correlation():
    rng = np.random.default_rng(2)
    x = rng.normal(size=1500)
    y = x**2 + rng.normal(size=1500)
    found, p_value = shift_p_value(x, y, 6, 99, rng)
    assert found > 0.1
    assert p_value == 0.01


def test_slow_series_without_a_tie_are_rejected_as_rarely_as_the_level_says():
    rejected = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x, y = (np.convolve(rng.normal(size=700), np.ones(40), "valid") for _ in range(2))
        rejected += shift_p_value(x, y, 6, 19, rng)[1] <= 0.05
    assert rejected <= 9


def test_lasso_keeps_what_matters_at_the_strength_of_one_standard_error():
    x, y = _series(2000)
    weights = lasso(x, y, 5)
    assert (weights[:2] > 0.1).all()
    assert (np.abs(weights[2:]) < 0.05).all()


def test_bad_input_is_refused_and_a_constant_column_has_no_vote():
    x, y = _series(300)
    with pytest.raises(ValueError, match="fit together"):
        select(x, y, ["a"])
    with pytest.raises(NotEnoughHistory):
        select(x[:40], y[:40], list("abcdef"))
    x[:, 3] = 7.0
    x[5, 0] = np.nan
    vote = select(x, y, list("abcdef"), CausalParams(shifts=19))[3]
    assert (vote.granger_p, vote.information, vote.coefficient, vote.kept) == (1.0, 0.0, 0.0, False)
