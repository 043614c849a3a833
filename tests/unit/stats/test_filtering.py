"""Filters over windows: their whole-history originals, their Python twins, and the published hidden chains."""

import numpy as np
import pytest

from seakeep.stats import filtering
from seakeep.stats.filtering import arma_states, filter_windows, garch_variances, scaled_densities
from seakeep.stats.hmm import HmmFit, filter_probs, fit_hmm
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


def smoothed(filtered, transition):
    """Kim's recursion (1994): what later rows make of filtered probabilities (n, k). A trader has no later rows."""
    found = filtered.copy()
    for t in range(len(found) - 2, -1, -1):
        found[t] = filtered[t] * (transition @ (found[t + 1] / (filtered[t] @ transition)))
    return found


@pytest.mark.parametrize("name", ["hmm_umbrella_forward_backward", "hmm_rainy_sunny_viterbi"])
def test_every_filtered_row_smooths_to_the_published_posterior_and_sums_to_its_likelihood(reference, name):
    case = reference("regimes", name)
    given, expected, rounded = case["inputs"], case["expected"], 1e-4 if "umbrella" in name else 1e-6
    density = np.array(given.get("emission_likelihood_per_step", ()))
    if not len(density):
        density = np.ascontiguousarray(np.array(given["emissionprob"])[:, given["observations"]].T)
    transition, start = np.array(given["transmat"]), np.array(given["startprob"])
    found = np.array(
        [filter_windows(density, transition, start, np.array([t]), 1, t + 1)[0] for t in range(len(density))]
    )
    assert smoothed(found, transition) == pytest.approx(np.array(expected["posteriors"]), abs=rounded)
    before = np.vstack([start, found[:-1] @ transition])
    likelihood = np.log((before * density).sum(axis=1)).sum()
    assert likelihood == pytest.approx(expected["loglikelihood"], abs=rounded)


def test_the_federal_funds_rate_has_statas_likelihood_and_smoothed_regimes(reference, series):
    case = reference("regimes", "markov_switching_fedfunds_stata")
    e, columns = case["expected"], series(case["inputs"]["series_file"])
    rate, transition = columns["fedfunds"], np.array([[e["p11"], 1 - e["p11"]], [e["p21"], 1 - e["p21"]]])
    means, spread = np.array([[e["mu1"]], [e["mu2"]]]), np.full((2, 1, 1), e["sigma"] ** 2)
    fit = HmmFit(means, spread, transition, np.full(2, 0.5), np.full(2, 0.5), 0, 0, 0, True, len(rate), "full")
    found = filter_probs(fit, rate, fit.stationary)
    assert smoothed(found, transition)[:, 0] == pytest.approx(columns["smoothed_p_regime1"], abs=1e-5)
    before = np.vstack([fit.stationary, found[:-1] @ transition])
    density = np.exp(-0.5 * ((rate[:, None] - means.T) / e["sigma"]) ** 2) / (e["sigma"] * np.sqrt(2 * np.pi))
    assert np.log((before * density).sum(axis=1)).sum() == pytest.approx(e["loglikelihood"], abs=1e-3)


def test_a_chain_that_leaves_states_for_good_still_begins_with_some_odds_for_them():
    spread = np.ones((3, 1, 1))
    transition = np.array([[0.92, 0.073, 0.007], [0.048, 0.952, 1e-18], [2.6e-29, 2e-24, 1.0]])
    transition /= transition.sum(axis=1, keepdims=True)
    fit = HmmFit(np.zeros((3, 1)), spread, transition, np.ones(3) / 3, np.ones(3) / 3, 0, 0, 0, True, 9, "diag")
    assert (fit.stationary >= 0).all()
    assert fit.stationary[2] == pytest.approx(1.0)
    assert fit.odds.sum() == pytest.approx(1.0)
    assert fit.odds.min() > 0.009


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
