"""Filters over windows: their whole-history originals, their Python twins, and the published hidden chains."""

import numpy as np
import pytest

from seakeep.stats import filtering
from seakeep.stats.filtering import arma_states, filter_windows, garch_variances, scaled_densities
from seakeep.stats.hmm import filter_probs, fit_hmm
from seakeep.stats.volatility import Garch, filter_garch


def test_a_window_as_long_as_the_history_is_the_filter_over_all_of_it():
    x = np.random.default_rng(1).normal(0, [[0.01], [0.03]], (2, 200)).ravel()
    fit = fit_hmm(x, 2, seed=1)
    density = scaled_densities(x[:, None], fit.means, np.sqrt(fit.covariances[:, :, 0]))
    found = filter_windows(density, fit.transition, fit.stationary, np.array([399]), 1, 400)
    assert found[0] == pytest.approx(filter_probs(fit, x, fit.stationary)[-1], abs=1e-12)


def test_the_umbrella_world_is_filtered_as_in_the_textbook(reference):
    case = reference("regimes", "hmm_umbrella_forward_backward")
    density = np.array(case["inputs"]["emission_likelihood_per_step"])
    transition = np.array(case["inputs"]["transmat"])
    found = [filter_windows(density, transition, np.full(2, 0.5), np.array([t]), 1, t + 1)[0] for t in range(5)]
    forward = np.array(case["expected"]["forward_unscaled"])
    assert np.array(found) == pytest.approx(forward / forward.sum(axis=1, keepdims=True), abs=2e-3)


def test_the_last_day_of_rain_or_sun_is_as_likely_as_published(reference):
    case = reference("regimes", "hmm_rainy_sunny_viterbi")
    emission = np.array(case["inputs"]["emissionprob"])
    density = np.ascontiguousarray(emission[:, case["inputs"]["observations"]].T)
    chain = np.array(case["inputs"]["transmat"]), np.array(case["inputs"]["startprob"])
    assert filter_windows(density, *chain, np.array([2]), 1, 3)[0] == pytest.approx(
        case["expected"]["posteriors"][-1], abs=1e-6
    )


def test_the_two_states_of_hmmlearn_are_found(reference, series):
    case = reference("regimes", "hmm_gaussian_2state_peer")
    expected, x = case["expected"], series(case["inputs"]["series_file"])["ret"]
    fit = fit_hmm(x, 2, seed=1)
    assert fit.log_likelihood == pytest.approx(expected["loglikelihood"], abs=0.5)
    assert fit.means[:, 0] == pytest.approx(expected["means"], abs=2e-4)
    assert np.sqrt(fit.covariances[:, 0, 0]) == pytest.approx(expected["sigmas"], rel=0.02)
    assert fit.transition == pytest.approx(np.array(expected["transmat"]), abs=0.005)


def test_the_variance_ahead_is_that_of_the_garch_filter():
    x = np.random.default_rng(2).normal(0, 0.02, 500)
    params = Garch(omega=4e-6, alpha=0.1, beta=0.6)
    found = garch_variances(x, np.zeros(500, int), np.array([4e-6, 0.1, 0.6, 0.0]), 1e-3, 200)
    assert found[-1] == pytest.approx(filter_garch(x, params).next_variance, rel=1e-12)
    assert np.isnan(found[:200]).all()


def test_shocks_of_a_moving_average_are_recovered():
    e = np.random.default_rng(3).standard_normal(300)
    x = e + 0.5 * np.append(0.0, e[:-1])
    states = arma_states(x, np.zeros(300, int), np.zeros(2), np.array([0.5, 0.0]), 100)
    assert states[-1] == pytest.approx([x[-1], x[-2], e[-1], e[-2]], abs=1e-12)


@pytest.mark.parametrize("name", ["scaled_densities", "filter_windows", "garch_variances", "arma_states"])
def test_kernels_are_their_python_twins(name):
    rng, first = np.random.default_rng(4), np.zeros(40, int)
    x = rng.standard_normal(40)
    x[7] = np.nan
    arguments = {
        "scaled_densities": (x[:, None], np.array([[0.0], [1.0]]), np.ones((2, 1))),
        "filter_windows": (rng.random((40, 2)), np.full((2, 2), 0.5), np.full(2, 0.5), np.arange(40), 2, 4),
        "garch_variances": (x, first, np.array([0.1, 0.1, 0.8, 0.05]), 1.0, 9),
        "arma_states": (x, first, np.array([0.2, 0.1]), np.array([0.3, 0.0]), 9),
    }[name]
    kernel = getattr(filtering, name)
    assert kernel(*arguments) == pytest.approx(kernel.py_func(*arguments), rel=1e-12, nan_ok=True)
