"""Accuracy by certainty, against counts made by hand and against scipy's interval."""

import numpy as np
import pytest
from scipy.stats import binomtest

from seakeep.backtest.certainty import by_certainty, first_touch
from seakeep.core.errors import DataError
from seakeep.core.market import BarFrame


def test_rows_count_those_certain_enough():
    p, rose = np.array([0.9, 0.7, 0.55, 0.3, 0.1, 0.5, 0.8]), np.array([1, 0, 1, 0, 1, 1, np.nan])
    found = by_certainty(p, rose, bins=10)
    assert [(row.n, row.right) for row in found.both] == [(5, 3), (4, 2), (4, 2), (2, 1), (2, 1)]
    assert [(row.n, row.right) for row in found.up][::2] == [(3, 2), (2, 1), (1, 1)]
    assert (found.unknown, int(found.counts.sum()), int(found.rose.sum())) == (1, 6, 4)


def test_the_interval_is_wilsons():
    rng = np.random.default_rng(1)
    p, rose = rng.random(300), (rng.random(300) < 0.6).astype(float)
    row = by_certainty(p, rose).up[5]
    want = binomtest(row.right, row.n).proportion_ci(method="wilson")
    assert (row.low, row.high) == pytest.approx((want.low, want.high))


def test_a_probability_of_one_is_in_the_last_bin():
    assert by_certainty(np.array([1.0]), np.array([1.0])).counts[-1] == 1


def test_the_first_barrier_decides_and_a_bar_that_touches_both_says_nothing():
    rows = [(0, 100, 100, 100, 100, 1), (1, 100, 100.5, 99.5, 100, 1), (2, 100, 101, 99.9, 100, 1)]
    rows += [(3, 100, 102, 98, 100, 1), (4, 100, 100, 98, 99, 1)]
    label = first_touch(BarFrame.from_rows("X/Y", "1h", rows), 0.01, 3)
    assert label.tolist()[:2] == [1, 1]
    assert np.isnan(label[2])
    assert label[3] == 0
    assert np.isnan(label[4])


def test_calibrated_opinions_are_as_right_as_they_say():
    rng = np.random.default_rng(2)
    p = rng.random(200_000)
    row = by_certainty(p, (rng.random(200_000) < p).astype(float)).both[20]
    assert row.low < 0.95 < row.high


def test_nothing_to_judge_is_an_error():
    with pytest.raises(DataError, match="no candle"):
        by_certainty(np.array([0.7]), np.array([np.nan]))
    with pytest.raises(ValueError, match="differ"):
        by_certainty(np.zeros(2), np.zeros(3))
