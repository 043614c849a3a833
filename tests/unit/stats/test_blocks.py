import numpy as np
import pytest
from arch.bootstrap import optimal_block_length

from seakeep.stats.blocks import automatic_block


def autoregression(n, keep, seed):
    shocks = np.random.default_rng(seed).standard_normal(n)
    series = np.zeros(n)
    for t in range(1, n):
        series[t] = keep * series[t - 1] + shocks[t]
    return series


def test_blocks_are_those_of_arch():
    table = np.column_stack([autoregression(600, keep, i) for i, keep in enumerate((0.0, 0.3, 0.6, 0.9, -0.5))])
    theirs = np.maximum(1.0, optimal_block_length(table)["stationary"].to_numpy())
    assert automatic_block(table) == pytest.approx(theirs, rel=0.02)


def test_more_dependence_needs_longer_blocks():
    table = np.column_stack([autoregression(4000, keep, 7) for keep in (0.2, 0.5, 0.9)])
    found = automatic_block(table)
    assert (np.diff(found) > 0).all()


def test_a_column_that_does_not_vary_needs_no_blocks():
    assert automatic_block(np.zeros((50, 2))).tolist() == [1.0, 1.0]


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match="at least 9"):
        automatic_block(np.ones((8, 1)))
