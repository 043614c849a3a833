import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from scipy import stats as laws
from sklearn.covariance import ledoit_wolf

from seakeep.core.errors import ConfigError, ConvergenceError, DataError, NotEnoughHistory
from seakeep.stats.dependence import covariance, denoise, ewma_covariance, lead_lag, marchenko_pastur, shrink
from seakeep.stats.repair import nearest_correlation, nearest_covariance

ESTIMATORS = (covariance, ewma_covariance, shrink, denoise)


def correlated(n, k, rho, seed=1, scales=None):
    rng = np.random.default_rng(seed)
    common, own = rng.standard_normal((n, 1)), rng.standard_normal((n, k))
    return (math.sqrt(rho) * common + math.sqrt(1 - rho) * own) * (np.ones(k) if scales is None else scales)


def test_the_sample_covariance_is_that_of_numpy_and_its_correlation_that_of_corrcoef():
    x = correlated(200, 4, 0.5, scales=[1.0, 0.01, 3.0, 2.0])
    found = covariance(x)
    assert found.matrix == pytest.approx(np.cov(x.T), rel=1e-12)
    assert found.correlation == pytest.approx(np.corrcoef(x.T), rel=1e-12)
    assert found.volatility == pytest.approx(x.std(axis=0, ddof=1), rel=1e-12)
    assert (found.n, found.warnings) == (200, ())


def test_the_interval_of_a_correlation_is_that_of_scipy_and_covers_the_truth():
    x = correlated(80, 2, 0.6)
    theirs = laws.pearsonr(*x.T).confidence_interval(0.9)
    low, high = covariance(x).interval(0.9)
    assert (low[0, 1], high[0, 1]) == pytest.approx((theirs.low, theirs.high), rel=1e-9)
    ends = [covariance(correlated(80, 2, 0.6, seed)).interval(0.9) for seed in range(300)]
    covered = np.mean([low[0, 1] < 0.6 < high[0, 1] for low, high in ends])
    assert covered == pytest.approx(0.9, abs=0.055)


def test_the_ewma_covariance_weighs_by_age():
    x = correlated(300, 3, 0.4)
    weights = 0.9 ** np.arange(299, -1, -1)
    found = ewma_covariance(x, 0.9)
    assert found.matrix == pytest.approx(np.average([np.outer(row, row) for row in x], axis=0, weights=weights))
    assert found.effective_n == pytest.approx(1.9 / 0.1, rel=1e-9)


def test_shrinkage_to_the_identity_is_that_of_scikit_learn():
    x = correlated(60, 12, 0.3, scales=np.linspace(0.5, 2, 12))
    matrix, weight = ledoit_wolf(x)
    found = shrink(x, "identity")
    assert found.matrix == pytest.approx(matrix, rel=1e-10)
    assert found.shrinkage == pytest.approx(weight, rel=1e-10)


def test_shrinkage_to_constant_correlation_is_the_published_sum():
    x = correlated(40, 5, 0.3, scales=np.linspace(0.5, 2, 5))
    y, n, k = x - x.mean(axis=0), 40, 5
    s, pairs = y.T @ y / n, [(i, j) for i in range(5) for j in range(5)]
    mean = np.mean([s[i, j] / math.sqrt(s[i, i] * s[j, j]) for i, j in pairs if i != j])
    aim = {(i, j): s[i, j] if i == j else mean * math.sqrt(s[i, i] * s[j, j]) for i, j in pairs}
    pi = {(i, j): np.mean((y[:, i] * y[:, j] - s[i, j]) ** 2) for i, j in pairs}

    def theta(a, i, j):
        return np.mean((y[:, a] ** 2 - s[a, a]) * (y[:, i] * y[:, j] - s[i, j]))

    rho = sum(pi[i, i] for i in range(k))
    for i, j in pairs:
        if i != j:
            ratio = math.sqrt(s[j, j] / s[i, i])
            rho += mean / 2 * (ratio * theta(i, i, j) + theta(j, i, j) / ratio)
    gamma = sum((aim[p] - s[p]) ** 2 for p in pairs)
    weight = min(1, max(0, (sum(pi.values()) - rho) / gamma / n))
    found = shrink(x)
    assert 0 < weight < 1
    assert found.shrinkage == pytest.approx(weight, rel=1e-10)
    assert found.matrix == pytest.approx(
        np.array([[weight * aim[i, j] + (1 - weight) * s[i, j] for j in range(5)] for i in range(5)])
    )


@pytest.mark.parametrize(("estimator", "n", "k"), [(shrink, 60, 40), (denoise, 90, 40)])
def test_a_cleaned_covariance_is_nearer_to_the_truth_than_the_sample(estimator, n, k):
    truth = np.full((k, k), 0.4) + 0.6 * np.eye(k)
    losses = [
        [np.linalg.norm(method(correlated(n, k, 0.4, seed)).matrix - truth) for method in (estimator, covariance)]
        for seed in range(20)
    ]
    ours, sample = np.mean(losses, axis=0)
    assert ours < 0.9 * sample


@given(ratio=st.floats(0.02, 0.95), variance=st.floats(0.2, 2.0))
def test_the_law_of_marchenko_and_pastur_has_mass_one_and_its_mean(ratio, variance):
    ends = [variance * (1 + sign * math.sqrt(ratio)) ** 2 for sign in (-1, 1)]
    centre, half = sum(ends) / 2, (ends[1] - ends[0]) / 2

    def mass(angle, power):
        at = centre + half * math.cos(angle)
        return marchenko_pastur(np.array([at]), variance, ratio)[0] * half * math.sin(angle) * at**power

    assert integrate.quad(mass, 0, math.pi, args=(0,))[0] == pytest.approx(1, abs=1e-6)
    assert integrate.quad(mass, 0, math.pi, args=(1,))[0] == pytest.approx(variance, abs=1e-6)


def test_denoising_counts_the_factors_and_keeps_variances():
    rng, factors = np.random.default_rng(5), np.random.default_rng(6).standard_normal((3, 60))
    x = rng.standard_normal((1200, 3)) @ factors + rng.standard_normal((1200, 60)) * 1.5
    found = denoise(x)
    assert found.signals == 3
    assert found.volatility == pytest.approx(x.std(axis=0, ddof=1), rel=1e-12)
    assert np.linalg.cond(found.correlation) < np.linalg.cond(covariance(x).correlation)
    assert denoise(rng.standard_normal((1200, 60))).signals <= 1


def test_a_lag_is_found_with_its_sign_and_no_lag_is_invented():
    rng = np.random.default_rng(9)
    lead = rng.standard_normal(400)
    follow = 0.4 * np.r_[np.zeros(3), lead[:-3]] + rng.standard_normal(400)
    found = lead_lag(lead, follow, 5)
    assert (found.lag, found.leader) == (3, "first")
    assert found.value == pytest.approx(np.corrcoef(lead[:-3], follow[3:])[0, 1], abs=0.02)
    assert found.p_value < 1e-6
    back = lead_lag(follow, lead, 5)
    assert (back.lag, back.leader, back.value) == (-3, "second", pytest.approx(found.value))
    false = np.mean([lead_lag(*rng.standard_normal((2, 300)), 5).p_value < 0.05 for _ in range(400)])
    assert false == pytest.approx(0.05, abs=0.033)


def test_trending_series_do_not_lead_each_other_by_accident():
    rng = np.random.default_rng(3)
    smooth = [np.convolve(rng.standard_normal(620), np.ones(5), "valid")[:600] for _ in range(400)]
    false = np.mean([lead_lag(a, b, 10).p_value < 0.05 for a, b in zip(smooth[::2], smooth[1::2], strict=True)])
    assert false < 0.09


def test_common_bursts_of_volatility_are_not_taken_for_a_lead():
    rng = np.random.default_rng(8)
    bursts = [np.repeat(np.exp(rng.normal(0, 1, 60)), 10)[:, None] * rng.standard_normal((600, 2)) for _ in range(300)]
    false = np.mean([lead_lag(*x.T, 3).p_value < 0.05 for x in bursts])
    assert false < 0.09


def test_higham_is_met(reference):
    case = reference("monte_carlo", "l4_nearest_correlation_higham")
    repair = nearest_correlation(np.array(case["inputs"]["matrix"], np.float64))
    assert repair.matrix == pytest.approx(np.array(case["expected"]["nearest"]), abs=1e-4)
    assert repair.distance == pytest.approx(case["expected"]["frobenius_distance"], abs=1e-4)
    assert repair.smallest == (pytest.approx(1 - math.sqrt(2)), pytest.approx(1e-8, rel=1e-3))
    assert repair.changed
    assert abs(repair.change) == pytest.approx(1 - 0.7607, abs=1e-4)


@given(st.integers(0, 1000), st.integers(2, 8))
@settings(max_examples=30, deadline=None)
def test_a_repair_is_positive_definite_and_nearer_than_clipping(seed, k):
    rng = np.random.default_rng(seed)
    given_ = np.clip(rng.uniform(-1.4, 1.4, (k, k)), -1, 1)
    given_ = np.triu(given_, 1) + np.triu(given_, 1).T + np.eye(k)
    repair = nearest_correlation(given_, floor=1e-6)
    np.linalg.cholesky(repair.matrix)
    assert np.diag(repair.matrix) == pytest.approx(np.ones(k), abs=1e-12)
    values, vectors = np.linalg.eigh(given_)
    clipped = (vectors * np.maximum(values, 1e-6)) @ vectors.T
    clipped /= np.sqrt(np.outer(np.diag(clipped), np.diag(clipped)))
    assert repair.distance <= np.linalg.norm(clipped - given_) + 1e-6
    assert repair.changed == (values[0] < 1e-6)


def test_a_covariance_keeps_its_variances_and_a_sound_one_is_left_alone():
    scale = np.array([0.01, 2.0, 30.0])
    broken = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]]) * np.outer(scale, scale)
    repair = nearest_covariance(broken)
    assert np.diag(repair.matrix) == pytest.approx(scale**2)
    assert repair.matrix[repair.row, repair.column] - broken[repair.row, repair.column] == pytest.approx(repair.change)
    np.linalg.cholesky(repair.matrix / np.outer(scale, scale))
    sound = covariance(correlated(50, 3, 0.2)).matrix
    kept = nearest_covariance(sound)
    assert not kept.changed
    assert (kept.matrix == sound).all()


def test_more_assets_than_rows_are_said_to_be_singular():
    found = covariance(correlated(20, 30, 0.2))
    assert "singular: 30 assets from 20 observations" in found.warnings[0]
    assert shrink(correlated(20, 30, 0.2)).warnings == ()
    with pytest.raises(NotEnoughHistory, match="needs more than 30 returns"):
        denoise(correlated(20, 30, 0.2))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_bad_returns_are_refused_with_the_need(estimator):
    x = correlated(50, 3, 0.2)
    with pytest.raises(NotEnoughHistory, match="at least 10 rows"):
        estimator(x[:9])
    with pytest.raises(DataError, match="row 4 of asset 1 is not a finite"):
        estimator(np.where((np.arange(50)[:, None] == 4) & (np.arange(3) == 1), np.inf, x))
    with pytest.raises(DataError, match="asset 2 does not vary"):
        estimator(x * [1, 1, 0] + 0.1)
    with pytest.raises(ValueError, match="shape"):
        estimator(x[:, 0])


def test_bad_settings_are_refused_by_name():
    x = correlated(50, 2, 0.2)
    with pytest.raises(ConfigError, match="did you mean constant"):
        shrink(x, "const")
    with pytest.raises(ValueError, match="decay"):
        ewma_covariance(x, 1.0)
    with pytest.raises(ValueError, match="level"):
        covariance(x).interval(1.0)
    with pytest.raises(ValueError, match="one length"):
        lead_lag(x[:, 0], x[1:, 1])
    with pytest.raises(NotEnoughHistory):
        lead_lag(x[:, 0], x[:, 1], 20)
    with pytest.raises(DataError, match="ones on its diagonal"):
        nearest_correlation(2 * np.eye(2))
    with pytest.raises(DataError, match="symmetric"):
        nearest_correlation(np.array([[1.0, 0.5], [0.1, 1.0]]))
    with pytest.raises(DataError, match="variance of asset 1"):
        nearest_covariance(np.diag([1.0, 0.0]))
    with pytest.raises(DataError, match="square"):
        nearest_covariance(np.ones((2, 3)))
    with pytest.raises(ConvergenceError, match="did not settle"):
        nearest_correlation(np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]]), tolerance=0.0)
