"""k-means and Gaussian mixtures against published fits."""

import numpy as np
import pytest

from seakeep.core.errors import ConvergenceError, DataError, NotEnoughHistory
from seakeep.stats.kmeans import fit_kmeans
from seakeep.stats.mixture import fit_mixture


@pytest.mark.parametrize("name", ["kmeans_iris_k3", "kmeans_old_faithful_k2"])
def test_the_centres_are_those_r_finds(reference, series, name):
    case = reference("regimes", name)
    table, expected = series(case["inputs"]["series_file"]), case["expected"]
    columns = [c for c in table.values() if getattr(c, "dtype", None) == np.float64][
        : len(expected["centers_sorted_by_first_coordinate"][0])
    ]
    found = fit_kmeans(np.column_stack(columns), case["inputs"].get("n_clusters", 2), seed=1)
    assert found.inertia == pytest.approx(expected["inertia"], abs=1e-4)
    assert found.sizes.tolist() == expected["sizes_sorted_by_first_coordinate"]
    assert found.centres == pytest.approx(np.array(expected["centers_sorted_by_first_coordinate"]), abs=1e-4)


def test_waiting_times_of_old_faithful_are_the_mixture_of_mixtools(reference, series):
    case = reference("regimes", "gmm_old_faithful_waiting")
    x, expected = series(case["inputs"]["series_file"])["waiting"], case["expected"]["full_precision"]
    found = fit_mixture(x, 2, seed=1)
    assert found.weights == pytest.approx(expected["weights"], abs=1e-3)
    assert found.means[:, 0] == pytest.approx(expected["means"], abs=1e-3)
    assert np.sqrt(found.covariances[:, 0, 0]) == pytest.approx(expected["sigmas"], abs=1e-3)
    assert found.log_likelihood == pytest.approx(expected["loglikelihood"], abs=1e-3)


def test_the_criterion_of_mclust_for_old_faithful(reference, series):
    case = reference("regimes", "gmm_bic_model_choice_faithful")
    table, expected = series(case["inputs"]["series_file"]), case["expected"]
    x = np.column_stack([table[name] for name in case["inputs"]["columns"]])
    found = fit_mixture(x, 3, seed=1, covariance="tied", starts=6)
    assert found.parameters == expected["n_parameters"]
    assert found.log_likelihood == pytest.approx(expected["loglikelihood"], abs=0.05)
    assert found.bic == pytest.approx(expected["bic"], abs=0.05)
    assert sorted(found.weights) == pytest.approx(expected["weights_sorted"], abs=0.01)


@pytest.mark.parametrize("covariance", ["full", "diag", "tied"])
def test_the_odds_of_the_components_are_those_of_scikit_learn(covariance):
    peers = pytest.importorskip("sklearn.mixture")
    rng = np.random.default_rng(1)
    x = np.vstack([rng.normal(0, 1, (200, 2)), rng.normal(4, 1.5, (100, 2))])
    found = fit_mixture(x, 2, seed=1, covariance=covariance)
    peer = peers.GaussianMixture(2, covariance_type=covariance, reg_covar=0, tol=1e-10, max_iter=2000, random_state=1)
    odds = peer.fit(x).predict_proba(x)
    assert found.probs(x) == pytest.approx(odds[:, peer.means_[:, 0].argsort()], abs=1e-4)


def test_the_seed_does_not_change_a_clear_answer():
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.normal(-5, 1, 200), rng.normal(5, 1, 300)])
    first, *others = (fit_kmeans(x, 2, seed).labels.tolist() for seed in range(5))
    assert all(other == first for other in others)


def test_what_cannot_be_clustered_is_refused():
    with pytest.raises(NotEnoughHistory):
        fit_kmeans(np.ones(2), 3, seed=1)
    with pytest.raises(DataError, match="row 1"):
        fit_kmeans(np.array([1.0, np.nan, 2.0]), 2, seed=1)
    with pytest.raises(DataError, match="vary"):
        fit_mixture(np.ones(50), 2, seed=1)
    with pytest.raises(ConvergenceError):
        fit_mixture(np.repeat([0.0, 1.0], 20), 2, seed=1)
