"""ARMA by exact likelihood: statsmodels' fits, simulations, and the algebra of forecasts."""

import math
import warnings

import numpy as np
import pytest

from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.stats.arma import arma_likelihood, fit_arma, sum_variance, sum_weights


def simulated(phi, theta, n, seed=3):
    """An ARMA path (n,) with shocks of variance 1, begun long before."""
    e = np.random.default_rng(seed).standard_normal(n + 200)
    x = np.zeros(n + 200)
    for t in range(2, n + 200):
        x[t] = phi[0] * x[t - 1] + phi[1] * x[t - 2] + e[t] + theta[0] * e[t - 1]
    return x[200:]


@pytest.mark.parametrize("order", [(1, 0), (0, 1), (1, 1), (2, 1)])
def test_the_maximum_is_the_one_statsmodels_finds(order):
    models = pytest.importorskip("statsmodels.tsa.arima.model")
    x, (p, q) = 0.3 + simulated((0.5, -0.2), (0.4, 0), 600), order
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = models.ARIMA(x, order=(p, 0, q)).fit()
    fit = fit_arma(x, p, q)
    assert fit.log_likelihood == pytest.approx(peer.llf, abs=1e-4)
    ours = [fit.mean, *fit.phi, *fit.theta, fit.variance]
    assert ours == pytest.approx(peer.params, abs=2e-3)
    assert fit.bic == pytest.approx(peer.bic, abs=1e-3)


def test_the_likelihood_is_that_of_the_joint_normal():
    x = simulated((0.6, 0.0), (0.0, 0), 40)
    lag = np.abs(np.subtract.outer(np.arange(40), np.arange(40)))
    covariance = 0.6**lag / (1 - 0.36)
    found, variance = arma_likelihood(x, np.array([0.6]), np.empty(0), 0.0)
    joint = -0.5 * (x @ np.linalg.solve(covariance, x) / variance + np.linalg.slogdet(2 * math.pi * covariance)[1])
    assert found == pytest.approx(joint - 20 * math.log(variance), abs=1e-9)


def test_a_fit_begun_at_an_earlier_one_ends_at_the_same_maximum():
    x = simulated((0.5, -0.2), (0.4, 0), 2000)
    cold = fit_arma(x, 1, 1)
    warm = fit_arma(x, 1, 1, fit_arma(x[:1500], 1, 1))
    assert warm.log_likelihood == pytest.approx(cold.log_likelihood, abs=1e-4)


def test_the_sum_of_an_autoregression_is_forecast_by_its_geometric_series():
    phi, theta = np.array([0.7, 0.0]), np.zeros(2)
    assert sum_weights(phi, theta, 10) == pytest.approx([sum(0.7**k for k in range(1, 11)), 0, 0, 0])
    reach = [(1 - 0.7**k) / 0.3 for k in range(1, 11)]
    assert sum_variance(phi, theta, 10) == pytest.approx(sum(r * r for r in reach))


def test_the_variance_of_the_forecast_error_is_that_of_simulated_futures():
    phi, theta, rng = np.array([0.5, -0.2]), np.array([0.4, 0.0]), np.random.default_rng(5)
    e = np.hstack([np.zeros((40_000, 2)), rng.standard_normal((40_000, 12))])
    x = np.zeros_like(e)
    for t in range(2, e.shape[1]):
        x[:, t] = phi[0] * x[:, t - 1] + phi[1] * x[:, t - 2] + e[:, t] + theta[0] * e[:, t - 1]
    assert x.sum(axis=1).var() == pytest.approx(sum_variance(phi, theta, 12), rel=4 * math.sqrt(2 / 40_000))


@pytest.mark.parametrize(
    ("x", "error"), [(np.zeros(10), NotEnoughHistory), (np.ones(99), DataError), (np.full(99, np.nan), DataError)]
)
def test_rows_that_cannot_be_fitted_are_refused(x, error):
    with pytest.raises(error):
        fit_arma(x, 1, 1)
    with pytest.raises(ValueError, match="orders"):
        fit_arma(np.arange(99.0), 6, 0)


@pytest.mark.parametrize("phi", [(1.0,), (-1.0,), (1.2,), (0.5, 0.5), (2.0, -1.0)])
def test_a_process_without_a_variance_has_no_likelihood(phi):
    value, variance = arma_likelihood(np.random.default_rng(1).standard_normal(80), np.array(phi), np.array([0.3]), 0.0)
    assert value == -math.inf
    assert math.isnan(variance)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("order", [(1, 1), (2, 0)])
def test_returns_that_cancel_or_pile_up_are_fitted_within_the_stationary(order, seed):
    e = np.random.default_rng(seed).standard_normal(60)
    for x in (np.diff(e), np.cumsum(e), np.sign(e), np.where(np.arange(60) == 30, 100.0, 1e-3 * e)):
        fit = fit_arma(x, *order)
        roots = np.roots(np.append(1.0, -fit.phi))
        assert np.abs(roots).max() < 1
        assert math.isfinite(fit.log_likelihood)
        assert fit.variance > 0
