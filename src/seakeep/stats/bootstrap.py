"""The stationary bootstrap: samples of a time series that keep how neighbours depend on each other.

A sample is made of blocks of random length (geometric, mean `block`) from random places, the series wrapped into a
circle, so that a sample of a stationary series is stationary [1]_.

.. [1] Politis and Romano, "The stationary bootstrap", Journal of the American Statistical Association 89 (1994).
"""

from collections.abc import Callable

import numpy as np

from seakeep.core.jit import kernel
from seakeep.core.market import Float64, Int64

__all__ = ["block_length", "percentile_interval", "resample", "stationary_rows"]


def block_length(n: int) -> float:
    """Mean block for n observations: n^(1/3), the rate that minimises the error of a variance, and at least 1."""
    return float(max(1.0, n ** (1 / 3)))


@kernel
def stationary_rows(starts: Float64, breaks: Float64, block: float) -> Int64:
    """Rows (n,) of one sample from uniform draws `starts` and `breaks`, both (n,) in [0, 1)."""
    n = len(starts)
    rows = np.empty(n, np.int64)
    row = 0
    for t in range(n):
        fresh = t == 0 or breaks[t] * block < 1.0
        row = int(starts[t] * n) if fresh else (row + 1) % n
        rows[t] = row
    return rows


def resample(
    statistic: Callable[[Int64], Float64 | float], n: int, *, block: float | None = None, samples: int = 1000, seed: int
) -> Float64:
    """`statistic(rows)` of each bootstrap sample: (samples, m), m the length of what it returns (1 for a float).

    `rows` (n,) index the original observations; `block` is the mean block length, `block_length(n)` if not given, and
    1 for observations that do not depend on each other. Same seed, same bits.

    >>> data = np.array([1.0, 2.0, 3.0, 4.0])
    >>> resample(lambda rows: data[rows].mean(), 4, samples=200, seed=1).shape
    (200, 1)

    Raises: ValueError if n, samples or block is below 1.
    """
    mean_block = block_length(n) if block is None else block
    if n < 1 or samples < 1 or not mean_block >= 1:
        raise ValueError(f"n, samples and block must be >= 1, got {n}, {samples} and {mean_block}")
    rng = np.random.default_rng(seed)
    found = [statistic(stationary_rows(*rng.random((2, n)), mean_block)) for _ in range(samples)]
    return np.array(found, np.float64).reshape(samples, -1)


def percentile_interval(values: Float64, level: float = 0.95) -> tuple[float, float]:
    """Central interval that holds `level` of the bootstrap values (b,); NaN twice if any of them is not a number."""
    if np.isnan(values).any():
        return float("nan"), float("nan")
    low, high = np.quantile(values, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)
