"""Hidden Markov chains: hmmlearn's likelihood and fit, textbook filtering, and what must not be possible."""

import itertools
import logging
import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.errors import ConvergenceError, DataError, NotEnoughHistory
from seakeep.stats.hmm import HmmFit, HmmSettings, filter_probs, fit_hmm

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from hmmlearn.hmm import GaussianHMM


def drawn(k=2, d=2, n=900, seed=4):
    """Rows of k states that last long, each with a covariance of its own."""
    rng = np.random.default_rng(seed)
    states = np.repeat(rng.integers(0, k, n // 30), 30)
    roots = [np.linalg.cholesky((0.4 * (j % 2) * (np.ones((d, d)) - np.eye(d)) + np.eye(d)) * 4.0**j) for j in range(k)]
    return np.array([0.3 * s + roots[s] @ rng.standard_normal(d) for s in states]) * 0.01


def peer_of(fit, x=None, sweeps=0):
    """hmmlearn with those parameters; with sweeps, fitted from them."""
    kind = fit.covariance
    peer = GaussianHMM(
        len(fit.means), kind, n_iter=sweeps, tol=-np.inf, init_params="", covars_prior=0.0, covars_weight=0.0
    )
    peer.startprob_, peer.transmat_, peer.means_ = fit.start, fit.transition, fit.means
    peer.covars_ = fit.covariances if kind == "full" else fit.covariances.diagonal(axis1=1, axis2=2)
    if sweeps:
        logging.getLogger("hmmlearn").setLevel(logging.ERROR)
        peer.fit(x)
    return peer


@pytest.mark.parametrize(("k", "d", "kind"), [(2, 1, "full"), (3, 2, "full"), (2, 3, "diag"), (4, 1, "diag")])
def test_the_likelihood_is_hmmlearn_s_and_no_sweep_of_its_own_raises_it(k, d, kind):
    x = drawn(k, d)
    fit = fit_hmm(x, k, seed=1, settings=HmmSettings(covariance=kind, tolerance=1e-9))
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(peer_of(fit).score(x), rel=1e-9)
    again = peer_of(fit, x, sweeps=5)
    assert again.score(x) == pytest.approx(fit.log_likelihood, abs=1e-5)
    assert np.allclose(again.transmat_, fit.transition, atol=1e-4)
    assert np.allclose(again.means_, fit.means, rtol=1e-3, atol=1e-5)


def test_the_same_sweeps_from_the_same_start_end_where_hmmlearn_does():
    x, even = drawn(3, 2), np.full(3, 1 / 3)
    covariances = np.geomspace(0.25, 2.5, 3)[:, None, None] * np.cov(x.T)
    transition = np.full((3, 3), 0.05) + 0.85 * np.eye(3)
    start = HmmFit(np.outer([-1, 0, 1], x.std(axis=0)), covariances, transition, even, even, 0, 0, 0, True, 0, "full")
    fit = fit_hmm(x, 3, 0, start, HmmSettings(iterations=9, tolerance=1e-300))
    peer = peer_of(start, x, sweeps=9)
    assert not fit.converged
    assert fit.log_likelihood == pytest.approx(peer.monitor_.history[-1], rel=1e-11)


def test_filtered_probabilities_are_those_of_hmmlearn_at_each_last_row():
    x = drawn(2, 2, 120)
    fit = fit_hmm(x, 2, seed=1)
    found, peer = filter_probs(fit, x), peer_of(fit)
    for t in (1, 17, 60, 120):
        assert np.allclose(found[t - 1], peer.predict_proba(x[:t])[-1], atol=1e-9)
    assert np.allclose(found[-1], fit.now, atol=1e-9)


LONG = drawn(2, 1, 120)
FITTED = fit_hmm(LONG, 2, seed=1)


@given(cut=st.integers(1, 119), seed=st.integers(0, 50))
def test_the_future_changes_no_filtered_probability(cut, seed):
    x, fit, later = LONG, FITTED, LONG.copy()
    later[cut:] += np.random.default_rng(seed).standard_normal(later[cut:].shape)
    assert np.array_equal(filter_probs(fit, x)[:cut], filter_probs(fit, later)[:cut])


def test_the_likelihood_is_the_sum_over_all_sequences_of_states():
    x = drawn(2, 1, 90)[:, 0]
    fit = fit_hmm(x, 2, seed=1)
    few, sd = x[:6], np.sqrt(fit.covariances[:, 0, 0])
    density = np.exp(-0.5 * ((few[:, None] - fit.means[:, 0]) / sd) ** 2) / sd / math.sqrt(2 * math.pi)
    chance = np.zeros(2)
    for path in itertools.product(range(2), repeat=6):
        p = fit.start[path[0]] * np.prod([fit.transition[a, b] for a, b in itertools.pairwise(path)])
        chance[path[-1]] += p * np.prod(density[np.arange(6), path])
    assert np.allclose(filter_probs(fit, few)[-1], chance / chance.sum(), atol=1e-12)


def test_one_state_is_one_normal_and_states_that_are_not_there_gain_nothing():
    x = np.random.default_rng(2).standard_normal((800, 2)) @ np.array([[1.0, 0.0], [0.6, 0.8]])
    one = fit_hmm(x, 1, seed=1)
    assert np.allclose(one.covariances[0], np.cov(x.T, ddof=0))
    assert one.log_likelihood == pytest.approx(one.one_state)
    assert one.gain == pytest.approx(0, abs=1e-6)
    assert fit_hmm(x, 2, seed=1).gain < 0 < fit_hmm(drawn(2, 2), 2, seed=1).gain


def test_units_do_not_matter_and_a_seed_repeats():
    x = drawn(2, 2)
    base, large = fit_hmm(x, 2, seed=1), fit_hmm(1e4 * x + 7, 2, seed=1)
    assert np.allclose(base.transition, large.transition, atol=1e-6)
    assert large.log_likelihood == pytest.approx(base.log_likelihood - len(x) * 2 * math.log(1e4), abs=1e-5)
    assert np.allclose(filter_probs(base, x), filter_probs(large, 1e4 * x + 7), atol=1e-6)
    assert np.array_equal(base.means, fit_hmm(x, 2, seed=1).means)


def test_a_warm_start_ends_at_the_same_maximum_in_fewer_sweeps():
    x = drawn(2, 1, 1200)
    cold = fit_hmm(x, 2, seed=1)
    warm = fit_hmm(x, 2, 1, fit_hmm(x[:-1], 2, seed=1))
    assert warm.log_likelihood == pytest.approx(cold.log_likelihood, abs=1e-5)
    assert warm.iterations <= cold.iterations


def test_the_compiled_forward_pass_is_the_python_one():
    from seakeep.stats import hmm

    rng = np.random.default_rng(1)
    logs, transition, start = rng.standard_normal((40, 3)), rng.dirichlet(np.ones(3), 3), np.full(3, 1 / 3)
    ends = []
    for forward in (hmm._forward, hmm._forward.py_func):
        alpha = np.empty((40, 3))
        ends.append((forward(logs.copy(), transition, start, alpha, np.empty(40)), alpha))
    assert ends[0][0] == pytest.approx(ends[1][0], rel=1e-12)
    assert np.allclose(ends[0][1], ends[1][1], rtol=1e-12)


def test_an_outlier_beyond_all_states_is_filtered_not_lost():
    x = drawn(2, 1, 300)[:, 0]
    fit = fit_hmm(x, 2, seed=1)
    found = filter_probs(fit, np.append(x, 50.0), fit.stationary)
    assert np.isfinite(found).all()
    assert found[-1, 1] > 0.999


@pytest.mark.parametrize(
    ("x", "k", "error", "says"),
    [
        (np.ones(100), 2, DataError, "column 0 does not vary"),
        (drawn(2, 1)[:19], 2, NotEnoughHistory, "at least 20 rows"),
        (np.where(np.arange(100) == 7, np.nan, np.arange(100.0)), 2, DataError, "row 7, column 0"),
        (drawn(2, 1), 0, ValueError, "k >= 1"),
        (np.zeros((2, 2, 2)), 2, ValueError, "shape"),
        (np.repeat(drawn(2, 1), 2, axis=1), 2, ConvergenceError, "shrinks to a point"),
    ],
)
def test_what_cannot_be_fitted_is_refused(x, k, error, says):
    with pytest.raises(error, match=says):
        fit_hmm(x, k, seed=1)


def test_wrong_rows_priors_and_settings_are_refused():
    fit = fit_hmm(drawn(2, 2), 2, seed=1)
    with pytest.raises(ValueError, match=r"rows \(n, 2\)"):
        filter_probs(fit, np.zeros(5))
    with pytest.raises(ValueError, match="prior"):
        filter_probs(fit, np.zeros((5, 2)), np.ones(3))
    with pytest.raises(DataError, match="row 1, column 0"):
        filter_probs(fit, np.array([[0.0, 0.0], [np.inf, 0.0]]))
    with pytest.raises(ValueError, match="full or diag"):
        HmmSettings(covariance="tied")
    with pytest.raises(ValueError, match="start has"):
        fit_hmm(drawn(3, 2), 3, 1, fit)
