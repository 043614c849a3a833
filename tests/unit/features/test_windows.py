"""Rolling windows against NumPy on each window by itself."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.lib.stride_tricks import sliding_window_view

from seakeep.core.market import Float64
from seakeep.features import windows

NUMPY: dict[str, Callable[[Float64], Float64]] = {
    "rolling_sum": lambda w: w.sum(1),
    "rolling_mean": lambda w: w.mean(1),
    "rolling_min": lambda w: w.min(1),
    "rolling_max": lambda w: w.max(1),
    "rolling_weighted": lambda w: (w * np.arange(1, w.shape[1] + 1)).sum(1),
    "rolling_age": lambda w: np.where(np.isnan(w).any(1), np.nan, np.argmax(w[:, ::-1], axis=1)),
}
series = arrays(float, st.integers(0, 60), elements=st.floats(-1e6, 1e6) | st.just(np.nan) | st.just(0.0))


@pytest.mark.parametrize("name", NUMPY)
@settings(deadline=None)  # the first call compiles
@given(x=series, length=st.integers(1, 12))
def test_a_window_equals_numpy_and_keeps_its_nan_to_itself(name: str, x: Float64, length: int) -> None:
    got = getattr(windows, name)(x, length)
    assert np.isnan(got[: length - 1]).all()
    if len(x) >= length:
        want = NUMPY[name](sliding_window_view(x, length))
        np.testing.assert_allclose(got[length - 1 :], want, rtol=1e-12, atol=1e-7)


@settings(deadline=None)  # the first call compiles
@given(x=series, length=st.integers(2, 12), ddof=st.integers(0, 1))
def test_a_deviation_equals_numpy(x: Float64, length: int, ddof: int) -> None:
    got = windows.rolling_std(x, length, ddof)
    if len(x) >= length:
        want = sliding_window_view(x, length).std(1, ddof=ddof)
        np.testing.assert_allclose(
            got[length - 1 :], want, rtol=1e-7, atol=1e-9 * max(np.nanmax(np.abs(x), initial=0), 1)
        )


def test_a_high_level_costs_a_deviation_no_digits() -> None:
    small = np.random.default_rng(1).normal(0.0, 1e-4, 500)
    np.testing.assert_allclose(
        windows.rolling_std(small + 2.0**20, 20, 0)[19:], windows.rolling_std(small, 20, 0)[19:], rtol=1e-5
    )


def test_a_million_rows_do_not_drift() -> None:
    x = np.r_[np.full(1_000, 1e12), np.random.default_rng(2).random(1_000_000)]
    assert windows.rolling_sum(x, 20)[-1] == pytest.approx(x[-20:].sum(), rel=1e-14)
