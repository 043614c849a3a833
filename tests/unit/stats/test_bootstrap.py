import numpy as np
import pytest

from seakeep.stats.bootstrap import block_length, percentile_interval, resample, stationary_rows


def test_the_compiled_twin_is_the_same_function():
    starts, breaks = np.random.default_rng(3).random((2, 500))
    np.testing.assert_array_equal(stationary_rows(starts, breaks, 8.0), stationary_rows.py_func(starts, breaks, 8.0))


def test_blocks_follow_the_circle_and_have_the_mean_length_asked_for():
    n, block = 200_000, 20.0
    rows = stationary_rows(*np.random.default_rng(1).random((2, n)), block)
    jumps = np.count_nonzero((rows[1:] - rows[:-1]) % n != 1)
    assert jumps == pytest.approx(n / block, abs=4 * np.sqrt(n / block))
    assert ((rows >= 0) & (rows < n)).all()


def test_the_mean_of_independent_draws_has_the_textbook_error():
    data = np.random.default_rng(2).standard_normal(400)
    means = resample(lambda rows: data[rows].mean(), len(data), block=1, samples=4000, seed=5)
    assert means.std() == pytest.approx(data.std() / 20, rel=0.05)
    assert means.mean() == pytest.approx(data.mean(), abs=4 * data.std() / 20 / np.sqrt(4000))


def test_the_variance_of_the_mean_is_that_of_politis_and_romano():
    """Their lemma 1: autocovariances of the circle at lag i, weighted (1 - i/n)(1 - p)^i, each from both sides."""
    rng, n, block = np.random.default_rng(4), 120, 6.0
    data = np.convolve(rng.standard_normal(n + 4), np.ones(5), "valid")
    centred, lags, keep = data - data.mean(), np.arange(1, n), 1 - 1 / block
    circular = np.array([np.dot(centred, np.roll(centred, -lag)) / n for lag in range(n)])
    weights = (1 - lags / n) * keep**lags
    expected = (circular[0] + 2 * np.dot(weights, circular[1:])) / n
    means = resample(lambda rows: data[rows].mean(), n, block=block, samples=20_000, seed=6)
    assert means.var() == pytest.approx(expected, rel=0.05)


def test_a_seed_fixes_every_sample():
    data = np.arange(30.0)
    one, same, other = (resample(lambda r: data[r].mean(), 30, samples=20, seed=s) for s in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


@pytest.mark.parametrize("wrong", [{"block": 0.5}, {"block": float("nan")}, {"samples": 0}])
def test_what_cannot_be_sampled_is_refused(wrong):
    with pytest.raises(ValueError, match="must be >= 1"):
        resample(lambda rows: 0.0, 10, seed=1, **wrong)


def test_an_interval_of_values_that_are_not_all_numbers_is_not_known():
    assert percentile_interval(np.linspace(0, 100, 101), 0.9) == pytest.approx((5, 95))
    assert np.isnan(percentile_interval(np.array([1.0, np.nan]))).all()
    assert block_length(27) == pytest.approx(3)
