import math

import numpy as np
import pytest
from scipy.stats import entropy

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.units import DAY_MS, HOUR_MS
from seakeep.data.synthetic import SyntheticParams, generate
from seakeep.models.comparison import Metrics
from seakeep.models.drift import drift, population_stability, reference, shifts, without_level


def frame(*columns: np.ndarray) -> FeatureFrame:
    names = tuple(f"x{j}" for j in range(len(columns)))
    return FeatureFrame("X", np.arange(1, len(columns[0]) + 1) * HOUR_MS, names, np.column_stack(columns))


def metrics(rows: int, loss: float, naive: float) -> Metrics:
    return Metrics(rows, loss, naive, 0.0, rows, 0.5, 10, 1.0)


def test_the_index_is_the_symmetric_divergence() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        e, a = rng.dirichlet(np.ones(10)) + 1e-3, rng.dirichlet(np.ones(10)) + 1e-3
        e, a = e / e.sum(), a / a.sum()
        assert population_stability(e, a) == pytest.approx(entropy(e, a) + entropy(a, e), rel=1e-9)


def test_a_normal_that_moves_by_half_a_deviation_has_index_a_quarter() -> None:
    rng = np.random.default_rng(2)
    before = reference(frame(rng.standard_normal(200_000)), ("x0",), DAY_MS, bins=200)
    (shift,) = shifts(before, frame(rng.standard_normal(200_000) + 0.5))
    assert shift.psi == pytest.approx(0.25, abs=0.01)


def test_without_a_shift_the_index_is_what_sampling_makes_it() -> None:
    rng = np.random.default_rng(3)
    found = []
    for _ in range(200):
        before = reference(frame(rng.standard_normal(2_000)), ("x0",), DAY_MS)
        found.append(shifts(before, frame(rng.standard_normal(1_000)))[0].psi)
    assert np.mean(found) == pytest.approx(9 * (1 / 2_000 + 1 / 1_000), rel=0.1)


def test_a_slow_feature_that_wanders_as_ever_has_not_shifted_and_one_that_leaves_has() -> None:
    hours = np.arange(24 * 120)
    slow = np.sin(2 * np.pi * hours / (24 * 60))
    before = reference(frame(slow), ("x0",), 15 * DAY_MS)
    late = drift(shifts(before, frame(slow[: 24 * 15])), metrics(9, 1, 1), metrics(9, 1, 1), 1)
    left = drift(shifts(before, frame(slow[: 24 * 15] + 3)), metrics(9, 1, 1), metrics(9, 1, 1), 1)
    assert late.shifts[0].psi > 0.2
    assert late.shifted(0.2) == ()
    assert [shift.name for shift in left.shifted(0.2)] == ["x0"]


def test_a_wild_week_is_not_a_bad_model() -> None:
    same = drift((), metrics(100, 1.0, 1.1), metrics(50, 5.0, 5.5), 40)
    worse = drift((), metrics(100, 1.0, 1.1), metrics(50, 5.0, 4.0), 40)
    assert same.error_ratio == pytest.approx(1.0)
    assert worse.error_ratio == pytest.approx(1.25 * 1.1)
    assert math.isnan(drift((), metrics(100, 1.0, 1.1), metrics(39, 5.0, 4.0), 40).error_ratio)


def test_missing_values_are_left_out_and_too_few_say_nothing() -> None:
    column = np.where(np.arange(400) % 2, np.nan, np.arange(400.0))
    before = reference(frame(column, np.full(400, np.nan)), ("x0", "x1"), DAY_MS)
    known, empty = shifts(before, frame(column, column))
    assert known.psi == pytest.approx(0.0, abs=1e-12)
    assert math.isnan(empty.psi)
    assert math.isnan(shifts(before, frame(column[:100], column[:100]))[0].psi)


def test_features_in_units_of_price_or_volume_are_known() -> None:
    bars = generate(SyntheticParams(symbols=("BTC/USDT",), delisted=None, interval="1h", days=20, seed=1))
    specs = ("ema:20", "rsi:14", "atr:14", "return_std:48", "volume")
    assert without_level(bars.frames["BTC/USDT"], specs) == ("rsi:14", "return_std:48")
